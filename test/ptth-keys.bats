# ptth: who may do what: keys, their names, what they cover.

load helper
load auth
load ptth

CLIENT_KEY=the-key-of-a-client-1234

bearer() {
    echo "Authorization: Bearer $1"
}

SERVER=$(bearer "box:$KEY")
OTHER=$(bearer "shed:$OTHER_KEY")
CLIENT=$(bearer "anna:$CLIENT_KEY")
CLIENT_TOO=$(bearer "bert:$CLIENT_KEY")

start_guarded() {
    write_keys "box $KEY ${1-}" "shed $OTHER_KEY" "anna $CLIENT_KEY role=client to=box,box.2" \
        "bert $CLIENT_KEY role=client"
    start_ptth -k "$D/keys" "${@:2}"
}

# on FD STATUS METHOD PATH FIELD...: one of many requests of a connection.
on() {
    request "$1" "${@:3}"
    refused_with "$1" "$2"
}

# As announced, with keys: the client has anna's.
introduced() {
    ask POST /connect/box/web "$CLIENT"
    CONNECT_FD=$FD
    ask POST /listen/box/web "$SERVER"
    LISTEN_FD=$FD
    answer "$LISTEN_FD" 200
    ID=$BODY
}

# All there, each with its key.
begins_with_keys() {
    accepts "$SERVER"
    upstream "$CLIENT"
    downstream "$SERVER"
    head "$CONNECT_FD" 200
    head "$ACCEPT_FD" 200
}

keys_stay_unsaid() {
    not grep -E "$KEY|$OTHER_KEY|$CLIENT_KEY|bearer" -i "$D/relayd.err"
}

@test "no key, or a wrong one: 401 for everything, whatever the path" {
    start_guarded
    introduced
    dial_control
    fields=('X: y' 'Authorization:' 'Authorization: Bearer' "$(bearer box)" "$(bearer 'box:')" "$(bearer ":$KEY")"
        "$(bearer "box:$OTHER_KEY")" "$(bearer "nobody:$KEY")" "$(bearer "box.web:$KEY")" "$(bearer "box:${KEY}x")"
        "$(bearer "box:${KEY%?}")" "$(bearer "box $KEY")" "Authorization: Basic $(printf 'box:%s' "$KEY" | base64)"
        "Authorization: box:$KEY" "Authorization: Bearerbox:$KEY" "$(bearer "box:$KEY x")"
        "$(bearer "$(printf 'x%.0s' {1..500})")" "$(bearer "box:$(printf 'x%.0s' {1..500})")")
    for field in "${fields[@]}"; do
        on "$FD" 401 GET /listen/box/web "$field"
        [[ $HEAD = *$'\nWWW-Authenticate: Bearer'* ]]
    done
    for path in /connect/box/web "/accept/$ID" "/upstream/$ID" "/downstream/$ID" /nothing; do
        on "$FD" 401 POST "$path" 'Content-Length: 0'
    done
    on "$FD" 401 PUT /listen/box/web
    begins_with_keys
    finish
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=auth$'
    keys_stay_unsaid
}

@test "curl with keys: all four requests, the scheme in any case" {
    start_guarded
    printf 'some words' >"$D/words"
    call client /connect/box/web -H "$CLIENT"
    call listener /listen/box/web -H "Authorization:   bEARER   box:$KEY"
    ended listener 200
    ID=$(cat "$D/listener.body")
    call acceptor "/accept/$ID" -H "$SERVER"
    call up "/upstream/$ID" --data-binary "@$D/words" -H "$CLIENT"
    call down "/downstream/$ID" --data-binary "@$D/words" -H "$SERVER"
    all_ended
    same_bytes words acceptor.body
    same_bytes words client.body
    keys_stay_unsaid
}

@test "a server's key is for its own names: 403 for others, and for what clients do" {
    start_guarded
    introduced
    dial_control
    for path in /listen/box/web /listen/box.2/web "/accept/$ID" /connect/shed/web /connect/box/web "/upstream/$ID"; do
        on "$FD" 403 POST "$path" "$OTHER" 'Content-Length: 0'
    done
    on "$FD" 403 POST "/downstream/$ID" "$OTHER" 'Transfer-Encoding: chunked'
    ask POST /connect/box/web "$SERVER"
    refused_with "$FD" 403
    request "$FD" POST "/upstream/$ID" "$SERVER" 'Content-Length: 0'
    refused_with "$FD" 403
    begins_with_keys
    finish
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=scope$'
}

@test "a server's key is for its name and what follows that and a dot" {
    start_guarded
    for name in box box.2 box.a.b; do
        ask GET "/listen/$name/web" "$SERVER"
        wait_said relayd "^open service=$name/web "
    done
    dial_control
    for name in boxer bo box-2 x.box; do
        on "$FD" 403 GET "/listen/$name/web" "$SERVER"
    done
}

