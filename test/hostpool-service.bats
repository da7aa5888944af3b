# hostpool: what a service of it is worth: sessions by checksum, limits, who is
# behind a proxy, the other protocols beside it, the command line, signals.
# long: 45 s

load helper
load auth
load hostpool

V1='PROXY TCP4 192.0.2.9 198.51.100.1 40002 443\r\n'

# A pool with one host process before a server of `load`; [OPTION...] of relayd.
start_service() {
    start_pool_for_hosts "${MANY[@]}" "$@"
    start_load
    start_host connect "$LOAD" --max-sessions 1000
    # What it had is what it has again.
    DESCRIPTORS[relayd]=$(descriptors relayd)
}

# A client of the pool that is served: sets CLIENT_FD, DATA_FD.
served_client() {
    spare
    client
    opened "$COMMAND_FD" "$SESSION"
    talks "$CLIENT_FD" "$DATA_FD"
}

usage() {
    run timeout 10 "${RELAYD_WORDS[@]}" "$@"
    echo "$output"
    [ "$status" -eq 2 ]
}

# --- sessions

@test "200 sessions at once, exact both ways" {
    start_service
    load_client "127.0.0.1:$CLIENTS" both --sessions 200 --at-once 200 --bytes 300000
    load_served 200
    wait_said relayd '^end .* up=300040 down=300000 .* reason=eof$' 200
    not said relayd '^(refuse|reject) '
    wait_for full
}

@test "200 sessions are kept at once, and each is told at its end" {
    start_service
    command_connection
    n=$(scaled 200)
    hold_sessions "127.0.0.1:$CLIENTS" "$n" --timeout 60
    all_alive "$n"
    finish_held
    load_served "$n"
    wait_said relayd '^end ' "$n"
    for ((i = 0; i < 2 * n; i++)); do
        frame "$COMMAND_FD"
        od -An -v -t x1 "$D/message" | tr -d '\n'
        echo
    done >"$D/commands"
    silent "$COMMAND_FD"
    # An OPEN of each, in order, and a DROP.
    [ "$(grep -c '^ 08 01 10 00 1a ' "$D/commands")" -eq "$n" ]
    [ "$(grep '^ 08 01 10 00 1a ' "$D/commands" | sort -u | wc -l)" -eq "$n" ]
    [ "$(grep '^ 08 01 10 01 22 ' "$D/commands" | sort -u | wc -l)" -eq "$n" ]
}

@test "the end of either direction is passed on while the other goes on" {
    start_service
    load_client "127.0.0.1:$CLIENTS" client-first --sessions 50 --at-once 10 --up 10000 --down 3000000
    load_client "127.0.0.1:$CLIENTS" server-first --sessions 50 --at-once 10 --up 3000000 --down 10000
    load_client "127.0.0.1:$CLIENTS" client-first --sessions 20 --at-once 10 --up 0 --down 100000
    load_client "127.0.0.1:$CLIENTS" server-first --sessions 20 --at-once 10 --up 100000 --down 0
    load_client "127.0.0.1:$CLIENTS" client-closes --sessions 20 --at-once 10 --up 1000000 --down 0 --pause-server 100
    load_client "127.0.0.1:$CLIENTS" server-closes --sessions 20 --at-once 10 --up 0 --down 1000000 --pause-client 100
    load_served 180
}

@test "a reset is passed on, from either side, amid a transfer too" {
    start_service
    load_client "127.0.0.1:$CLIENTS" client-resets --sessions 50 --at-once 10 --bytes 10000
    load_client "127.0.0.1:$CLIENTS" server-resets --sessions 50 --at-once 10 --bytes 10000
    wait_said relayd '^end .* reason=reset$' 100
    load_client "127.0.0.1:$CLIENTS" client-cuts --sessions 20 --at-once 10 --bytes 4000000
    load_client "127.0.0.1:$CLIENTS" server-cuts --sessions 20 --at-once 10 --bytes 4000000
    load_client "127.0.0.1:$CLIENTS" half-client-resets --sessions 20 --at-once 10 --bytes 100000
    load_client "127.0.0.1:$CLIENTS" half-server-resets --sessions 20 --at-once 10 --bytes 100000
    load_served 180
    wait_for full
}

