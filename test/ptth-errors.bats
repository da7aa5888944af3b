# ptth: what relayd answers to requests that are malformed, come late, or ask for
# what there is not.

load helper
load ptth

NO_ID=00000000000000000000000000000000

# This request, exactly, is answered so, once, and the connection ends.
ends_with() {
    dial_control
    say_at_once "$FD" "$2"
    refused_with "$FD" "$1"
    [[ $HEAD = *"Connection: close"* ]]
    [ "$(rest "$FD")" = "= eof" ] || { echo "went on: $2"; return 1; }
    hang_up "$FD"
}

rejected() {
    wait_said relayd "^reject from=127\.0\.0\.1:[0-9]+ reason=$1$" "${2:-1}"
}

# Each leg of the running session is taken: asked for by somebody else.
taken() {
    for leg in accept upstream downstream; do
        ask POST "/$leg/$ID" 'Content-Length: 0'
        refused_with "$FD" 409
    done
}

# --- malformed

@test "a head that two readers might read as two different ones is refused with 400" {
    start_ptth
    for head in 'GET /a HTTP/1.1\nHost: a\n\n' 'GET /a HTTP/1.1\r\nHost: a\n\r\n' 'GET /a HTTP/1.1\r\nHost: a\r\r\n' \
        'GET /a HTTP/1.1\r\n\r\n' 'GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n' 'GET /a HTTP/1.1\r\nHost : a\r\n\r\n' \
        'GET /a HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n' 'GET /a HTTP/1.1\r\n Host: a\r\n\r\n' \
        'GET  /a HTTP/1.1\r\nHost: a\r\n\r\n' 'GET /a\r\n\r\n' 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n' \
        'GET /a HTTP/2.0\r\nHost: a\r\n\r\n' 'GET /a HTTP/1.1 \r\nHost: a\r\n\r\n' 'GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n' \
        'GET /a HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n' 'GET /a HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n' \
        'GET /a HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n' '\x16\x03\x01\x02\x00\x01\x00' \
        'GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n' 'HTTP/1.1 200 OK\r\n\r\n' \
        'GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a:b\r\nAuthorization: Bearer a:c\r\n\r\n'; do
        ends_with 400 "$head"
    done
    rejected line 20
}

@test "a body whose end two readers might see in two places is refused with 400" {
    start_ptth
    announced
    for fields in 'Content-Length: 5\r\nTransfer-Encoding: chunked' 'Transfer-Encoding: chunked\r\nContent-Length: 5' \
        'Content-Length: 5\r\nContent-Length: 5' 'Content-Length: 5, 5' 'Content-Length: +5' 'Content-Length: -5' \
        'Content-Length: 0x5' 'Content-Length: 5 5' 'Content-Length:' 'Content-Length: 99999999999999999999' \
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked' 'Transfer-Encoding: gzip, chunked' \
        'Transfer-Encoding: chunked, identity' 'Transfer-Encoding: xchunked' 'Transfer-Encoding:' \
        'Transfer-Encoding : chunked' 'Transfer-Encoding:\x0bchunked' 'Content-Length: 5\r\n\tContent-Length: 6'; do
        ends_with 400 "POST /upstream/$ID HTTP/1.1\\r\\nHost: a\\r\\n$fields\\r\\n\\r\\n5\\r\\nhello\\r\\n0\\r\\n\\r\\n"
    done
    ends_with 400 "POST /upstream/$ID HTTP/1.0\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n"
    begins
    finish
}

@test "upstream and downstream need a body, the others have none: 400" {
    start_ptth
    announced
    dial_control
    for leg in upstream downstream; do
        request "$FD" POST "/$leg/$ID"
        refused_with "$FD" 400
    done
    for path in "/accept/$ID" /listen/box/other /connect/box/other; do
        ends_with 400 "POST $path HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\nGET"
        ends_with 400 "GET $path HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nGET\\r\\n0\\r\\n\\r\\n"
    done
    begins
    finish
}

@test "a body that is refused is not read as the next request" {
    start_ptth
    smuggled='GET /listen/box/smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
    for fields in 'Content-Length: 50' 'Transfer-Encoding: chunked' 'Content-Length: 50\r\nTransfer-Encoding: chunked'; do
        dial_control
        say_at_once "$FD" "POST /upstream/$NO_ID HTTP/1.1\\r\\nHost: a\\r\\n$fields\\r\\n\\r\\n$smuggled$smuggled"
        head "$FD" '40[04]'
        rest "$FD" >"$D/rest"
        not grep HTTP/1.1 "$D/rest"
        grep -qx '= eof' "$D/rest"
    done
    not said relayd '^open '
}

@test "a head of more than 8 KiB is refused with 431, one of just that many is read" {
    start_ptth
    frame=$'GET /nothing HTTP/1.1\r\nHost: a\r\nX: '
    printf -v long "%$((8192 - ${#frame} - 4))s" ''
    dial_control
    say_at_once "$FD" '%s%s\r\n\r\n' "$frame" "${long// /x}"
    refused_with "$FD" 404
    ends_with 431 "$frame${long// /x}x\\r\\n\\r\\n"
    printf -v long '%9000s' ''
    ends_with 431 "GET /${long// /x} HTTP/1.1\\r\\n"
    rejected line 2
}

