# ptth: the relay is reached through a command at both ends, and through TLS.
# long: 45 s

load helper
load auth
load ptth-connect

# It passes no end of file on, which is not needed here, and ends when the relay's connection does.
SOCAT='socat - TCP:%h:%p'

# Its own connection's command is there all the time.
COMMANDS=([connect]=1)

serve_via() {
    start_relay "${@:2}"
    start_load
    serve --via "$1" "$LOAD"
    call --via "$1"
}

@test "sessions go both ways, byte for byte" {
    serve_via "$SOCAT"
    load_client "$LOCAL" both --sessions 20 --at-once 5 --bytes 1048576
    load_served 20
    not said relayd '^end .* reason=(reset|error)'
}

@test "either end of file is passed on alone" {
    serve_via "$SOCAT"
    load_client "$LOCAL" client-first --sessions 30 --at-once 10 --up 10000 --down 1000000
    load_client "$LOCAL" server-first --sessions 30 --at-once 10 --up 1000000 --down 10000
    load_client "$LOCAL" client-closes --sessions 20 --at-once 10 --up 1048576 --down 0 --pause-server 200
    load_client "$LOCAL" server-closes --sessions 20 --at-once 10 --up 0 --down 1048576 --pause-client 200
    load_served 100
}

@test "a cut is a cut" {
    serve_via "$SOCAT"
    for who in client server; do
        load_client "$LOCAL" $who-resets --sessions 10 --at-once 5 --bytes 10000
        load_client "$LOCAL" $who-cuts --sessions 5 --at-once 5 --bytes 2000000
        load_client "$LOCAL" half-$who-resets --sessions 5 --at-once 5 --bytes 100000
    done
    load_served 40
    wait_for no_offspring connect-client
}

@test "where no local server listens the client is reset at once" {
    start_relay
    start_load
    stop load
    serve --via "$SOCAT" "$LOAD"
    call
    PUBLIC=$LOCAL
    resets_at_once
}

@test "a client that leaves at once frees all there is" {
    start_relay -c 2
    start_echo
    serve "$LOCAL_SERVER"
    call --via "$SOCAT"
    for _ in {1..10}; do
        "$TOOLS/drip" "$LOCAL" --text hello --split 0 --reset
    done
    wait_for no_offspring connect-client
    wait_for no_offspring connect
    wait_for no_offspring relayd
}

@test "no client is lost between polls" {
    serve_via "$SOCAT" --poll-timeout 1
    for _ in {1..20}; do
        load_client "$LOCAL" both --bytes 100
    done
    load_served 20
    not said connect '^lost'
}

@test "a command that cannot be run: the client is reset, the server tries again" {
    start_relay
    URL=ptth://$RELAY/web/80
    call --via "$D/nothing"
    ended_as reset --text hello
    wait_said connect-client '^end service=web/80 .* reason=error error=(the.x20relay.x20closed|Connection|Broken)'
    start connect "${CONNECT_WORDS[@]}" --via "$D/nothing" "ptth://$RELAY" localhost:1
    wait_said connect '^lost .*' 2
    [ ! -s "$D/connect.out" ]
    COMMANDS[connect]=0
}

@test "INT at either end resets the client and leaves no command" {
    start_relay
    start_echo
    for i in 1 2; do
        COMMANDS[connect$i]=1
        serve_as "connect$i" --via "$SOCAT" "$LOCAL_SERVER"
        call_as "connect-client$i" --via "$SOCAT"
        dial "$LOCAL"
        say "$FD" hello
        expect "$FD" hello
        who=connect$i
        [ "$i" -eq 1 ] || who=connect-client$i
        stop "$who" INT
        [ "$(rest "$FD")" = "= reset" ]
        wait_for no_offspring "$who"
    done
}

# A relay that ends the connection with each answer.
@test "a relay that closes each time is asked again by another command" {
    start_script
    cat >"$F/listen" <<'END'
sleep 0.6
say 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'
exit
END
    start connect "${CONNECT_WORDS[@]}" -n web --via "$SOCAT" "ptth://$FAKE" localhost:1
    wait_for at_least_requests listen 4
    not said connect '^(lost|via)'
    [ "$(ps -o args= -s "${PID[connect]}" | grep -c '^socat')" -le 2 ]
}

@test "so it is where the last one does not end by itself" {
    start_script
    echo "say 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'" >"$F/listen"
    printf '%s\n' '#!/bin/sh' 'trap "" TERM' 'socat - "TCP:$1:$2"' 'exec sleep 6' >"$D/script"
    chmod +x "$D/script"
    start connect "${CONNECT_WORDS[@]}" -n web --via "$D/script %h %p" "ptth://$FAKE" localhost:1
    wait_at_most 20 at_least_requests listen 3
    said connect '^via service=web pid=[0-9]+ signal=9$' 2
    not said connect '^lost'
}

# --- TLS

start_tls() {
    "$TOOLS/certs" "$D/certs"
    start_relay "$@"
    TLS_PORT=$(free_port)
    start tls socat "OPENSSL-LISTEN:$TLS_PORT,bind=127.0.0.1,fork,reuseaddr,backlog=200,verify=0,cert=$D/certs/server.pem" \
        "TCP:127.0.0.1:$CONTROL"
    wait_for listening "$TLS_PORT"
    RELAY=localhost:$TLS_PORT
    VIA="socat - OPENSSL:%h:%p,cafile=$D/certs/ca.pem"
}

@test "through TLS either end of file is passed on, and a cut is still a cut" {
    start_tls
    start_load
    serve --via "$VIA" "$LOAD"
    call --via "$VIA"
    load_client "$LOCAL" client-first --sessions 10 --at-once 5 --up 10000 --down 1000000
    load_client "$LOCAL" server-first --sessions 10 --at-once 5 --up 1000000 --down 10000
    for who in client server; do
        load_client "$LOCAL" $who-resets --sessions 5 --at-once 5 --bytes 10000
        load_client "$LOCAL" $who-cuts --sessions 5 --at-once 5 --bytes 2000000
    done
    load_served 40
}

@test "through openssl s_client" {
    start_tls
    VIA="openssl s_client -quiet -verify_quiet -no_ign_eof -nocommands -verify_return_error -verify_hostname localhost -CAfile $D/certs/ca.pem -connect %h:%p"
    start_load
    serve --via "$VIA" "$LOAD"
    call --via "$VIA"
    load_client "$LOCAL" client-first --sessions 5 --at-once 5 --up 10000 --down 1000000
    load_client "$LOCAL" server-first --sessions 5 --at-once 5 --up 1000000 --down 10000
    load_client "$LOCAL" server-cuts --sessions 5 --at-once 5 --bytes 2000000
    load_served 15
}
