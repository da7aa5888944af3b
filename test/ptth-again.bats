# ptth: relay-connect's ends through restarts, signals and polls.
# long: 30 s

load helper
load ptth-connect

relay_again() {
    find_ports 0
    RELAY=127.0.0.1:$CONTROL
    start_relayd "${MANY[@]}" "$@" "ptth:$RELAY"
}

@test "relayd ends and comes again: sessions go on, and the server listens by itself" {
    relay_again
    start_echo
    serve "$LOCAL_SERVER"
    call
    open_session
    held=$FD
    stop relayd
    wait_said connect '^lost service=web '
    start_relayd "${MANY[@]}" "ptth:$RELAY"
    wait_said connect '^open service=web ' 2
    wait_said relayd '^open service=web/' 2
    FD=$held
    still_open
    hang_up "$FD"
    open_session
    [ "$(cat "$D/connect.out")" = "$URL" ]
}

@test "a relay that is not there yet is waited for" {
    find_ports 0
    RELAY=127.0.0.1:$CONTROL
    start_echo
    start connect "${CONNECT_WORDS[@]}" -n web "ptth://$RELAY" "$LOCAL_SERVER"
    wait_said connect '^lost service=web .* reason=Connection.x20refused$'
    [ ! -s "$D/connect.out" ]
    start_relayd "${MANY[@]}" "ptth:$RELAY"
    wait_for printed connect 1
    URL=$(cat "$D/connect.out")
    call
    open_session
}

@test "--once: 1 where no relay was reached, 0 when one ends, and sessions go on" {
    find_ports 0
    RELAY=127.0.0.1:$CONTROL
    start_echo
    run timeout 10 "${CONNECT_WORDS[@]}" -1 "ptth://$RELAY" "$LOCAL_SERVER"
    [ "$status" -eq 1 ]
    start_relayd "${MANY[@]}" "ptth:$RELAY"
    serve --once "$LOCAL_SERVER"
    call
    open_session
    stop relayd
    wait_end connect
    [ "$status" -eq 0 ]
    still_open
}

@test "--once outlives polls" {
    start_relay --poll-timeout 1
    start_echo
    serve --once "$LOCAL_SERVER"
    call
    sleep 2.5
    open_session
    alive connect
}

@test "204 after 204, and no client is lost" {
    start_relay --poll-timeout 1
    start_load
    serve "$LOAD"
    call
    clients=()
    for _ in {1..60}; do
        load_client "$LOCAL" both --bytes 100 &
        clients+=($!)
        sleep 0.05
    done
    wait "${clients[@]}"
    load_served 60
    not said relayd '^(refuse|close) '
    not said connect '^lost'
    said connect '^open ' 1
    [ "$(wc -l <"$D/connect.out")" -eq 1 ]
}

@test "a poll that is renewed costs nothing to speak of" {
    start_relay --poll-timeout 1
    serve localhost:1
    at_rest relayd connect
    not said connect '^(lost|retry)'
}

@test "USR1: either end takes no more clients, and leaves with its last session" {
    start_relay
    start_echo
    serve "$LOCAL_SERVER"
    call
    open_session
    kill -USR1 "${PID[connect-client]}"
    wait_said connect-client '^drain sessions=1'
    wait_for refused "${LOCAL##*:}"
    still_open
    kill -USR1 "${PID[connect]}"
    wait_said connect '^drain sessions=1'
    still_open
    hang_up "$FD"
    for who in connect connect-client; do
        wait_end "$who"
        [ "$status" -eq 0 ]
    done
}

@test "TERM: either end leaves at once, and the session goes on" {
    start_relay
    start_echo
    serve "$LOCAL_SERVER"
    call
    open_session
    for who in connect connect-client; do
        stop "$who"
        [ "$status" -eq 0 ]
        still_open
    done
}

@test "INT: either end resets its sessions" {
    start_relay
    start_echo
    for who in connect connect-client; do
        serve_as "connect-$who" "$LOCAL_SERVER"
        call_as "connect-client-$who"
        open_session
        if [ "$who" = connect ]; then stop connect-connect INT; else stop connect-client-connect-client INT; fi
        [ "$status" -eq 0 ]
        [ "$(rest "$FD")" = "= reset" ]
    done
}

@test "INT while connect is held" {
    start_relay
    URL=ptth://$RELAY/web/80
    call
    dial "$LOCAL"
    wait_said connect-client '^pair '
    stop connect-client INT
    [ "$(rest "$FD")" = "= reset" ]
    wait_for no_offspring connect-client
}
