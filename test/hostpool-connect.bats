# hostpool: relay-connect's side before relayd: the connections it makes ahead of
# clients, and what becomes of both. What it says and is told, byte for byte, is in
# hostpool-words.bats.
# long: 45 s

load helper
load hostpool

@test "it prints the public address, and keeps ten connections, without a process" {
    start_pool_for_hosts -H relay.example.org
    start_host connect localhost:1
    [ "$(cat "$D/connect.out")" = "relay.example.org:$CLIENTS" ]
    [ "$(ss -Htn state established "sport = :$COMMANDS" | wc -l)" -eq 1 ]
    no_offspring connect
    [ "$(grep -cE "^open service=[^ ]+ proto=hostpool public=relay\.example\.org:$CLIENTS$" "$D/connect.err")" -eq 1 ]
    # No eleventh.
    not wait_at_most 1 standing 11
}

@test "-r says how many; each that is used is replaced" {
    start_pool_for_hosts
    start_load
    SPARE_COUNT=3 start_host connect "$LOAD" -r 3
    for _ in {1..20}; do
        load_client "127.0.0.1:$CLIENTS" both --bytes 100
        wait_for standing 3
    done
    load_served 20
    command_connection
    client
    opened "$COMMAND_FD" 21
    not said connect '^(unready|lost|refuse)'
    not said relayd '^(unready|refuse|reject)'
}

@test "a server that speaks first is heard at once, by more clients than there are connections too" {
    start_pool_for_hosts "${MANY[@]}"
    start_greeter
    SPARE_COUNT=2 start_host connect "$LOCAL" -r 2
    fds=()
    for _ in {1..20}; do
        client
        fds+=("$FD")
    done
    for fd in "${fds[@]}"; do
        expect "$fd" greetings
        say "$fd" "and back"
        expect "$fd" "and back"
    done
    not said relayd '^(refuse|reject)'
}

@test "a client that has nothing to say and ends at once has its answer" {
    start_pool_for_hosts
    start_greeter
    start_host connect "$LOCAL"
    for i in {1..30}; do
        said=$(timeout 10 socat -t 10 STDIO "TCP:127.0.0.1:$CLIENTS" </dev/null)
        [ "$said" = greetings ] || { echo "client $i: '$said'"; false; }
    done
}

@test "a client beyond --max-sessions is reset, and so is one whose server does not listen" {
    start_pool_for_hosts
    start_greeter
    start_host connect "$LOCAL" --max-sessions 1
    client
    first=$FD
    expect "$first" greetings
    client
    client_refused
    say "$first" still
    expect "$first" still
    stop connect INT
    wait_for standing 0
    start_host connect2 "127.0.0.1:$(free_port)"
    for _ in 1 2 3; do
        began=$(now_ms)
        client
        client_refused
        [ $(($(now_ms) - began)) -lt $((1000 * TIME_FACTOR)) ]
    done
    wait_said connect2 '^end service=[^ ]+ .* reason=error error=Connection' 3
}

@test "-- COMMAND serves each client, and knows the public address" {
    start_pool_for_hosts
    start connect "${CONNECT_WORDS[@]}" "hostpool://127.0.0.1:$CONTROL" -- sh -c 'echo "$TCPLOCALIP:$TCPLOCALPORT"; cat'
    wait_for printed_or_gone connect
    wait_for standing 10
    for _ in 1 2; do
        client
        expect "$CLIENT_FD" "127.0.0.1:$CLIENTS"
        say "$CLIENT_FD" hello
        expect "$CLIENT_FD" hello
        hang_up "$CLIENT_FD"
    done
}

