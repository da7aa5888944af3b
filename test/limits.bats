# Limits: at one of them clients are refused; out of descriptors they are left
# waiting, and nothing spins.
# long: 25 s

load helper

# A client of the service by hand that is in a session.
served_client() {
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

# The next client is refused, for this reason.
next_refused() {
    local before

    before=$(grep -c "^refuse .* reason=$1$" "$D/relayd.err" || :)
    dial "127.0.0.1:$SERVICE_PORT"
    [ "$(rest "$FD")" = "= reset" ]
    wait_said relayd "^refuse service=[^ ]+ client=127\.0\.0\.1:[0-9]+ reason=$1$" $((before + 1))
}

# Ends the session of the last client.
end_session() {
    hang_up "$CLIENT_FD"
    hang_up "$DATA_FD"
    wait_said relayd '^end '
}

@test "--max-per-source: of one address, and not of another" {
    start_relayd --max-per-source 3 127.0.0.1:0+8
    serve_by_hand web
    served_client
    served_client
    announced_client
    next_refused limit
    start other "$TOOLS/drip" "127.0.0.1:$SERVICE_PORT" --from 127.0.0.2
    expect "$CONTROL_FD" '.* from=127\.0\.0\.2:[0-9]+'
    claim "$ID"
    end_session
    served_client
    next_refused limit
}

@test "--max-per-service: of one service, and not of another" {
    start_relayd --max-per-service 2 127.0.0.1:0+8
    serve_by_hand one
    served_client
    announced_client
    next_refused limit
    serve_by_hand two
    served_client
    announced_client
}

@test "--max-sessions: of all together" {
    start_relayd --max-sessions 3 127.0.0.1:0+8
    serve_by_hand one
    served_client
    serve_by_hand two
    served_client
    announced_client
    next_refused limit
    claim "$ID"
    end_session
    served_client
}

@test "--max-waiting: of those who are not in a session yet" {
    start_relayd --max-waiting 2 127.0.0.1:0+8
    serve_by_hand web
    served_client
    served_client
    announced_client
    announced_client
    next_refused full
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    announced_client
}

# A connection that has not said who it is; sets FD.
unknown() {
    dial_control
    printf '[' >&"$FD"
}

@test "--max-unknown: a quarter of it from one source" {
    start_relayd --max-unknown 8 127.0.0.1:0+8
    unknown
    first=$FD
    unknown
    [ "$("$TOOLS/drip" "127.0.0.1:$CONTROL" --text '[')" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=full$'
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --from 127.0.0.2 --text $'[HELLO] v=1 name=web\n' --until $'\n' | grep -q '^\[PUBLIC\]'
    say "$first" 'HELLO] v=1 name=mine'
    expect "$first" '\[PUBLIC\] .*'
}

@test "--max-unknown: a server's address is not held to the quarter" {
    start_relayd --max-unknown 8 127.0.0.1:0+8
    serve_by_hand web
    for _ in {1..5}; do
        unknown
        silent "$FD" 0.05
    done
    served_client
}

@test "--max-unknown: of all sources together; the oldest makes room after a second" {
    start_relayd --max-unknown 8 127.0.0.1:0+8
    for i in {1..8}; do
        start "unknown$i" "$TOOLS/drip" "127.0.0.1:$CONTROL" --from "127.0.0.$((10 + i / 2))" --text '[' --wait 9000
        wait_for unknown_connections "$i"
    done
    sleep 1
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --from 127.0.0.99 --text $'[HELLO] v=1 name=web\n' --until $'\n' | grep -q '^\[PUBLIC\]'
    wait_for grep -qx '= reset' "$D/unknown1.out"
    said relayd '^reject from=127\.0\.0\.10:[0-9]+ reason=full$'
    wait_for unknown_connections 7
}

unknown_connections() {
    [ "$(descriptors relayd)" -eq $((DESCRIPTORS[relayd] + $1)) ]
}

@test "200 clients with 40 descriptors: no spin, no exit, and room is used within 2 s" {
    soft=$(ulimit -Sn)
    ulimit -Sn 40
    start_relayd -c 60 127.0.0.1:0+4
    ulimit -Sn "$soft"
    serve_by_hand web
    start crowd "$TOOLS/load" client "127.0.0.1:$SERVICE_PORT" --sessions 200 --at-once 200 --timeout 5
    expect "$CONTROL_FD" '\[NEW\].*'
    sleep 1
    before=$(cpu_ms "${PID[relayd]}")
    sleep 3
    used=$(($(cpu_ms "${PID[relayd]}") - before))
    echo "in 3 s it used $used ms of the processor"
    [ "$used" -lt $((150 * TIME_FACTOR)) ]
    alive relayd
    # The crowd loses patience and resets: now there is room.
    wait_end crowd
    began=$(now_ms)
    start late "$TOOLS/drip" "127.0.0.1:$SERVICE_PORT" --text hello --until and --wait 20000
    late_claimed
    echo "the next client was served after $(($(now_ms) - began)) ms"
    [ $(($(now_ms) - began)) -lt $((2000 * TIME_FACTOR)) ]
    said relayd '^pause '
}

# Claims every id until a client says hello; the rest of the crowd is reset.
late_claimed() {
    local got

    while expect "$CONTROL_FD" '.* id=([0-9a-f]{32}) .*'; do
        claim "${BASH_REMATCH[1]}"
        got=
        IFS= read -r -n 5 -t 0.2 -u "$DATA_FD" got 2>/dev/null || :
        hang_up "$DATA_FD"
        [ "$got" != hello ] || return 0
    done
    return 1
}

@test "200 clients at once with 40 descriptors are all served, one after the other" {
    soft=$(ulimit -Sn)
    ulimit -Sn 40
    start_relayd "${MANY[@]}" -c 60 127.0.0.1:0+4
    start_load
    start_connect --max-sessions 500 -n web "127.0.0.1:$CONTROL" "$LOAD"
    ulimit -Sn "$soft"
    load_client "$PUBLIC" both --sessions 200 --at-once 200 --bytes 10000 --timeout 60
    load_served 200
}

@test "relayd says at start where it has too few descriptors for its ports" {
    soft=$(ulimit -Sn)
    ulimit -Sn 40
    run timeout 10 "${RELAYD_WORDS[@]}" 127.0.0.1:0+200
    ulimit -Sn "$soft"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output = *"ulimit -n"* ]]
}
