# Building: no compiler has anything to say, and what comes out is small.

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

@test "musl-gcc: static and stripped, at most 64 kB each" {
    build_with musl-gcc LDFLAGS=-static
    strip "$D/tree/relayd" "$D/tree/relay-connect"
    ls -l "$D/tree/relayd" "$D/tree/relay-connect"
    [ "$(stat -c %s "$D/tree/relayd")" -le 65536 ]
    [ "$(stat -c %s "$D/tree/relay-connect")" -le 65536 ]
}

# What both ends take together, in KiB: their own memory, and their part of what is shared.
pss() {
    awk '/^Pss:/ {n += $2} END {print n}' "/proc/${PID[relayd]}/smaps_rollup" "/proc/${PID[connect]}/smaps_rollup"
}

@test "musl-gcc: both ends together take at most 250 kB of memory while they are idle" {
    build_with musl-gcc LDFLAGS=-static
    strip "$D/tree/relayd" "$D/tree/relay-connect"
    # What the environment takes is not theirs.
    RELAYD_WORDS=(env -i "$D/tree/relayd") CONNECT_WORDS=(env -i "$D/tree/relay-connect")
    start_relayd 127.0.0.1:0+200
    start_load
    start_connect -n web "127.0.0.1:$CONTROL" "$LOAD"
    idle=$(pss)
    load_client "$PUBLIC" both --sessions 50 --at-once 10 --bytes 100000
    load_served 50
    wait_for no_offspring relayd
    wait_for no_offspring connect
    echo "idle: $idle KiB; after 50 sessions: $(pss) KiB"
    [ "$idle" -le 250 ]
}

@test "the same sources give the same binary" {
    build_with cc
    mkdir "$D/first"
    mv "$D/tree/relayd" "$D/tree/relay-connect" "$D/first"
    build_with cc
    cmp "$D/first/relayd" "$D/tree/relayd"
    cmp "$D/first/relay-connect" "$D/tree/relay-connect"
}

@test "the test tools and fuzz targets, without a warning" {
    for compiler in gcc clang; do
        command -v "$compiler" >/dev/null || continue
        for tool in test/tools/*.c test/fuzz/*.c; do
            "$compiler" -std=c99 -pedantic -Wall -Wextra -Wshadow -Werror -D_POSIX_C_SOURCE=200809L -c -o "$D/tool.o" "$tool"
        done
    done
}
