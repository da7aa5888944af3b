# Takeover: a second control connection of the same name.

load helper

# A second server of the name web; sets SECOND_FD.
take_over() {
    dial_control
    SECOND_FD=$FD
    say "$FD" "[HELLO] v=1 name=web${1:+ $1}"
}

@test "from the same address it replaces the first, which is told so" {
    start_relayd
    serve_by_hand web
    take_over
    expect "$SECOND_FD" "\[PUBLIC\] 127\.0\.0\.1:$SERVICE_PORT"
    expect "$CONTROL_FD" '\[ERROR\] replaced.*'
    [ "$(rest "$CONTROL_FD")" = "= eof" ]
    CONTROL_FD=$SECOND_FD
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "the public port stays open throughout" {
    start_relayd
    serve_by_hand web
    start knock "$BASH" -c "while (exec 9<>/dev/tcp/127.0.0.1/$SERVICE_PORT); do :; done 2>/dev/null"
    for _ in {1..20}; do
        take_over
        expect "$SECOND_FD" "\[PUBLIC\] 127\.0\.0\.1:$SERVICE_PORT"
    done
    alive knock
    not said relayd '^close '
}

@test "waiting clients are announced again under new ids, and the old ones are dead" {
    start_relayd
    serve_by_hand web
    announced_client
    old=$ID
    take_over
    expect "$SECOND_FD" '\[PUBLIC\] .*'
    expect "$SECOND_FD" "\[NEW\]$CONTROL id=([0-9a-f]{32}) from=127\.0\.0\.1:[0-9]+"
    new=${BASH_REMATCH[1]}
    [ "$new" != "$old" ]
    claim "$old"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    claim "$new"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "running sessions go on" {
    start_relayd
    serve_by_hand web
    announced_client
    claim "$ID"
    wait_said relayd '^pair '
    take_over
    expect "$SECOND_FD" '\[PUBLIC\] .*'
    expect "$CONTROL_FD" '\[ERROR\] replaced.*'
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "it may ask for another port, and the first one is free" {
    start_relayd
    serve_by_hand web
    take_over "port=${POOL[4]}"
    expect "$SECOND_FD" "\[PUBLIC\] 127\.0\.0\.1:${POOL[4]}"
    refused "$SERVICE_PORT"
    CONTROL_FD=$SECOND_FD SERVICE_PORT=${POOL[4]}
    announced_client
    serve_by_hand other
    [ "$SERVICE_PORT" = "${POOL[0]}" ]
}

@test "one that asks for a port it cannot have replaces nobody" {
    start_relayd
    serve_by_hand other "port=${POOL[4]}"
    serve_by_hand web
    take_over "port=${POOL[4]}"
    expect "$SECOND_FD" '\[ERROR\] port-taken.*'
    silent "$CONTROL_FD"
    announced_client
}

@test "from another address it is refused, and the first one stays" {
    start_relayd
    serve_by_hand web
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --from 127.0.0.2 --text $'[HELLO] v=1 name=web\n' >"$D/answer"
    grep -q '^\[ERROR\] auth' "$D/answer"
    tail -n 1 "$D/answer" | grep -q '= eof$'
    said relayd '^reject from=127\.0\.0\.2:[0-9]+ reason=auth$'
    silent "$CONTROL_FD"
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "another address may have the name once the first one is gone" {
    start_relayd
    serve_by_hand web
    hang_up "$CONTROL_FD"
    wait_for refused "$SERVICE_PORT"
    "$TOOLS/drip" "127.0.0.1:$CONTROL" --from 127.0.0.2 --text $'[HELLO] v=1 name=web\n' --until $'\n' >"$D/answer"
    grep -q '^\[PUBLIC\] 127\.0\.0\.1:' "$D/answer"
}

@test "a relay-connect that is replaced leaves with 3" {
    start_all
    take_over
    expect "$SECOND_FD" "\[PUBLIC\] $PUBLIC"
    wait_end connect
    [ "$status" -eq 3 ]
}
