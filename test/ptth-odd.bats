# ptth: sessions whose relay, or what stands before it, answers oddly, or ends.
# long: 40 s

load helper
load ptth-connect

ID=0123456789abcdef0123456789abcdef

# A relay for one server: its clients are told of one after the other, and accept and downstream are as ARGUMENTs say.
# serve_script ACCEPT DOWNSTREAM [TARGET...]
serve_script() {
    start_script
    answers listen <<END
[ "\$N" = 1 ] || { read -r; exit; }
say 'HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n$ID'
END
    answers accept <<<"$1"
    answers downstream <<<"$2"
    shift 2
    [ $# -gt 0 ] || set -- -- cat
    start connect "${CONNECT_WORDS[@]}" -n web "ptth://$FAKE" "$@"
}

# call_script CONNECT UPSTREAM [OPTION...]: a relay for one client.
call_script() {
    start_script
    answers connect <<<"$1"
    answers upstream <<<"$2"
    URL=ptth://$FAKE/web/80
    call "${@:3}"
}

OK='HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
YES="HTTP/1.1 200 OK\\r\\nRelay-Connection-Id: $ID\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
ARRIVED='HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

# --- clients

@test "what connect is answered: the client is reset, and the log says what the relay said" {
    call_script '. "$DIR/answer"; exit' ''
    while IFS='|' read -r answer reason; do
        echo "$answer"
        echo "say '$answer'" >"$F/answer"
        ended_as reset --text hello
        wait_said connect-client "^end service=web/80 .* reason=error error=$reason\$"
    done <<'END'
HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n|the.x20relay.x20says.x20401.x20Unauthorized
HTTP/1.1 403 Forbidden\r\n\r\n|the.x20relay.x20says.x20403.x20Forbidden
HTTP/1.1 404 Not Found\r\n\r\n|the.x20relay.x20says.x20404.x20Not.x20Found
HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n|the.x20relay.x20says.x20503.x20Service.x20Unavailable
HTTP/1.0 504 Gateway Time-out\r\n\r\n|the.x20relay.x20says.x20504.x20Gateway.x20Time-out
HTTP/1.1 204 No Content\r\n\r\n|the.x20relay.x20says.x20204.x20No.x20Content
HTTP/1.1 200 OK\r\nRelay-Connection-Id: 0123456789abcdef0123456789abcdef\r\nContent-Length: 5\r\n\r\nhello|what.x20stands.x20before.*chunks.x20on
HTTP/1.0 200 OK\r\nRelay-Connection-Id: 0123456789abcdef0123456789abcdef\r\n\r\nhello|what.x20stands.x20before.*chunks.x20on
HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n|the.x20relay.x20names.x20no.x20connection
HTTP/1.1 200 OK\r\nRelay-Connection-Id: 0123\r\nTransfer-Encoding: chunked\r\n\r\n|the.x20relay.x20names.x20no.x20connection
HTTP/1.1 200|the.x20relay.x20closed.x20the.x20connection
garbage\r\n\r\n|the.x20relay.x20does.x20not.x20speak.x20HTTP
END
    [ "$(requests upstream)" -eq 0 ]
}

@test "connect answered byte by byte, behind others that only say that it comes" {
    call_script "say 'HTTP/1.1 100 Continue\\r\\n\\r\\n'; drip 'HTTP/1.1 102 Processing\\r\\n\\r\\n${YES}4\\r\\nwell\\r\\n0\\r\\n\\r\\n'" \
        "hear_body; drip 'HTTP/1.1 100 Continue\\r\\n\\r\\n${ARRIVED}'"
    ended_as eof --text hello --shut
    [ "$(head -c 4 "$D/answer")" = well ]
}

@test "a relay that is silent is given up" {
    call_script 'read -r' '' --silence-timeout 2
    ended_as reset --text hello
    wait_said connect-client '^end .* error=the.x20relay.x20does.x20not.x20answer$'
}

@test "a client that leaves while connect is held frees all there is" {
    call_script 'read -r; echo gone >"$DIR/gone"; exit' ''
    "$TOOLS/drip" "$LOCAL" --text hello --until nothing --wait 300 --reset
    wait_said connect-client '^end .* error=the.x20client.x20has.x20left$'
    wait_for test -s "$F/gone"
    wait_for no_offspring connect-client
    # So relayd's.
    start_relay
    URL=ptth://$RELAY/web/80
    call_as connect-client2
    "$TOOLS/drip" "$LOCAL" --text hello --until nothing --wait 300 --reset
    wait_said connect-client2 '^end .* error=the.x20client.x20has.x20left$'
    wait_said relayd '^refuse service=web/80 .* reason=gone$'
}

@test "an answer that breaks off, or is none, resets the client" {
    for body in '5\r\nhel' '5\r\nhello\r\n' '' '5\r\nhelloX' 'zz\r\n' '0\r\n'; do
        call_script "say '$YES$body'; exit" 'hear_body; read -r'
        ended_as reset --text hello
        wait_said connect-client '^end .* reason=(reset|error)'
        end_everything
        STARTED=() PID=() DESCRIPTORS=()
        rm -rf "$F" "$D"/*.err "$D"/*.out
    done
}

@test "upstream that is refused, or answered before its end, resets the client" {
    for answer in 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n' 'HTTP/1.1 500 Oh\r\n\r\n' "$ARRIVED" 'garbage\r\n'; do
        call_script "say '$YES'; read -r; exit" "say '$answer'; read -r; exit"
        ended_as reset --text hello
        wait_said connect-client '^end .* reason=error'
        end_everything
        STARTED=() PID=() DESCRIPTORS=()
        rm -rf "$F" "$D"/*.err "$D"/*.out
    done
}

@test "upstream whose connection ends without an answer resets the client" {
    call_script "say '${YES}0\\r\\n\\r\\n'; read -r; exit" 'hear_body; exit'
    dial "$LOCAL"
    hang_up "$FD"
    wait_said connect-client '^end .* reason=reset$'
}

@test "upstream that is not answered yet takes no processor time" {
    call_script "say '${YES}0\\r\\n\\r\\n'; read -r; exit" 'hear_body; touch "$DIR/heard"; read -r; exit'
    dial "$LOCAL"
    hang_up "$FD"
    wait_for test -e "$F/heard"
    at_rest connect-client
    offspring_count connect-client 1
}

# --- servers

@test "accept that is refused: the command is not run, and the log says what the relay said" {
    serve_script "say 'HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n'" 'hear_body' -- touch "$D/ran"
    wait_said connect '^end service=web .* reason=error error=the.x20relay.x20says.x20404.x20Not.x20Found$'
    [ ! -e "$D/ran" ]
    not said connect '^lost'
}

@test "a client's bytes that break off reset the local server" {
    start local "$TOOLS/load" server 127.0.0.1:0
    wait_for test -s "$D/local.out"
    serve_script "say '${OK}5\\r\\nhel'; exit" 'hear_body' "$(head -n 1 "$D/local.out")"
    wait_said connect '^end service=web .* reason=reset$'
}

@test "downstream is answered while the client goes on: nothing is lost" {
    port=$(free_port)
    echo bye >"$D/bye"
    INPUT=$D/bye start local nc -N -l 127.0.0.1 "$port"
    wait_for listening "$port"
    serve_script "say '${OK}2\\r\\na\\n\\r\\n'; until [ -e \$DIR/answered ]; do sleep 0.02; done
        say '2\\r\\nb\\n\\r\\n0\\r\\n\\r\\n'" \
        "hear_body; say '$ARRIVED'; touch \$DIR/answered; read -r; exit" "127.0.0.1:$port"
    wait_said connect '^end service=web .* up=4 down=4 .* reason=eof$'
    wait_end local
    [ "$(cat "$D/local.out")" = $'a\nb' ]
}

@test "the client's end comes first: what the server says still arrives" {
    serve_script "say '${OK}0\\r\\n\\r\\n'; exit" "hear_body; say '$ARRIVED'; exit" -- sh -c 'cat; sleep 0.3; echo bye'
    wait_said connect '^end service=web .* up=0 down=4 .* reason=eof$'
    [ "$(cat "$F/downstream.body.1")" = $'4\r\nbye\n\r\n0\r' ]
}

@test "downstream answered before its end is a cut" {
    serve_script "say '$OK'; read -r" "say '$ARRIVED'; read -r" -- sleep 1001
    wait_said connect '^end service=web .* reason=error'
    wait_for no_offspring connect
}

@test "ids without end: sessions are limited, and the parent is there" {
    start_script
    answers listen <<END
say 'HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n$ID'
END
    echo 'read -r; exit' | tee "$F/downstream" >"$F/accept"
    start connect "${CONNECT_WORDS[@]}" --max-sessions 3 -n web "ptth://$FAKE" localhost:1
    wait_said connect '^refuse service=web .* reason=limit'
    offspring_at_most connect 19
    stop connect INT
    [ "$status" -eq 0 ]
}
