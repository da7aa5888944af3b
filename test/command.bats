# -- COMMAND: relay-connect serves every client with a command, as inetd does.

load helper

# serve_with COMMAND [ARG...]
serve_with() {
    start_relayd "${MANY[@]}" 127.0.0.1:0+8
    start_connect -n web "127.0.0.1:$CONTROL" -- "$@"
}

# What a client gets that says $1 and ends its direction: the answer, and how it ended.
ask() {
    "$TOOLS/drip" "$PUBLIC" --text "$1" --split 0 --shut --wait $((10000 * TIME_FACTOR))
}

@test "cat echoes" {
    serve_with cat
    load_client "$PUBLIC" echo --sessions 50 --at-once 10 --bytes 300000
    not said relayd '^end .* reason=(reset|error)'
}

@test "each client has a process of its own" {
    serve_with cat
    for _ in 1 2 3; do
        dial "$PUBLIC"
        say "$FD" hello
        expect "$FD" hello
    done
    [ "$(ps -o args= -s "${PID[connect]}" | grep -cx cat)" -eq 3 ]
}

@test "the command's environment is UCSPI's" {
    unset TCPREMOTEHOST
    TCPREMOTEINFO=forged serve_with sh -c 'echo "$PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT ${TCPREMOTEINFO-unset}"; read -r line'
    dial "$PUBLIC"
    port=$(ss -Htn "dport = :$PUBLIC_PORT" | awk '{sub(/.*:/, "", $4); print $4}')
    expect "$FD" "TCP 127\.0\.0\.1 $port 127\.0\.0\.1 $PUBLIC_PORT unset"
    say "$FD" done
}

@test "the command's own environment and directory are relay-connect's" {
    HERE=there serve_with sh -c 'echo "$HERE $PWD"'
    [ "$(ask '')" = "there $ROOT"$'\n'"= eof" ]
}

@test "a command sees the end of what the client says" {
    serve_with wc -c
    [ "$(ask 'twelve bytes' | tr -d ' ')" = $'12\n=eof' ]
}

@test "a command that ends without reading loses none of its answer" {
    serve_with sh -c 'echo first; sleep 0.3; echo answer'
    for seed in 1 2 3 4 5; do
        [ "$("$TOOLS/drip" "$PUBLIC" --garbage "$seed" 100000 --split 0)" = $'first\nanswer\n= eof' ]
    done
}

@test "a long answer without reading arrives whole" {
    head -c 3000000 /dev/urandom >"$D/answer"
    serve_with cat "$D/answer"
    for _ in 1 2 3; do
        dial "$PUBLIC"
        head -c 20000 /dev/zero >&"$FD"
        timeout 10 cat <&"$FD" >"$D/got"
        cmp "$D/answer" "$D/got"
    done
}

@test "a command that fails has ended; one that is killed has been reset" {
    serve_with sh -c 'read -r how; echo "$how"; case $how in fail) exit 3 ;; kill) kill -9 $$ ;; esac'
    [ "$(ask $'well\n')" = $'well\n= eof' ]
    [ "$(ask $'fail\n')" = $'fail\n= eof' ]
    ask $'kill\n' >"$D/answer"
    [ "$(tail -n 1 "$D/answer")" = "= reset" ]
}

@test "a command that is not there is a reset, and the log says so" {
    serve_with "$D/nothing"
    [ "$(ask hello)" = "= reset" ]
    wait_said connect '^end service=web .* reason=error'
    alive connect
}

@test "a client's reset reaches the command" {
    serve_with cat
    "$TOOLS/drip" "$PUBLIC" --text hello --until hello --reset
    wait_for no_offspring connect
}

@test "a command has the connection and standard error, and nothing else" {
    serve_with sh -c 'echo "on standard error" >&2; exec ls -l /proc/self/fd'
    ask '' >"$D/answer"
    [ "$(grep -c 'socket:' "$D/answer")" -eq 2 ]
    grep -qE ' 0 -> socket:' "$D/answer"
    grep -qE ' 1 -> socket:' "$D/answer"
    [ "$(grep -cE ' [0-9]+ -> ' "$D/answer")" -eq 4 ]
    said connect '^on standard error$'
}

@test "signals are the command's as in any shell" {
    serve_with sh -c 'trap "echo caught; exit" TERM; kill -TERM $$; sleep 1'
    [ "$(ask '')" = $'caught\n= eof' ]
    kill_sessions connect
    start connect2 "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$CONTROL" -- sh -c 'kill -PIPE $$; echo alive'
    wait_for test -s "$D/connect2.out"
    [ "$(ask '' | tail -n 1)" = "= reset" ]
}

@test "TERM of relay-connect leaves commands running, INT ends them" {
    serve_with cat
    dial "$PUBLIC"
    say "$FD" one
    expect "$FD" one
    stop connect TERM
    say "$FD" two
    expect "$FD" two
    hang_up "$FD"
    wait_for no_offspring connect
    connect_as connect2 -n web "127.0.0.1:$CONTROL" -- cat
    dial "$PUBLIC"
    say "$FD" one
    expect "$FD" one
    stop connect2 INT
    [ "$(rest "$FD")" = "= reset" ]
    wait_for no_offspring connect2
}

@test "200 commands in turn leave no process" {
    serve_with cat
    load_client "$PUBLIC" echo --sessions 200 --at-once 20 --bytes 1000
    wait_for no_offspring connect
}
