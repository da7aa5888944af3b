# muxado: what becomes of the streams, relayd's side: ends of either direction,
# resets, processes that die, signals and limits.
# long: 40 s

load helper
load muxado

ended_as() {
    wait_said relayd "^end service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ up=$1 down=$2 seconds=[0-9.]+ reason=$3$"
}

# A client that has ended its direction, by socat; what it gets is in $D/client.out.
half_client() {
    printf question >"$D/question"
    INPUT=$D/question start client socat -t 30 - "TCP:127.0.0.1:$SERVICE_PORT"
    ID=$NEXT
    NEXT=$((NEXT + 2))
    told "$SERVER_FD" "$(syn "$ID")" "$(data "$ID" question)" "$(fin "$ID")"
}

@test "a client's end comes as FIN, and it gets the answer that follows" {
    start_relay
    ends_first() {
        serve
        rm -f "$D/client.out"
        half_client
        for part in the whole answer; do
            say_hex "$SERVER_FD" "$(data "$ID" "$part ")"
            told "$SERVER_FD" "$(window "$ID" $((${#part} + 1)))"
        done
        alive client
        say_hex "$SERVER_FD" "$(fin "$ID")"
        wait_end client
        [ "$status" -eq 0 ]
        [ "$(cat "$D/client.out")" = "the whole answer " ]
        ended_as 8 17 eof
    }
    both ends_first
}

@test "a server's FIN is an end of file, and what the client says then arrives" {
    start_relay
    ends_first() {
        serve
        session
        say_hex "$SERVER_FD" "$(data "$ID" bye)" "$(fin "$ID")"
        [ "$(timeout 5 cat <&"$CLIENT_FD")" = bye ]
        printf 'and more' >&"$CLIENT_FD"
        frame "$SERVER_FD"
        [ "$FRAME" = "$(data "$ID" 'and more')" ] || {
            [ "$FRAME" = "$(window "$ID" 3)" ]
            told "$SERVER_FD" "$(data "$ID" 'and more')"
        }
        hang_up "$CLIENT_FD"
        told "$SERVER_FD" "$(fin "$ID")"
        ended_as 13 7 eof
    }
    both ends_first
}

@test "FIN may come with the last bytes" {
    start_relay
    together() {
        serve
        session
        [ "$V" = 1 ] && say_hex "$SERVER_FD" 00030103 "$(number "$ID")" 627965 ||
            say_hex "$SERVER_FD" 00000311 "$(number "$ID")" 627965
        [ "$(timeout 5 cat <&"$CLIENT_FD")" = bye ]
    }
    both together
}

@test "a client's reset is RST 7, and the server's RST resets the client" {
    start_relay
    resets() {
        serve
        session
        other=("$CLIENT_FD" "$SERVER_FD" "$ID")
        start "leaver$V" socat -u "EXEC:echo hello" "TCP:127.0.0.1:$SERVICE_PORT,linger=0"
        told "$SERVER_FD" "$(syn "$NEXT")"
        frame "$SERVER_FD"
        [ "$FRAME" = "$(rst "$NEXT" 7)" ] || told "$SERVER_FD" "$(rst "$NEXT" 7)"
        NEXT=$((NEXT + 2))
        # What the server says to it meanwhile is nobody's.
        say_hex "$SERVER_FD" "$(window $((NEXT - 2)) 5)" "$(data $((NEXT - 2)) x)" "$(fin $((NEXT - 2)))"
        told "$SERVER_FD" "$(rst $((NEXT - 2)) 4)"
        for code in 0 2 4 7 99; do
            client
            say_hex "$SERVER_FD" "$(data "$ID" x)" "$(rst "$ID" "$code")"
            [[ "$(rest "$CLIENT_FD")" =~ ^x?=\ reset$ ]]
        done
        flows "${other[@]}"
        said relayd "^end service=$SERVICE_PORT .* reason=reset$" 6
    }
    both resets
}

@test "a server that has closed both ways: the client has all, and is not reset for what it says then" {
    start_relay
    closes() {
        serve
        session
        say_hex "$SERVER_FD" "$(data "$ID" bye)" "$(fin "$ID")"
        told "$SERVER_FD" "$(window "$ID" 3)"
        printf more >&"$CLIENT_FD"
        told "$SERVER_FD" "$(data "$ID" more)"
        say_hex "$SERVER_FD" "$(rst "$ID" 4)"
        # Until relayd has seen that.
        say_hex "$SERVER_FD" "$(syn 99)"
        frame "$SERVER_FD"
        for _ in {1..5}; do
            printf 'and more' >&"$CLIENT_FD"
        done
        [ "$(rest "$CLIENT_FD")" = 'bye= eof' ]
        printf 'still more' >&"$CLIENT_FD"
        hang_up "$CLIENT_FD"
        wait_said relayd "^end service=$SERVICE_PORT .* reason=eof$"
        session
    }
    both closes
}

@test "when the connection ends, streams whose FIN has come end well, and the others are reset" {
    start_relay
    ends() {
        serve
        session
        done=$CLIENT_FD
        say_hex "$SERVER_FD" "$(data "$ID" all)" "$(fin "$ID")"
        told "$SERVER_FD" "$(window "$ID" 3)"
        session
        say_hex "$SERVER_FD" "$(data "$ID" part)"
        told "$SERVER_FD" "$(window "$ID" 4)"
        hang_up "$SERVER_FD"
        [ "$(rest "$CLIENT_FD")" = 'part= reset' ]
        [ "$(rest "$done")" = 'all= eof' ]
        hang_up "$done"
        wait_said relayd "^end service=$SERVICE_PORT .* reason=reset$"
        wait_said relayd "^end service=$SERVICE_PORT .* reason=eof$"
    }
    V=2 ends
}