@test "- serves one client, and makes one connection for it" {
    start_pool_for_hosts
    echo "from standard input" >"$D/input"
    INPUT=$D/input start connect "${CONNECT_WORDS[@]}" "hostpool://127.0.0.1:$CONTROL" -
    wait_said connect '^open '
    wait_for standing 1
    client
    first=$FD
    expect "$first" "from standard input"
    # It is there for no other one.
    client
    settled
    say "$first" "to standard output"
    hang_up "$first"
    wait_end connect
    [ "$status" -eq 0 ]
    [ "$(cat "$D/connect.out")" = "to standard output" ]
    grep -q "^127.0.0.1:$CLIENTS$" "$D/connect.err"
    [ "$(grep -c '^pair' "$D/relayd.err")" -eq 1 ]
}

@test "-1: it leaves with the relay; with 1 where there was none" {
    start_pool_for_hosts
    start_host connect localhost:1 -1
    stop relayd KILL
    wait_end connect
    [ "$status" -eq 0 ]
    start connect2 "${CONNECT_WORDS[@]}" -1 "hostpool://127.0.0.1:$CONTROL" localhost:1
    wait_end connect2
    [ "$status" -eq 1 ]
}

@test "without a port it is 8000" {
    ! any_in_use 8000 8002 || skip "the ports are in use"
    start_relayd hostpool:127.0.0.1:8000
    read_pool relayd
    start connect "${CONNECT_WORDS[@]}" hostpool://127.0.0.1 localhost:1
    wait_for printed_or_gone connect
    [ "$(cat "$D/connect.out")" = 127.0.0.1:8002 ]
    wait_for standing 10
}

@test "usage: what hostpool has not, and how many connections" {
    connect_mistake "leave --key out" -k /nowhere hostpool://127.0.0.1:1 localhost:1
    connect_mistake "leave PUBLIC, 8080, out" hostpool://127.0.0.1:1 8080:localhost:1
    connect_mistake "leave --via out" --via 'socat - TCP:%h:%p' hostpool://127.0.0.1:1 localhost:1
    connect_mistake "--ready with hostpool:// is 1 to 64" -r 0 hostpool://127.0.0.1:1 localhost:1
    connect_mistake "--ready takes a number from 0 to 64" -r 65 hostpool://127.0.0.1:1 localhost:1
    connect_mistake "leave --ready out" -r 2 hostpool://127.0.0.1:1 -
    # Commands come from the port above.
    connect_mistake 65534 hostpool://127.0.0.1:65535 localhost:1
    connect_mistake "" hostpool://127.0.0.1:70000 localhost:1
    connect_mistake "" hostpool:// localhost:1
}

@test "SIGUSR1: those that wait are given up, the sessions end first; SIGINT ends them" {
    start_pool_for_hosts
    start_greeter
    start_host connect "$LOCAL"
    client
    expect "$FD" greetings
    wait_for standing 11
    kill -USR1 "${PID[connect]}"
    wait_for standing 1
    alive connect
    say "$CLIENT_FD" more
    expect "$CLIENT_FD" more
    hang_up "$CLIENT_FD"
    wait_end connect
    [ "$status" -eq 0 ]
    start_host connect2 "$LOCAL"
    client
    expect "$FD" greetings
    stop connect2 INT
    [ "$status" -eq 0 ]
    client_refused
}

@test "a relay that never stops to command keeps nothing else from its turn" {
    find_ports 1
    COMMANDS=${POOL[0]}
    # Ends of sessions that nobody has.
    printf '%b' "$(printf '\\x00\\x00\\x00\\x08\\x08\\x01\\x10\\x01\\x22\\x02\\x08\\x01%.0s' {1..5000})" >"$D/flood"
    start relay socat "TCP-LISTEN:$COMMANDS,bind=127.0.0.1,reuseaddr" "SYSTEM:while cat '$D/flood'; do touch '$D/flooded'; done"
    wait_for listening "$COMMANDS"
    start connect "${CONNECT_WORDS[@]}" "hostpool://127.0.0.1:$CONTROL" 127.0.0.1:1
    wait_for [ -e "$D/flooded" ]
    stop connect
    [ "$status" -eq 0 ]
}
