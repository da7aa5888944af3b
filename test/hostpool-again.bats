# hostpool: host processes that die, several that share clients, and relays that
# start again or take no connections.
# long: 45 s

load helper
load hostpool

# counted NAME KIND COUNT: so many of these came.
counted() {
    [ "$(grep -c " $2\$" "$D/$1.out")" -ge "$3" ]
}

@test "a host process that dies leaves none of its connections behind, and no client is given one" {
    start_pool_for_hosts
    start_host connect localhost:1
    kill_sessions connect
    wait_for standing 0
    client
    settled
    not said relayd '^pair'
    silent "$CLIENT_FD"
    command_connection
    spare
    opened "$COMMAND_FD" 11
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "so it is where a client comes in the same moment" {
    start_pool_for_hosts
    start_host connect localhost:1
    kill -STOP "${PID[relayd]}"
    client
    kill_sessions connect
    kill -CONT "${PID[relayd]}"
    wait_for standing 0
    command_connection
    spare
    opened "$COMMAND_FD" 11
    talks "$CLIENT_FD" "$DATA_FD"
    [ "$(grep -c '^pair' "$D/relayd.err")" -eq 1 ]
}

@test "two host processes share 1,000 clients" {
    start_pool_for_hosts "${MANY[@]}"
    start_load
    start_host connect "$LOAD" --max-sessions 1000
    start_host connect2 "$LOAD" --max-sessions 1000
    n=$(scaled 1000)
    load_client "127.0.0.1:$CLIENTS" both --sessions "$n" --at-once 2 --bytes 1000
    load_served "$n"
    one=$(grep -c '^pair ' "$D/connect.err")
    two=$(grep -c '^pair ' "$D/connect2.err")
    echo "$one and $two"
    [ $((one + two)) -eq "$n" ]
    [ $((one - two)) -lt $((n / 10)) ]
    [ $((two - one)) -lt $((n / 10)) ]
}

@test "the relay is killed and starts again: all connections are back, and the sessions have gone on" {
    start_pool_for_hosts
    start_greeter
    start_host connect "$LOCAL"
    client
    old=$FD
    expect "$old" greetings
    kill -KILL "${PID[relayd]}"
    wait_end relayd
    relayd_as relayd2 "hostpool:127.0.0.1:$CONTROL"
    wait_for standing 11
    say "$old" more
    expect "$old" more
    client
    expect "$FD" greetings
    [ "$(sort -u "$D/connect.out")" = "127.0.0.1:$CLIENTS" ]
}

@test "two host processes before one relay that starts again: no session without a client" {
    start_pool_for_hosts
    start_greeter
    start_host connect "$LOCAL"
    start_host connect2 "$LOCAL"
    # So that each has heard of ids of the other's, as low as those of the next relay.
    for _ in {1..16}; do
        client
        expect "$FD" greetings
        hang_up "$FD"
        wait_for standing 20
    done
    pairs=$(cat "$D/connect.err" "$D/connect2.err" | grep -c '^pair')
    [ "$pairs" -eq 16 ]
    # Some are there yet when it ends.
    for _ in {1..8}; do
        client
        expect "$FD" greetings
    done
    kill -KILL "${PID[relayd]}"
    wait_end relayd
    relayd_as relayd2 "hostpool:127.0.0.1:$CONTROL"
    wait_for standing 28
    settled
    [ "$(cat "$D/connect.err" "$D/connect2.err" | grep -c '^pair')" -eq 24 ]
}

@test "a relay that starts again is not stormed: 50 times 10 connections come over seconds" {
    n=$(scaled 50)
    find_ports 1
    relay=127.0.0.1:$CONTROL
    start before "$TOOLS/pool_relay" "$relay"
    wait_for listening "$CONTROL"
    for ((i = 1; i <= n; i++)); do
        start "connect$i" "${CONNECT_WORDS[@]}" -n "pool$i" "hostpool://$relay" localhost:1
    done
    wait_at_most 30 counted before data $((10 * n))
    stop before KILL
    start after "$TOOLS/pool_relay" "$relay"
    wait_at_most 30 counted after data $((10 * n))
    awk '{n[int($1 / 500)]++} END {for (i in n) print "from " i / 2 " s: " n[i]}' "$D/after.out" | sort -k 2 -n
    [ "$(awk '$1 < 500' "$D/after.out" | wc -l)" -le $((n + n / 2)) ]
    [ "$(grep -c command "$D/after.out")" -eq "$n" ]
    [ "$(grep -c data "$D/after.out")" -eq $((10 * n)) ]
}

@test "a relay that takes no data connection is asked less and less often" {
    find_ports 2
    start refuses "$TOOLS/pool_relay" "127.0.0.1:$CONTROL" refuse
    wait_for listening "$CONTROL"
    start connect "${CONNECT_WORDS[@]}" "hostpool://127.0.0.1:$CONTROL" localhost:1
    wait_for counted refuses data 10
    # Each of the ten is tried again within 30 s at the latest, by chance.
    not wait_at_most 4 counted refuses data 40
    grep -c ' data$' "$D/refuses.out"
    said connect '^unready service=[^ ]+ reason=Connection.*$'
    alive connect
    not said connect '^lost'
    # It is there again.
    stop refuses KILL
    relayd_as relayd "hostpool:127.0.0.1:$CONTROL"
    read_pool relayd
    wait_for standing 10
}
