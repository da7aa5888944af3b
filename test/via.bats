# --via: the relay is reached through a command.
# long: 45 s

load helper

# It passes both ends of file on.
SOCAT='socat -t 86400 -,shut-down TCP:%h:%p'

# connect_via COMMAND ARGUMENT...: waits for the public address.
connect_via() {
    COMMANDS[connect]=1
    start_connect -n web --via "$@"
}

# serve_via COMMAND: relayd, and a server of `load` that it reaches.
serve_via() {
    start_relayd "${MANY[@]}" 127.0.0.1:0+8
    start_load
    connect_via "$1" "127.0.0.1:$CONTROL" "$LOAD"
}

# A session that is open: sets FD, and says so both ways.
open_session() {
    dial "$PUBLIC"
    say "$FD" hello
    expect "$FD" hello
}

still_open() {
    say "$FD" again
    expect "$FD" again
}

# A command that is a script: sets SCRIPT.
script() {
    SCRIPT=$D/script
    { echo '#!/bin/sh'; cat; } >"$SCRIPT"
    chmod +x "$SCRIPT"
}

# attempts NAME PATTERN: none of them is a storm; there are many within 3 s.
attempts() {
    local before

    before=$(cpu_ms "${PID[$1]}")
    wait_said "$1" "$2" 3
    sleep 2
    echo "$(grep -cE -- "$2" "$D/$1.err") attempts"
    [ "$(grep -cE -- "$2" "$D/$1.err")" -le 60 ]
    [ $(($(cpu_ms "${PID[$1]}") - before)) -lt $((400 * TIME_FACTOR)) ]
    alive "$1"
}

# What the processes are that came of relay-connect, one a line.
commands_of() {
    ps -o args= -s "${PID[connect]}" | grep -v relay-connect
}

