# Reset: every end that is no end of file is a reset on the other side, within
# a second, so that a cut transfer never looks like a finished one.

load helper

@test "a client's reset reaches the server" {
    start_all
    load_client "$PUBLIC" client-resets --sessions 100 --at-once 10 --bytes 10000
    load_served 100
    wait_said relayd '^end .* reason=reset$' 100
}

@test "a server's reset reaches the client" {
    start_all
    load_client "$PUBLIC" server-resets --sessions 100 --at-once 10 --bytes 10000
    load_served 100
    wait_said relayd '^end .* reason=reset$' 100
}

@test "so it does amid a transfer" {
    start_all
    load_client "$PUBLIC" client-cuts --sessions 50 --at-once 10 --bytes 4000000
    load_client "$PUBLIC" server-cuts --sessions 50 --at-once 10 --bytes 4000000
    load_served 100
}

@test "so it does when the other direction has ended" {
    start_all
    load_client "$PUBLIC" half-client-resets --sessions 50 --at-once 10 --bytes 100000
    load_client "$PUBLIC" half-server-resets --sessions 50 --at-once 10 --bytes 100000
    load_served 100
}

@test "so it does while the other side does not read" {
    start_all
    load_client "$PUBLIC" server-cuts --sessions 10 --at-once 10 --up 30000000 --down 3000000 --pause-client 500
    load_client "$PUBLIC" client-cuts --sessions 10 --at-once 10 --up 3000000 --down 30000000 --pause-server 500
    load_served 20
}

@test "where no local server listens the client is reset at once" {
    start_relayd
    start_load
    stop load
    start_connect -n web "127.0.0.1:$CONTROL" "$LOAD"
    resets_at_once
}

@test "a session in which nothing moves ends with a reset where -i says so" {
    start_relayd -i 1 127.0.0.1:0+8
    start_load
    start_connect -n web "127.0.0.1:$CONTROL" "$LOAD"
    dial "$PUBLIC"
    [ "$(rest "$FD")" = "= reset" ]
    wait_said relayd '^end service=web .* seconds=1\.[0-9] reason=idle$'
    load_client "$PUBLIC" both --bytes 1000000
}
