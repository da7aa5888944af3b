# Reconnecting: for ever, with pauses of random length; other relays of the list.

load helper

@test "a relay that is not there yet is waited for" {
    find_ports 4
    control=$CONTROL
    start_load
    start connect "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$control" "$LOAD"
    wait_said connect '^lost ' 2
    start_relayd "127.0.0.1:$control+4"
    wait_for read_public connect
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
}

@test "a relay that goes and comes is found again, with the same port, ten times" {
    find_ports 4
    control=$CONTROL
    start_relayd "127.0.0.1:$control+4"
    start_load
    start_connect -n web "127.0.0.1:$control" "$LOAD"
    before=$PUBLIC
    for i in {1..10}; do
        stop "relayd${last-}" KILL
        last=$i
        relayd_as "relayd$i" "127.0.0.1:$control+4"
        wait_at_most 5 said "relayd$i" "^open service=web proto=new public=$before "
    done
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
    [ "$(cat "$D/connect.out")" = "$before" ]
}

@test "the port it had is asked for, also beside others" {
    find_ports 4
    control=$CONTROL
    start_relayd "127.0.0.1:$control+4"
    serve_by_hand first
    start_load
    start_connect -n web "127.0.0.1:$control" "$LOAD"
    [ "$PUBLIC_PORT" = "${POOL[1]}" ]
    stop relayd KILL
    relayd_as relayd2 "127.0.0.1:$control+4"
    wait_said relayd2 "^open service=web proto=new public=$PUBLIC "
}

@test "one relay of several is enough" {
    find_ports 1
    nobody=$CONTROL
    start_relayd
    start_load
    start_connect -n web "127.0.0.1:$nobody,127.0.0.1:$CONTROL" "$LOAD"
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
}

@test "when its relay is gone it goes to another one" {
    start_relayd
    first=$CONTROL
    relayd_as relayd2 127.0.0.1:0+8
    start_load
    start_connect -n web "127.0.0.1:$first,127.0.0.1:$CONTROL" "$LOAD"
    said relayd '^open service=web '
    stop relayd KILL
    wait_at_most 15 said relayd2 '^open service=web '
    wait_for printed connect 2
    read_public connect
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
}

@test "a name is looked up" {
    getent hosts localhost >/dev/null || skip "there is no localhost"
    start_relayd
    start_load
    start_connect -n web "localhost:$CONTROL" "localhost:${LOAD##*:}"
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
}

@test "attempts are neither a storm nor all alike" {
    find_ports 1
    start connect "${CONNECT_WORDS[@]}" "127.0.0.1:$CONTROL" localhost:1
    before=$(cpu_ms "${PID[connect]}")
    sleep 4
    attempts=$(grep -c '^lost ' "$D/connect.err")
    echo "$attempts attempts in 4 s"
    [ "$attempts" -ge 2 ]
    [ "$attempts" -le 60 ]
    [ $(($(cpu_ms "${PID[connect]}") - before)) -lt $((200 * TIME_FACTOR)) ]
    alive connect
}

@test "--once: 1 where no relay is reached, 0 where the relay ends" {
    find_ports 1
    run timeout 20 "${CONNECT_WORDS[@]}" --once "127.0.0.1:$CONTROL" localhost:1
    [ "$status" -eq 1 ]
    start_relayd
    start_connect -1 -n web "127.0.0.1:$CONTROL" localhost:1
    stop relayd
    wait_end connect
    [ "$status" -eq 0 ]
}

@test "waiting for a relay it ends at once when it is told to" {
    find_ports 1
    start connect "${CONNECT_WORDS[@]}" "127.0.0.1:$CONTROL" localhost:1
    wait_said connect '^lost '
    stop connect
    [ "$status" -eq 0 ]
}