# start_fake: a relay that runs the script on standard input for each control
# connection; sets FAKE (its address) and F (what it noted down).
start_fake() {
    F=$D/fake
    mkdir "$F"
    cat >"$F/control"
    start fake socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay "EXEC:$TOOLS/fake-relay $F"
    wait_said fake 'listening on'
    FAKE=$(grep -o 'listening on .*' "$D/fake.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

@test "sessions of a mebibyte go both ways, byte for byte" {
    serve_via 'socat - TCP:%h:%p'
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 1048576
    load_served 20
    not said relayd '^end .* reason=(reset|error)'
}

@test "either end of file is passed on alone, 100 of 100 each" {
    serve_via "$SOCAT"
    load_client "$PUBLIC" client-first --sessions 100 --at-once 10 --up 10000 --down 1000000
    load_client "$PUBLIC" server-first --sessions 100 --at-once 10 --up 1000000 --down 10000
    load_served 200
}

@test "the slow rest of an answer arrives long after the other end" {
    serve_via "$SOCAT"
    load_client "$PUBLIC" client-first --sessions 10 --at-once 10 --up 1000 --down 3000000 --pause-client 1000
    load_client "$PUBLIC" server-first --sessions 10 --at-once 10 --up 3000000 --down 1000 --pause-server 1000
    load_served 20
}

@test "who closes with all unread behind it loses no byte" {
    serve_via "$SOCAT"
    load_client "$PUBLIC" client-closes --sessions 50 --at-once 10 --up 1048576 --down 0 --pause-server 200
    load_client "$PUBLIC" server-closes --sessions 50 --at-once 10 --up 0 --down 1048576 --pause-client 200
    load_served 100
}

@test "the command may be a script, and a pipeline in it" {
    script <<'EOT'
cat | socat - "TCP:$1:$2" | cat
EOT
    serve_via "$SCRIPT '%h' %p"
    COMMANDS[connect]=4
    load_client "$PUBLIC" both --sessions 10 --at-once 5 --bytes 300000
    load_served 10
}

@test "%h, %p and %% are written out; another % is a usage mistake" {
    script <<EOT
echo "\$*" >"$D/words"
exec sleep 1000
EOT
    start connect "${CONNECT_WORDS[@]}" --via "$SCRIPT %h %p 100%% %%h" relay.example.org:62000 localhost:1
    wait_for test -s "$D/words"
    [ "$(cat "$D/words")" = "relay.example.org 62000 100% %h" ]
    stop connect
    start connect2 "${CONNECT_WORDS[@]}" -V "$SCRIPT [%h]:%p" '[2001:db8::1]:62000' localhost:1
    wait_for grep -qxF '[2001:db8::1]:62000' "$D/words"
    stop connect2
    for wrong in '%x' 'a %' '%H' '' '  ' 'a % b'; do
        run "${CONNECT_WORDS[@]}" --via "$wrong" 127.0.0.1 localhost:1
        echo "$wrong: $output"
        [ "$status" -eq 2 ]
    done
}

@test "a RELAY that a shell could take for something else is a usage mistake" {
    for relay in '[::1;id]' '[:$(id)]:1' '[::1 ]' '-oProxyCommand=id' '[fe80::1%a;b]'; do
        run "${CONNECT_WORDS[@]}" --via 'true %h' -- "$relay" localhost:1
        echo "$relay: $output"
        [ "$status" -eq 2 ]
    done
}

@test "a host that a relay names reaches the shell only where it is one" {
    start_fake <<'EOT'
say '[NEW]localhost:81'
say '[NEW][fe80::1%eth0]:82'
say '[NEW]83'
hear
EOT
    script <<'EOT'
printf '%s\n' "$1:$2" >>"$0.data"
[ "$2" -lt 100 ] || exec socat - "TCP:$1:$2"
EOT
    start connect "${CONNECT_WORDS[@]}" -n web --via "$SCRIPT %h %p" "$FAKE" localhost:1
    wait_said connect '^end service=web ' 3
    cat "$SCRIPT.data"
    [ "$(sort "$SCRIPT.data")" = "$(printf '%s\n' "$FAKE" 127.0.0.1:83 fe80::1%eth0:82 localhost:81 | sort)" ]
}

@test "a host that is none, from a relay, runs nothing" {
    start_fake <<'EOT'
say "[NEW]$(cat "$DIR/host"):80"
hear
EOT
    cd "$D"
    for host in '[:;touch${IFS}HIT]' '[:$(touch${IFS}HIT)]' '[:`touch${IFS}HIT`]' '[:|touch${IFS}HIT]' '[:&touch${IFS}HIT]' \
        '[::1>HIT]' "[:';touch\${IFS}HIT;']" '[::1%;touch${IFS}HIT]' '[-:]' -oProxyUseFdpass '[::1%]' '$(touch${IFS}HIT)'; do
        printf '%s' "$host" >"$F/host"
        run "${CONNECT_WORDS[@]}" -1 -n web --via 'socat - TCP:%h:%p' "$FAKE" localhost:1
        echo "$output"
        [[ $output == *"reason=line"* ]]
    done
    cd "$ROOT"
    [ ! -e "$D/HIT" ]
}

@test "a command that fails at once is tried again with pauses, and its status logged" {
    start connect "${CONNECT_WORDS[@]}" -n web --via 'sh -c "exit 7"' relay.example.org localhost:1
    attempts connect '^via service=web pid=[0-9]+ exit=7$'
    said connect '^lost service=web relay=relay\.example\.org:62514 reason='
    said connect '^retry service=web in_ms='
}

@test "a command that is not there" {
    start connect "${CONNECT_WORDS[@]}" -n web --via "$D/nothing %h" relay.example.org localhost:1
    attempts connect '^via service=web pid=[0-9]+ exit=127$'
    grep -q 'nothing' "$D/connect.err"
}

@test "a command that writes garbage is ended" {
    start connect "${CONNECT_WORDS[@]}" -n web --via yes relay.example.org localhost:1
    attempts connect '^lost .* reason=line$'
    said connect '^via service=web pid=[0-9]+ signal=13$'
    kill_sessions connect
    start connect2 "${CONNECT_WORDS[@]}" -n web --via 'cat /dev/zero' relay.example.org localhost:1
    attempts connect2 '^lost .* reason=line$'
}

@test "a command that does not end by itself is told to, and then made to" {
    start connect "${CONNECT_WORDS[@]}" -n web --via 'sh -c "echo garbage; exec sleep 1000"' relay.example.org localhost:1
    wait_said connect '^via service=web pid=[0-9]+ signal=15$' 2
    [ "$(commands_of | grep -c sleep)" -le 1 ]
    kill_sessions connect
    start connect2 "${CONNECT_WORDS[@]}" -n web --via "sh -c 'trap \"\" TERM; echo garbage; exec sleep 1000'" relay.example.org localhost:1
    wait_said connect2 '^via service=web pid=[0-9]+ signal=9$'
    kill_sessions connect2
}

@test "with a command that hangs it ends at once when it is told to" {
    start connect "${CONNECT_WORDS[@]}" -n web --via 'sleep 1000' relay.example.org localhost:1
    wait_for offspring_count connect 1
    stop connect
    [ "$status" -eq 0 ]
    wait_for no_offspring connect
}

@test "the command has its connection and standard error, no other descriptor, and no signal ignored" {
    script <<EOT
ls -l /proc/self/fd >"$D/fds.\$\$"
grep -E '^Sig(Blk|Ign)' /proc/self/status >"$D/signals.\$\$"
echo "on standard error" >&2
exec socat - "TCP:\$1:\$2"
EOT
    start_relayd
    connect_via "$SCRIPT %h %p" "127.0.0.1:$CONTROL" -- cat
    open_session
    [ "$(ls "$D"/fds.* | wc -l)" -eq 2 ]
    for file in "$D"/fds.*; do
        cat "$file"
        [ "$(grep -cE ' [01] -> socket:' "$file")" -eq 1 ]
        grep -q " 2 -> $D/connect.err" "$file"
        [ "$(grep -cE ' [0-9]+ -> ' "$file")" -eq 4 ]
    done
    cat "$D"/signals.*
    [ "$(cat "$D"/signals.* | grep -cE '0{16}$')" -eq 4 ]
    said connect '^on standard error$' 2
}

@test "kill -9 leaves no command of the control connection, and the sessions go on" {
    serve_via "$SOCAT"
    hold_sessions "$PUBLIC" 5
    offspring_count connect 11
    stop connect KILL
    wait_for offspring_count connect 10
    all_alive 5
    finish_held
    wait_for no_offspring connect
}

@test "TERM leaves no command of the control connection, and the sessions go on" {
    serve_via "$SOCAT"
    hold_sessions "$PUBLIC" 5
    stop connect
    [ "$status" -eq 0 ]
    wait_for offspring_count connect 10
    all_alive 5
    finish_held
    wait_for no_offspring connect
}

@test "USR1 closes the control connection and waits for the sessions" {
    serve_via "$SOCAT"
    hold_sessions "$PUBLIC" 5
    kill -USR1 "${PID[connect]}"
    wait_said relayd '^close service=web '
    wait_for offspring_count connect 10
    all_alive 5
    finish_held
    wait_end connect
    [ "$status" -eq 0 ]
}

@test "INT ends every session and every command" {
    script <<'EOT'
cat | socat -t 86400 -,shut-down "TCP:$1:$2" | cat
EOT
    start_relayd
    connect_via "$SCRIPT %h %p" "127.0.0.1:$CONTROL" -- cat
    open_session
    first=$FD
    open_session
    stop connect INT
    [ "$status" -eq 0 ]
    wait_for no_offspring connect
    [ "$(rest "$first")" != "= open" ]
    [ "$(rest "$FD")" != "= open" ]
}

@test "the end of a session's process is that of its command" {
    start_relayd
    connect_via "$SOCAT" "127.0.0.1:$CONTROL" -- cat
    open_session
    kill -KILL "$(value connect '^pair ' pid)"
    [ "$(rest "$FD")" != "= open" ]
    wait_for offspring_count connect 1
    said connect '^end .* reason=killed'
}

@test "a relay that goes and comes is found again" {
    find_ports 4
    control=$CONTROL
    start_relayd "127.0.0.1:$control+4"
    start_load
    connect_via "$SOCAT" "127.0.0.1:$control" "$LOAD"
    before=$PUBLIC
    for i in 1 2 3; do
        stop "relayd${last-}" KILL
        last=$i
        relayd_as "relayd$i" "127.0.0.1:$control+4"
        wait_for said "relayd$i" "^open service=web proto=new public=$before "
    done
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
}

@test "of several relays the next one is tried when the last was not reached" {
    find_ports 1
    nobody=$CONTROL
    start_relayd
    start_load
    connect_via "$SOCAT" "127.0.0.1:$nobody,nosuch.invalid,127.0.0.1:$CONTROL" "$LOAD"
    said connect "^lost service=web relay=127\.0\.0\.1:$nobody "
    said connect "^lost service=web relay=nosuch\.invalid:62514 "
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
}

@test "--once: 1 where no relay is reached, 0 where the relay ends" {
    run timeout $((20 * TIME_FACTOR)) "${CONNECT_WORDS[@]}" --once --via false relay.example.org localhost:1
    [ "$status" -eq 1 ]
    start_relayd
    connect_via "$SOCAT" -1 "127.0.0.1:$CONTROL" localhost:1
    stop relayd
    wait_end connect
    [ "$status" -eq 0 ]
    wait_for no_offspring connect
}

@test "a client whose server cannot be had need not wait" {
    find_ports 1
    nobody=$CONTROL
    start_relayd -c 600 127.0.0.1:0+8
    connect_via "$SOCAT" "127.0.0.1:$CONTROL" "127.0.0.1:$nobody"
    for _ in {1..10}; do
        dial "$PUBLIC"
        [ "$(rest "$FD" 20)" != "= open" ]
        hang_up "$FD"
    done
    wait_at_most 20 said connect '^end .* reason=error error=Connection\\x20refused' 10
    alive connect
}

@test "a session's command that fails costs that session alone" {
    script <<EOT
[ ! -e "$D/broken" ] || exit 3
exec socat -t 86400 -,shut-down "TCP:\$1:\$2"
EOT
    start_relayd -c 1 127.0.0.1:0+8
    connect_via "$SCRIPT %h %p" "127.0.0.1:$CONTROL" -- cat
    open_session
    first=$FD
    touch "$D/broken"
    dial "$PUBLIC"
    [ "$(rest "$FD" 20)" != "= open" ]
    rm "$D/broken"
    FD=$first
    still_open
    open_session
}

@test "a server's reset ends the command" {
    serve_via "$SOCAT"
    timeout $((60 * TIME_FACTOR)) "$TOOLS/load" client "$PUBLIC" --mode server-resets --sessions 5 --up 10000 --down 10000 || :
    wait_for offspring_count connect 1
    said connect '^end .* reason=reset' 5
    stop load KILL
}

@test "a command serves clients, and is told what is known" {
    unset TCPREMOTEHOST TCPREMOTEINFO
    start_relayd
    connect_via "$SOCAT" "127.0.0.1:$CONTROL" -- sh -c \
        'echo "$PROTO $TCPREMOTEIP ${TCPLOCALIP-unset} $TCPLOCALHOST $TCPLOCALPORT"; exec cat'
    dial "$PUBLIC"
    expect "$FD" "TCP 127\.0\.0\.1 unset 127\.0\.0\.1 $PUBLIC_PORT"
    still_open
    [ "$("$TOOLS/drip" "$PUBLIC" --text $'twelve\n' --split 0 --shut | tail -n +2)" = $'twelve\n= eof' ]
}

@test "many clients of a command, byte for byte" {
    start_relayd "${MANY[@]}" 127.0.0.1:0+8
    connect_via "$SOCAT" "127.0.0.1:$CONTROL" -- cat
    load_client "$PUBLIC" echo --sessions 50 --at-once 10 --bytes 300000
}

@test "- takes one client, sends the whole answer, and turns others away at once" {
    start_relayd -c 600 127.0.0.1:0+8
    head -c 3000000 /dev/urandom >"$D/in"
    INPUT=$D/in start connect "${CONNECT_WORDS[@]}" -n web --via "$SOCAT" "127.0.0.1:$CONTROL" -
    wait_said connect '^127\.0\.0\.1:[0-9]+$'
    PUBLIC=$(grep -E '^127\.0\.0\.1:[0-9]+$' "$D/connect.err")
    dial "$PUBLIC"
    first=$FD
    wait_said connect '^pair '
    dial "$PUBLIC"
    [ "$(rest "$FD" 20)" != "= open" ]
    timeout $((20 * TIME_FACTOR)) cat <&"$first" >"$D/got"
    cmp "$D/in" "$D/got"
    hang_up "$first"
    wait_end connect
    [ "$status" -eq 0 ]
}
