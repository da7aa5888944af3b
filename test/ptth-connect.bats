# ptth: relay-connect beside servers and beside clients, with relayd between them.
# long: 60 s

load helper
load ptth-connect

@test "the URL is printed once, and is what --listen takes" {
    start_both
    [ "$URL" = "ptth://$RELAY/web/${LOAD##*:}" ]
    [ "$(cat "$D/connect.out")" = "$URL" ]
    said connect "^open service=web proto=ptth public=$URL$"
    said connect-client "^listen proto=ptth addr=$LOCAL service=web/${LOAD##*:}$"
    load_client "$LOCAL" both --bytes 100000
    load_served 1
    [ "$(cat "$D/connect.out")" = "$URL" ]
}

@test "the service's name, and PUBLIC for its port" {
    start_relay
    start_load
    connect_as connect -n cam "ptth://$RELAY" "web=8443:$LOAD"
    URL=$PUBLIC
    [ "$URL" = "ptth://$RELAY/cam.web/8443" ]
    call
    load_client "$LOCAL" both --bytes 1000
    load_served 1
    wait_said relayd '^end service=cam\.web/8443 .* reason=eof$'
}

@test "several TARGETs, each at its own URL" {
    start_relay
    start connect "${CONNECT_WORDS[@]}" -n cam "ptth://$RELAY" a=1:localhost:1 2:localhost:1 "3:$D/socket"
    wait_for printed connect 3
    for service in cam.a/1 cam/2 cam.2/3; do
        grep -qxF "ptth://$RELAY/$service" "$D/connect.out"
    done
}

@test "a unix socket is served" {
    start_relay
    start local socat "UNIX-LISTEN:$D/socket,fork" SYSTEM:'read -r line; echo "got $line"'
    wait_for test -S "$D/socket"
    serve "7:$D/socket"
    call
    dial "$LOCAL"
    say "$FD" hello
    expect "$FD" 'got hello'
    [ "$(rest "$FD")" = "= eof" ]
}

@test "many at once and one after the other, both ways, by checksum" {
    start_both --max-sessions 300
    n=$(scaled 100)
    load_client "$LOCAL" both --sessions "$n" --at-once "$n" --bytes 1048576
    load_client "$LOCAL" both --sessions 50 --at-once 1 --bytes 10000
    load_served $((n + 50))
    wait_said connect '^end service=web .* up=1048616 down=1048576 .* reason=eof$' "$n"
    wait_said connect-client '^end service=web/[0-9]+ .* up=1048616 down=1048576 .* reason=eof$' "$n"
    wait_said relayd '^end service=web/[0-9]+ .* up=1048616 down=1048576 .* reason=eof$' "$n"
    not said relayd '^(refuse|reject|close) '
}

@test "each end is passed on while the other direction goes on" {
    start_both
    load_client "$LOCAL" client-first --sessions 30 --at-once 10 --up 10000 --down 1000000
    load_client "$LOCAL" server-first --sessions 30 --at-once 10 --up 1000000 --down 10000
    load_client "$LOCAL" client-first --sessions 5 --at-once 5 --up 0 --down 100000
    load_client "$LOCAL" server-first --sessions 5 --at-once 5 --up 100000 --down 0
    load_client "$LOCAL" client-closes --sessions 20 --at-once 10 --up 1048576 --down 0 --pause-server 200
    load_client "$LOCAL" server-closes --sessions 20 --at-once 10 --up 0 --down 1048576 --pause-client 200
    load_served 110
    for who in relayd connect connect-client; do
        wait_said "$who" '^end .* reason=eof$' 110
    done
}

@test "resets pass both ways, amid a transfer and after one end, too" {
    start_both
    for who in client server; do
        load_client "$LOCAL" $who-resets --sessions 20 --at-once 10 --bytes 10000
        load_client "$LOCAL" $who-cuts --sessions 10 --at-once 10 --bytes 2000000
        load_client "$LOCAL" half-$who-resets --sessions 10 --at-once 10 --bytes 100000
    done
    load_served 80
    not said relayd '^end .* reason=(eof|killed)'
}

@test "where no local server listens the client is reset at once" {
    start_relay
    start_load
    stop load
    serve "$LOAD"
    call
    PUBLIC=$LOCAL
    resets_at_once
    wait_said connect '^end service=web .* reason=error error=Connection'
}

@test "a client when no server is there is reset, and the log says what the relay said" {
    start_relay -c 1
    URL=ptth://$RELAY/web/80
    call
    ended_as reset --text hello
    wait_said connect-client '^end service=web/80 .* reason=error error=the.x20relay.x20says.x20503'
}

@test "a session with one end passed, and one that is quiet, take no processor time" {
    start_relay
    start local socat TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr SYSTEM:'cat; sleep 1000'
    wait_for listening_of local
    serve "$LOCAL_SERVER"
    call
    dial "$LOCAL"
    say "$FD" quiet
    expect "$FD" quiet
    at_rest relayd connect connect-client
    start half "$TOOLS/drip" "$LOCAL" --text hello --shut --wait 60000
    wait_for grep -q hello "$D/half.out"
    at_rest relayd connect connect-client
}

@test "one of ten that does not read stops its own session only, and the processes rest" {
    start_both
    start stalled "$TOOLS/load" client "$LOCAL" --mode both --up 1000 --down 100000000 --pause-client 60000
    wait_said connect '^pair '
    load_client "$LOCAL" both --sessions 9 --at-once 9 --bytes 300000
    at_rest relayd connect connect-client
}

@test "-P tells the local server what is known of the client: nothing" {
    start_relay
    for version in 1 2; do
        start "local$version" socat -u TCP-LISTEN:0,bind=127.0.0.1,reuseaddr "CREATE:$D/heard$version"
        wait_for listening_of "local$version"
        serve_as "connect$version" -P "$version" "$LOCAL_SERVER"
        call_as "connect-client$version"
        ended_as eof --text bytes --shut
        wait_end "local$version"
    done
    [ "$(cat "$D/heard1")" = $'PROXY UNKNOWN\r\nbytes' ]
    [ "$(od -An -v -tx1 "$D/heard2" | tr -d ' \n')" = 0d0a0d0a000d0a515549540a200000006279746573 ]
}

@test "either end turns clients away beyond --max-sessions" {
    start_relay
    start_echo
    serve --max-sessions 2 "$LOCAL_SERVER"
    call
    for _ in 1 2; do
        dial "$LOCAL"
        say "$FD" hello
        expect "$FD" hello
    done
    ended_as reset --text hello
    wait_said connect '^end service=web .* reason=error error=too.x20many.x20sessions'
    call_as connect-one --max-sessions 1
    stop connect
    serve_as connect2 "$LOCAL_SERVER"
    dial "$LOCAL"
    say "$FD" hello
    expect "$FD" hello
    ended_as reset --text hello
    wait_said connect-one '^refuse service=web/[0-9]+ client=127\.0\.0\.1:[0-9]+ reason=limit$'
}
