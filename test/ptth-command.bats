# ptth: commands, and standard input and output, at either end.
# long: 40 s

load helper
load ptth-connect

# A server's COMMAND, and a client's terminator.
command_and_call() {
    start_relay
    serve_with "$@"
    call
}

# What a client gets that says $1 and ends its direction: the answer, and how it ended.
ask() {
    "$TOOLS/drip" "$LOCAL" --text "$1" --split 0 --shut --wait $((10000 * TIME_FACTOR))
}

@test "cat echoes, at once to many" {
    command_and_call cat
    load_client "$LOCAL" echo --sessions 40 --at-once 10 --bytes 300000
    wait_for no_offspring connect
    not said relayd '^end .* reason=(reset|error)'
}

@test "the environment is UCSPI's, without the client, whom nobody knows" {
    command_and_call sh -c 'echo "$PROTO ${TCPREMOTEIP-unset} ${TCPREMOTEPORT-unset} $TCPLOCALIP ${TCPLOCALPORT-unset}"'
    [ "$(ask '')" = $'TCP unset unset 127.0.0.1 unset\n= eof' ]
}

@test "a command sees the end of what the client says" {
    command_and_call sort
    [ "$(ask $'b\nc\na\n')" = $'a\nb\nc\n= eof' ]
}

@test "a command that ends without reading loses none of its answer" {
    command_and_call sh -c 'echo first; sleep 0.3; echo answer'
    for seed in 1 2 3; do
        [ "$("$TOOLS/drip" "$LOCAL" --garbage "$seed" 100000 --split 0)" = $'first\nanswer\n= eof' ]
    done
}

@test "a long answer arrives whole though the client is slow" {
    head -c 3000000 /dev/urandom >"$D/answer"
    command_and_call cat "$D/answer"
    for _ in 1 2; do
        dial "$LOCAL"
        head -c 20000 /dev/zero >&"$FD"
        { head -c 1000; sleep 1; timeout 20 cat; } <&"$FD" >"$D/got"
        cmp "$D/answer" "$D/got"
    done
}

@test "a command that fails has ended; one that is killed has been reset" {
    command_and_call sh -c 'read -r how; echo "$how"; case $how in fail) exit 3 ;; kill) kill -9 $$ ;; esac'
    [ "$(ask $'well\n')" = $'well\n= eof' ]
    [ "$(ask $'fail\n')" = $'fail\n= eof' ]
    ask $'kill\n' >"$D/answer"
    [ "$(tail -n 1 "$D/answer")" = "= reset" ]
}

@test "a command that is not there is a reset" {
    command_and_call "$D/nothing"
    [ "$(ask hello | tail -n 1)" = "= reset" ]
    wait_said connect '^end service=web .* reason=(reset|error)'
    alive connect
}

@test "a client's reset reaches the command" {
    command_and_call cat
    "$TOOLS/drip" "$LOCAL" --text hello --until hello --reset
    wait_for no_offspring connect
}

@test "a session whose process is killed ends its command" {
    command_and_call sleep 1001
    dial "$LOCAL"
    wait_for offspring_is connect 'sleep 1001'
    kill -KILL "$(value connect '^pair ' pid)"
    [ "$(rest "$FD")" = "= reset" ]
    wait_for no_offspring connect
}

@test "a command has the connection and standard error, and nothing else" {
    command_and_call sh -c 'echo "on standard error" >&2; exec ls -l /proc/self/fd'
    ask '' >"$D/answer"
    grep -qE ' 0 -> socket:' "$D/answer"
    grep -qE ' 1 -> socket:' "$D/answer"
    [ "$(grep -cE ' [0-9]+ -> ' "$D/answer")" -eq 4 ]
    said connect '^on standard error$'
}

# A pipeline goes on until it is told to end.
serve_and_say() {
    command_and_call sh -c 'cat | cat'
    dial "$LOCAL"
    say "$FD" one
    expect "$FD" one
}

@test "TERM at both ends leaves commands running" {
    serve_and_say
    stop connect TERM
    stop connect-client TERM
    say "$FD" two
    expect "$FD" two
    hang_up "$FD"
    wait_for no_offspring connect
}

@test "INT ends a command and all that came of it" {
    command_and_call sh -c 'echo started; sleep 1001 | sleep 1002'
    dial "$LOCAL"
    expect "$FD" started
    wait_for offspring_is connect 'sleep 1002'
    stop connect INT
    [ "$(rest "$FD")" = "= reset" ]
    wait_for no_offspring connect
}

@test "INT of the client's end resets the client and ends the command" {
    serve_and_say
    stop connect-client INT
    [ "$(rest "$FD")" = "= reset" ]
    wait_for no_offspring connect
}

@test "tar c | relay-connect R - on one side, nc and tar x on the other" {
    mkdir "$D/copy"
    start_relay
    start pipe "$BASH" -c "tar c -C '$ROOT/lib' . | ${CONNECT_WORDS[*]} -n web ptth://$RELAY - | cat; echo \${PIPESTATUS[1]} >'$D/status'"
    wait_said pipe '^ptth://'
    URL=$(grep '^ptth://' "$D/pipe.err")
    call
    timeout 30 nc -N "${LOCAL%:*}" "${LOCAL##*:}" </dev/null | tar x -C "$D/copy"
    diff -r "$ROOT/lib" "$D/copy"
    wait_end pipe
    [ "$(cat "$D/status")" -eq 0 ]
    [ ! -s "$D/pipe.out" ]
}

@test "- takes 50 MB and gives 50 MB at once" {
    head -c 50000000 /dev/urandom >"$D/there"
    head -c 50000000 /dev/urandom >"$D/back"
    start_relay
    INPUT=$D/there start connect "${CONNECT_WORDS[@]}" -n web "ptth://$RELAY" -
    wait_said connect '^ptth://'
    URL=$(grep '^ptth://' "$D/connect.err")
    call
    timeout 60 nc -N "${LOCAL%:*}" "${LOCAL##*:}" <"$D/back" >"$D/got"
    wait_end connect
    [ "$status" -eq 0 ]
    cmp "$D/there" "$D/got"
    cmp "$D/back" "$D/connect.out"
}

@test "a client that resets - is a failure" {
    start_relay
    mkfifo "$D/input"
    exec {FD}<>"$D/input"
    DIALLED+=("$FD")
    INPUT=$D/input start connect "${CONNECT_WORDS[@]}" -n web "ptth://$RELAY" -
    wait_said connect '^ptth://'
    URL=$(grep '^ptth://' "$D/connect.err")
    call
    echo question >&"$FD"
    "$TOOLS/drip" "$LOCAL" --text hello --until question --reset
    wait_end connect
    [ "$status" -eq 1 ]
}

@test "- serves one client: a second is turned away, and the first goes on" {
    start_relay
    mkfifo "$D/input"
    exec {FD}<>"$D/input"
    DIALLED+=("$FD")
    INPUT=$D/input start connect "${CONNECT_WORDS[@]}" -n web "ptth://$RELAY" -
    wait_said connect '^ptth://'
    URL=$(grep '^ptth://' "$D/connect.err")
    call
    dial "$LOCAL"
    say "$FD" one
    wait_for grep -q one "$D/connect.out"
    ended_as reset --text hello
    say "$FD" two
    wait_for grep -q two "$D/connect.out"
}
