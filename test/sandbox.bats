# Sandbox: what a session's process can still do, whoever may have taken it over.

load helper
load limits

setup_file() {
    "$BATS_TEST_DIRNAME/tools/forbidden" on >"$BATS_FILE_TMPDIR/on" || :
}

filter_there() {
    [ "$(cat "$BATS_FILE_TMPDIR/on")" = on ] || skip "no filter here: $(cat "$BATS_FILE_TMPDIR/on")"
}

# session_pid NAME: of its one session.
session_pid() {
    value "$1" '^pair ' pid
}

only() {
    grep -v " $2$" "$1" && return 1
    [ "$(wc -l <"$1")" -ge "$3" ]
}

# tries TOOL: every forbidden call ends the process, every allowed one works.
tries() {
    "$1" forbidden >"$D/forbidden"
    only "$D/forbidden" SIGSYS 30
    "$1" allowed >"$D/allowed"
    only "$D/allowed" done 10
    [ "$("$1" files)" = "write-file done" ]
    [[ "$("$1" no-files)" = "write-file File size limit exceeded"* ]]
    "$1" nursery >"$D/nursery"
    only "$D/nursery" SIGSYS 30
    "$1" children >"$D/children"
    only "$D/children" SIGSYS 30
}

@test "every call that copying does not make ends the process with SIGSYS; the others work" {
    filter_there
    tries "$TOOLS/forbidden"
}

@test "the same with musl, static" {
    filter_there
    command -v musl-gcc >/dev/null || skip "there is no musl-gcc"
    run musl-gcc -std=c99 -pedantic -Wall -Wextra -Wshadow -D_POSIX_C_SOURCE=200809L -static -o "$D/forbidden.musl" \
        test/tools/forbidden.c lib/os-linux.c lib/sandbox.c lib/text.c lib/wipe.c
    echo "$output"
    [ -z "$output" ]
    tries "$D/forbidden.musl"
}

@test "both session processes run with no_new_privs, the filter and without limits to spend; the parents do not" {
    filter_there
    start_all
    hold_sessions "$PUBLIC" 1
    for program in relayd connect; do
        pid=$(session_pid "$program")
        wait_for sandboxed "$pid"
        no_limits_left "$pid"
        [ "$(status_of "${PID[$program]}" Seccomp)" = 0 ]
    done
    not said relayd '^sandbox '
    finish_held
    load_served 1
}

@test "a session goes on after its processes were stopped and continued" {
    start_all
    hold_sessions "$PUBLIC" 1
    for program in relayd connect; do
        pid=$(session_pid "$program")
        kill -STOP "$pid"
        wait_for eval '[[ $(ps -o stat= -p "$pid") = T* ]]'
        kill -CONT "$pid"
        wait_for eval '[[ $(ps -o stat= -p "$pid") = S* ]]'
    done
    finish_held
    load_served 1
    wait_said relayd '^end .* reason=eof'
    wait_said connect '^end .* reason=eof'
}

@test "a stopped session's idle timeout still comes, and is reported" {
    start_relayd -i 2 127.0.0.1:0+2
    serve_by_hand web
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    pid=$(session_pid relayd)
    kill -STOP "$pid"
    wait_for eval '[[ $(ps -o stat= -p "$pid") = T* ]]'
    kill -CONT "$pid"
    wait_said relayd '^end .* reason=idle'
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
}

@test "what comes on - may go to a regular file" {
    start_relayd
    mkfifo "$D/input"
    INPUT=/dev/null start connect "$BASH" -c "exec ${CONNECT_WORDS[*]} 127.0.0.1:$CONTROL - <'$D/input' >'$D/regular'"
    exec {writer}>"$D/input"
    wait_said relayd '^open '
    dial "127.0.0.1:${POOL[0]}"
    say "$FD" "for the file"
    wait_for grep -q "for the file" "$D/regular"
    eval "exec $writer>&-"
    [ "$(rest "$FD")" = "= eof" ]
    hang_up "$FD"
    wait_end connect
    [ "$status" -eq 0 ]
    [ "$(cat "$D/regular")" = "for the file" ]
}

@test "a command is not held by the sandbox of sessions" {
    start_relayd
    start_connect "127.0.0.1:$CONTROL" -- sh -c 'cat /proc/self/status; /bin/echo done'
    dial "$PUBLIC"
    rest "$FD" >"$D/answer"
    grep -q '^done$' "$D/answer"
    grep -qE '^Seccomp:[[:space:]]*0$' "$D/answer"
}

@test "a build without the filter says so once" {
    mkdir "$D/tree"
    cp -r Makefile ./*.c lib "$D/tree"
    make -s -C "$D/tree" clean
    make -s -C "$D/tree" CFLAGS='-Os -DNO_SECCOMP' relayd
    RELAYD_WORDS=("$D/tree/relayd")
    start_all
    [ "$(grep -c '^sandbox state=off reason=build$' "$D/relayd.err")" -eq 1 ]
    load_client "$PUBLIC" both --sessions 5 --at-once 5 --bytes 10000
    load_served 5
}
