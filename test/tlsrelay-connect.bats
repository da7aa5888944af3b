# tlsrelay: relay-connect's side, told byte for byte by a relay that says what
# it should not, too.
# long: 40 s

load helper
load auth

# start_fake [HOST]: a relay that runs the script on standard input for each
# control connection. Its reverse port is on HOST (127.0.0.1). Sets FAKE (its
# address), F (what it noted down).
start_fake() {
    F=$D/fake
    mkdir "$F"
    cat >"$F/control"
    start reverse socat -d -d "TCP-LISTEN:0,bind=${1:-127.0.0.1},backlog=200,fork,nodelay" "EXEC:$TOOLS/fake-tlsrelay $F reverse"
    address_of reverse >"$F/address"
    start fake socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay "EXEC:$TOOLS/fake-tlsrelay $F control"
    FAKE=$(address_of fake)
}

address_of() {
    wait_said "$1" 'listening on' && grep -o 'listening on .*' "$D/$1.err" | grep -oE '127\.[0-9.]+:[0-9]+'
}

# connect_to_fake [OPTION...] [-- COMMAND...]: by the COMMAND cat, where none is given.
connect_to_fake() {
    start connect "${CONNECT_WORDS[@]}" -n web "$@"
}

# noted FILE COUNT: so many lines are in it.
noted() {
    [ -f "$F/$1" ] && [ "$(wc -l <"$F/$1")" -ge "$2" ]
}

# Each of the reverse connections 1 to COUNT was served.
echoed() {
    wait_at_most 20 noted echoed "$1" || { wc -l "$F/reverses" "$F/echoed"; return 1; }
    [ "$(sort -u "$F/echoed" | wc -l)" -eq "$1" ]
    not noted reverses $(($1 + 1))
}

start_service() {
    start_relayd "${MANY[@]}" tlsrelay:127.0.0.1:0+8
    start_load
    start_connect "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
}

# --- what it is told

@test "it prints the public address that the relay tells, and says nothing to it" {
    start_fake <<'END'
welcome relay.example.org:12101
say new_connection
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    echoed 1
    [ "$(cat "$D/connect.out")" = "relay.example.org:12101" ]
    said connect '^open service=web proto=tlsrelay public=relay\.example\.org:12101$'
    stop connect
    wait_for test -f "$F/heard"
    [ ! -s "$F/heard" ]
}

@test "it prints it once, and again when it has changed, after a loss too" {
    start_fake <<'END'
for address in a.example:1 a.example:1 b.example:1 '[2001:db8::1]:65535'; do
    say "public_listener $address"
done
[ "$N" -le 1 ] || say 'public_listener c.example:2'
[ "$N" -le 2 ] || stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    wait_said connect '^open .* public=c\.example:2$' 2
    once=$'a.example:1\nb.example:1\n[2001:db8::1]:65535'
    [ "$(cat "$D/connect.out")" = "$once"$'\n'"$once"$'\nc.example:2\n'"$once"$'\nc.example:2' ]
}

