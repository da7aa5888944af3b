# Garbage: whatever arrives costs its sender the connection, and nobody else anything.

load helper

# relayd takes servers and clients as before.
works() {
    serve_by_hand "works$((++worked))"
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "garbage on the control port" {
    start_relayd
    for seed in {1..40}; do
        "$TOOLS/drip" "127.0.0.1:$CONTROL" --garbage "$seed" 700 --split 0 >"$D/answer"
        [ "$(tail -n 1 "$D/answer")" != "= open" ]
        not grep -av '^\[ERROR\] line\|^= ' "$D/answer"
    done
    not said relayd '^open '
    works
}

@test "bytes that are no text in a line" {
    start_relayd
    dial_control
    printf '[HELLO] v=1 name=we\0b\n' >&"$FD"
    expect "$FD" '\[ERROR\] line.*'
    dial_control
    printf '[HELLO] v=1 name=web note=\xc3\xa4\n' >&"$FD"
    expect "$FD" '\[ERROR\] line.*'
    dial_control
    printf '\n' >&"$FD"
    expect "$FD" '\[ERROR\] line.*'
    works
}

@test "garbage on an open control connection ends that service alone" {
    start_relayd
    serve_by_hand other
    other=$CONTROL_FD other_port=$SERVICE_PORT
    for seed in {1..10}; do
        serve_by_hand "web$seed"
        head -c 700 /dev/urandom >&"$CONTROL_FD"
        rest "$CONTROL_FD" >"$D/answer"
        [ "$(tail -n 1 "$D/answer")" != "= open" ]
        wait_said relayd "^close service=web$seed reason="
        refused "$SERVICE_PORT"
    done
    CONTROL_FD=$other SERVICE_PORT=$other_port
    announced_client
    works
}

@test "garbage on a public port is the server's, byte for byte" {
    start_relayd
    serve_by_hand web
    for _ in {1..10}; do
        announced_client
        head -c 5000 /dev/urandom >"$D/sent"
        cat "$D/sent" >&"$CLIENT_FD"
        hang_up "$CLIENT_FD"
        claim "$ID"
        timeout 5 cat <&"$DATA_FD" >"$D/got"
        cmp "$D/sent" "$D/got"
        hang_up "$DATA_FD"
    done
    works
}

@test "garbage on a reverse port" {
    start_relayd
    dial_control
    wait_said relayd '^open service='
    for seed in {1..10}; do
        "$TOOLS/drip" "127.0.0.1:${POOL[1]}" --garbage "$seed" 700 --split 0 >"$D/answer"
        [[ "$(cat "$D/answer")" =~ ^=\ (eof|reset)$ ]]
    done
    not said relayd '^close '
    works
}

@test "garbage behind a claim is the session's" {
    start_relayd
    serve_by_hand web
    announced_client
    dial_control
    head -c 3000 /dev/urandom >"$D/sent"
    { echo "[DATA] id=$ID"; cat "$D/sent"; } >"$D/all"
    cat "$D/all" >&"$FD"
    hang_up "$FD"
    timeout 5 cat <&"$CLIENT_FD" >"$D/got"
    cmp "$D/sent" "$D/got"
    works
}

@test "what peers say is escaped in the log" {
    start_relayd
    start connect "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$CONTROL" localhost:1
    wait_for test -s "$D/connect.out"
    for seed in {1..10}; do
        "$TOOLS/drip" "127.0.0.1:$CONTROL" --garbage "$seed" 700 --split 0 >/dev/null
    done
    dial_control
    printf '[HELLO] v=1 name=web\033[31m\n' >&"$FD"
    expect "$FD" '\[ERROR\] line.*'
    not grep -aP '[^\x20-\x7e]' "$D/relayd.err" "$D/connect.err"
}

@test "10,000 connections to the control port that are reset at once" {
    start_relayd
    serve_by_hand web
    "$TOOLS/churn" "127.0.0.1:$CONTROL" "$(scaled 5000)"
    "$TOOLS/churn" "127.0.0.1:$CONTROL" "$(scaled 5000)" 10
    silent "$CONTROL_FD"
    announced_client
    works
}

@test "10,000 clients that are reset at once" {
    start_all
    "$TOOLS/churn" "$PUBLIC" "$(scaled 5000)"
    "$TOOLS/churn" "$PUBLIC" "$(scaled 5000)" 10
    wait_for no_offspring relayd
    wait_for no_offspring connect
    # Of the same source: once those that have gone have lost their places.
    wait_at_most 2 "$TOOLS/load" client "$PUBLIC" --sessions 50 --at-once 10 --bytes 100000
    not said relayd '^close '
    works
}
