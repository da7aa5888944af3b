# Ports: which one a service gets, and what a port does while it has none.

load helper
load auth

# hello_refused CODE NAME [KEY=VALUE...]
hello_refused() {
    dial_control
    say "$FD" "[HELLO] v=1 name=${*:2}"
    expect "$FD" "\[ERROR\] $1( .*)?"
    [ "$(rest "$FD")" = "= eof" ]
}

gone_from() {
    hang_up "$CONTROL_FD"
    wait_for refused "$1"
}

@test "ports are given out lowest first" {
    start_relayd
    for i in 0 1 2; do
        serve_by_hand "s$i"
        [ "$SERVICE_PORT" = "${POOL[i]}" ]
    done
}

@test "port= is that port or none" {
    start_relayd
    serve_by_hand web "port=${POOL[3]}"
    [ "$SERVICE_PORT" = "${POOL[3]}" ]
    announced_client
    hello_refused port-taken other "port=${POOL[3]}"
    hello_refused port-denied other port=1
    hello_refused port-denied other "port=$CONTROL"
    serve_by_hand other "port=${POOL[4]}"
    announced_client
}

@test "want= is that port if it is free" {
    start_relayd
    serve_by_hand one "want=${POOL[3]}"
    [ "$SERVICE_PORT" = "${POOL[3]}" ]
    serve_by_hand two "want=${POOL[3]}"
    [ "$SERVICE_PORT" = "${POOL[0]}" ]
    serve_by_hand three want=1
    [ "$SERVICE_PORT" = "${POOL[1]}" ]
    serve_by_hand four want=0 port=0
    [ "$SERVICE_PORT" = "${POOL[2]}" ]
}

@test "a name gets the port it had last, if that is free" {
    start_relayd
    serve_by_hand web "port=${POOL[5]}"
    gone_from "${POOL[5]}"
    serve_by_hand other
    [ "$SERVICE_PORT" = "${POOL[0]}" ]
    serve_by_hand web
    [ "$SERVICE_PORT" = "${POOL[5]}" ]
    gone_from "${POOL[5]}"
    serve_by_hand thief "port=${POOL[5]}"
    serve_by_hand web
    [ "$SERVICE_PORT" = "${POOL[1]}" ]
}

@test "where no port is free the answer is full" {
    start_relayd 127.0.0.1:0+2
    serve_by_hand one
    first=$CONTROL_FD first_port=$SERVICE_PORT
    serve_by_hand two
    hello_refused full three
    CONTROL_FD=$first
    gone_from "$first_port"
    serve_by_hand three
    [ "$SERVICE_PORT" = "$first_port" ]
}

@test "a relay without a pool has no port to give" {
    start_relayd 127.0.0.1:0
    said relayd '^listen proto=new addr=127\.0\.0\.1:[0-9]+ pool='
    hello_refused full web
}

@test "a port that nobody has is refused, before and after" {
    start_relayd
    refused "${POOL[0]}"
    for _ in {1..20}; do
        serve_by_hand web
        [ "$SERVICE_PORT" = "${POOL[0]}" ]
        announced_client
        hang_up "$CONTROL_FD"
        [ "$(rest "$CLIENT_FD")" = "= reset" ]
        wait_for refused "${POOL[0]}"
    done
}

@test "all 200 ports can be had at once" {
    start_relayd 127.0.0.1:0+200
    for i in {0..199}; do
        serve_by_hand "s$i"
        [ "$SERVICE_PORT" = "${POOL[i]}" ]
    done
    hello_refused full more
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "a port that is in use is a start-up error that names it" {
    find_ports 6
    free=${POOL[1]} used=${POOL[2]}
    start_relayd "127.0.0.1:$used+2"
    for listen in "127.0.0.1:$used" "127.0.0.1:$free+1"; do
        run timeout 10 "${RELAYD_WORDS[@]}" "$listen"
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output = *"127.0.0.1:$used"* ]]
    done
}

@test "nobody can bind a port of the pool while nobody has it" {
    start_relayd
    run timeout 2 socat "TCP-LISTEN:${POOL[0]},bind=127.0.0.1,reuseaddr" /dev/null
    [ "$status" -eq 1 ]
    run timeout 2 socat "TCP-LISTEN:${POOL[0]},bind=127.0.0.1,reuseport" /dev/null
    [ "$status" -eq 1 ]
}

