# Targets: what relay-connect offers, and by which names.

load helper

# The services that relayd knows, with their ports.
services() {
    sed -n 's/^open service=\([^ ]*\) .* public=[^ ]*:\([0-9]*\) .*/\1 \2/p' "$D/relayd.err" | sort
}

@test "several targets are several services, each with an address on a line of its own" {
    start_relayd
    start_load
    start connect "${CONNECT_WORDS[@]}" -n cam "127.0.0.1:$CONTROL" "web=${POOL[4]}:$LOAD" "ssh=$LOAD" "$LOAD" "${POOL[6]}:$LOAD" "$LOAD"
    wait_said relayd '^open ' 5
    [ "$(services | cut -d ' ' -f 1 | tr '\n' ' ')" = "cam cam.2 cam.3 cam.ssh cam.web " ]
    services | grep -qx "cam.web ${POOL[4]}"
    services | grep -qx "cam.2 ${POOL[6]}"
    wait_for printed connect 5
    while read -r address; do
        load_client "$address" both --sessions 5 --bytes 10000
    done <"$D/connect.out"
    load_served 25
}

@test "without a name it is the machine's" {
    start_relayd
    start_connect "127.0.0.1:$CONTROL" localhost:1
    said relayd "^open service=$(uname -n | tr -c 'A-Za-z0-9._\n-' -) "
}

@test "a fixed port that cannot be had is asked for until it can" {
    start_relayd
    serve_by_hand holder "port=${POOL[2]}"
    start connect "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$CONTROL" "${POOL[2]}:localhost:1"
    wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=port-taken$'
    alive connect
    hang_up "$CONTROL_FD"
    wait_at_most 10 said relayd "^open service=web proto=new public=127\.0\.0\.1:${POOL[2]} "
}

@test "a fixed port outside the pool ends it with 3" {
    start_relayd
    start connect "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$CONTROL" 1:localhost:1
    wait_end connect
    [ "$status" -eq 3 ]
    grep -q port-denied "$D/connect.err"
}

@test "one relay-connect can serve from a unix socket and from a port" {
    start_relayd
    start_load
    start other "$TOOLS/load" server "unix:$D/socket"
    wait_for test -S "$D/socket"
    start connect "${CONNECT_WORDS[@]}" -n two "127.0.0.1:$CONTROL" "tcp=$LOAD" "unix=${POOL[3]}:$D/socket"
    wait_said relayd '^open ' 2
    wait_for printed connect 2
    load_client "127.0.0.1:${POOL[0]}" both --sessions 5 --bytes 10000
    load_client "127.0.0.1:${POOL[3]}" both --sessions 5 --bytes 10000
    wait_for load_counts 5
}

@test "the relay's host may be given without a port" {
    ! ss -Htan "sport = :62514" | grep -q . || skip "port 62514 is in use"
    start_relayd 127.0.0.1:62514+4
    start_connect -n web 127.0.0.1 localhost:1
    [ "$PUBLIC" = 127.0.0.1:62515 ]
    stop connect
    rm "$D/connect.out"
    connect_as connect new://127.0.0.1:62514 localhost:1
    [ "$PUBLIC" = 127.0.0.1:62515 ]
}