@test "every line may be split at every byte" {
    start_fake <<'END'
public='public_listener 127.0.0.1:9'
reverse="reverse_listener $REVERSE"
for ((at = 1; at <= ${#public} + 1; at++)); do
    say "$public" "$at"
done
for ((at = 1; at <= ${#reverse} + 1; at++)); do
    say "$reverse" "$at"
done
for ((at = 1; at <= 15; at++)); do
    say new_connection "$at"
done
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    echoed 15
    [ "$(cat "$D/connect.out")" = 127.0.0.1:9 ]
    not noted controls 2
}

@test "several lines in one write are all taken, more than fit a line too" {
    start_fake <<'END'
{
    welcome
    for ((i = 0; i < 100; i++)); do
        say new_connection
    done
} >"$DIR/all"
cat "$DIR/all"
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    echoed 100
    not noted controls 2
}

@test "the lines may come in the other order" {
    start_fake <<'END'
say "reverse_listener $REVERSE"
say new_connection
say 'public_listener 127.0.0.1:9'
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    echoed 1
    wait_for grep -qx '127.0.0.1:9' "$D/connect.out"
}

@test "clients are answered where the relay says, wherever that is" {
    start_fake 127.0.0.5 <<'END'
say "reverse_listener 127.0.0.1:1"
welcome
say new_connection
say "reverse_listener $REVERSE"
say new_connection
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    echoed 2
}

@test "the reverse host may be a name" {
    getent hosts localhost >/dev/null || skip "there is no localhost"
    start_fake <<'END'
say 'public_listener localhost:9'
say "reverse_listener localhost:${REVERSE##*:}"
say new_connection
say new_connection
stay
END
    start_load
    connect_to_fake "tlsrelay://${FAKE/127.0.0.1/localhost}" -- cat
    echoed 2
    [ "$(cat "$D/connect.out")" = localhost:9 ]
}

@test "the longest host is taken" {
    start_fake <<'END'
label=$(printf 'x%.0s' {1..63})
say "public_listener $label.$label.$label.${label:0:61}:65535"
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    wait_for test -s "$D/connect.out"
    [ "$(wc -c <"$D/connect.out")" -eq 260 ]
}

# malformed: the relay says, after its first lines, one of the lines on standard input to each of as many servers.
malformed() {
    local count i

    start_fake <<'END'
welcome
line=$(sed -n "${N}p" "$DIR/lines")
printf "$line"
stay
END
    cat >"$F/lines"
    count=$(wc -l <"$F/lines")
    for ((i = 1; i <= count; i++)); do
        start "connect$i" "${CONNECT_WORDS[@]}" --once -n web "tlsrelay://$FAKE" -- cat
    done
    for ((i = 1; i <= count; i++)); do
        wait_end "connect$i"
        [ "$status" -eq 0 ]
        said "connect$i" '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=line$'
        [ "$(cat "$D/connect$i.out")" = 127.0.0.1:9 ]
        not said "connect$i" '^pair '
    done
    [ "$count" -gt 3 ]
    not noted reverses 1
}

@test "lines that are none cost the connection alone" {
    malformed <<'END'
\n
\r\n
hello\r\n
new_connection\n
new_connection \r\n
new_connection\r\r\n
 new_connection\r\n
NEW_CONNECTION\r\n
new_connection\0\r\n
new_connectionnew_connection\r\n
[NEW]80\n
\0\r\n
END
}

@test "addresses that are none cost the connection alone" {
    malformed <<'END'
public_listener 127.0.0.1:80\n
public_listener\r\n
public_listener \r\n
public_listener 127.0.0.1\r\n
public_listener 127.0.0.1:0\r\n
public_listener 127.0.0.1:65536\r\n
public_listener 127.0.0.1:+80\r\n
public_listener 127.0.0.1:80 \r\n
public_listener  127.0.0.1:80\r\n
reverse_listener :80\r\n
reverse_listener ::1:80\r\n
reverse_listener -oProxyCommand=x:80\r\n
reverse_listener $(id):80\r\n
reverse_listener a\033[2Jb:80\r\n
END
}

@test "lines that are too long cost the connection alone" {
    malformed <<END
$(printf 'x%.0s' {1..600})
public_listener $(printf 'x%.0s' {1..256}):80\\r\\n
public_listener $(printf 'x%.0s' {1..490}):80\\r\\n
$(printf 'x%.0s' {1..511})\\r\\n
END
}

@test "a client before the relay has said where to answer costs the connection, the next one too" {
    start_fake <<'END'
[ "$N" -ne 2 ] || welcome
say new_connection
[ "$N" -eq 2 ] || stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    # What the second one said is not the third one's.
    wait_said connect '^lost .* reason=line$' 2
    echoed 1
}

@test "garbage costs the connection alone" {
    start_fake <<'END'
[ "$N" -gt 2 ] || { head -c 1000 /dev/urandom; stay; }
welcome
say new_connection
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    echoed 1
    noted controls 3
}

@test "a relay that has no ports free is asked again" {
    start_fake <<'END'
[ "$N" -gt 2 ] || { say no_available_listeners; exit; }
welcome
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    wait_for test -s "$D/connect.out"
    said connect '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=full$' 2
    [ "$(cat "$D/connect.out")" = 127.0.0.1:9 ]
}

@test "ports that get free are had" {
    start_relayd tlsrelay:127.0.0.1:0+2
    dial_control
    wait_said relayd '^open '
    holder=$FD
    start_load
    start connect "${CONNECT_WORDS[@]}" "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
    wait_said connect '^lost .* reason=full$'
    hang_up "$holder"
    wait_for test -s "$D/connect.out"
    read_public connect
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
}

@test "a line that is not whole in ten seconds costs the connection, however it drips" {
    start_fake <<'END'
welcome
[ "$N" -eq 1 ] || stay
for c in n e w _ c o n n e c t i o n; do
    printf %s "$c"
    sleep 1.5
done
stay
END
    began=$(now_ms)
    connect_to_fake "tlsrelay://$FAKE" -- cat
    wait_at_most 20 said connect '^lost .* reason=slow$'
    took=$(($(now_ms) - began))
    echo "$took ms"
    [ "$took" -ge 9500 ]
    [ "$took" -lt $((14000 * TIME_FACTOR)) ]
    wait_for noted controls 2
}

@test "the default port is 12000" {
    not any_in_use 12000 12002 || skip "port 12000 is in use"
    start_relayd tlsrelay:127.0.0.1:12000+2
    start_connect tlsrelay://127.0.0.1 localhost:1
    [ "$PUBLIC" = 127.0.0.1:12002 ]
}

@test "each TARGET has a connection and an address of its own" {
    start_relayd tlsrelay:127.0.0.1:0+8
    start_load
    start connect "${CONNECT_WORDS[@]}" -n cam "tlsrelay://127.0.0.1:$CONTROL" "web=$LOAD" "ssh=$LOAD" "$LOAD"
    wait_for printed connect 3
    for name in cam.web cam.ssh cam; do
        said connect "^open service=$name proto=tlsrelay public="
    done
    while read -r address; do
        load_client "$address" both --sessions 5 --bytes 10000
    done <"$D/connect.out"
    load_served 15
}

# --- how it ends

@test "with --once it ends when the relay does" {
    start_fake <<'END'
welcome
END
    connect_to_fake --once "tlsrelay://$FAKE" -- cat
    wait_end connect
    [ "$status" -eq 0 ]
    [ "$(cat "$D/connect.out")" = 127.0.0.1:9 ]
}

@test "with --once a relay that is full, or talks nonsense, is a failure" {
    for line in no_available_listeners nonsense; do
        rm -rf "$D/fake" "$D"/*.err
        start_fake <<END
say $line
stay
END
        connect_to_fake -1 "tlsrelay://$FAKE" -- cat
        wait_end connect
        [ "$status" -eq 1 ]
        [ ! -s "$D/connect.out" ]
        kill_sessions fake reverse
    done
}

@test "a relay that comes back has the service again" {
    find_ports 2
    start_relayd "tlsrelay:127.0.0.1:$CONTROL+2"
    start_load
    start_connect "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
    dial "$PUBLIC"
    wait_said relayd '^pair '
    for n in 2 3; do
        kill_sessions relayd
        [ "$(rest "$FD")" = "= reset" ]
        rm "$D/relayd.err"
        start_relayd "tlsrelay:127.0.0.1:$CONTROL+2"
        wait_said connect '^open ' "$n"
        load_client "$PUBLIC" both --sessions 5 --bytes 10000
        dial "$PUBLIC"
        wait_said relayd '^pair ' 6
    done
    [ "$(cat "$D/connect.out")" = "$PUBLIC" ]
}

@test "TERM: the relay is left, which ends the sessions" {
    start_service
    dial "$PUBLIC"
    wait_said connect '^pair '
    stop connect
    [ "$status" -eq 0 ]
    [ "$(rest "$FD")" = "= reset" ]
    wait_said relayd '^end .* reason=killed$'
    wait_said relayd '^close .* reason=eof$'
}

@test "USR1: no more clients, but the sessions go on until their end, and then it leaves" {
    start_relayd tlsrelay:127.0.0.1:0+2
    start_connect "tlsrelay://127.0.0.1:$CONTROL" -- cat
    dial "$PUBLIC"
    first=$FD
    say "$first" hello
    expect "$first" hello
    kill -USR1 "${PID[connect]}"
    wait_said connect '^drain sessions=1$'
    for _ in 1 2; do
        dial "$PUBLIC"
        [ "$(rest "$FD")" = "= reset" ]
    done
    say "$first" 'and again'
    expect "$first" 'and again'
    alive connect
    hang_up "$first"
    wait_end connect
    [ "$status" -eq 0 ]
    # With the control connection the relay ends what it has not seen end yet.
    wait_said relayd '^end .* reason=(eof|killed)$'
    wait_said relayd "^close service=$PUBLIC_PORT reason=eof$"
}

@test "USR1 while the relay is away or has no session is the end at once" {
    start_relayd tlsrelay:127.0.0.1:0+2
    start_connect "tlsrelay://127.0.0.1:$CONTROL" -- cat
    stop connect USR1
    [ "$status" -eq 0 ]
    wait_said relayd '^close .* reason=eof$'
    rm "$D/connect.out"
    start_connect "tlsrelay://127.0.0.1:$CONTROL" -- cat
    stop relayd
    wait_said connect '^lost '
    stop connect USR1
    [ "$status" -eq 0 ]
}

@test "USR1, and then the relay goes: the sessions that are left decide" {
    start_relayd tlsrelay:127.0.0.1:0+2
    start_connect "tlsrelay://127.0.0.1:$CONTROL" -- cat
    dial "$PUBLIC"
    say "$FD" hello
    expect "$FD" hello
    kill -USR1 "${PID[connect]}"
    wait_said connect '^drain sessions=1$'
    stop relayd
    say "$FD" 'still there'
    expect "$FD" 'still there'
    not said connect '^retry '
    hang_up "$FD"
    wait_end connect
    [ "$status" -eq 0 ]
}

@test "INT: sessions end, with resets" {
    start_service
    dial "$PUBLIC"
    wait_said connect '^pair '
    stop connect INT
    [ "$status" -eq 0 ]
    [ "$(rest "$FD")" = "= reset" ]
}

# --- what it offers

@test "a server that refuses: the client is reset at once" {
    start_relayd tlsrelay:127.0.0.1:0+2
    start_load
    stop load
    start_connect "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
    resets_at_once
}

@test "a reverse port that refuses costs that client alone" {
    start_fake <<'END'
say 'public_listener 127.0.0.1:9'
say 'reverse_listener 127.0.0.1:1'
say new_connection
sleep 0.2
say "reverse_listener $REVERSE"
say new_connection
stay
END
    connect_to_fake "tlsrelay://$FAKE" -- cat
    echoed 1
    wait_said connect '^end .* reason=error error=.*refused'
    not noted controls 2
}

@test "--max-sessions: more clients are reset, and served when there is room" {
    start_relayd tlsrelay:127.0.0.1:0+2
    start_connect --max-sessions 2 "tlsrelay://127.0.0.1:$CONTROL" -- cat
    for _ in 1 2; do
        dial "$PUBLIC"
        say "$FD" hello
        expect "$FD" hello
    done
    first=$FD
    for _ in 1 2 3; do
        dial "$PUBLIC"
        [ "$(rest "$FD")" = "= reset" ]
    done
    hang_up "$first"
    wait_said connect '^end .* reason=eof$'
    dial "$PUBLIC"
    say "$FD" hello
    expect "$FD" hello
}

@test "half-close with a server on a unix socket" {
    start_relayd "${MANY[@]}" tlsrelay:127.0.0.1:0+2
    start_load "unix:$D/socket"
    start_connect "tlsrelay://127.0.0.1:$CONTROL" "$D/socket"
    load_client "$PUBLIC" client-first --sessions 20 --at-once 10 --up 10000 --down 1000000
    load_client "$PUBLIC" server-first --sessions 20 --at-once 10 --up 1000000 --down 10000
    load_served 40
}

@test "-- COMMAND: each client has one, which is told no address of the client" {
    start_relayd tlsrelay:127.0.0.1:0+2
    TCPREMOTEIP=forged start_connect "tlsrelay://127.0.0.1:$CONTROL" -- sh -c 'echo "${TCPREMOTEIP-none} $TCPLOCALIP $TCPLOCALPORT"; cat'
    for _ in 1 2; do
        dial "$PUBLIC"
        expect "$FD" "none 127\.0\.0\.1 $PUBLIC_PORT"
        say "$FD" hello
        expect "$FD" hello
    done
    [ "$("$TOOLS/drip" "$PUBLIC" --text hello --split 0 --shut | tail -n 1)" = 'hello= eof' ]
}

@test "-P: the server is told that the client is not known" {
    start_relayd tlsrelay:127.0.0.1:0+2
    start server socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork "SYSTEM:head -n 1"
    server=$(address_of server)
    start_connect -P 1 "tlsrelay://127.0.0.1:$CONTROL" "$server"
    dial "$PUBLIC"
    expect "$FD" $'PROXY UNKNOWN\r'
}

# Its standard input and output are $1 and $2; sets PUBLIC.
start_stdio() {
    start_relayd tlsrelay:127.0.0.1:0+2
    start pipe "$BASH" -c "{ $1; } | ${CONNECT_WORDS[*]} tlsrelay://127.0.0.1:$CONTROL - | $2; echo \${PIPESTATUS[1]} >'$D/status'"
    wait_said pipe '^127\.0\.0\.1:[0-9]+$'
    PUBLIC=$(grep -E '^127\.0\.0\.1:[0-9]+$' "$D/pipe.err")
}

@test "-: standard input and output serve one client" {
    start_stdio "echo question; sleep 100" cat
    dial "$PUBLIC"
    first=$FD
    expect "$FD" question
    dial "$PUBLIC"
    [ "$(rest "$FD")" = "= reset" ]
    say "$first" answer
    wait_for grep -qx answer "$D/pipe.out"
}

@test "-: all that came from the client is there, and it ends well" {
    head -c 20000000 /dev/urandom >"$D/up"
    start_stdio : sha256sum
    timeout 60 socat -u "$D/up" "TCP:$PUBLIC"
    wait_end pipe
    [ "$(cat "$D/status")" -eq 0 ]
    [ "$(cat "$D/pipe.out")" = "$(sha256sum <"$D/up")" ]
}

@test "--via: the command is told the relay's host, and the reverse one" {
    start_relayd "${MANY[@]}" tlsrelay:127.0.0.1:0+2
    start_load
    COMMANDS[connect]=1
    start_connect --via 'socat -,shut-down TCP:%h:%p' "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
    load_client "$PUBLIC" both --sessions 10 --at-once 5 --bytes 100000
    load_client "$PUBLIC" client-first --sessions 5 --at-once 5 --bytes 100000
    load_served 15
}

# --- the command line

@test "mistakes on the command line say what to do" {
    key_of "web $KEY"
    connect_mistake 'leave --ready out' -r 2 tlsrelay://127.0.0.1 localhost:80
    connect_mistake 'leave --key out' -k "$D/key" tlsrelay://127.0.0.1 localhost:80
    for target in 8080:localhost:80 "web=8080:localhost:80" "8080:$D/socket" 8080:-; do
        connect_mistake 'leave PUBLIC, 8080, out' tlsrelay://127.0.0.1 "$target"
    done
    connect_mistake 'is not a RELAY' tlsrelay:// localhost:80
    connect_mistake 'is not a RELAY' tlsrelay://127.0.0.1:0 localhost:80
    for wrong in 127.0.0.1// / 127.0.0.1/web 127.0.0.1,/; do
        connect_mistake 'is not a RELAY' "tlsrelay://$wrong" localhost:80
    done
    connect_mistake 'names no protocol' TLSRELAY://127.0.0.1 localhost:80
    connect_mistake 'no TARGET' tlsrelay://127.0.0.1
}

@test "--help names it" {
    run "${CONNECT_WORDS[@]}" --help
    [ "$status" -eq 0 ]
    [[ $output == *tlsrelay* ]]
}
