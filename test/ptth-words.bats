# ptth: what relay-connect says to a relay, byte for byte, and what it makes of answers of all kinds.
# long: 45 s

load helper
load auth
load ptth-connect

ID=0123456789abcdef0123456789ABCDEF
CRLF=$'\r\n'

# A relay whose listen is as on standard input, and holds then; a server's end that is a command.
start_server() {
    start_script
    answers listen
    start connect "${CONNECT_WORDS[@]}" "$@" -n web "ptth://$FAKE" 9:localhost:1
}

# Bodies of one client for whoever was told of it: what comes is added to $F/downstream.body.N.
serves_a_client() {
    answers accept <<'END'
say 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
END
    answers downstream <<'END'
hear_body
say 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
exit
END
}

# It has served one client, of the id, with sort.
start_sort() {
    serves_a_client
    start connect "${CONNECT_WORDS[@]}" "$@" -n web "ptth://$FAKE" -- tr a-c A-C
    wait_for body_is downstream 1 "3${CRLF}ABC${CRLF}0$CRLF"
}

body_is() {
    [ "$(cat "$F/$1.body.$2" 2>/dev/null)" = "${3%$'\n'}" ]
}

# head_is ENDPOINT N LINE...
head_is() {
    printf '%s\r\n' "${@:3}" "" | cmp - "$F/$1.$2"
}

version() {
    "${CONNECT_WORDS[@]}" --version | tr ' ' /
}

# It is told of one client, in a way of its own, and holds the requests that follow.
tells_of_a_client() {
    start_script
    { echo '[ "$N" = 1 ] || { read -r; exit; }'; cat; } >"$F/listen"
    start_sort
    wait_said connect '^end service=web .* up=3 down=3 .* reason=eof'
    wait_for at_least_requests listen 2
    [ "$(requests accept)" -eq 1 ]
    not said connect '^lost'
}

@test "the server's requests, with a key, byte for byte" {
    key_of "web $KEY"
    start_script
    answers listen <<END
[ \$N = 1 ] || { read -r; exit; }
say 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 32\r\nRelay-Connection-Id: $ID\r\n\r\n$ID'
END
    start_sort -k "$D/key"
    common=("Host: $FAKE" "User-Agent: $(version)" "Authorization: Bearer web:$KEY")
    wait_for at_least_requests listen 2
    for n in 1 2; do
        head_is listen "$n" "POST /listen/web/0 HTTP/1.1" "${common[@]}" "Content-Length: 0"
    done
    head_is accept 1 "POST /accept/$ID HTTP/1.1" "${common[@]}" "Connection: close" "Content-Length: 0"
    head_is downstream 1 "POST /downstream/$ID HTTP/1.1" "${common[@]}" "Connection: close" \
        "Content-Type: application/octet-stream" "Transfer-Encoding: chunked"
}

@test "the client's requests, byte for byte, and both bodies" {
    start_script
    answers connect <<END
say 'HTTP/1.1 200 OK\r\nRelay-Connection-Id: $ID\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nanswer\n\r\n0\r\n\r\n'
END
    answers upstream <<'END'
hear_body
say 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
exit
END
    URL=ptth://$FAKE/web/80
    call
    ended_as eof --text question --split 0 --shut
    [ "$(head -n 1 "$D/answer")" = answer ]
    common=("Host: $FAKE" "User-Agent: $(version)" "Connection: close")
    head_is connect 1 "POST /connect/web/80 HTTP/1.1" "${common[@]}" "Content-Length: 0"
    wait_for head_is upstream 1 "POST /upstream/$ID HTTP/1.1" "${common[@]}" \
        "Content-Type: application/octet-stream" "Transfer-Encoding: chunked"
    wait_for body_is upstream 1 "8${CRLF}question${CRLF}0$CRLF"
    wait_said connect-client '^end service=web/80 .* up=8 down=7 .* reason=eof$'
}

@test "an id in chunks" {
    tells_of_a_client <<END
say 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10;x=y\r\n${ID:0:16}\r\n10\r\n${ID:16}\r\n0\r\nTrailer: x\r\n\r\n'
END
}

@test "an id behind answers that are only on their way" {
    tells_of_a_client <<END
say 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n'
say 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n$ID'
END
}

@test "an id that comes byte by byte" {
    tells_of_a_client <<END
drip '\r\nHTTP/1.1 200 Very Good\r\ncontent-length:32\r\n\r\n$ID'
END
}

@test "an id in HTTP/1.0, with a length, on a connection that ends" {
    tells_of_a_client <<END
say 'HTTP/1.0 200 OK\r\nContent-Length: 32\r\n\r\n$ID'
exit
END
}

