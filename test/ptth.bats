# ptth: relayd's side, as curl sees it: a server and a client meet, and files go
# both ways.

load helper
load ptth

# --- what goes through

@test "files go both ways, in chunks" {
    start_ptth
    make_file one "$(scaled 8000000)"
    make_file two "$(scaled 5000001)"
    meet
    carry one two
    wait_said relayd "^end service=box/web client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ up=$(scaled 8000000) down=$(scaled 5000001) seconds=[0-9.]+ reason=eof$"
}

@test "files go both ways, with a Content-Length" {
    start_ptth
    make_file one 3000000
    make_file two 70000
    meet
    call acceptor "/accept/$ID"
    call up "/upstream/$ID" --data-binary "@$D/one"
    call down "/downstream/$ID" --data-binary "@$D/two" -H 'Expect:'
    all_ended
    same_bytes one acceptor.body
    same_bytes two client.body
    wait_said relayd ' up=3000000 down=70000 .* reason=eof$'
}

@test "bodies without a byte, in chunks and with Content-Length: 0" {
    start_ptth
    : >"$D/none"
    meet
    carry none none
    meet
    call down "/downstream/$ID" -X POST -H 'Content-Length: 0'
    call up "/upstream/$ID" -X POST -d ''
    call acceptor "/accept/$ID"
    all_ended
    same_bytes none acceptor.body
    same_bytes none client.body
    wait_said relayd ' up=0 down=0 .* reason=eof$' 2
}

@test "one direction ends, the other goes on for as long as it likes" {
    start_ptth
    for ends in up down; do
        announced
        begins
        if [ "$ends" = up ]; then
            from=$UP_FD to=$ACCEPT_FD on=$DOWN_FD off=$CONNECT_FD
        else
            from=$DOWN_FD to=$CONNECT_FD on=$UP_FD off=$ACCEPT_FD
        fi
        chunk "$from" all
        last_chunk "$from"
        comes "$to" all
        [ "$(rest "$to")" = $'0\r\n\r\n= eof' ]
        answer "$from" 200
        [ "$(rest "$from")" = "= eof" ]
        hang_up "$to"
        hang_up "$from"
        for i in {1..20}; do
            chunk "$on" "more $i"
            comes "$off" "more $i"
        done
        last_chunk "$on"
        [ "$(rest "$off")" = $'0\r\n\r\n= eof' ]
        answer "$on" 200
    done
    wait_said relayd ' up=3 .* reason=eof$'
    wait_said relayd ' down=3 .* reason=eof$'
}

@test "chunks may be of any size, with extensions and a trailer" {
    start_ptth
    announced
    begins
    for piece in '3;a=b' ';c="d"\r\n' 'xyz\r' '\n' '0' '00\r\n' 'Trailer: y\r' '\n\r\n'; do
        say_at_once "$UP_FD" "$piece"
        sleep 0.02
    done
    comes "$ACCEPT_FD" xyz
    expect "$ACCEPT_FD" $'0\r'
    last_chunk "$DOWN_FD"
    answer "$UP_FD" 200
    wait_said relayd ' up=3 down=0 .* reason=eof$'
}

# --- the order of the requests

@test "a server that listens is told of the client that comes, and a client waits for a server" {
    start_ptth
    call listener /listen/box/web
    wait_said relayd '^open '
    call client /connect/box/web
    ended listener 200
    ID=$(cat "$D/listener.body")
    printf 'some words' >"$D/words"
    carry words words
    meet
    carry words words
    wait_said relayd '^pair ' 2
}

@test "upstream and downstream may come before accept, in any order" {
    start_ptth
    make_file one 300000
    make_file two 200000
    for order in "up down acceptor" "down acceptor up" "up acceptor down" "acceptor down up"; do
        meet
        for name in $order; do
            case $name in
            up) call up "/upstream/$ID" --data-binary "@$D/one" ;;
            down) call down "/downstream/$ID" --data-binary "@$D/two" ;;
            acceptor) call acceptor "/accept/$ID"; wait_answer client 200 ;;
            esac
        done
        all_ended
        same_bytes one acceptor.body
        same_bytes two client.body
    done
}

@test "the id is the answer's text, without a newline, and a field of both answers" {
    start_ptth
    meet
    [ "$(wc -c <"$D/listener.body")" -eq 32 ]
    [[ $ID =~ ^[0-9a-f]{32}$ ]]
    [ "$(field listener Content-Type)" = text/plain ]
    [ "$(field listener Content-Length)" = 32 ]
    [ "$(field listener Relay-Connection-Id)" = "$ID" ]
    call acceptor "/accept/$ID"
    wait_answer client 200
    [ "$(field client Relay-Connection-Id)" = "$ID" ]
    [ "$(field client Transfer-Encoding)" = chunked ]
    [ "$(field acceptor Transfer-Encoding)" = chunked ]
}