@test "LISTENs that overlap are a start-up error" {
    find_ports 20
    run timeout 10 "${RELAYD_WORDS[@]}" "127.0.0.1:$CONTROL+10" "127.0.0.1:${POOL[4]}+2"
    [ "$status" -eq 1 ]
    [[ $output = *overlap* ]]
    run timeout 10 "${RELAYD_WORDS[@]}" "127.0.0.1:$CONTROL+10" "0.0.0.0:${POOL[4]}"
    [ "$status" -eq 1 ]
}

@test "a relay starts again on its ports beside sessions and TIME_WAIT" {
    find_ports 4
    start_relayd "127.0.0.1:$CONTROL+4"
    serve_by_hand web
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    stop relayd KILL
    relayd_as relayd2 "127.0.0.1:$CONTROL+4"
    talks "$CLIENT_FD" "$DATA_FD"
    serve_by_hand web
    announced_client
}

@test "COUNT ports above PORT are the pool" {
    find_ports 6
    base=$CONTROL
    start_relayd "127.0.0.1:$base+6"
    said relayd "^listen proto=new addr=127\.0\.0\.1:$base pool=$((base + 1))-$((base + 6))$"
    serve_by_hand web
    [ "$SERVICE_PORT" = "$((base + 1))" ]
}

@test "a relay may have several LISTENs" {
    start_relayd 127.0.0.1:0+4 new:127.0.0.2:0+4
    said relayd '^listen proto=new addr=127\.0\.0\.2:[0-9]+ '
    mapfile -t controls < <(sed -n 's/^listen .* addr=\([^ ]*\) .*/\1/p' "$D/relayd.err")
    [ ${#controls[@]} -eq 2 ]
    for control in "${controls[@]}"; do
        dial "$control"
        say "$FD" "[HELLO] v=1 name=${control%:*}"
        expect "$FD" "\[PUBLIC\] ${control%:*}:[0-9]+"
    done
}

@test "a bare port is the loopback address alone, and relayd says why" {
    start_relayd 0+2
    said relayd '^listen proto=new addr=127\.0\.0\.1:'
    said relayd '^loopback addr=127\.0\.0\.1:[0-9]+ reason=no-keys$'
    not said relayd '^unguarded'
    listening "$CONTROL"
    not eval "(exec 9<>/dev/tcp/127.0.0.2/$CONTROL)"
}

@test "an address spelled out is every address where it says so" {
    start_relayd 0.0.0.0:0+2
    said relayd '^listen proto=new addr=0\.0\.0\.0:'
    [ "$(grep -c '^unguarded addr=0\.0\.0\.0:[0-9]* reason=no-keys$' "$D/relayd.err")" -eq 1 ]
    dial "127.0.0.3:$CONTROL"
    say "$FD" '[HELLO] v=1 name=web'
    expect "$FD" '\[PUBLIC\] 127\.0\.0\.3:([0-9]+)'
    dial "127.0.0.4:${BASH_REMATCH[1]}"
}

@test "with keys a bare port is every address, IPv4 and IPv6" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" 0+2
    said relayd '^listen proto=new addr=(\[::\]|0\.0\.0\.0):'
    not said relayd '^(unguarded|loopback)'
    dial "127.0.0.3:$CONTROL"
    ! said relayd 'addr=\[::\]' || dial "::1:$CONTROL"
}

@test "servers are told the public host" {
    start_relayd -H relay.example.org 127.0.0.1:0+2
    dial_control
    say "$FD" '[HELLO] v=1 name=web'
    expect "$FD" "\[PUBLIC\] relay\.example\.org:${POOL[0]}"
    said relayd "^open service=web proto=new public=relay\.example\.org:${POOL[0]} "
}

@test "IPv6 works as IPv4 does" {
    ip -6 addr show dev lo 2>/dev/null | grep -q '::1' || skip "no IPv6 here"
    start_relayd '[::1]:0+4'
    start_load
    start_connect -n web "[::1]:$CONTROL" "$LOAD"
    [ "$PUBLIC" = "[::1]:${POOL[0]}" ]
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 100000
    load_served 20
    said relayd '^open service=web proto=new public=\[::1\]:[0-9]+ from=\[::1\]:[0-9]+$'
}