# --- in time

@test "a request that does not come in time is answered with 408, and so is none at all" {
    start_ptth --line-timeout 1
    dial_control
    refused_with "$FD" 408
    [ "$(rest "$FD")" = "= eof" ]
    printf -v long '%3000s' ''
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --text "${long// /x}" | grep '^HTTP/1.1 408 '
    rejected slow 2
    dial_control
    request "$FD" GET /nothing
    refused_with "$FD" 404
    [ "$(rest "$FD")" = "= eof" ]
    not rejected slow 3
}

# --- what there is not

@test "paths that are none: 404" {
    start_ptth
    printf -v long '%65s' ''
    dial_control
    for path in / '*' /listen /listen/ /listen/box /listen/box/ /listen//web /listen/box/web/ /listen/box/web/x \
        '/listen/box/w%65b' '/listen/box/web?x' '/listen/box/../web' /Listen/box/web "/listen/${long// /x}/web" \
        "/listen/box/${long// /x}" "/connect/box/a:b" /listenbox/web //listen/box/web /accept/ /accept/abc \
        "/accept/${NO_ID}0" "/accept/${NO_ID%0}g" "/accept/$NO_ID/" example.org:80; do
        request "$FD" POST "$path" 'Content-Length: 0'
        refused_with "$FD" 404
    done
    not said relayd '^open '
    rejected path
}

@test "ids that are no connection's: 404" {
    start_ptth
    dial_control
    for path in "/accept/$NO_ID" "http://relay/accept/$NO_ID" "/upstream/$NO_ID" "/downstream/$NO_ID"; do
        request "$FD" POST "$path" 'Content-Length: 0'
        refused_with "$FD" 404
    done
    rejected id 4
}

@test "other methods: 405, and Allow says which there are" {
    start_ptth
    dial_control
    for method in PUT DELETE OPTIONS get post TRACE; do
        for path in /listen/box/web /connect/box/web "/accept/$NO_ID"; do
            request "$FD" "$method" "$path"
            refused_with "$FD" 405
            [[ $HEAD = *$'\nAllow: GET, POST\n'* ]]
        done
    done
    for path in "/upstream/$NO_ID" "/downstream/$NO_ID"; do
        request "$FD" GET "$path"
        refused_with "$FD" 405
        [[ $HEAD = *$'\nAllow: POST\n'* ]]
    done
    request "$FD" HEAD /listen/box/web
    head "$FD" 405
    request "$FD" GET /nothing
    refused_with "$FD" 404
}

@test "a leg that somebody has already: 409, while it waits and while the session runs" {
    start_ptth
    announced
    upstream
    ask POST "/upstream/$ID" 'Content-Length: 0'
    refused_with "$FD" 409
    downstream
    ask POST "/downstream/$ID" 'Transfer-Encoding: chunked'
    refused_with "$FD" 409
    accepts
    head "$CONNECT_FD" 200
    head "$ACCEPT_FD" 200
    taken
    chunk "$UP_FD" words
    comes "$ACCEPT_FD" words
    last_chunk "$UP_FD"
    answer "$UP_FD" 200
    taken
    last_chunk "$DOWN_FD"
    answer "$DOWN_FD" 200
    wait_said relayd '^end .* reason=eof$'
    wait_for no_connection_any_more
    rejected taken 8
}

no_connection_any_more() {
    ask GET "/accept/$ID"
    refused_with "$FD" 404
    hang_up "$FD"
}

@test "nobody listens: 503 after the claim timeout, with Retry-After" {
    start_ptth -c 1
    began=$(now_ms)
    ask GET /connect/box/web
    refused_with "$FD" 503
    [[ $HEAD =~ Retry-After:\ [1-9] ]]
    [ $(($(now_ms) - began)) -ge 1000 ]
    request "$FD" GET /nothing
    refused_with "$FD" 404
    wait_said relayd '^refuse service=box/web client=127\.0\.0\.1:[0-9]+ reason=timeout$'
}

@test "nobody accepts: 504 to the client and to whoever waits beside him" {
    start_ptth -c 1
    announced
    upstream
    chunk "$UP_FD" words
    downstream
    for fd in "$CONNECT_FD" "$UP_FD" "$DOWN_FD"; do
        refused_with "$fd" 504
    done
    ask GET "/accept/$ID"
    refused_with "$FD" 404
    said relayd ' reason=timeout$'
}

@test "an accepted session that is not complete in time is cut, not ended" {
    start_ptth -c 1
    announced
    accepts
    downstream
    head "$CONNECT_FD" 200
    head "$ACCEPT_FD" 200
    for fd in "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"; do
        [ "$(rest "$fd")" = "= reset" ]
    done
    said relayd '^refuse service=box/web client=127\.0\.0\.1:[0-9]+ reason=timeout$'
}

@test "the body of a request that is refused is read away, so that its sender sees the answer" {
    start_ptth
    make_file one 900000
    call up "/upstream/$NO_ID" -X POST -T "$D/one" -H 'Expect:'
    ended up 404
    [ "$(wc -l <"$D/up.body")" -eq 1 ]
}
