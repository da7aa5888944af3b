# tlsrelay: relayd's side. Servers say nothing, are told a pair of ports and of
# each client, and take their sessions along when they go.
# long: 40 s

load helper
load auth

CR=$'\r'
V1_TCP4='PROXY TCP4 192.0.2.9 198.51.100.1 40002 443\r\n'

# A relayd that speaks it: [OPTION...] LISTEN, or eight ports.
start_relay() {
    [ $# -gt 0 ] || set -- tlsrelay:127.0.0.1:0+8
    start_relayd "$@"
}

# What a server is told that has just connected, on descriptor $1: sets CONTROL_FD, SERVICE_PORT and REVERSE.
told() {
    CONTROL_FD=$1
    expect "$1" "public_listener ([^ ]+):([0-9]+)$CR"
    HOST=${BASH_REMATCH[1]}
    SERVICE_PORT=${BASH_REMATCH[2]}
    expect "$1" "reverse_listener ([^ ]+):([0-9]+)$CR"
    [ "${BASH_REMATCH[1]}" = "$HOST" ]
    REVERSE=${BASH_REMATCH[2]}
}

# A server by hand.
serve() {
    dial_control
    told "$FD"
}

# A client: sets CLIENT_FD. The server is told.
client() {
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    expect "$CONTROL_FD" "new_connection$CR"
}

# The server answers: sets DATA_FD.
answer() {
    dial "127.0.0.1:$REVERSE"
    DATA_FD=$FD
}

# A client with its session.
session() {
    client
    answer
    talks "$CLIENT_FD" "$DATA_FD"
}

# The bytes that come on descriptor $1 are these, and no more.
told_exactly() {
    printf "$2" >"$D/wanted"
    timeout $((5 * TIME_FACTOR)) head -c "$(wc -c <"$D/wanted")" <&"$1" >"$D/got" || :
    od -c "$D/got"
    cmp "$D/wanted" "$D/got"
    silent "$1"
}

# A service of relay-connect on it; $1 is more for that.
start_service() {
    start_relay "${MANY[@]}" tlsrelay:127.0.0.1:0+8
    start_load
    start_connect --max-sessions 1000 "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
}

closed() {
    wait_said relayd "^close service=$1 reason=$2$"
    not listening "$1"
}

# --- what a server is told

@test "a server is told both ports, byte for byte, and then of each client" {
    start_relay
    dial_control
    told_exactly "$FD" "public_listener 127.0.0.1:${POOL[4]}\\r\\nreverse_listener 127.0.0.1:${POOL[0]}\\r\\n"
    p=${POOL[4]} r=${POOL[0]}
    said relayd "^open service=$p proto=tlsrelay public=127\.0\.0\.1:$p from=127\.0\.0\.1:[0-9]+ reverse=127\.0\.0\.1:$r$"
    control=$FD
    dial "127.0.0.1:$p"
    told_exactly "$control" 'new_connection\r\n'
    dial "127.0.0.1:$p"
    dial "127.0.0.1:$p"
    told_exactly "$control" 'new_connection\r\nnew_connection\r\n'
}

@test "it is told the host that -H names, and the address that it reached" {
    start_relay -H relay.example.org tlsrelay:127.0.0.1:0+2
    dial_control
    told_exactly "$FD" "public_listener relay.example.org:${POOL[1]}\\r\\nreverse_listener relay.example.org:${POOL[0]}\\r\\n"
    relayd_as relayd2 -H 2001:db8::1 tlsrelay:127.0.0.1:0+2
    dial_control
    told_exactly "$FD" "public_listener [2001:db8::1]:${POOL[1]}\\r\\nreverse_listener [2001:db8::1]:${POOL[0]}\\r\\n"
    relayd_as relayd3 tlsrelay:0.0.0.0:0+2
    dial "127.0.0.7:$CONTROL"
    told_exactly "$FD" "public_listener 127.0.0.7:${POOL[1]}\\r\\nreverse_listener 127.0.0.7:${POOL[0]}\\r\\n"
}

@test "IPv6 works as IPv4 does" {
    ip -6 addr show dev lo 2>/dev/null | grep -q '::1' || skip "no IPv6 here"
    start_relay 'tlsrelay:[::1]:0+2'
    dial "::1:$CONTROL"
    told_exactly "$FD" "public_listener [::1]:${POOL[1]}\\r\\nreverse_listener [::1]:${POOL[0]}\\r\\n"
    hang_up "$FD"
    wait_said relayd '^close '
    start_load
    start_connect "tlsrelay://[::1]:$CONTROL" "$LOAD"
    [ "$PUBLIC" = "[::1]:${POOL[1]}" ]
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 100000
    load_served 20
}

@test "the ports above PORT: the first half reverse, the second public" {
    find_ports 6
    start_relay "tlsrelay:127.0.0.1:$CONTROL+6"
    [ "$(value relayd '^listen proto=tlsrelay ' pool)" = "$((CONTROL + 1))-$((CONTROL + 6))" ]
    for n in 1 2 3; do
        serve
        [ "$REVERSE" -eq $((CONTROL + n)) ]
        [ "$SERVICE_PORT" -eq $((CONTROL + 3 + n)) ]
    done
}

@test "200 ports by default, and an odd COUNT is a mistake" {
    find_ports 200
    start_relay "tlsrelay:127.0.0.1:$CONTROL"
    [ ${#POOL[@]} -eq 200 ]
    serve
    [ "$SERVICE_PORT" -eq $((CONTROL + 101)) ]
    for count in 1 3 199; do
        run timeout 5 "${RELAYD_WORDS[@]}" "tlsrelay:127.0.0.1:0+$count"
        echo "$output"
        [ "$status" -eq 2 ]
        [[ $output == *even* ]]
    done
}

@test "the lowest pair that is free is given out, and back as soon as the server goes" {
    start_relay
    fds=()
    for n in 0 1 2 3; do
        serve
        fds+=("$CONTROL_FD")
        [ "$REVERSE" -eq "${POOL[n]}" ]
        [ "$SERVICE_PORT" -eq "${POOL[n + 4]}" ]
    done
    for n in 2 0; do
        hang_up "${fds[n]}"
        closed "${POOL[n + 4]}" eof
        not listening "${POOL[n]}"
    done
    for n in 0 2; do
        serve
        [ "$REVERSE" -eq "${POOL[n]}" ]
        [ "$SERVICE_PORT" -eq "${POOL[n + 4]}" ]
    done
    session
}

@test "where no pair is free a server is told so, byte for byte, and closed" {
    start_relay tlsrelay:127.0.0.1:0+2
    serve
    first=$CONTROL_FD
    for n in 1 2 3; do
        dial_control
        timeout $((5 * TIME_FACTOR)) cat <&"$FD" >"$D/got"
        od -c "$D/got"
        cmp <(printf 'no_available_listeners\r\n') "$D/got"
        wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=full$' "$n"
    done
    not said relayd '^open ' 2
    session
    hang_up "$first"
    wait_said relayd '^close '
    serve
    session
}

@test "a relay without ports has none for anybody" {
    start_relay tlsrelay:127.0.0.1:0
    dial_control
    [ "$(rest "$FD")" = $'no_available_listeners\r\n= eof' ]
}

# --- clients and answers

@test "any number of clients are announced at once, and answered first come, first served" {
    start_relay
    serve
    clients=()
    for n in {1..30}; do
        dial "127.0.0.1:$SERVICE_PORT"
        clients+=("$FD")
        say "$FD" "client $n"
        expect "$CONTROL_FD" "new_connection$CR"
    done
    silent "$CONTROL_FD"
    for n in {1..30}; do
        answer
        expect "$DATA_FD" "client $n"
        say "$DATA_FD" "answer $n"
        expect "${clients[n - 1]}" "answer $n"
    done
    silent "$CONTROL_FD"
}

@test "what a client says, and its end, before it is answered arrive" {
    start_relay
    serve
    head -c 100000 /dev/urandom >"$D/early"
    INPUT=$D/early start client socat -t 20 - "TCP:127.0.0.1:$SERVICE_PORT"
    expect "$CONTROL_FD" "new_connection$CR"
    wait_for eval 'ss -Htn state fin-wait-2 "dport = :$SERVICE_PORT" | grep -q .'
    answer
    timeout $((10 * TIME_FACTOR)) cat <&"$DATA_FD" >"$D/arrived"
    cmp "$D/early" "$D/arrived"
    say "$DATA_FD" 'here you are'
    hang_up "$DATA_FD"
    wait_end client
    [ "$(cat "$D/client.out")" = 'here you are' ]
}

# A connection to the reverse port ends without a byte, as soon as it is made or
# a little later.
is_too_many() {
    run timeout $((5 * TIME_FACTOR)) socat -u "TCP:127.0.0.1:$REVERSE" -
    echo "$output"
    [ "$status" -eq 0 ] && [ -z "$output" ] || [[ $output == *"Connection reset by peer"* ]]
}

@test "a reverse connection too many is closed, and harms nobody" {
    start_relay
    serve
    for _ in {1..20}; do
        is_too_many
    done
    silent "$CONTROL_FD" 0.1
    client
    first=$CLIENT_FD
    answer
    served=$DATA_FD
    is_too_many
    talks "$first" "$served"
    session
    not said relayd '^close '
}

@test "an answer to a client that has left is the next one's" {
    start_relay
    serve
    start leaver socat "TCP:127.0.0.1:$SERVICE_PORT,linger=0" "SYSTEM:sleep 100"
    expect "$CONTROL_FD" "new_connection$CR"
    client
    kill_sessions leaver
    answer
    talks "$CLIENT_FD" "$DATA_FD"
    wait_said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=gone$"
    session
}

@test "a client that nobody answers is closed after the claim timeout, and its place is free" {
    start_relay -c 1 --max-waiting 1 tlsrelay:127.0.0.1:0+2
    serve
    client
    began=$(now_ms)
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    took=$(($(now_ms) - began))
    echo "$took ms"
    [ "$took" -ge 500 ]
    [ "$took" -lt $((3000 * TIME_FACTOR)) ]
    said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=timeout$"
    silent "$CONTROL_FD" 0.1
    session
}

@test "too many that wait are refused and not announced" {
    start_relay --max-waiting 2 tlsrelay:127.0.0.1:0+2
    serve
    client
    client
    dial "127.0.0.1:$SERVICE_PORT"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=full$"
    silent "$CONTROL_FD"
}

@test "reverse connections come from the control connection's address alone" {
    start_relay
    serve
    client
    [[ "$("$TOOLS/drip" "127.0.0.1:$REVERSE" --from 127.0.0.2)" =~ ^=\ (reset|eof)$ ]]
    said relayd '^reject from=127\.0\.0\.2:[0-9]+ reason=address$'
    answer
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "with --any-reverse they come from anywhere" {
    start_relay --any-reverse tlsrelay:127.0.0.1:0+2
    serve
    client
    start other socat -t 10 "SYSTEM:echo there; cat" "TCP:127.0.0.1:$REVERSE,bind=127.0.0.2"
    expect "$CLIENT_FD" there
    say "$CLIENT_FD" back
    expect "$CLIENT_FD" back
}

@test "behind --proxy-from the address of the header counts" {
    start_relay --proxy-from 127.0.0.0/8 tlsrelay:127.0.0.1:0+4
    dial_control
    say_at_once "$FD" '%b' "$V1_TCP4"
    told "$FD"
    [ "$HOST" = 198.51.100.1 ]
    said relayd "^open service=$SERVICE_PORT proto=tlsrelay .* from=192\.0\.2\.9:40002 "
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    say_at_once "$FD" '%b' 'PROXY TCP4 192.0.2.77 198.51.100.1 7 443\r\n'
    expect "$CONTROL_FD" "new_connection$CR"
    # The proxy itself, another address, and no header at all.
    for header in 'PROXY UNKNOWN\r\n' 'PROXY TCP4 192.0.2.8 198.51.100.1 40002 443\r\n' 'hello\r\n'; do
        answer
        say_at_once "$DATA_FD" '%b' "$header"
        [ "$(rest "$DATA_FD")" = "= reset" ]
    done
    wait_said relayd '^reject from=(127\.0\.0\.1|192\.0\.2\.8):[0-9]+ reason=address$' 2
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=proxy$'
    answer
    say_at_once "$DATA_FD" '%b' 'PROXY TCP4 192.0.2.9 198.51.100.1 50000 443\r\n'
    talks "$CLIENT_FD" "$DATA_FD"
    said relayd "^pair service=$SERVICE_PORT client=192\.0\.2\.77:7 "
}

@test "a server without the header that is due is none" {
    start_relay --proxy-from 127.0.0.0/8 --line-timeout 1 tlsrelay:127.0.0.1:0+2
    dial_control
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=slow$'
    not said relayd '^open '
}

# --- a server that goes

# A client that waits, one in a session, and its server, are reset with it; what relayd says is the N-th of that kind.
all_gone() {
    local n=$1 reason=$2

    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    [ "$(rest "$client")" = "= reset" ]
    [ "$(rest "$data")" = "= reset" ]
    wait_said relayd "^end service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ .* reason=killed$" "$n"
    wait_said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=gone$" "$n"
    said relayd "^close service=$SERVICE_PORT reason=$reason$"
    not listening "$SERVICE_PORT"
    not listening "$REVERSE"
}

@test "a server that goes takes its sessions and its waiting clients along, and nobody else's" {
    start_relay
    serve
    other_control=$CONTROL_FD other_port=$SERVICE_PORT
    session
    other_client=$CLIENT_FD other_data=$DATA_FD
    count=0
    for reason in eof line eof; do
        serve
        session
        client=$CLIENT_FD data=$DATA_FD
        client
        [ "$reason" = eof ] || say "$CONTROL_FD" hello
        hang_up "$CONTROL_FD"
        all_gone $((++count)) "$reason"
        talks "$other_client" "$other_data"
    done
    silent "$other_control"
    not said relayd "^(end|close) service=$other_port "
    not said relayd '^end ' 4
}

told_of() {
    [ "$(grep -c "^new_connection$CR\$" "$D/half.out")" -eq "$1" ]
}

@test "a server that ends its direction alone has gone" {
    start_relay
    mkfifo "$D/words"
    INPUT=$D/words start half socat -t 30 - "TCP:127.0.0.1:$CONTROL"
    exec {words}>"$D/words"
    wait_said relayd '^open '
    SERVICE_PORT=${POOL[4]} REVERSE=${POOL[0]}
    dial "127.0.0.1:$SERVICE_PORT"
    client=$FD
    wait_for told_of 1
    answer
    data=$DATA_FD
    talks "$client" "$data"
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    wait_for told_of 2
    exec {words}>&-
    all_gone 1 eof
    wait_end half
    [ "$status" -eq 0 ]
}

@test "a server that is reset has gone" {
    start_relay
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --until reverse --reset
    wait_said relayd '^close service=[0-9]+ reason=reset$'
}

@test "whatever a server says costs it the control connection" {
    start_relay
    count=0
    for bytes in ' ' '\n' '\0' '\r\n' 'new_connection\r\n' 'GET / HTTP/1.1\r\n\r\n' '[HELLO] v=1 name=web\n' '\x16\x03\x01\x02\x00\x01'; do
        serve
        session
        say_at_once "$CONTROL_FD" "$bytes"
        [[ "$(rest "$CONTROL_FD")" =~ ^=\ (eof|reset)$ ]]
        [ "$(rest "$CLIENT_FD")" = "= reset" ]
        [ "$(rest "$DATA_FD")" = "= reset" ]
        count=$((count + 1))
        wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=line$' "$count"
        wait_said relayd "^close service=$SERVICE_PORT reason=line$" "$count"
        wait_said relayd '^end .* reason=killed$' "$count"
        not listening "$SERVICE_PORT"
    done
}

@test "garbage and endless lines cost their sender the connection and nobody else anything" {
    start_relay
    serve
    session
    for seed in 1 2 3 4 5; do
        [[ "$("$TOOLS/drip" "127.0.0.1:$CONTROL" --garbage "$seed" 100000 --split 0 | tail -n 1)" =~ ^=\ (eof|reset)$ ]]
    done
    head -c 10000000 /dev/zero | tr '\0' x | socat -u - "TCP:127.0.0.1:$CONTROL" 2>/dev/null || :
    wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=line$' 6
    wait_said relayd '^close ' 6
    talks "$CLIENT_FD" "$DATA_FD"
    session
}

@test "servers that come and go 300 times leave nothing behind" {
    start_relay
    serve
    session
    first=$CLIENT_FD first_data=$DATA_FD
    for n in {1..300}; do
        exec {fd}<>"/dev/tcp/127.0.0.1/$CONTROL"
        [ $((n % 3)) -ne 0 ] || read -r -u "$fd" _
        [ $((n % 5)) -ne 0 ] || printf x >&"$fd"
        exec {fd}>&-
    done
    talks "$first" "$first_data"
    gone_again() {
        [ "$(grep -c '^open ' "$D/relayd.err")" -eq $(($(grep -c '^close ' "$D/relayd.err") + 1)) ]
    }
    wait_for gone_again
    serve
    [ "$SERVICE_PORT" -eq "${POOL[5]}" ]
    session
}

@test "who has the ports next has none of the last one's clients and answers" {
    start_relay tlsrelay:127.0.0.1:0+2
    for n in {1..20}; do
        serve
        dial "127.0.0.1:$SERVICE_PORT"
        waits=$FD
        dial "127.0.0.1:$SERVICE_PORT"
        waits2=$FD
        hang_up "$CONTROL_FD"
        [ "$(rest "$waits")" = "= reset" ]
        [ "$(rest "$waits2")" = "= reset" ]
        wait_said relayd '^close ' "$n"
    done
    serve
    silent "$CONTROL_FD" 0.1
    session
}

# A server whose socket takes little, on a machine where relayd's does too: a network namespace with nothing else in it.
@test "a server that does not read what it is told is given up" {
    ns=tlsrelay-$$
    ip netns add "$ns" 2>/dev/null || skip "no network namespace can be made here (ip netns add), or there is no ip"
    within=(ip netns exec "$ns")
    "${within[@]}" ip link set lo up
    if ! "${within[@]}" sh -c 'echo 4096 4096 4096 >/proc/sys/net/ipv4/tcp_wmem' 2>/dev/null; then
        ip netns del "$ns"
        skip "buffers cannot be made small here"
    fi
    RELAYD_WORDS=("${within[@]}" "${RELAYD_WORDS[@]}")
    start_relay "${MANY[@]}" tlsrelay:127.0.0.1:0+4
    start deaf "${within[@]}" socat -u "TCP:127.0.0.1:$CONTROL,rcvbuf=1" "SYSTEM:sleep 1000"
    wait_said relayd '^open '
    deaf_port=$(value relayd '^open ' service)
    start hears "${within[@]}" socat -u "TCP:127.0.0.1:$CONTROL" -
    wait_said relayd '^open ' 2
    start crowd "${within[@]}" "$TOOLS/attack" hold "$deaf_port" 0 900 99 4
    ended=0
    wait_at_most 20 said relayd "^close service=$deaf_port reason=slow$" || ended=1
    ip netns del "$ns"
    [ "$ended" -eq 0 ]
    kill_sessions crowd deaf
    [ "$(grep -c '^close ' "$D/relayd.err")" -eq 1 ]
    PORTS=()
}

# --- sessions

@test "200 sessions at once, every byte both ways" {
    ulimit -Sn "$(ulimit -Hn)"
    start_service
    n=$(scaled 200)
    hold_sessions "$PUBLIC" "$n" --timeout 60
    wait_for offspring_count relayd "$n"
    all_alive "$n"
    finish_held
    load_client "$PUBLIC" both --sessions "$n" --at-once 200 --bytes 262144 --timeout 60
    load_served $((2 * n))
    wait_said relayd '^end service=[0-9]+ .* reason=eof$' $((2 * n))
    not said relayd '^(refuse|reject|close) '
}

@test "200 sessions end with their server, while another's 50 go on" {
    ulimit -Sn "$(ulimit -Hn)"
    start_service
    keep=$PUBLIC
    connect_as connect2 "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
    mkfifo "$D/more"
    exec {more}<>"$D/more"
    DIALLED+=("$more")
    hold_sessions "$keep" 50
    INPUT=$D/more start crowd "$TOOLS/load" client "$PUBLIC" --mode hold --sessions 200 --at-once 200 --bytes 1000
    wait_for grep -qx 'held 200' "$D/crowd.out"
    stop connect2 KILL
    wait_said relayd "^end service=$PUBLIC_PORT .* reason=killed$" 200
    wait_for offspring_count relayd 50
    all_alive 50
    finish_held
    not said relayd "^end service=${keep##*:} .* reason=(killed|reset|error)"
}

@test "a transfer that its server's end cuts does not look like a whole one" {
    start_relay
    serve
    client
    answer
    head -c 100000 /dev/zero | tr '\0' x >&"$DATA_FD"
    hang_up "$CONTROL_FD"
    [[ "$(rest "$CLIENT_FD")" =~ ^x*=\ reset$ ]]
}

@test "half-close both ways" {
    start_service
    load_client "$PUBLIC" client-first --sessions 30 --at-once 10 --up 10000 --down 1000000
    load_client "$PUBLIC" server-first --sessions 30 --at-once 10 --up 1000000 --down 10000
    load_client "$PUBLIC" client-first --sessions 10 --at-once 10 --up 0 --down 100000
    load_client "$PUBLIC" server-closes --sessions 20 --at-once 20 --up 0 --down 1048576 --pause-client 200
    load_served 90
}

@test "resets both ways" {
    start_service
    load_client "$PUBLIC" client-resets --sessions 30 --at-once 10 --bytes 10000
    load_client "$PUBLIC" server-resets --sessions 30 --at-once 10 --bytes 10000
    load_client "$PUBLIC" client-cuts --sessions 20 --at-once 10 --bytes 2000000
    load_client "$PUBLIC" server-cuts --sessions 20 --at-once 10 --bytes 2000000
    load_served 100
    wait_said relayd '^end .* reason=reset$' 100
}

@test "a server as the original's: it answers each line with a connection" {
    start_relay "${MANY[@]}" tlsrelay:127.0.0.1:0+2
    cat >"$D/server" <<'END'
exec 3<>"/dev/tcp/127.0.0.1/$1"
while IFS= read -r -u 3 line; do
    case $line in
    reverse_listener\ *$'\r') line=${line%$'\r'}; reverse=${line#* } ;;
    new_connection$'\r') socat "TCP:$reverse" EXEC:cat 3<&- & ;;
    esac
done
END
    start original "$BASH" "$D/server" "$CONTROL"
    wait_said relayd '^open '
    load_client "127.0.0.1:${POOL[1]}" echo --sessions 50 --at-once 20 --bytes 100000
}

# --- signals

# A session and a client that waits.
busy_relay() {
    start_relay
    serve
    session
    client=$CLIENT_FD data=$DATA_FD
    client
}

@test "TERM: relayd leaves at once, and sessions finish" {
    busy_relay
    stop relayd TERM
    [ "$status" -eq 0 ]
    [ "$(rest "$CONTROL_FD")" = "= eof" ]
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    talks "$client" "$data"
}

@test "USR1: control connections and ports are closed, and sessions go on until their end" {
    busy_relay
    kill -USR1 "${PID[relayd]}"
    [ "$(rest "$CONTROL_FD")" = "= eof" ]
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    for port in "$CONTROL" "$SERVICE_PORT" "$REVERSE"; do
        not listening "$port"
    done
    said relayd "^close service=$SERVICE_PORT reason=drain$"
    talks "$client" "$data"
    alive relayd
    hang_up "$client"
    hang_up "$data"
    wait_end relayd
    [ "$status" -eq 0 ]
    said relayd '^end .* reason=eof$'
}

@test "INT and QUIT end the sessions too, with resets" {
    for signal in INT QUIT; do
        busy_relay
        stop relayd "$signal"
        [ "$status" -eq 0 ]
        [ "$(rest "$client")" = "= reset" ]
        [ "$(rest "$data")" = "= reset" ]
        said relayd '^end .* reason=killed$'
        rm "$D/relayd.err"
    done
}

# --- beside others

@test "tlsrelay and new in one relayd do not disturb each other" {
    start_relay 127.0.0.1:0+4 tlsrelay:127.0.0.1:0+4
    new=$(value relayd '^listen proto=new ' addr)
    new=${new##*:}
    start_load
    connect_as connect1 -n web "127.0.0.1:$new" "$LOAD"
    first=$PUBLIC
    connect_as connect2 "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
    for _ in 1 2; do
        load_client "$first" both --sessions 20 --at-once 10 --bytes 100000
        load_client "$PUBLIC" both --sessions 20 --at-once 10 --bytes 100000
    done
    dial "$first"
    wait_said relayd '^pair service=web ' 41
    held=$FD
    stop connect2 TERM
    wait_said relayd "^close service=$PUBLIC_PORT reason=eof$"
    silent "$held"
    # The wrong port for either.
    dial "127.0.0.1:$CONTROL"
    say "$FD" '[HELLO] v=1 name=x'
    wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=line$'
    load_client "$first" both --sessions 5 --bytes 10000
    not said relayd '^close service=web '
}

@test "a bare port is the loopback address alone, with a key file too, and relayd says why" {
    write_keys "web $KEY"
    for keys in '' "-k $D/keys"; do
        start_relay $keys tlsrelay:0+2
        said relayd '^listen proto=tlsrelay addr=127\.0\.0\.1:'
        said relayd '^loopback addr=127\.0\.0\.1:[0-9]+ reason=no-keys$'
        not said relayd '^unguarded'
        not eval "(exec 9<>/dev/tcp/127.0.0.2/$CONTROL)"
        serve
        session
        stop relayd
        rm "$D/relayd.err"
    done
}

@test "an address spelled out serves everybody, and relayd says so" {
    write_keys "web $KEY"
    start_relay -k "$D/keys" 0+2 tlsrelay:0.0.0.0:0+2
    [ "$(grep -cE '^unguarded addr=0\.0\.0\.0:[0-9]+ reason=no-keys$' "$D/relayd.err")" -eq 1 ]
    not said relayd '^loopback'
    dial "127.0.0.3:$CONTROL"
    told "$FD"
    [ "$HOST" = 127.0.0.3 ]
}

@test "--pool-addr: both ports are there, and servers are told so" {
    start_relay --pool-addr 127.0.0.3 tlsrelay:127.0.0.1:0+2
    dial_control
    told_exactly "$FD" "public_listener 127.0.0.3:${POOL[1]}\\r\\nreverse_listener 127.0.0.3:${POOL[0]}\\r\\n"
}