@test "a session whose process is killed resets both, and is told as gone" {
    start_pool
    command_connection
    served_client
    kill -KILL "$(value relayd '^pair' pid)"
    dropped "$COMMAND_FD" 1
    client_refused
    [ "$(rest "$DATA_FD")" = "= reset" ]
    said relayd '^end .* reason=killed$'
}

# --- limits

@test "--max-ready: so many wait; what one leaves another gets" {
    start_pool --max-ready 2
    command_connection
    spares 2
    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" "$HELLO"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=full$'
    client
    opened "$COMMAND_FD" 1
    spare
    hang_up "${SPARES[1]}"
    wait_said relayd '^unready '
    spare
}

@test "--max-ready holds for all protocols; who is over it is not welcomed first" {
    start_relayd --max-ready 2 new:127.0.0.1:0+4 hostpool:127.0.0.1:0
    read_pool relayd
    pool=$CONTROL
    CONTROL=$(value relayd '^listen proto=new' addr)
    CONTROL=${CONTROL##*:}
    serve_by_hand web ready=2
    for _ in 1 2; do
        expect "$CONTROL_FD" '\[READY\] id=([0-9a-f]{32})'
        claim "${BASH_REMATCH[1]}"
    done
    CONTROL=$pool
    settled
    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" "$HELLO"
    [ "$(rest "$FD" | tr -d '\0')" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=limit$'
}

@test "--max-sessions, --max-per-service: further clients are refused, and cost no data connection" {
    for option in --max-sessions --max-per-service; do
        start_pool "$option" 1
        command_connection
        served_client
        first=$CLIENT_FD served=$DATA_FD
        spare
        client
        client_refused
        said relayd '^refuse service=hostpool-[0-9]+ client=127\.0\.0\.1:[0-9]+ reason=limit$'
        silent "$DATA_FD"
        silent "$COMMAND_FD" 0.05
        talks "$first" "$served"
        stop relayd INT
        rm "$D/relayd.err"
    done
}

@test "--max-per-source: clients of one address, and not of another; command connections too" {
    start_pool --max-per-source 2
    command_connection
    served_client
    served_client
    spare
    client
    client_refused
    said relayd '^refuse .* client=127\.0\.0\.1:[0-9]+ reason=limit$'
    start other "$TOOLS/drip" "127.0.0.1:$CLIENTS" --from 127.0.0.2 --text hello --split 0
    opened "$COMMAND_FD" "$SESSION"
    exactly "$DATA_FD" hello
    command_connection
    dial "127.0.0.1:$COMMANDS"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=full$'
    start another "$TOOLS/drip" "127.0.0.1:$COMMANDS" --from 127.0.0.2 --text x --split 0 --wait 60000
    wait_said relayd '^open ' 3
}

@test "command connections of one address leave room for others'" {
    # Nine in all, of which two.
    start_pool --max-ready 64
    command_connection
    command_connection
    dial "127.0.0.1:$COMMANDS"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=full$'
    start other "$TOOLS/drip" "127.0.0.1:$COMMANDS" --from 127.0.0.2 --text x --split 0 --wait 60000
    wait_said relayd '^open ' 3
    hang_up "$COMMAND_FD"
    wait_said relayd '^close '
    command_connection
}

@test "--max-per-source: an IPv6 source is its /64, for data and command connections too" {
    local port from

    start_pool --proxy-from 127.0.0.0/8 --max-per-source 1
    for port in "$COMMANDS" "$CONTROL"; do
        for from in 2001:db8::1 2001:db8::2 2001:db8:0:1::1; do
            dial "127.0.0.1:$port"
            say_bytes "$FD" "PROXY TCP6 $from 2001:db8:1::1 40002 80\r\n$HELLO"
            [ "$from" != 2001:db8::2 ] || [ "$(rest "$FD")" = "= reset" ]
            [ "$from" = 2001:db8::2 ] || [ "$port" = "$COMMANDS" ] || frame "$FD"
        done
    done
    wait_said relayd '^open ' 2
    said relayd '^reject from=\[2001:db8::2\]:40002 reason=full$' 2
}

@test "--max-waiting: so many clients wait; those of one address lose their places to others" {
    start_pool --max-waiting 2
    client
    client
    client
    client_refused
    said relayd '^refuse .* reason=full$'
    start other "$TOOLS/drip" "127.0.0.1:$CLIENTS" --from 127.0.0.2 --text hello --split 0 --wait 60000
    wait_said relayd '^refuse .* reason=full$' 2
}

@test "--max-unknown: those that have said nothing; who has a command connection is not held to the quarter" {
    start_pool --max-unknown 8
    for _ in 1 2; do
        dial "127.0.0.1:$CONTROL"
    done
    settled_full() {
        dial "127.0.0.1:$CONTROL"
        [ "$(rest "$FD")" = "= reset" ]
    }
    settled_full
    said relayd '^reject .* reason=full$'
    command_connection
    for _ in {1..6}; do
        dial "127.0.0.1:$CONTROL"
        silent "$FD" 0.02
    done
    settled_full
    said relayd '^reject .* reason=full$' 2
    # Those that wait do not count.
    for fd in "${DIALLED[@]}"; do
        hang_up "$fd" 2>/dev/null || :
    done
    DIALLED=()
    wait_for at_most_descriptors relayd "${DESCRIPTORS[relayd]}"
    command_connection
    spares 12
}

# --- who is behind a proxy

@test "--proxy-from: every port wants a header, and what it says counts" {
    start_pool --proxy-from 127.0.0.0/8 --max-per-source 1
    dial "127.0.0.1:$COMMANDS"
    COMMAND_FD=$FD
    say_bytes "$FD" "$V1"
    wait_said relayd "^open service=hostpool-$CONTROL proto=hostpool public=198\.51\.100\.1:$CLIENTS from=192\.0\.2\.9:40002$"
    dial "127.0.0.1:$CONTROL"
    DATA_FD=$FD
    say_bytes "$FD" "$V1$HELLO"
    frame "$FD"
    [[ "$(tr -d '\0' <"$D/message")" == *$'\x12\x0c198.51.100.1\x1a'* ]]
    dial "127.0.0.1:$CLIENTS"
    CLIENT_FD=$FD
    say_bytes "$FD" "${V1}hello"
    opened "$COMMAND_FD" 1
    exactly "$DATA_FD" hello
    talks "$CLIENT_FD" "$DATA_FD"
    said relayd '^pair .* client=192\.0\.2\.9:40002 '
    # One client of that source is all.
    dial "127.0.0.1:$CLIENTS"
    say_bytes "$FD" "${V1}hello"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^refuse .* client=192\.0\.2\.9:40002 reason=limit$'
    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" "$HELLO"
    [ "$(rest "$FD")" = "= reset" ]
    dial "127.0.0.1:$COMMANDS"
    say_bytes "$FD" "$HELLO"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=proxy$' 2
}

# --- beside other protocols

@test "hostpool, tlsrelay and new in one relayd, all three used at once" {
    find_ports 2
    start_relayd "${MANY[@]}" new:127.0.0.1:0+4 tlsrelay:127.0.0.1:0+4 "hostpool:127.0.0.1:$CONTROL"
    start_load
    read_pool relayd
    start_host connect "$LOAD" --max-sessions 1000
    control=$(value relayd '^listen proto=new' addr)
    connect_as connect_new --max-sessions 1000 -n web "$control" "$LOAD"
    new=$PUBLIC
    control=$(value relayd '^listen proto=tlsrelay' addr)
    connect_as connect_tls --max-sessions 1000 "tlsrelay://$control" "$LOAD"
    tls=$PUBLIC
    for at in "$new" "$tls" "127.0.0.1:$CLIENTS"; do
        load_client "$at" both --sessions 60 --at-once 20 --bytes 300000 >"$D/load.$at" &
        pids+=("$!")
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
    load_served 180
    [ "$(grep -c "^pair service=hostpool-$CONTROL " "$D/relayd.err")" -eq 60 ]
    [ "$(grep -c "^pair service=web " "$D/relayd.err")" -eq 60 ]
}

@test "a server of another protocol that takes the pool's name does it no harm" {
    start_relayd new:127.0.0.1:0+4 hostpool:127.0.0.1:0
    read_pool relayd
    pool=$CONTROL
    command_connection
    spare
    CONTROL=$(value relayd '^listen proto=new' addr)
    CONTROL=${CONTROL##*:}
    serve_by_hand "hostpool-$pool"
    [ "$SERVICE_PORT" -ne "$CLIENTS" ]
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    CONTROL=$pool
    spare
    client
    opened "$COMMAND_FD" 1
    hang_up "$CONTROL_FD"
    wait_said relayd "^close service=hostpool-$pool reason=eof$"
    client
    opened "$COMMAND_FD" 2
    talks "$CLIENT_FD" "$DATA_FD"
}

# --- command line and signals

@test "a bare port is on the loopback address, with and without a key file" {
    write_keys "web $KEY"
    for keys in '' "-k $D/keys"; do
        find_ports 2
        port=$CONTROL
        # shellcheck disable=SC2086
        relayd_as relayd $keys "hostpool:$port"
        said relayd "^listen proto=hostpool addr=127\.0\.0\.1:$port commands=127\.0\.0\.1:$((port + 1)) clients=127\.0\.0\.1:$((port + 2))$"
        said relayd "^loopback addr=127\.0\.0\.1:$port reason=no-keys$"
        for port in "$port" $((port + 1)) $((port + 2)); do
            [ "$(ss -Hltn "sport = :$port" | awk '{print $4}')" = "127.0.0.1:$port" ]
        done
        stop relayd
        rm "$D/relayd.err"
    done
}

@test "usage: no +COUNT, no port above 65533; ports in use are named" {
    usage hostpool:127.0.0.1:8000+200
    [[ "$output" == *"leave +COUNT out"* ]]
    usage hostpool:127.0.0.1:0+1
    usage hostpool:127.0.0.1:65534
    usage hostpool:127.0.0.1:65535
    run timeout 10 "${RELAYD_WORDS[@]}" hostpool:127.0.0.1:8000 hostpool:127.0.0.1:8002
    [ "$status" -eq 1 ]
    [[ "$output" == *overlap* ]]
    for i in 0 1 2; do
        find_ports 2
        port=$CONTROL
        start taken socat "TCP-LISTEN:$((port + i)),bind=127.0.0.1" -
        wait_for listening $((port + i))
        run timeout 10 "${RELAYD_WORDS[@]}" "hostpool:127.0.0.1:$port"
        echo "$output"
        [ "$status" -eq 1 ]
        [[ "$output" == *"$((port + i))"* ]]
        kill_sessions taken
    done
}

@test "SIGUSR1: what waits is closed, and it leaves with its last session" {
    start_pool
    command_connection
    spares 2
    client
    opened "$COMMAND_FD" 1
    dial "127.0.0.1:$CONTROL"
    unsaid=$FD
    kill -USR1 "${PID[relayd]}"
    [ "$(rest "$COMMAND_FD")" = "= eof" ]
    [ "$(rest "${SPARES[1]}")" = "= reset" ]
    [ "$(rest "$unsaid")" = "= reset" ]
    for port in "$CONTROL" "$COMMANDS" "$CLIENTS"; do
        refused "$port"
    done
    talks "$CLIENT_FD" "${SPARES[0]}"
    alive relayd
    hang_up "$CLIENT_FD"
    hang_up "${SPARES[0]}"
    wait_end relayd
    [ "$status" -eq 0 ]
    said relayd '^end .* reason=eof$'
}

@test "SIGUSR1: a client that waits is refused" {
    start_pool
    client
    settled
    stop relayd USR1
    [ "$status" -eq 0 ]
    client_refused
    said relayd '^refuse .* reason=gone$'
}

@test "SIGTERM: it leaves at once, and the sessions go on" {
    start_pool_for_hosts
    command_connection
    spares 2
    client
    opened "$COMMAND_FD" 1
    stop relayd
    [ "$status" -eq 0 ]
    [[ "$(rest "${SPARES[1]}")" = "= "[re]* ]]
    talks "$CLIENT_FD" "${SPARES[0]}"
    hang_up "$CLIENT_FD"
    [ "$(rest "${SPARES[0]}")" = "= eof" ]
    # Its ports are free again.
    hang_up "${SPARES[0]}"
    relayd_as relayd2 "hostpool:127.0.0.1:$CONTROL"
}

@test "SIGINT: the sessions end too, as killed" {
    start_pool
    command_connection
    served_client
    stop relayd INT
    [ "$status" -eq 0 ]
    client_refused
    [ "$(rest "$DATA_FD")" = "= reset" ]
    said relayd '^end .* reason=killed$'
}
