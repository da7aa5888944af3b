# kill: sessions are processes of their own; the death of one, or of a parent,
# harms no other.

load helper

first_child() {
    offspring "$1" | head -n 1
}

@test "kill -9 of one session child of 100: 99 go on" {
    start_all "${MANY[@]}" 127.0.0.1:0+8
    hold_sessions "$PUBLIC" 100
    kill -KILL "$(first_child relayd)"
    wait_said relayd '^end service=web .* reason=killed$'
    all_alive 99
    kill -KILL "$(first_child connect)"
    wait_said connect '^end .* reason=killed$'
    all_alive 98
    finish_held 2
    grep -c 'it was reset' "$D/hold.err" | grep -qx 2
    wait_for load_counts 100 2
}

@test "kill -9 of relayd: sessions finish, and ports and service come back" {
    find_ports 8
    control=$CONTROL
    start_all "127.0.0.1:$control+8"
    hold_sessions "$PUBLIC" 20
    stop relayd KILL
    all_alive 20
    began=$(now_ms)
    relayd_as relayd2 "127.0.0.1:$control+8"
    took=$(($(now_ms) - began))
    echo "ready after $took ms"
    [ "$took" -lt $((2000 * TIME_FACTOR)) ]
    wait_at_most 5 said relayd2 "^open service=web proto=new public=$PUBLIC "
    echo "service back after $(($(now_ms) - began)) ms"
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 100000
    all_alive 20
    finish_held
    load_served 40
    [ "$(wc -l <"$D/connect.out")" -eq 1 ]
}

@test "kill -9 of relay-connect: sessions finish, and a new one gets the same port" {
    start_all
    hold_sessions "$PUBLIC" 20
    stop connect KILL
    wait_said relayd '^close service=web reason=eof$'
    all_alive 20
    before=$PUBLIC
    connect_as connect2 -n web "127.0.0.1:$CONTROL" "$LOAD"
    [ "$PUBLIC" = "$before" ]
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 100000
    all_alive 20
    finish_held
    load_served 40
}

@test "kill -9 of both: sessions finish" {
    start_all
    hold_sessions "$PUBLIC" 20
    stop relayd KILL
    stop connect KILL
    all_alive 20
    finish_held
    load_served 20
}

@test "SIGSTOP of a child blocks nobody" {
    start_all
    hold_sessions "$PUBLIC" 20
    stopped=$(first_child relayd)
    kill -STOP "$stopped" "$(first_child connect)"
    begin_round
    load_client "$PUBLIC" both --sessions 50 --at-once 10 --bytes 100000
    kill -CONT "$stopped" "$(first_child connect)"
    end_round 20
    finish_held
    load_served 70
}

@test "SIGSTOP of relayd, or of relay-connect, stops no session" {
    start_all
    hold_sessions "$PUBLIC" 20
    kill -STOP "${PID[relayd]}" "${PID[connect]}"
    all_alive 20
    kill -CONT "${PID[relayd]}" "${PID[connect]}"
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 100000
    finish_held
    load_served 40
}

@test "a session child can be found and names its service and client" {
    start_all
    hold_sessions "$PUBLIC" 1
    for name in relayd connect; do
        client=$(value "$name" '^pair ' client)
        [ "$(value "$name" '^pair ' pid)" = "$(first_child "$name")" ]
        ps -o args= -p "$(first_child "$name")" | grep -q "web.* $client"
    done
    finish_held
}

sockets_of() {
    [ "$(readlink "/proc/$1/fd/"* | grep -c '^socket:')" -eq "$2" ]
}

# The third is where it reports to; a channel for the next session it has given up.
@test "a quiet session's child has its two sockets, one for its report, and no other" {
    start_all
    hold_sessions "$PUBLIC" 5
    for pid in $(offspring relayd) $(offspring connect); do
        wait_for sockets_of "$pid" 3
    done
    finish_held
}
