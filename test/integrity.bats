# Integrity: every byte that goes in comes out, in order, both ways.
# alone: 2,000 sessions are 4,000 processes, and a gigabyte is compared

load helper

@test "1,000 sessions of 1 MiB both ways, 50 at once" {
    start_all
    n=$(scaled 1000)
    load_client "$PUBLIC" both --sessions "$n" --at-once 50 --bytes 1048576
    load_served "$n"
    wait_said relayd '^end service=web client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ up=1048616 down=1048576 seconds=[0-9.]+ reason=eof$' "$n"
    not said relayd '^(refuse|reject) '
}

@test "sessions of no, one and few bytes" {
    start_all
    for bytes in 0 1 7 4096 65537; do
        load_client "$PUBLIC" both --sessions 20 --at-once 10 --bytes "$bytes"
    done
    load_served 100
}

@test "much one way, little the other" {
    start_all
    load_client "$PUBLIC" both --sessions 4 --at-once 2 --up 20000000 --down 1
    load_client "$PUBLIC" both --sessions 4 --at-once 2 --up 1 --down 20000000
    load_served 8
}

@test "readers and writers that pause" {
    start_all
    load_client "$PUBLIC" both --sessions 20 --at-once 20 --bytes 3000000 --pause-client 300 --pause-server 100
    load_client "$PUBLIC" both --sessions 20 --at-once 20 --bytes 3000000 --pause-client 100 --pause-server 300
    load_served 40
}

@test "a server on a unix socket" {
    start_relayd
    start_load "unix:$D/socket"
    start_connect -n web "127.0.0.1:$CONTROL" "$D/socket"
    load_client "$PUBLIC" both --sessions 50 --at-once 10 --bytes 100000
    load_client "$PUBLIC" client-first --sessions 20 --at-once 10 --bytes 100000
    load_client "$PUBLIC" server-first --sessions 20 --at-once 10 --bytes 100000
    load_served 90
}

@test "2,000 sessions at once" {
    ulimit -Sn "$(ulimit -Hn)"
    n=$(scaled 2000)
    start_relayd "${MANY[@]}" 127.0.0.1:0+8
    start_load
    start_connect --max-sessions 6000 -n web "127.0.0.1:$CONTROL" "$LOAD"
    hold_sessions "$PUBLIC" "$n" --timeout 60
    wait_for offspring_count relayd "$n"
    wait_for offspring_count connect "$n"
    all_alive "$n"
    finish_held
    load_served "$n"
    wait_at_most 30 no_offspring relayd
    wait_at_most 30 no_offspring connect
}