@test "an id that ends with its connection" {
    tells_of_a_client <<END
say 'HTTP/1.1 200 OK\r\n\r\n$ID'
exit
END
}

@test "an id on a connection that is kept in spite of Connection: close" {
    tells_of_a_client <<END
say 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 32\r\n\r\n$ID'
read -r
END
}

@test "204 and a connection that ends, again and again, is no storm" {
    start_server <<'END'
say 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'
exit
END
    wait_for at_least_requests listen 3
    before=$(requests listen)
    sleep 2
    [ $(($(requests listen) - before)) -le 4 ]
    [ "$(cat "$D/connect.out")" = "ptth://$FAKE/web/9" ]
    not said connect '^lost'
}

@test "204 at once on a connection that stays, again and again, is no storm" {
    start_server <<'END'
say 'HTTP/1.1 204 No Content\r\n\r\n'
END
    wait_for at_least_requests listen 3
    before=$(requests listen)
    sleep 2
    [ $(($(requests listen) - before)) -le 4 ]
    not said connect '^lost'
}

@test "answers that nobody asked for are no storm" {
    start_server <<'END'
for i in {1..1000}; do say 'HTTP/1.1 204 No Content\r\n\r\n' || exit; done
END
    wait_for at_least_requests listen 2
    sleep 1
    [ "$(requests listen)" -le 6 ]
    alive connect
}

@test "a renewed connection that goes to another relay prints that one's URL" {
    start_script
    cat >"$F/listen" <<'END'
sleep 0.6
say 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'
exit
END
    find_ports 0
    start connect "${CONNECT_WORDS[@]}" -n web "ptth://127.0.0.1:$CONTROL,$FAKE" 9:localhost:1
    wait_for grep -qx "ptth://$FAKE/web/9" "$D/connect.out"
    start_relayd "ptth:127.0.0.1:$CONTROL"
    wait_for printed connect 2
    [ "$(tail -n 1 "$D/connect.out")" = "ptth://127.0.0.1:$CONTROL/web/9" ]
    wait_said relayd '^open service=web/9 '
    not said connect '^lost'
}

@test "other answers are lost connections, and the log says which" {
    start_script
    start connect "${CONNECT_WORDS[@]}" -n web "ptth://$FAKE" localhost:1
    while IFS='|' read -r answer reason; do
        echo "$answer"
        printf "say '%s'\nexit\n" "$answer" >"$F/new"
        mv "$F/new" "$F/listen"
        wait_said connect "^lost service=web relay=$FAKE reason=$reason\$"
    done <<'END'
HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n404|the.x20relay.x20says.x20404.x20Not.x20Found
HTTP/1.0 500 \r\n\r\n|the.x20relay.x20says.x20500.*
HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n|the.x20relay.x20says.x20302.x20Found
HTTP/1.1 407 \033[1m\r\n\r\n|line
HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n0123456789abcdef0123456789abcde|line
HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n0123456789abcdef0123456789abcdef0|line
HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n0123456789abcdef0123456789abcdeg|line
HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n0123456789abcdef|eof
HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n|line
HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n|line
HTTP/1.1 200 OK\r\nContent-Length: 32\r\nTransfer-Encoding: chunked\r\n\r\n|line
SSH-2.0-OpenSSH_9.9\r\n|line
HTTP/1.1 200|eof
END
    [ ! -s "$D/connect.out" ]
    [ "$(requests accept)" -eq 0 ]
}

@test "a head that never ends" {
    start_server <<'END'
say 'HTTP/1.1 200 OK\r\n'
while say 'X-Header: %01000d\r\n' 1; do :; done 2>/dev/null
exit
END
    wait_said connect '^lost .* reason=line$' 2
    [ ! -s "$D/connect.out" ]
}

@test "silence: the relay is given up, and asked again" {
    start_server --silence-timeout 2 <<'END'
read -r
exit
END
    wait_said connect '^lost .* reason=timeout$' 2
    [ "$(cat "$D/connect.out")" = "ptth://$FAKE/web/9" ]
}

@test "a head that has begun and stops is no relay that serves" {
    start_server --silence-timeout 2 <<'END'
say 'HTTP/1.1 401 Unauth'
read -r
exit
END
    wait_said connect '^lost .* reason=timeout$'
    [ ! -s "$D/connect.out" ]
}

@test "403 is refused: exit code 3" {
    start_server <<'END'
say 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'
END
    wait_end connect
    [ "$status" -eq 3 ]
    said connect '^refused service=web code=scope text=the.x20relay.x20says.x20403.x20Forbidden$'
    [ ! -s "$D/connect.out" ]
}
