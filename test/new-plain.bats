# new: plain servers, which say nothing and know nothing but [NEW] lines.
# long: 30 s

load helper

# Sets CONTROL_FD, SERVICE_PORT and REVERSE.
plain_by_hand() {
    dial_control
    CONTROL_FD=$FD
    wait_said relayd '^open service=[0-9]+ '
    SERVICE_PORT=$(value relayd '^open ' service)
    REVERSE=$(value relayd '^open ' reverse)
    REVERSE=${REVERSE##*:}
}

# A service of plain_echo; sets SERVICE_PORT.
start_echo() {
    start echo "$TOOLS/plain_echo" "127.0.0.1:$CONTROL"
    wait_said relayd '^open service=[0-9]+ '
    SERVICE_PORT=$(value relayd '^open ' service)
}

@test "silence of 500 ms makes a plain server, with the lowest port public and the next one reverse" {
    start_relayd
    began=$(now_ms)
    plain_by_hand
    took=$(($(now_ms) - began))
    echo "took $took ms"
    [ "$took" -ge 400 ]
    [ "$took" -le $((1500 * TIME_FACTOR)) ]
    p=${POOL[0]} r=${POOL[1]}
    said relayd "^open service=$p proto=new public=127\.0\.0\.1:$p from=127\.0\.0\.1:[0-9]+ reverse=127\.0\.0\.1:$r$"
    silent "$CONTROL_FD"
}

@test "any byte within 500 ms prevents that" {
    start_relayd
    dial_control
    printf '[' >&"$FD"
    silent "$FD" 1
    not said relayd '^open '
    say "$FD" 'HELLO] v=1 name=web'
    expect "$FD" "\[PUBLIC\] 127\.0\.0\.1:${POOL[0]}"
}

@test "a client is announced by the reverse port alone, and paired with who comes there" {
    start_relayd
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    client=$FD
    say "$client" early
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    dial "127.0.0.1:$REVERSE"
    expect "$FD" early
    talks "$client" "$FD"
    silent "$CONTROL_FD"
}

@test "the next [NEW] is sent once the last one was answered" {
    start_relayd
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    first=$FD
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    dial "127.0.0.1:$SERVICE_PORT"
    second=$FD
    silent "$CONTROL_FD"
    dial "127.0.0.1:$REVERSE"
    talks "$first" "$FD"
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    dial "127.0.0.1:$REVERSE"
    talks "$second" "$FD"
    silent "$CONTROL_FD"
}

@test "the next [NEW] is sent once the last one has timed out" {
    start_relayd -c 1 127.0.0.1:0+8
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    first=$FD
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    silent "$CONTROL_FD" 0.5
    dial "127.0.0.1:$SERVICE_PORT"
    second=$FD
    [ "$(rest "$first")" = "= reset" ]
    said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=timeout$"
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    dial "127.0.0.1:$REVERSE"
    talks "$second" "$FD"
}

@test "a reverse connection for which nobody waits is closed" {
    start_relayd
    plain_by_hand
    dial "127.0.0.1:$REVERSE"
    [[ "$(rest "$FD")" =~ ^=\ (reset|eof)$ ]]
    silent "$CONTROL_FD"
}

@test "a reverse connection from another address is not let in" {
    start_relayd
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    client=$FD
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    [[ "$("$TOOLS/drip" "127.0.0.1:$REVERSE" --from 127.0.0.2)" =~ ^=\ (reset|eof)$ ]]
    said relayd '^reject from=127\.0\.0\.2:[0-9]+ reason='
    dial "127.0.0.1:$REVERSE"
    talks "$client" "$FD"
}

@test "a plain server is told no error" {
    start_relayd
    plain_by_hand
    say "$CONTROL_FD" 'what is this?'
    [[ "$(rest "$CONTROL_FD")" =~ ^=\ (reset|eof)$ ]]
    wait_said relayd "^close service=$SERVICE_PORT reason="
    refused "$SERVICE_PORT"
    refused "$REVERSE"
}

@test "the end of the control connection frees both ports" {
    start_relayd
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    client=$FD
    hang_up "$CONTROL_FD"
    wait_said relayd "^close service=$SERVICE_PORT reason=eof$"
    refused "$SERVICE_PORT"
    refused "$REVERSE"
    [ "$(rest "$client")" = "= reset" ]
}

@test "where no two ports are free a plain server is closed without a word" {
    start_relayd 127.0.0.1:0+3
    plain_by_hand
    dial_control
    [ "$(rest "$FD")" = "= eof" ]
    not said relayd '^open ' 2
    dial_control
    say "$FD" '[HELLO] v=1 name=web'
    expect "$FD" "\[PUBLIC\] 127\.0\.0\.1:${POOL[2]}"
}

@test "one source may have 16 plain servers" {
    start_relayd 127.0.0.1:0+40
    for _ in {1..16}; do
        dial_control
    done
    wait_said relayd '^open ' 16
    dial_control
    [ "$(rest "$FD")" = "= eof" ]
    not said relayd '^open ' 17
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --from 127.0.0.2 --wait 1000
    wait_said relayd '^open ' 17
}

@test "a late hello upgrades: same port, its waiting client announced with an id" {
    start_relayd
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    say "$CONTROL_FD" '[HELLO] v=1 name=web'
    expect "$CONTROL_FD" "\[PUBLIC\] 127\.0\.0\.1:$SERVICE_PORT"
    expect "$CONTROL_FD" "\[NEW\]$CONTROL id=([0-9a-f]{32}) from=127\.0\.0\.1:[0-9]+"
    claim "${BASH_REMATCH[1]}"
    talks "$CLIENT_FD" "$DATA_FD"
    said relayd '^open service=web '
}

@test "a late hello may ask for another port" {
    start_relayd
    plain_by_hand
    say "$CONTROL_FD" "[HELLO] v=1 name=web port=${POOL[5]}"
    expect "$CONTROL_FD" "\[PUBLIC\] 127\.0\.0\.1:${POOL[5]}"
    refused "$SERVICE_PORT"
    refused "$REVERSE"
    SERVICE_PORT=${POOL[5]}
    announced_client
}

@test "after a late hello the [NEW] that is out may still be answered, and uses the id up" {
    start_relayd
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    client=$FD
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    say "$CONTROL_FD" '[HELLO] v=1 name=web'
    expect "$CONTROL_FD" '\[PUBLIC\] .*'
    expect "$CONTROL_FD" '.* id=([0-9a-f]{32}) .*'
    id=${BASH_REMATCH[1]}
    dial "127.0.0.1:$REVERSE"
    talks "$client" "$FD"
    claim "$id"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    refused "$REVERSE"
}

@test "after a late hello the reverse port goes when the [NEW] that is out has timed out" {
    start_relayd -c 1 127.0.0.1:0+8
    plain_by_hand
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    expect "$CONTROL_FD" "\[NEW\]$REVERSE"
    say "$CONTROL_FD" '[HELLO] v=1 name=web'
    expect "$CONTROL_FD" '\[PUBLIC\] .*'
    expect "$CONTROL_FD" '.* id=([0-9a-f]{32}) .*'
    claim "${BASH_REMATCH[1]}"
    talks "$CLIENT_FD" "$DATA_FD"
    listening "$REVERSE"
    wait_for not listening "$REVERSE"
}

@test "a late claim undoes the plain service" {
    start_relayd
    serve_by_hand web
    announced_client
    hello_fd=$CONTROL_FD
    dial_control
    wait_said relayd "^open service=${POOL[1]} "
    say "$FD" "[DATA] id=$ID"
    talks "$CLIENT_FD" "$FD"
    said relayd "^close service=${POOL[1]} reason="
    refused "${POOL[1]}"
    refused "${POOL[2]}"
    silent "$hello_fd"
}

@test "a hello may be late and split at every byte" {
    start_relayd
    hello='[HELLO] v=1 name=web'
    for at in 1 7 8 19 20; do
        dial_control
        wait_said relayd '^open service=[0-9]+ ' "$((++opened))"
        printf '%s' "${hello:0:at}" >&"$FD"
        silent "$FD" 0.01
        printf '%s\n' "${hello:at}" >&"$FD"
        expect "$FD" "\[PUBLIC\] 127\.0\.0\.1:${POOL[0]}"
        hang_up "$FD"
        wait_said relayd '^close service=web reason=eof$' "$opened"
    done
}

@test "the original's echo server serves 100 clients in turn" {
    start_relayd
    start_echo
    load_client "127.0.0.1:$SERVICE_PORT" echo --sessions 100 --at-once 1 --bytes 10000
    [ "$(grep -c '^\[NEW\]' "$D/echo.out")" -eq 100 ]
    alive echo
}

@test "the original's echo server serves 20 clients at once" {
    start_relayd
    start_echo
    for _ in {1..5}; do
        load_client "127.0.0.1:$SERVICE_PORT" echo --sessions 20 --at-once 20 --bytes 10000
    done
    [ "$(grep -c '^\[NEW\]' "$D/echo.out")" -eq 100 ]
    alive echo
}

@test "relay-connect serves a relay of the original" {
    start original "$TOOLS/plain_relay"
    wait_for grep -q control "$D/original.out"
    start_load
    start connect "${CONNECT_WORDS[@]}" "127.0.0.1:$(awk '/control/ {print $2}' "$D/original.out")" "$LOAD"
    wait_for grep -q public "$D/original.out"
    port=$(awk '/public/ {print $2}' "$D/original.out")
    load_client "127.0.0.1:$port" both --sessions 50 --at-once 10 --bytes 100000
    load_served 50
    [ ! -s "$D/connect.out" ]
}

@test "relay-connect goes to the host that [NEW] names" {
    start original "$TOOLS/plain_relay" 127.0.0.1
    wait_for grep -q control "$D/original.out"
    start_load
    start connect "${CONNECT_WORDS[@]}" "127.0.0.1:$(awk '/control/ {print $2}' "$D/original.out")" "$LOAD"
    wait_for grep -q public "$D/original.out"
    port=$(awk '/public/ {print $2}' "$D/original.out")
    load_client "127.0.0.1:$port" both --sessions 20 --at-once 5 --bytes 100000
    load_served 20
}
