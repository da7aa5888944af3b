# new: servers that say hello. The conversation, byte for byte.

load helper

@test "a hello is answered with the lowest public port, and logged" {
    start_relayd
    dial_control
    say "$FD" '[HELLO] v=1 name=web'
    hear "$FD"
    [ "$REPLY" = "[PUBLIC] 127.0.0.1:${POOL[0]}" ]
    said relayd "^open service=web proto=new public=127\.0\.0\.1:${POOL[0]} from=127\.0\.0\.1:[0-9]+$"
}

@test "a client is announced with id and address, and the claim makes the session" {
    start_relayd
    serve_by_hand web
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    local_port=$(ss -Htn "dport = :$SERVICE_PORT" | awk '{sub(/.*:/, "", $4); print $4}')
    expect "$CONTROL_FD" "\[NEW\]$CONTROL id=([0-9a-f]{32}) from=127\.0\.0\.1:$local_port"
    claim "${BASH_REMATCH[1]}"
    talks "$CLIENT_FD" "$DATA_FD"
    said relayd "^pair service=web client=127\.0\.0\.1:$local_port pid=[0-9]+ waited_ms=[0-9]+$"
    hang_up "$CLIENT_FD"
    hang_up "$DATA_FD"
    wait_said relayd "^end service=web client=127\.0\.0\.1:$local_port pid=[0-9]+ up=11 down=9 seconds=[0-9.]+ reason=eof$"
}

@test "what follows the claim in the same write is the session's" {
    start_relayd
    serve_by_hand web
    announced_client
    dial_control
    say_at_once "$FD" '[DATA] id=%s\nfirst\nsecond\n' "$ID"
    expect "$CLIENT_FD" first
    expect "$CLIENT_FD" second
}

