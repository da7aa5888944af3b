# ptth: what becomes of the others when one of a connection's requests goes before
# its session begins.
# long: 20 s

load helper
load ptth

refused_as_gone() {
    wait_said relayd '^refuse service=box/web client=127\.0\.0\.1:[0-9]+ reason=gone$' "${1:-1}"
}

# request_and HOW PATH: one that ends its connection so after a while.
request_and() {
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --split 0 --text "GET $2 HTTP/1.1"$'\r\nHost: a\r\n\r\n' "${@:3}" "--$1" >/dev/null
}

# So many connections to relayd, and it has read what came on them.
listens() {
    [ "$(ss -Htn state established "sport = :$CONTROL and dport != 0" | awk '$1 == 0' | wc -l)" -eq "$1" ]
}

# --- before there are two

@test "a held listen whose caller ends, resets or is killed is not told of a client" {
    start_ptth
    ask GET /listen/box/web
    wait_said relayd '^open '
    hang_up "$FD"
    request_and shut /listen/box/web
    request_and reset /listen/box/web --until never --wait 200
    call killed /listen/box/web
    wait_for listens 1
    stop killed KILL
    call listener /listen/box/web
    wait_for listens 1
    call client /connect/box/web
    ended listener 200
    ID=$(cat "$D/listener.body")
    call acceptor "/accept/$ID"
    wait_answer client 200
    stop client KILL
}

@test "a client that gives up before a server comes is not announced" {
    start_ptth
    request_and shut /connect/box/web
    refused_as_gone 1
    request_and reset /connect/box/web --until never --wait 200
    refused_as_gone 2
    call client /connect/box/web
    wait_for listens 1
    stop client KILL
    refused_as_gone 3
    ask GET /listen/box/web
    server=$FD
    silent "$server"
    ask GET /connect/box/web
    CONNECT_FD=$FD
    answer "$server" 200
    ID=$BODY
    begins
    finish
}

# --- told, and not accepted

@test "the client goes before accept: those who wait are answered 503, accept 404" {
    start_ptth
    announced
    upstream
    chunk "$UP_FD" words
    downstream
    hang_up "$CONNECT_FD"
    refused_with "$UP_FD" 503
    refused_with "$DOWN_FD" 503
    accepts
    refused_with "$ACCEPT_FD" 404
    refused_as_gone
    serves_on
}

@test "upstream or downstream is reset before accept: the others are answered 503" {
    start_ptth
    for leg in upstream downstream; do
        announced
        ask POST "/$leg/$ID" 'Transfer-Encoding: chunked' 'Expect: 100-continue'
        reset=$FD
        if [ "$leg" = upstream ]; then
            downstream
            other=$DOWN_FD
        else
            upstream
            other=$UP_FD
        fi
        wait_for unread_by_us 25
        reset_by "$reset"
        refused_with "$CONNECT_FD" 503
        refused_with "$other" 503
    done
    refused_as_gone 2
    serves_on
}

@test "a body that breaks off before accept: nobody's answer looks whole" {
    start_ptth
    announced
    upstream
    say_at_once "$UP_FD" '5\r\nwor'
    hang_up "$UP_FD"
    downstream
    accepts
    was_reset "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    serves_on
}

@test "a body that came whole is whole, though its sender has gone before accept" {
    start_ptth
    announced
    ask POST "/upstream/$ID" 'Content-Length: 5'
    printf words >&"$FD"
    hang_up "$FD"
    begins_without_upstream
    comes "$ACCEPT_FD" words
    expect "$ACCEPT_FD" $'0\r'
    chunk "$DOWN_FD" "and back"
    comes "$CONNECT_FD" "and back"
    last_chunk "$DOWN_FD"
    wait_said relayd ' up=5 down=8 .* reason=eof$'
}

begins_without_upstream() {
    downstream
    accepts
    head "$CONNECT_FD" 200
    head "$ACCEPT_FD" 200
}

@test "a server that is told and vanishes: its client gets 504, the next one is served" {
    start_ptth -c 1
    call client /connect/box/web
    call listener /listen/box/web
    ended listener 200
    ended client 504
    wait_said relayd '^refuse .* reason=timeout$'
    serves_on
}

# --- accepted, and not complete

@test "one of those that were promised a body goes: the others are cut off" {
    start_ptth
    announced
    accepts
    downstream
    wait_for unread_by_us 0
    head "$ACCEPT_FD" 200
    reset_by "$CONNECT_FD"
    was_reset "$ACCEPT_FD" "$DOWN_FD"
    refused_as_gone 1
    announced
    upstream
    accepts
    head "$CONNECT_FD" 200
    reset_by "$ACCEPT_FD"
    was_reset "$CONNECT_FD" "$UP_FD"
    refused_as_gone 2
    serves_on
}
