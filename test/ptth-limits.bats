# ptth: what services, their clients and their servers are held to.

load helper
load ptth

@test "--max-per-service: one client too many is told so with 503, and there is a place again once one has left" {
    start_ptth --max-per-service 1
    running
    ask GET /connect/box/web
    full "$FD"
    wait_said relayd '^refuse service=box/web client=127\.0\.0\.1:[0-9]+ reason=limit$'
    finish
    wait_said relayd '^end '
    request "$FD" GET /connect/box/web
    CONNECT_FD=$FD
    listen server
    told server
    begins
    finish
}

@test "--max-per-source and --max-sessions hold clients that wait too, and 503 keeps the connection" {
    for limit in --max-per-source --max-sessions; do
        relayd_as "relayd$limit" "$limit" 2 ptth:127.0.0.1:0
        client 1
        settled
        client 2 box/ssh
        settled
        client 3 box/other
        full "${HELD[3]}"
        hang_up "${HELD[1]}"
        settled
        wait_said "relayd$limit" '^refuse service=box/web .* reason=gone$'
        request "${HELD[3]}" GET /connect/box/other
        listen 4 box/other
        told 4
    done
}

@test "--max-waiting: clients of one source give their places to no one of the same" {
    start_ptth --max-waiting 1
    client 1
    settled
    client 2
    full "${HELD[2]}"
    said relayd '^refuse service=box/web .* reason=full$'
    listen server
    told server
}

@test "one listen too many is told so with 503, opens no service and keeps no place" {
    start_ptth --max-ready 1 --max-sessions 7
    listen 1
    wait_said relayd '^open service=box/web '
    for i in {1..10}; do
        listen 2 "box/$i"
        full "${HELD[2]}"
        [[ $BODY = *"there is no room for another server"* ]]
        hang_up "${HELD[2]}"
    done
    not said relayd '^open ' 2
    client 3
    told 1
    client 4 box/ssh
    listen 5 box/ssh
    told 5
}

@test "where descriptors are short, clients and listens get 503, and those who were told go on" {
    ulimit -S -n 64
    start_ptth
    ulimit -S -n 1024
    announced
    for i in {1..60}; do
        client "$i" "box/$i"
    done
    for i in {1..10}; do
        listen "server$i" "box/s$i"
    done
    full "${HELD[60]}"
    full "${HELD[server10]}"
    begins
    finish
    not said relayd '^pause '
}

@test "who asks on and on and does not read his answers is cut off, and costs no memory" {
    start_ptth
    before=$(memory_kb "${PID[relayd]}")
    for _ in 1 2 3; do
        dial_control
        not flood "$FD"
        hang_up "$FD"
    done
    [ $(($(memory_kb "${PID[relayd]}") - before)) -le $((100 * TIME_FACTOR * TIME_FACTOR)) ]
    serves_on
}

# Requests without an end.
flood() {
    yes $'GET /nothing HTTP/1.1\r\nHost: a\r\n\r' >&"$1" 2>"$D/flood.err"
}

@test "callers who wait may not be more than the limits say, however they come" {
    start_ptth --max-per-source 3 --max-unknown 8
    for i in 1 2 3; do
        listen "$i" "box/$i"
        wait_said relayd '^open ' "$i"
    done
    listen 4 box/4
    full "${HELD[4]}"
    [[ $BODY = *"of this address"* ]]
    hang_up "${HELD[1]}"
    settled
    request "${HELD[4]}" GET /listen/box/4
    client 5 box/4
    told 4
}