@test "what a client said before it was paired arrives" {
    start_relayd
    serve_by_hand web
    announced_client
    say "$CLIENT_FD" early
    claim "$ID"
    expect "$DATA_FD" early
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "a waiting client's end of file is no departure" {
    start_relayd
    serve_by_hand web
    start client "$TOOLS/drip" "127.0.0.1:$SERVICE_PORT" --text request --split 0 --shut
    expect "$CONTROL_FD" '.* id=([0-9a-f]{32}) .*'
    claim "${BASH_REMATCH[1]}"
    [ "$(timeout 5 head -c 7 <&"$DATA_FD")" = request ]
    printf answer >&"$DATA_FD"
    hang_up "$DATA_FD"
    wait_end client
    [ "$(cat "$D/client.out")" = "answer= eof" ]
}

@test "a waiting client that resets is gone, and its id is dead" {
    start_relayd
    serve_by_hand web
    mkfifo "$D/text"
    exec {text}<>"$D/text"
    DIALLED+=("$text")
    INPUT=$D/text start client socat -u - "TCP:127.0.0.1:$SERVICE_PORT,linger=0"
    say "$text" x
    expect "$CONTROL_FD" '.* id=([0-9a-f]{32}) .*'
    # Not before it is announced, or there may be nobody to announce.
    stop client KILL
    wait_said relayd '^refuse service=web client=127\.0\.0\.1:[0-9]+ reason=gone$'
    claim "${BASH_REMATCH[1]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
}

@test "an id is good for one claim" {
    start_relayd
    serve_by_hand web
    announced_client
    claim "$ID"
    first=$DATA_FD
    talks "$CLIENT_FD" "$first"
    claim "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    talks "$CLIENT_FD" "$first"
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason='
}

@test "an id may be given back in upper case" {
    start_relayd
    serve_by_hand web
    announced_client
    claim "${ID^^}"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "a claim that is no good is reset without a line" {
    start_relayd
    serve_by_hand web
    announced_client
    for line in "[DATA] id=00000000000000000000000000000000" "[DATA]" "[DATA] id=" "[DATA] id=${ID:1}" \
        "[DATA] id=${ID}0" "[DATA] id=${ID:0:31}g" "[DATA]id=$ID" "[DATA]  id=$ID" "[DATA] id=$ID"$'\r'; do
        dial_control
        say "$FD" "$line"
        [ "$(rest "$FD")" = "= reset" ] || { echo "not reset: $line"; false; }
    done
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "a malformed line is answered with [ERROR] line, and the connection ends" {
    start_relayd
    long_name=$(printf 'n%.0s' {1..65})
    for line in hello '[HELLO' 'HELLO] v=1 name=web' '[] v=1' '' ' [HELLO] v=1 name=web' '[HELLO]v=1 name=web' \
        '[HELLO]  v=1 name=web' '[HELLO] v=1 name=web ' $'[HELLO] v=1 name=web\r' '[HELLO] v=1 name' '[HELLO] v=1 =web' \
        '[HELLO] v=1 name=' '[HELLO] v=1 name=a/b' "[HELLO] v=1 name=$long_name" '[HELLO] v=1' '[HELLO] v=x name=web' \
        '[HELLO] v=1 name=web port=99999' '[HELLO] v=1 name=web port=x' $'[HELLO] v=1\tname=web' '[PING]' '[PUBLIC] a:1'; do
        dial_control
        say "$FD" "$line"
        expect "$FD" '\[ERROR\] line.*' || { echo "line: '$line'"; false; }
        [ "$(rest "$FD")" = "= eof" ]
    done
    not said relayd '^open '
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=line$'
}

@test "the longest name is 64 characters" {
    start_relayd
    serve_by_hand "$(printf 'aZ0._-%.0s' {1..11} | head -c 64)"
}

@test "another version is refused" {
    start_relayd
    for version in 0 2 ''; do
        dial_control
        say "$FD" "[HELLO] ${version:+v=$version }name=web"
        expect "$FD" '\[ERROR\] version.*'
        [ "$(rest "$FD")" = "= eof" ]
    done
}

@test "a second hello on one connection is an error" {
    start_relayd
    serve_by_hand web
    say "$CONTROL_FD" '[HELLO] v=1 name=web'
    expect "$CONTROL_FD" '\[ERROR\] line.*'
    [ "$(rest "$CONTROL_FD")" = "= eof" ]
    wait_said relayd '^close service=web reason='
    refused "$SERVICE_PORT"
}

@test "unknown keys and unknown words are ignored" {
    start_relayd
    dial_control
    say_at_once "$FD" '[WHAT] is=this\n[HELLO] color=blue v=1 name=web empty= colour=red\n'
    expect "$FD" "\[PUBLIC\] 127\.0\.0\.1:${POOL[0]}"
    say "$FD" '[NEWS] at=eleven'
    say "$FD" '[NEWS]'
    CONTROL_FD=$FD SERVICE_PORT=${POOL[0]}
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "a line of 512 bytes is taken, one of 513 is not" {
    start_relayd
    pad=$(printf 'x%.0s' {1..600})
    hello='[HELLO] v=1 name=web pad='
    dial_control
    say "$FD" "$hello${pad:0:511-${#hello}}"
    expect "$FD" '\[PUBLIC\] .*'
    hang_up "$FD"
    wait_said relayd '^close service=web reason=eof$'
    for length in 512 513 600; do
        dial_control
        printf '%s' "$hello${pad:0:length-${#hello}}" >&"$FD"
        [ "$length" -gt 512 ] || printf '\n' >&"$FD"
        expect "$FD" '\[ERROR\] line.*'
    done
    said relayd '^open ' 1
    not said relayd '^open ' 2
}

@test "a long claim is reset without a line" {
    start_relayd
    serve_by_hand web
    announced_client
    dial_control
    printf '[DATA] id=%s pad=%0600d\n' "$ID" 0 >&"$FD"
    [ "$(rest "$FD")" = "= reset" ]
}

@test "a hello may be split at every byte" {
    start_relayd
    hello='[HELLO] v=1 name=web'
    for ((at = 0; at <= ${#hello}; at++)); do
        "$TOOLS/drip" "127.0.0.1:$CONTROL" --text "$hello"$'\n' --split "$at" --until $'\n' >"$D/answer"
        grep -q "^\[PUBLIC\] 127\.0\.0\.1:${POOL[0]}$" "$D/answer" || { echo "split at $at"; cat "$D/answer"; false; }
        wait_said relayd '^close service=web ' $((at + 1))
    done
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --text "$hello"$'\n' --until $'\n' | grep -q '^\[PUBLIC\]'
}

@test "a claim may be split at every byte, and so may what follows it" {
    start_relayd
    serve_by_hand web
    for ((at = 0; at <= 48; at++)); do
        announced_client
        "$TOOLS/drip" "127.0.0.1:$CONTROL" --text "[DATA] id=$ID"$'\n'"data" --split "$at" --until x >"$D/answer" &
        drip=$!
        [ "$(timeout 5 head -c 4 <&"$CLIENT_FD")" = data ] || { echo "split at $at"; false; }
        printf x >&"$CLIENT_FD"
        wait "$drip"
        [ "$(head -n 1 "$D/answer")" = "x= until" ]
        hang_up "$CLIENT_FD"
    done
}

@test "lines on an open control connection may be split at every byte" {
    start_relayd
    serve_by_hand web
    for line in '[PONG]' '[UNKNOWN] key=value'; do
        for ((at = 1; at <= ${#line}; at++)); do
            printf '%s' "${line:0:at}" >&"$CONTROL_FD"
            silent "$CONTROL_FD" 0.005
            printf '%s\n' "${line:at}" >&"$CONTROL_FD"
        done
    done
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "when the control connection ends, the port is refused at once and waiting clients are closed" {
    start_relayd
    serve_by_hand web
    announced_client
    claim "$ID"
    running=$CLIENT_FD
    talks "$running" "$DATA_FD"
    announced_client
    hang_up "$CONTROL_FD"
    wait_said relayd '^close service=web reason=eof$'
    refused "$SERVICE_PORT"
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    said relayd '^refuse service=web client=127\.0\.0\.1:[0-9]+ reason=gone$'
    talks "$running" "$DATA_FD"
    claim "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
}

@test "a client that nobody claims is closed after the claim timeout" {
    start_relayd -c 1 127.0.0.1:0+8
    serve_by_hand web
    began=$(now_ms)
    announced_client
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    took=$(($(now_ms) - began))
    echo "took $took ms"
    [ "$took" -ge 900 ]
    [ "$took" -le $((2000 * TIME_FACTOR)) ]
    said relayd '^refuse service=web client=127\.0\.0\.1:[0-9]+ reason=timeout$'
    claim "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "a server that claims and resets ends the client at once" {
    start_relayd
    serve_by_hand web
    announced_client
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --text "[DATA] id=$ID"$'\n' --split 0 --reset
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    wait_said relayd '^(end service=web .* reason=reset|refuse service=web .* reason=)'
}

@test "two services stay apart" {
    start_relayd
    serve_by_hand one
    one=$CONTROL_FD
    announced_client
    first=$CLIENT_FD first_id=$ID
    serve_by_hand two
    announced_client
    claim "$first_id"
    talks "$first" "$DATA_FD"
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    silent "$one"
}
