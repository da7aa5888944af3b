# Building: no compiler has anything to say, and what comes out is small.
# long: 40 s

load helper

# build_with COMPILER [ARGUMENT...]: in a copy of the tree, without a word.
build_with() {
    command -v "$1" >/dev/null || skip "there is no $1"
    if [ ! -d "$D/tree" ]; then
        mkdir "$D/tree"
        cp -r Makefile ./*.c lib "$D/tree"
    fi
    make -s -C "$D/tree" clean
    run make -s -C "$D/tree" CC="$1" "${@:2}" relayd relay-connect
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "gcc" {
    build_with gcc
}

@test "clang" {
    build_with clang
}

# With musl, static and stripped; once for all tests here.
build_static() {
    if [ ! -d "$BATS_FILE_TMPDIR/tree" ]; then
        build_with musl-gcc LDFLAGS=-static
        strip "$D/tree/relayd" "$D/tree/relay-connect"
        mv "$D/tree" "$BATS_FILE_TMPDIR/tree"
    fi
    STATIC=$BATS_FILE_TMPDIR/tree
}

# 100 kB each was to be enough for all protocols: of relay-connect 43 are the C
# library, most of it to look names up. So much have they now.
@test "musl-gcc: static and stripped, relayd at most 118 kB, relay-connect 130 kB" {
    build_static
    ls -l "$STATIC/relayd" "$STATIC/relay-connect"
    [ "$(stat -c %s "$STATIC/relayd")" -le 118000 ]
    [ "$(stat -c %s "$STATIC/relay-connect")" -le 130000 ]
}

# What both ends take together, in KiB: a field of smaps_rollup.
memory() {
    awk -v field="$1:" '$1 == field {n += $2} END {print n}' "/proc/${PID[relayd]}/smaps_rollup" "/proc/${PID[connect]}/smaps_rollup"
}

# All their memory was 250 kB when they were 64 kB each; the programs themselves
# are in it, so what they take beside those is what is held down here.
@test "musl-gcc: both ends together take at most 180 kB beside their code while they are idle" {
    build_static
    # What the environment takes is not theirs.
    RELAYD_WORDS=(env -i "$STATIC/relayd") CONNECT_WORDS=(env -i "$STATIC/relay-connect")
    start_relayd 127.0.0.1:0+200
    start_load
    start_connect -n web "127.0.0.1:$CONTROL" "$LOAD"
    idle=$(memory Anonymous)
    all=$(memory Pss)
    load_client "$PUBLIC" both --sessions 50 --at-once 10 --bytes 100000
    load_served 50
    wait_for no_offspring relayd
    wait_for no_offspring connect
    echo "idle: $idle of $all KiB; after 50 sessions: $(memory Anonymous) of $(memory Pss) KiB"
    [ "$idle" -le 180 ]
}

@test "the same sources give the same binary" {
    build_with cc
    mkdir "$D/first"
    mv "$D/tree/relayd" "$D/tree/relay-connect" "$D/first"
    build_with cc
    cmp "$D/first/relayd" "$D/tree/relayd"
    cmp "$D/first/relay-connect" "$D/tree/relay-connect"
}

@test "the tools of tests and benchmarks and the fuzz targets, without a warning" {
    for compiler in gcc clang; do
        command -v "$compiler" >/dev/null || continue
        for tool in test/tools/*.c test/fuzz/*.c bench/*.c; do
            "$compiler" -std=c99 -pedantic -Wall -Wextra -Wshadow -Werror -D_POSIX_C_SOURCE=200809L -c -o "$D/tool.o" "$tool"
        done
    done
}

# What the kernel's own headers say, where the compiler has them.
write_numbers_check() {
    cat >"$D/numbers.c" <<'END'
#include "lib/sandbox.c"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#define SAME(name, a, b) typedef char name[(a) == (b) ? 1 : -1]
SAME(call_size, sizeof(struct seccomp_call), sizeof(struct seccomp_data));
SAME(call_number, offsetof(struct seccomp_call, number), offsetof(struct seccomp_data, nr));
SAME(call_architecture, offsetof(struct seccomp_call, architecture), offsetof(struct seccomp_data, arch));
SAME(call_arguments, offsetof(struct seccomp_call, arguments), offsetof(struct seccomp_data, args));
SAME(instruction_size, sizeof(struct instruction), sizeof(struct sock_filter));
SAME(instruction_true, offsetof(struct instruction, if_true), offsetof(struct sock_filter, jt));
SAME(program_size, sizeof(struct bpf_program), sizeof(struct sock_fprog));
SAME(program_at, offsetof(struct bpf_program, instructions), offsetof(struct sock_fprog, filter));
SAME(mode, FILTER_MODE, SECCOMP_MODE_FILTER);
SAME(allow, ACT_ALLOW, SECCOMP_RET_ALLOW);
SAME(killing, ACT_KILL, SECCOMP_RET_KILL_PROCESS);
SAME(architecture, ARCHITECTURE, WANTED);
END
}

# numbers_for WANTED COMPILER [ARGUMENT...]: the sandbox, without a warning and with the kernel's numbers.
numbers_for() {
    command -v "$2" >/dev/null && echo '#include <linux/audit.h>' | "${@:2}" -E - >/dev/null 2>&1 || return 0
    "${@:2}" -std=c99 -pedantic -Wall -Wextra -Wshadow -Werror -D_POSIX_C_SOURCE=200809L -c -o "$D/sandbox.o" lib/sandbox.c
    "${@:2}" -I. "-DWANTED=$1" -std=gnu99 -w -c -o "$D/numbers.o" "$D/numbers.c"
    checked+=" $2"
}

@test "the sandbox has the kernel's numbers, on every architecture with a compiler here" {
    checked=
    write_numbers_check
    [ "$(uname -m)" != x86_64 ] || numbers_for AUDIT_ARCH_X86_64 gcc
    numbers_for AUDIT_ARCH_I386 i686-linux-gnu-gcc
    numbers_for AUDIT_ARCH_AARCH64 aarch64-linux-gnu-gcc
    numbers_for AUDIT_ARCH_ARM arm-linux-gnueabi-gcc
    numbers_for AUDIT_ARCH_ARM arm-linux-gnueabihf-gcc
    numbers_for AUDIT_ARCH_MIPS mips-linux-gnu-gcc
    numbers_for AUDIT_ARCH_MIPSEL mipsel-linux-gnu-gcc
    numbers_for AUDIT_ARCH_MIPSEL64 mips64el-linux-gnuabi64-gcc
    numbers_for AUDIT_ARCH_RISCV64 riscv64-linux-gnu-gcc
    [ -n "$checked" ] || skip "no compiler here has the kernel's headers"
    echo "checked:$checked"
}

@test "both programs for other machines, without a warning" {
    built=
    for compiler in aarch64-linux-gnu-gcc arm-linux-gnueabi-gcc mips-linux-gnu-gcc mipsel-linux-gnu-gcc riscv64-linux-gnu-gcc; do
        command -v "$compiler" >/dev/null || continue
        build_with "$compiler"
        built+=" $compiler"
    done
    [ -n "$built" ] || skip "there is no cross compiler"
}
