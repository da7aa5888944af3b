# Signals: TERM leaves the sessions running, USR1 waits for them, INT and QUIT
# end them; the same for both programs.

load helper

no_zombies() {
    [ -z "$(ps -o stat= -s "${PID[$1]}" | grep '^Z')" ]
}

@test "TERM: relayd leaves at once with 0, and sessions finish" {
    start_all
    hold_sessions "$PUBLIC" 20
    stop relayd TERM
    [ "$status" -eq 0 ]
    refused "$PUBLIC_PORT"
    all_alive 20
    finish_held
    load_served 20
}

@test "TERM: relay-connect leaves at once with 0, and sessions finish" {
    start_all
    hold_sessions "$PUBLIC" 20
    stop connect TERM
    [ "$status" -eq 0 ]
    wait_for refused "$PUBLIC_PORT"
    all_alive 20
    finish_held
    load_served 20
}

@test "USR1: relayd closes its ports and waiting clients, and leaves with 0 after the last session" {
    start_all
    serve_by_hand idle
    announced_client
    hold_sessions "$PUBLIC" 20
    kill -USR1 "${PID[relayd]}"
    wait_for refused "$CONTROL"
    refused "$PUBLIC_PORT"
    [ "$(rest "$CONTROL_FD")" = "= eof" ]
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    all_alive 20
    alive relayd
    finish_held
    wait_end relayd
    [ "$status" -eq 0 ]
    load_served 20
}

@test "USR1: relay-connect takes no more clients, and leaves with 0 after the last session" {
    start_all
    hold_sessions "$PUBLIC" 20
    kill -USR1 "${PID[connect]}"
    wait_said relayd '^close service=web '
    refused "$PUBLIC_PORT"
    all_alive 20
    alive connect
    finish_held
    wait_end connect
    [ "$status" -eq 0 ]
    load_served 20
}

@test "USR1 without a session is the end at once" {
    start_all
    stop connect USR1
    [ "$status" -eq 0 ]
    stop relayd USR1
    [ "$status" -eq 0 ]
}

@test "a second signal while draining: TERM leaves the sessions" {
    start_all
    hold_sessions "$PUBLIC" 5
    kill -USR1 "${PID[relayd]}"
    wait_for refused "$CONTROL"
    kill -USR1 "${PID[relayd]}"
    stop relayd TERM
    [ "$status" -eq 0 ]
    all_alive 5
    finish_held
}

@test "INT and QUIT end relayd's sessions too, with resets" {
    for signal in INT QUIT; do
        start_all
        start client "$TOOLS/drip" "$PUBLIC" --text x --wait 30000
        wait_said relayd '^pair '
        stop relayd "$signal"
        [ "$status" -eq 0 ]
        wait_for no_offspring relayd
        wait_end client
        [ "$(tail -n 1 "$D/client.out")" = "= reset" ]
        kill_sessions connect load
        rm "$D"/*.out "$D"/*.err
    done
}

@test "INT and QUIT end relay-connect's sessions too, with resets" {
    for signal in INT QUIT; do
        start_all
        start client "$TOOLS/drip" "$PUBLIC" --text x --wait 30000
        wait_said connect '^pair '
        stop connect "$signal"
        [ "$status" -eq 0 ]
        wait_for no_offspring connect
        wait_end client
        [ "$(tail -n 1 "$D/client.out")" = "= reset" ]
        kill_sessions relayd load
        rm "$D"/*.out "$D"/*.err
    done
}

@test "a signal that means nothing disturbs nothing" {
    start_all "${MANY[@]}" 127.0.0.1:0+8
    start storm "$BASH" -c "while kill -WINCH ${PID[relayd]} ${PID[connect]} &&
        kill -CONT ${PID[relayd]} ${PID[connect]} && kill -HUP ${PID[relayd]} ${PID[connect]}; do sleep 0.002; done"
    load_client "$PUBLIC" both --sessions 200 --at-once 20 --bytes 50000
    alive storm
    load_served 200
    not said relayd '^(refuse|reject|close) '
}

@test "ended children leave no zombies" {
    start_all "${MANY[@]}" 127.0.0.1:0+8
    load_client "$PUBLIC" both --sessions 200 --at-once 40 --bytes 1000
    wait_for no_zombies relayd
    wait_for no_zombies connect
    wait_for no_offspring relayd
    wait_for no_offspring connect
    wait_said relayd '^end ' 200
}

@test "nobody reads the log: nothing stops" {
    mkfifo "$D/log"
    start reader cat "$D/log"
    start relayd "$BASH" -c "exec ${RELAYD_WORDS[*]} ${MANY[*]} 127.0.0.1:0+8 2>'$D/log'"
    wait_for grep -q '^ready' "$D/reader.out"
    cp "$D/reader.out" "$D/relayd.err"
    read_ports relayd
    start_load
    start_connect -n web "127.0.0.1:$CONTROL" "$LOAD"
    kill -STOP "${PID[reader]}"
    load_client "$PUBLIC" both --sessions 1000 --at-once 20 --bytes 100
    kill_sessions reader
    load_client "$PUBLIC" both --sessions 20 --at-once 20 --bytes 100
    load_served 1020
}