@test "a process that is killed: its clients are reset, and nobody else's" {
    start_relay
    bystander
    killed() {
        serve
        session
        kill -KILL "$(carrier relayd "$SERVICE_PORT")"
        was_reset "$CLIENT_FD"
        ends "$SERVER_FD"
        ended_as 0 0 killed
        wait_said relayd "^close service=$SERVICE_PORT reason=killed$"
        wait_for not listening "$SERVICE_PORT"
        unharmed
    }
    both killed
}

@test "TERM: the streams go on by themselves, and then the connection ends" {
    leaves() {
        rm -f "$D/relayd.err"
        start_relay
        serve
        session
        stop relayd
        [ "$status" -eq 0 ]
        flows "$CLIENT_FD" "$SERVER_FD" "$ID"
        not listening "$SERVICE_PORT"
        hang_up "$CLIENT_FD"
        told "$SERVER_FD" "$(fin "$ID")"
        say_hex "$SERVER_FD" "$(fin "$ID")"
        told "$SERVER_FD" "$(goaway 5 0)" || [ "$FRAME" = "$(goaway 3 0)" ]
        was_ended "$SERVER_FD"
    }
    both leaves
}

@test "TERM while nobody is served ends the connection" {
    start_relay
    V=2
    serve
    stop relayd
    told "$SERVER_FD" "$(goaway 3 0)"
    was_ended "$SERVER_FD"
}

@test "relayd killed: the streams go on" {
    start_relay
    V=2
    serve
    session
    kill -KILL "${PID[relayd]}"
    wait_end relayd
    flows "$CLIENT_FD" "$SERVER_FD" "$ID"
    hang_up "$CLIENT_FD"
    told "$SERVER_FD" "$(fin "$ID")"
}

@test "USR1: no more clients, and relayd leaves with the last stream" {
    start_relay
    V=2
    serve
    session
    kill -USR1 "${PID[relayd]}"
    wait_said relayd "^close service=$SERVICE_PORT reason=drain$"
    not listening "$SERVICE_PORT"
    flows "$CLIENT_FD" "$SERVER_FD" "$ID"
    alive relayd
    hang_up "$CLIENT_FD"
    told "$SERVER_FD" "$(fin "$ID")"
    say_hex "$SERVER_FD" "$(fin "$ID")"
    wait_end relayd
    [ "$status" -eq 0 ]
    ended_as 10 8 eof
}

@test "INT: the streams end, too, with resets" {
    start_relay
    V=2
    serve
    session
    stop relayd INT
    [ "$status" -eq 0 ]
    was_reset "$CLIENT_FD"
    ends "$SERVER_FD"
}

@test "limits: sessions in all, of a service, and idle ones" {
    start_relay --max-sessions 3 --max-per-service 2 -i 2
    V=2
    serve
    session
    first=$CLIENT_FD first_id=$ID
    session
    dial "127.0.0.1:$SERVICE_PORT"
    was_reset "$FD"
    wait_said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=limit$"
    kept=("$SERVER_FD" "$SERVICE_PORT" "$NEXT")
    serve
    session
    dial "127.0.0.1:$SERVICE_PORT"
    was_reset "$FD"
    wait_said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=limit$"
    was_reset "$CLIENT_FD"
    ended_as 5 4 idle
    told "$SERVER_FD" "$(rst "$ID" 7)"
    SERVER_FD=${kept[0]} SERVICE_PORT=${kept[1]} NEXT=${kept[2]}
    wait_said relayd "^end service=$SERVICE_PORT .* reason=idle$" 2
    for _ in 1 2; do
        frame "$SERVER_FD"
    done
    session
}

# at_rest PID: it uses next to no processor time.
at_rest() {
    local before used

    before=$(cpu_ms "$1")
    sleep 1
    used=$(($(cpu_ms "$1") - before))
    echo "$used ms"
    [ "$used" -le 50 ]
}

@test "a process whose streams all wait does nothing" {
    start_relay
    V=2
    serve
    session
    pid=$(carrier relayd "$SERVICE_PORT")
    # One sends more than the server takes.
    start blocked socat -u OPEN:/dev/zero "TCP:127.0.0.1:$SERVICE_PORT"
    told "$SERVER_FD" "$(syn "$NEXT")"
    NEXT=$((NEXT + 2))
    wait_for eval 'ss -Htn state established "dport = :$SERVICE_PORT" | awk "\$2 > 100000" | grep -q .'
    at_rest "$pid"
    # And one so, whose connection has ended both ways but for that.
    start ended socat -u "EXEC:head -c 600000 /dev/zero" "TCP:127.0.0.1:$SERVICE_PORT"
    frames_skipped_until "$(syn "$NEXT")"
    wait_end ended
    say_hex "$SERVER_FD" "$(fin "$NEXT")" "$(syn 99)"
    frames_skipped_until "$(rst 99 5)"
    at_rest "$pid"
}

# Frames before that one do not matter.
frames_skipped_until() {
    while frame "$SERVER_FD" && [ "$FRAME" != "$1" ]; do
        :
    done
}
