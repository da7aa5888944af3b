# muxado: a server that has gone, of which relayd hears at the worst moment.

load helper

# How many lines of the log match.
count_said() {
    grep -cE -- "$1" "$D/relayd.err" || :
}

# A server by hand, in v1: sets FD.
mux_server() {
    local opened

    opened=$(count_said '^open .* proto=muxado ')
    dial "127.0.0.1:$MUXADO"
    printf '\x00\x00\x00\x01\x00\x00\x00\x03' >&"$FD"
    wait_said relayd '^open .* proto=muxado ' $((opened + 1))
}

# A client of the PORT of one, in its session: sets FD.
mux_client() {
    local paired

    paired=$(count_said '^pair ')
    dial "127.0.0.1:$1"
    wait_said relayd '^pair ' $((paired + 1))
}

# Whoever has connected there has been taken.
taken() {
    [ "$(ss -Hltn "sport = :$1" | awk '{print $2}')" -eq 0 ]
}

@test "a service whose server has gone, which is heard while a client is let in at the limit" {
    local gone server client at

    find_ports 5
    at=("${POOL[@]}")
    MUXADO=${at[2]}
    start_relayd --max-sessions 3 "tlsrelay:127.0.0.1:$CONTROL+2" "muxado:127.0.0.1:$MUXADO+2"
    CONTROL=$((at[0] - 1))
    PORTS+=("${at[@]}")
    # A session that has a process of the nursery's, and a client for the next one.
    dial_control
    CONTROL_FD=$FD
    wait_said relayd '^open .* proto=tlsrelay '
    dial "127.0.0.1:${at[1]}"
    for _ in {1..3}; do
        hear "$CONTROL_FD"
    done
    dial "127.0.0.1:${at[0]}"
    wait_said relayd '^pair '
    dial "127.0.0.1:${at[1]}"
    hear "$CONTROL_FD"
    mux_server
    server=$FD
    mux_server
    gone=$FD
    mux_client "${at[3]}"
    client=$FD
    # While relayd waits for a nursery that does not answer, it has a client before it that it has not looked at.
    kill -STOP "${PID[relayd]}" "$(nurseries relayd)"
    dial "127.0.0.1:${at[0]}"
    dial "127.0.0.1:${at[4]}"
    kill -CONT "${PID[relayd]}"
    wait_for taken "${at[0]}"
    hang_up "$gone"
    printf '\x00\x04\x00\x02\x00\x00\x00\x04\x00\x00\x00\x07' >&"$server"
    [ "$(rest "$FD")" = "= reset" ]
    [ "$(rest "$client")" = "= reset" ]
    wait_said relayd '^close ' 1
    wait_said relayd '^pair ' 3
    alive relayd
}