@test "GET and POST are the same where there is no body, and the id's letters may be large" {
    start_ptth
    printf 'some words' >"$D/words"
    for method in GET POST; do
        call client /connect/box/web -X "$method"
        call listener /listen/box/web -X "$method"
        ended listener 200
        ID=$(tr a-f A-F <"$D/listener.body")
        call acceptor "/accept/$ID" -X "$method"
        call up "/upstream/$ID" --data-binary "@$D/words"
        call down "/downstream/$ID" --data-binary "@$D/words"
        all_ended
    done
}

# --- HTTP

@test "a listen is over after the poll time, with 204, and its connection asks again" {
    start_ptth --poll-timeout 1
    began=$(now_ms)
    call listener /listen/box/web -v "$BASE/listen/box/web"
    ended listener 204
    [ $(($(now_ms) - began)) -ge 2000 ]
    [ "$(grep -c '^HTTP/1.1 204' "$D/listener.head")" -eq 2 ]
    [ "$(grep -ci 're-using existing connection' "$D/listener.err")" -eq 1 ]
}

@test "errors and answers keep the connection" {
    start_ptth --poll-timeout 1
    dial_control
    for _ in {1..3}; do
        request "$FD" GET /nothing
        refused_with "$FD" 404
        request "$FD" PUT /listen/box/web
        refused_with "$FD" 405
        request "$FD" POST "/upstream/$(printf 0%.0s {1..32})" 'Content-Length: 0'
        refused_with "$FD" 404
        request "$FD" GET /listen/box/web
        answer "$FD" 204
    done
    say_at_once "$FD" 'GET /nothing HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n'
    refused_with "$FD" 404
    [[ $HEAD = *"Connection: close"* ]]
    [ "$(rest "$FD")" = "= eof" ]
}

@test "requests may come one behind the other" {
    start_ptth --poll-timeout 1
    dial_control
    say_at_once "$FD" 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /listen/a/b HTTP/1.1\r\nHost: a\r\n\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nPUT /accept/4 HTTP/1.1\r\nHost: a\r\n\r\n'
    refused_with "$FD" 404
    answer "$FD" 204
    refused_with "$FD" 404
    refused_with "$FD" 404
    silent "$FD"
}

@test "Expect: 100-continue is answered, before accept too" {
    start_ptth
    make_file one 2500000
    meet
    call up "/upstream/$ID" --data-binary "@$D/one" -H 'Expect: 100-continue' --expect100-timeout 60
    wait_answer up 100
    call down "/downstream/$ID" -T "$D/one" -X POST -H 'Expect: 100-continue' --expect100-timeout 60
    wait_answer down 100
    call acceptor "/accept/$ID"
    all_ended
    same_bytes one acceptor.body
    same_bytes one client.body
}

@test "callers of HTTP/1.0 get answers until the end, not in chunks" {
    start_ptth --poll-timeout 1
    make_file one 400000
    make_file two 300000
    call listener /listen/box/none --http1.0
    ended listener 204
    [ "$(field listener Connection)" = close ]
    meet box/web --http1.0
    [[ $ID =~ ^[0-9a-f]{32}$ ]]
    call acceptor "/accept/$ID" --http1.0
    call up "/upstream/$ID" --http1.0 --data-binary "@$D/one"
    call down "/downstream/$ID" --http1.0 --data-binary "@$D/two"
    all_ended
    same_bytes one acceptor.body
    same_bytes two client.body
    not grep -i '^Transfer-Encoding' "$D"/*.head
}

# --- what the log says

@test "the log has a line for each thing that happens, the words are those of the other protocols" {
    start_ptth -c 1
    printf 'four' >"$D/up.file"
    printf 'seven77' >"$D/down.file"
    meet
    carry up.file down.file
    wait_said relayd '^close '
    sed -E 's/127\.0\.0\.1:[0-9]+/A/g; s/pid=[0-9]+/pid=P/; s/(seconds|waited_ms)=[0-9.]+/\1=N/' "$D/relayd.err" >"$D/lines"
    cat "$D/lines"
    diff "$D/lines" - <<'END'
listen proto=ptth addr=A
ready
open service=box/web proto=ptth public=ptth://A/box/web from=A
pair service=box/web client=A pid=P waited_ms=N
end service=box/web client=A pid=P up=4 down=7 seconds=N reason=eof
close service=box/web reason=timeout
END
}
