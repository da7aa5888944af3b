# muxado: relayd before servers that do what they may not: it costs them a
# stream or the connection, and nobody else anything.
# long: 40 s

load helper
load muxado

# A server that has two clients: sets ONE, OTHER, ID_ONE and ID_OTHER.
two_clients() {
    serve
    session
    ONE=$CLIENT_FD ID_ONE=$ID
    session
    OTHER=$CLIENT_FD ID_OTHER=$ID
}

# What comes on a descriptor until the frame $2 has: all of it, in hex, in FRAMES.
frames_until() {
    cat <&"$1" >"$D/frames" &
    local pid=$!

    wait_for has_come "$2"
    kill "$pid"
    wait "$pid" 2>/dev/null || :
}

has_come() {
    FRAMES=$(od -An -v -t x1 "$D/frames")
    FRAMES=${FRAMES//[$' \n']/}
    [[ $FRAMES == *"$1"* ]]
}

@test "a client that does not read, and a server that ignores its window: that stream is reset, and no other" {
    start_relay
    flooded() {
        local refused=6

        [ "$V" = 1 ] || refused=5
        two_clients
        # More than the buffers of the system hold.
        data "$ID_ONE" "$(printf 'x%.0s' {1..16000})" | sed 's/../\\x&/g' >"$D/one"
        printf '%b' "$(cat "$D/one")" >"$D/frame"
        for _ in {1..800}; do
            cat "$D/frame"
        done >"$D/flood"
        syn 99 | sed 's/../\\x&/g' >"$D/marker"
        printf '%b' "$(cat "$D/marker")" >>"$D/flood"
        cat "$D/flood" >&"$SERVER_FD" &
        frames_until "$SERVER_FD" "$(rst 99 "$refused")"
        # Window, a reset, and what came behind it is nobody's.
        [[ $FRAMES =~ ^((0004000[34]0000000[25]|$(window "$ID_ONE" 0 | cut -c 1-16))[0-9a-f]{8})*$(rst "$ID_ONE" 3)($(rst "$ID_ONE" 4))+ ]]
        was_reset "$ONE"
        wait_said relayd "^end service=$SERVICE_PORT .* up=5 .* reason=reset$"
        flows "$OTHER" "$SERVER_FD" "$ID_OTHER"
    }
    both flooded
}

@test "a frame that is longer than the window resets its stream alone" {
    start_relay
    V=2
    two_clients
    { printf '\x04\x00\x01\x10\x00\x00\x00\x02'; head -c 262145 /dev/zero; } >"$D/flood"
    cat "$D/flood" >&"$SERVER_FD"
    told "$SERVER_FD" "$(rst "$ID_ONE" 3)"
    was_reset "$ONE"
    flows "$OTHER" "$SERVER_FD" "$ID_OTHER"
}

# ended_by CODE LAST HEX...: the server says that, is told GOAWAY with the code, and is closed; its clients are reset.
ended_by() {
    serve
    session
    say_hex "$SERVER_FD" "${@:3}"
    told "$SERVER_FD" "$(goaway "$2" "$1")" || { echo "for ${*:3}"; return 1; }
    ends "$SERVER_FD"
    was_reset "$CLIENT_FD"
    n=$((n + 1))
    wait_said relayd '^close service=[0-9]+ reason=line$' "$n"
    wait_said relayd '^end .* reason=reset$' "$n"
    wait_for not listening "$SERVICE_PORT"
    hang_up "$SERVER_FD"
    hang_up "$CLIENT_FD"
}

@test "what may not come ends the session: v1" {
    start_relay
    V=1 n=0
    bystander
    # Parity, 0, 1, a repeated id, a lower one.
    for id in 6 0 1 3; do
        ended_by 1 5 "$(syn "$id")"
    done
    # Ids that never were.
    for id in 0 6 7; do
        ended_by 1 5 "$(data "$id" x)"
        ended_by 1 5 "$(fin "$id")"
        ended_by 1 5 "$(rst "$id" 7)"
        ended_by 1 5 "$(window "$id" 7)"
    done
    # Types and lengths.
    for said in 0000000000000004 0000000700000004 0000001f00000004 0000000200000004 0000000400000004 \
        0000000600000000 0000040100000007; do
        ended_by 2 5 "$said"
    done
    unharmed
}

@test "what may not come ends the session: v2" {
    start_relay
    V=2 n=0
    bystander
    for id in 4 0 1 3; do
        ended_by 1 3 "$(syn "$id")"
    done
    for id in 0 4 5; do
        ended_by 1 3 "$(data "$id" x)"
        ended_by 1 3 "$(fin "$id")"
        ended_by 1 3 "$(rst "$id" 7)"
        ended_by 1 3 "$(window "$id" 7)"
    done
    ended_by 1 3 "$(window 2 0)"
    # The top bit.
    ended_by 1 3 0000001080000002
    ended_by 1 3 0000001280000005
    for said in 0000000000000002 0000050000000002 0000002000000002 0000052000000002 0000003000000000; do
        ended_by 8 3 "$said"
    done
    # Too much window.
    ended_by 1 3 "$(window 2 4294967295)"
    unharmed
}

@test "a server that does not send heartbeats back has 13 s" {
    start_relay
    V=1
    serve
    session
    began=$(now_ms)
    V=2
    serve
    other=("$SERVER_FD" "$CLIENT_FD")
    wait_at_most 20 said relayd '^close service=[0-9]+ reason=timeout$'
    took=$(($(now_ms) - began))
    echo "$took ms"
    [ "$took" -ge 11000 ]
    [ "$took" -lt $((15000 * TIME_FACTOR)) ]
    was_reset "$CLIENT_FD"
    wait_said relayd '^end .* reason=reset$'
    session
    not said relayd '^close ' 2
}