@test "a client's key connects to those in its to=, and does nothing that servers do: 403" {
    start_guarded
    introduced
    dial_control
    for path in /listen/box/web /listen/anna/web "/accept/$ID" "/downstream/$ID" /connect/shed/web /connect/box.3/web \
        /connect/bo/web /connect/box.22/web; do
        on "$FD" 403 POST "$path" "$CLIENT" 'Content-Length: 0'
    done
    request "$FD" GET /connect/box.2/web "$CLIENT"
    silent "$FD"
    ask GET /connect/shed/web "$CLIENT_TOO"
    silent "$FD"
    begins_with_keys
    finish
}

@test "upstream is for the client who connected: 403 for another one, though he may connect there" {
    start_guarded
    introduced
    ask POST "/upstream/$ID" "$CLIENT_TOO" 'Content-Length: 0'
    refused_with "$FD" 403
    begins_with_keys
    ask POST "/upstream/$ID" "$CLIENT_TOO" 'Content-Length: 0'
    refused_with "$FD" 403
    finish
}

@test "from=: a key is for certain addresses: 403 from others" {
    start_guarded from=192.0.2.0/24
    ask GET /listen/box/web "$SERVER"
    refused_with "$FD" 403
    start_ptth_by_proxy
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --split 0 --wait 300 \
        --text "PROXY TCP4 192.0.2.9 198.51.100.1 40002 443"$'\r\n'"GET /listen/box/web HTTP/1.1"$'\r\nHost: a\r\n'"$SERVER"$'\r\n\r\n' |
        grep -x '= open'
    said relayd2 '^open service=box/web .* from=192\.0\.2\.9:40002$'
}

start_ptth_by_proxy() {
    relayd_as relayd2 -k "$D/keys" --proxy-from 127.0.0.1 ptth:127.0.0.1:0
}

@test "max=: one client more than the server's key allows is told so with 503" {
    start_guarded max=1
    introduced
    ask GET /connect/box/web "$CLIENT"
    refused_with "$FD" 503
    wait_said relayd '^refuse service=box/web client=127\.0\.0\.1:[0-9]+ reason=limit$'
    begins_with_keys
    finish
}

@test "max= holds for clients that come before any server, too" {
    start_guarded max=1
    ask POST /connect/box/ssh "$CLIENT"
    silent "$FD"
    ask POST /connect/box/ssh "$CLIENT"
    refused_with "$FD" 503
    said relayd '^refuse service=box/ssh .* reason=limit$'
}

@test "a key that is taken out of the file ends its held listen with 401, others stay" {
    start_guarded
    ask GET /listen/box/web "$SERVER"
    server=$FD
    ask GET /listen/shed/web "$OTHER"
    other=$FD
    wait_said relayd '^open ' 2
    write_keys "shed $OTHER_KEY"
    reload relayd
    refused_with "$server" 401
    silent "$other"
    request "$server" GET /listen/box/web "$SERVER"
    refused_with "$server" 401
    write_keys "shed $OTHER_KEY" "box $KEY role=client"
    reload relayd
    request "$server" GET /listen/box/web "$SERVER"
    refused_with "$server" 403
    write_keys "shed another-key-of-this-server"
    reload relayd
    refused_with "$other" 401
    keys_stay_unsaid
}

@test "a session that runs does not end with its keys, but its legs are out of reach" {
    start_guarded
    introduced
    begins_with_keys
    write_keys "shed $OTHER_KEY"
    reload relayd
    ask POST "/upstream/$ID" "$CLIENT" 'Content-Length: 0'
    refused_with "$FD" 401
    ask POST "/accept/$ID" "$OTHER"
    refused_with "$FD" 403
    chunk "$UP_FD" more
    comes "$ACCEPT_FD" more
    finish
}

@test "a hundred thousand guessed ids are no connection's" {
    start_guarded
    introduced
    run timeout $((60 * TIME_FACTOR)) "$TOOLS/guess" "127.0.0.1:$CONTROL" "$(scaled 100000)" "$SERVER"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "404: $(scaled 100000)" ]
    begins_with_keys
    finish
}

@test "without keys a bare port is for this machine alone, with keys for everybody" {
    port=$(free_port)
    relayd_as relayd1 "ptth:$port"
    said relayd1 "^listen proto=ptth addr=127\.0\.0\.1:$port$"
    stop relayd1
    write_keys "box $KEY"
    relayd_as relayd2 -k "$D/keys" "ptth:$port"
    said relayd2 "^listen proto=ptth addr=(\[::\]|0\.0\.0\.0):$port$"
}
