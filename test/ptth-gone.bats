# ptth: what becomes of the others when one of a connection's four requests goes,
# in each of its phases.
# long: 40 s

load helper
load ptth

# A reset of one that has not read all that came.
reset_by() {
    hang_up "$1"
}

was_reset() {
    local fd how

    for fd; do
        how=$(rest "$fd" | tail -n 1)
        [[ $how = *"= reset" ]] || { echo "not reset: $how"; return 1; }
        hang_up "$fd"
    done
}

# A connection that was reset has no last chunk.
no_last_chunk() {
    not grep -aq '^0.$' "$1"
}

refused_as_gone() {
    wait_said relayd '^refuse service=box/web client=127\.0\.0\.1:[0-9]+ reason=gone$' "${1:-1}"
}

ended_as_reset() {
    wait_said relayd '^end service=box/web .* reason=reset$' "${1:-1}"
}

# request_and HOW PATH: one that ends its connection so after a while.
request_and() {
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --split 0 --text "GET $2 HTTP/1.1"$'\r\nHost: a\r\n\r\n' "${@:3}" "--$1" >/dev/null
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

# So many connections to relayd, and it has read what came on them.
listens() {
    [ "$(ss -Htn state established "sport = :$CONTROL and dport != 0" | awk '$1 == 0' | wc -l)" -eq "$1" ]
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

# So many bytes wait for somebody to read them: 100 Continue has come.
unread_by_us() {
    ss -Htn "dport = :$CONTROL" | awk -v n="$1" '$2 == n' | grep -q .
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

# --- running

@test "a body that breaks off, in a chunk or between two, resets the other three" {
    start_ptth
    for piece in '5\r\nwor' '5\r\nwords\r\n' '5' '5\r\nwords\r\n0\r\n' '5\r\nwords\r\n0\r\nTrailer: x\r\n'; do
        running
        say_at_once "$UP_FD" "$piece"
        hang_up "$UP_FD"
        was_reset "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
        running
        say_at_once "$DOWN_FD" "$piece"
        hang_up "$DOWN_FD"
        was_reset "$CONNECT_FD" "$ACCEPT_FD" "$UP_FD"
    done
    ended_as_reset 10
    serves_on
}

@test "a body that breaks off before its Content-Length resets the other three" {
    start_ptth
    announced
    accepts
    downstream
    ask POST "/upstream/$ID" 'Content-Length: 10'
    UP_FD=$FD
    printf 'some' >&"$UP_FD"
    head "$ACCEPT_FD" 200
    comes "$ACCEPT_FD" some
    hang_up "$UP_FD"
    was_reset "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    ended_as_reset
    said relayd ' up=4 down=0 '
}

@test "a malformed chunk resets all four" {
    start_ptth
    for piece in 'x\r\n' '5\nwords\r\n' '5\r\nwordsx' '\x2d5\r\n' '0x5\r\n' '\r\n' '5 5\r\n' '4000000000000001\r\n' \
        'fffffffffffffffff\r\n' '0\r\nTrailer\x00\r\n\r\n' '1;\x01\r\n' '5\r\nwords\n'; do
        running
        say_at_once "$UP_FD" "$piece"
        was_reset "$UP_FD" "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    done
    wait_said relayd '^end service=box/web .* reason=error error=.*$' 12
    serves_on
}

@test "extensions without an end are no body" {
    start_ptth
    running
    printf -v long '%9000s' ''
    say_at_once "$UP_FD" '5;%s' "${long// /x}"
    was_reset "$UP_FD" "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
}

@test "who reads an answer goes: the other three are reset" {
    start_ptth
    running
    chunk "$UP_FD" unread
    wait_for unread_by_us 11
    reset_by "$ACCEPT_FD"
    was_reset "$CONNECT_FD" "$UP_FD" "$DOWN_FD"
    running
    chunk "$DOWN_FD" unread
    wait_for unread_by_us 11
    reset_by "$CONNECT_FD"
    was_reset "$ACCEPT_FD" "$UP_FD" "$DOWN_FD"
    ended_as_reset 2
    serves_on
}

@test "kill -9 of any of four curls: none of the others looks as if it had ended well" {
    start_ptth
    for victim in client acceptor up down; do
        meet
        INPUT=/dev/zero call up "/upstream/$ID" -X POST -T - --limit-rate 2M
        INPUT=/dev/zero call down "/downstream/$ID" -X POST -T - --limit-rate 2M
        call acceptor "/accept/$ID"
        wait_for test -s "$D/acceptor.body"
        wait_for test -s "$D/client.body"
        stop "$victim" KILL
        for name in client acceptor up down; do
            [ "$name" = "$victim" ] || cut_off "$name"
        done
    done
    ended_as_reset 4
    serves_on
}

@test "kill -9 of the session's process resets all four" {
    start_ptth
    running
    kill -KILL "$(value relayd '^pair ' pid)"
    was_reset "$UP_FD" "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    wait_said relayd '^end .* reason=killed$'
    serves_on
}
