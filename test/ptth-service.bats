# ptth: services: who is told of which client, how long a service stays open
# without a listen, and how relayd leaves.

load helper
load ptth

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

# --- its name, and when it is open

@test "a service opens with its first listen, closes one claim timeout after its last" {
    start_ptth -c 1
    call listener /listen/box/web
    wait_said relayd "^open service=box/web proto=ptth public=ptth://127\.0\.0\.1:$CONTROL/box/web from=127\.0\.0\.1:[0-9]+$"
    kill -KILL "${PID[listener]}"
    wait_said relayd '^close service=box/web reason=timeout$'
    call client /connect/box/web
    ended client 503
    wait_said relayd '^refuse service=box/web client=127\.0\.0\.1:[0-9]+ reason=timeout$'
    said relayd '^open ' 1
    not said relayd '^open ' 2
    not said relayd '^close ' 2
}

@test "the longest names are served, and logged whole" {
    start_ptth
    printf -v long '%64s' ''
    name=${long// /n}/${long// /p}
    running "$name"
    finish
    wait_said relayd "^open service=$name proto=ptth public=ptth://127\.0\.0\.1:$CONTROL/$name from="
    said relayd "^pair service=$name "
    wait_said relayd "^end service=$name .* reason=eof$"
}

@test "the open line names the host of -H, or the address that was reached, of IPv6 too" {
    start_ptth -H relay.example.org
    listen 1
    wait_said relayd "^open service=box/web proto=ptth public=ptth://relay\.example\.org:$CONTROL/box/web "
    relayd_as relayd2 'ptth:[::]:0'
    dial "::1:$CONTROL"
    request "$FD" GET /listen/box/web
    wait_said relayd2 "^open service=box/web proto=ptth public=ptth://\[::1\]:$CONTROL/box/web from=\[::1\]:"
    dial "127.0.0.1:$CONTROL"
    request "$FD" GET /listen/box/ssh
    wait_said relayd2 "^open service=box/ssh proto=ptth public=ptth://127\.0\.0\.1:$CONTROL/box/ssh from=127\."
}

@test "several LISTENs of the protocol have the same services" {
    start_relayd ptth:127.0.0.1:0 ptth:127.0.0.1:0
    for address in $(sed -n 's/^listen .* addr=//p' "$D/relayd.err"); do
        dial "$address"
        HELD[${#HELD[@]}]=$FD
    done
    request "${HELD[0]}" GET /connect/box/web
    request "${HELD[1]}" GET /listen/box/web
    told 1
}

# --- how it leaves

@test "ids of another protocol are no connection's, and the other way round" {
    local new

    start_relayd new:127.0.0.1:0+8 ptth:127.0.0.1:0
    BASE=http://127.0.0.1:$CONTROL
    new=$(value relayd '^listen proto=new ' addr)
    dial "$new"
    say "$FD" '[HELLO] v=1 name=web ready=1'
    expect "$FD" '\[PUBLIC\] (.*)'
    expect "$FD" '\[READY\] id=(.*)' && ids=("${BASH_REMATCH[1]}")
    dial "$(value relayd '^open service=web ' public)"
    expect "${DIALLED[0]}" '\[NEW\].* id=([0-9a-f]+) .*' && ids+=("${BASH_REMATCH[1]}")
    for id in "${ids[@]}"; do
        call accept "/accept/$id" -X POST
        ended accept 404
    done
    meet
    dial "$new"
    say "$FD" "[DATA] id=$ID"
    [ "$(rest "$FD")" = "= reset" ]
    make_file there 1000
    make_file back 1000
    carry there back
}

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
