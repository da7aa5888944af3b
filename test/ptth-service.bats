# ptth: services: who is told of which client, how long a service stays open
# without a listen, what it is held to, and how relayd leaves.

load helper
load ptth

# listen NAME [SERVICE]: a held listen by hand, in the array of that name.
declare -gA HELD

listen() {
    ask GET "/listen/${2-box/web}"
    HELD[$1]=$FD
}

# client NAME [SERVICE]
client() {
    ask GET "/connect/${2-box/web}"
    HELD[$1]=$FD
}

told() {
    answer "${HELD[$1]}" 200
    ID=$BODY
}

full() {
    refused_with "$1" 503
    [[ $HEAD =~ Retry-After:\ [1-9] ]]
}

# What listens and connects of relayd's connections has been read.
settled() {
    wait_for nothing_unread
}

nothing_unread() {
    ! ss -Htn "sport = :$CONTROL" | awk '$2 > 0' | grep -q .
}

# --- clients and servers

@test "a client that comes between two listens is told to the next one" {
    start_ptth
    dial_control
    server=$FD
    for i in {1..5}; do
        [ "$i" -eq 1 ] || client "$i"
        request "$server" GET /listen/box/web
        [ "$i" -ne 1 ] || { wait_said relayd '^open '; client "$i"; }
        answer "$server" 200
        CONNECT_FD=${HELD[$i]} ID=$BODY
        begins
        finish
    done
    said relayd '^open ' 1
    not said relayd '^open ' 2
    not said relayd '^close '
}

@test "a service stays open for one claim timeout after its last listen" {
    start_ptth -c 2 --poll-timeout 1
    dial_control
    request "$FD" GET /listen/box/web
    answer "$FD" 204
    ended=$(now_ms)
    wait_said relayd '^close service=box/web reason=timeout$'
    [ $(($(now_ms) - ended)) -ge 1900 ]
    listen again
    wait_said relayd '^open ' 2
}

# It is that late, by now_ms.
passed() {
    [ "$(now_ms)" -ge "$1" ]
}

@test "a client who is gone as his session begins does not keep the service open" {
    start_ptth -c 2
    client 1
    CONNECT_FD=${HELD[1]}
    settled
    say "$CONNECT_FD" "bytes behind a request: whoever waits is not looked at any more"
    wait_for passed $(($(now_ms) + 400))
    listen 2
    began=$(now_ms)
    told 2
    accepts
    upstream
    # He is looked at a second after this, and his deadline is before that.
    wait_for passed $((began + 1800))
    hang_up "$CONNECT_FD"
    downstream
    wait_said relayd '^refuse '
    wait_said relayd '^close '
}

@test "several listens for a service: each is told of a client, the one that has waited longest first" {
    start_ptth
    for i in 1 2 3; do
        listen "server$i"
        settled
    done
    for i in 1 2 3; do
        client "client$i"
        told "server$i"
        ids[i]=$ID
    done
    for i in 3 1 2; do
        ID=${ids[i]} CONNECT_FD=${HELD[client$i]}
        begins
        finish
    done
    said relayd '^open ' 1
    not said relayd '^open ' 2
}

@test "several clients wait for a service: the one that has waited longest is told first" {
    start_ptth
    for i in 1 2 3; do
        client "client$i"
        settled
    done
    for i in 1 2 3; do
        listen "server$i"
        told "server$i"
        CONNECT_FD=${HELD[client$i]}
        accepts
        head "$CONNECT_FD" 200
        [[ $HEAD = *"Relay-Connection-Id: $ID"* ]]
    done
}

@test "services do not know of each other" {
    start_ptth
    listen web box/web
    listen ssh box/ssh
    listen other box.2/web
    wait_said relayd '^open ' 3
    client one box.2/web
    told other
    silent "${HELD[web]}" 0.1
    silent "${HELD[ssh]}" 0.1
    client two box/ssh
    told ssh
    silent "${HELD[web]}" 0.1
    said relayd '^open service=box\.2/web '
}

@test "a listen that has ended is not told of a client: the next one is" {
    start_ptth
    listen first
    settled
    listen second
    settled
    hang_up "${HELD[first]}"
    client one
    told second
}

# --- limits

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

# --- how it leaves

@test "TERM: those that wait are reset, sessions go on" {
    start_ptth
    running
    listen waits box/other
    client too box/third
    settled
    stop relayd
    [ "$status" -eq 0 ]
    [ "$(rest "${HELD[waits]}")" = "= reset" ]
    [ "$(rest "${HELD[too]}")" = "= reset" ]
    chunk "$UP_FD" more
    comes "$ACCEPT_FD" more
    finish
}

@test "USR1: those that wait are answered 503, the session ends whole, then it leaves" {
    start_ptth
    running
    up=$UP_FD accept=$ACCEPT_FD down=$DOWN_FD connect=$CONNECT_FD
    announced box/other
    upstream
    client waits
    listen held box/fourth
    settled
    kill -USR1 "${PID[relayd]}"
    for fd in "$CONNECT_FD" "$UP_FD" "${HELD[waits]}" "${HELD[held]}"; do
        full "$fd"
    done
    wait_said relayd '^close service=box/web reason=drain$'
    UP_FD=$up ACCEPT_FD=$accept DOWN_FD=$down CONNECT_FD=$connect
    chunk "$UP_FD" more
    comes "$ACCEPT_FD" more
    finish
    wait_end relayd
    [ "$status" -eq 0 ]
    said relayd '^end service=box/web .* reason=eof$'
}
