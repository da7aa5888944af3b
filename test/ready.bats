# Ready connections at the relay: [READY], [START], byte for byte, and what
# becomes of those that are lost.
# long: 70 s

load helper
load auth

# serve_ready NAME COUNT: a service by hand that asks for so many; sets IDS.
serve_ready() {
    serve_by_hand "$1" "ready=$2"
    IDS=()
    for ((i = 0; i < $2; i++)); do
        next_id
    done
}

# The next line is an id; it joins IDS.
next_id() {
    expect "$CONTROL_FD" '\[READY\] id=([0-9a-f]{32})'
    IDS+=("${BASH_REMATCH[1]}")
}

# Until relayd has done all that was said before: it does so before it takes the
# next connection's line.
settled() {
    dial_control
    say "$FD" "[DATA] id=00000000000000000000000000000000"
    [ "$(rest "$FD")" = "= reset" ]
    hang_up "$FD"
}

# stand_by ID...: a ready connection for each, in this order; sets READY.
stand_by() {
    READY=()
    for id in "$@"; do
        claim "$id"
        READY+=("$DATA_FD")
        settled
    done
}

# A client; sets CLIENT_FD.
client() {
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
}

# started FD: it is told of a client.
started() {
    expect "$1" '\[START\] from=127\.0\.0\.1:[0-9]+'
}

# A client of the service has to be announced in the ordinary way; sets CLIENT_FD and ID.
announced() {
    client
    expect "$CONTROL_FD" "\[NEW\]$CONTROL id=([0-9a-f]{32}) from=127\.0\.0\.1:[0-9]+"
    ID=${BASH_REMATCH[1]}
}

@test "a hello that asks for ready connections gets that many ids after its address" {
    start_relayd
    serve_ready web 3
    silent "$CONTROL_FD"
    [ "$(printf '%s\n' "${IDS[@]}" | sort -u | wc -l)" -eq 3 ]
    said relayd "^open service=web proto=new public=127\.0\.0\.1:$SERVICE_PORT from=127\.0\.0\.1:[0-9]+ ready=3$"
}

@test "none are promised to who does not ask, 64 at most to who does" {
    start_relayd
    serve_by_hand none
    silent "$CONTROL_FD"
    serve_by_hand zero ready=0
    silent "$CONTROL_FD"
    not said relayd '^open .* ready='
    serve_by_hand many ready=1000
    for _ in {1..64}; do
        next_id
    done
    silent "$CONTROL_FD"
    said relayd '^open service=many .* ready=64$'
    for wrong in ready= ready=x ready=-1 ready=65536; do
        dial_control
        say "$FD" "[HELLO] v=1 name=wrong $wrong"
        expect "$FD" '\[ERROR\] line.*'
    done
}

@test "a client starts one: the line, then the session's bytes, and no further round trip" {
    start_relayd
    serve_ready web 1
    stand_by "${IDS[0]}"
    client
    local_port=$(ss -Htn "dport = :$SERVICE_PORT" | awk '{sub(/.*:/, "", $4); print $4}')
    printf early >&"$CLIENT_FD"
    start="[START] from=127.0.0.1:$local_port"
    [ "$(timeout 5 head -c $((${#start} + 6)) <&"${READY[0]}")" = "$start"$'\n'early ]
    talks "$CLIENT_FD" "${READY[0]}"
    said relayd "^pair service=web client=127\.0\.0\.1:$local_port pid=[0-9]+ waited_ms=0$"
    next_id
    silent "$CONTROL_FD"
    hang_up "$CLIENT_FD"
    [ "$(rest "${READY[0]}")" = "= eof" ]
    hang_up "${READY[0]}"
    wait_said relayd "^end service=web client=127\.0\.0\.1:$local_port pid=[0-9]+ up=16 down=9 seconds=[0-9.]+ reason=eof$"
    not said relayd '^unready'
}

@test "each that is used is made up for, and the one that has waited longest is next" {
    start_relayd
    serve_ready web 3
    stand_by "${IDS[2]}" "${IDS[0]}" "${IDS[1]}"
    for i in 0 1 2; do
        client
        started "${READY[i]}"
        talks "$CLIENT_FD" "${READY[i]}"
        next_id
    done
    silent "$CONTROL_FD"
    waited=("${IDS[@]:3}")
    stand_by "${waited[@]}"
    client
    started "${READY[0]}"
    next_id
}

@test "with none there a client is announced at once" {
    start_relayd
    serve_ready web 1
    announced
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "a ready id serves no client that was announced; an announced id stands by for none" {
    start_relayd
    serve_ready web 1
    announced
    waiting=$CLIENT_FD
    stand_by "${IDS[0]}"
    silent "${READY[0]}"
    client
    started "${READY[0]}"
    talks "$CLIENT_FD" "${READY[0]}"
    claim "$ID"
    talks "$waiting" "$DATA_FD"
    next_id
    silent "$CONTROL_FD"
}

@test "an id is good for one claim" {
    start_relayd
    serve_ready web 1
    stand_by "${IDS[0]}"
    claim "${IDS[0]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=id$'
    client
    started "${READY[0]}"
    claim "${IDS[0]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    talks "$CLIENT_FD" "${READY[0]}"
}

@test "an id that nobody claims in time is dead, and another one is told" {
    start_relayd -c 2 127.0.0.1:0+8
    serve_ready web 1
    next_id
    [ "${IDS[1]}" != "${IDS[0]}" ]
    said relayd '^unready service=web from=127\.0\.0\.1:[0-9]+ reason=unclaimed$'
    claim "${IDS[0]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    stand_by "${IDS[1]}"
    # Once claimed it has no such time.
    silent "$CONTROL_FD" 2.5
    client
    started "${READY[0]}"
}

@test "it is asked whether it is there, and stays while it says so" {
    start_relayd --ping-interval 1 --silence-timeout 3 127.0.0.1:0+8
    serve_ready web 2
    stand_by "${IDS[@]}"
    answers=${READY[0]} silent=${READY[1]}
    for _ in {1..5}; do
        expect "$answers" '\[PING\]'
        printf '[PO' >&"$answers"
        silent "$answers" 0.005
        printf 'NG]\n' >&"$answers"
        say "$CONTROL_FD" '[PONG]'
    done
    [[ "$(rest "$silent")" =~ ^(\[PING\]$'\n'){2,3}=\ reset$ ]]
    said relayd '^unready service=web from=127\.0\.0\.1:[0-9]+ reason=timeout$' 1
    not said relayd '^unready' 2
    # A client may come while it is asked once more.
    REPLY='[PING]'
    while [ "$REPLY" = '[PING]' ]; do
        settled
        client
        hear "$answers"
        [ "$REPLY" != '[PING]' ] || say "$answers" '[PONG]'
    done
    [[ $REPLY == '[START] from='* ]]
    talks "$CLIENT_FD" "$answers"
}

@test "one that has not answered yet is not taken, so that no answer comes behind the start" {
    start_relayd --ping-interval 3 127.0.0.1:0+8
    serve_ready web 1
    stand_by "${IDS[0]}"
    # Asked twice: one answer is not enough.
    expect "${READY[0]}" '\[PING\]'
    expect "${READY[0]}" '\[PING\]'
    say "${READY[0]}" '[PONG]'
    settled
    not_pinged_client
    say "${READY[0]}" '[PONG]'
    settled
    client
    started "${READY[0]}"
    talks "$CLIENT_FD" "${READY[0]}"
}

# As announced, among [PING] lines.
not_pinged_client() {
    client
    hear "$CONTROL_FD"
    while [ "$REPLY" = '[PING]' ]; do
        hear "$CONTROL_FD"
    done
    [[ $REPLY =~ ^\[NEW\] ]]
}

@test "whatever else one says costs it the connection, and no one else anything" {
    start_relayd
    serve_ready web 1
    count=0
    for line in '[PING]' '[HELLO] v=1 name=web' '[LATER]' 'GET / HTTP/1.0' '' ' [PONG]' $'[PONG]\r' '[PONG' \
        "[DATA] id=${IDS[0]}" "$(printf 'x%.0s' {1..600})"; do
        stand_by "${IDS[-1]}"
        say "${READY[0]}" "$line"
        [ "$(rest "${READY[0]}")" = "= reset" ] || { echo "not reset: $line"; false; }
        wait_said relayd '^unready service=web from=127\.0\.0\.1:[0-9]+ reason=line$' $((++count))
        next_id
    done
    stand_by "${IDS[-1]}"
    client
    started "${READY[0]}"
    talks "$CLIENT_FD" "${READY[0]}"
    not said relayd '^close'
}

@test "one that has begun to say something is not taken, and has a line's time" {
    start_relayd --line-timeout 2 127.0.0.1:0+8
    serve_ready web 1
    stand_by "${IDS[0]}"
    printf '[PON' >&"${READY[0]}"
    settled
    announced
    [ "$(rest "${READY[0]}")" = "= reset" ]
    said relayd '^unready service=web .* reason=slow$'
    next_id
}

@test "one that ends is made up for, though not in a hurry" {
    start_relayd
    serve_ready web 1
    stand_by "${IDS[0]}"
    began=$(now_ms)
    hang_up "${READY[0]}"
    next_id
    [ $(($(now_ms) - began)) -gt 900 ]
    said relayd '^unready service=web from=127\.0\.0\.1:[0-9]+ reason=eof$'
}

@test "at the moment of the start one that is broken, or has said something, is passed over" {
    start_relayd
    serve_ready web 3
    stand_by "${IDS[@]}"
    # The client and the ends are seen in one round, the client first.
    kill -STOP "${PID[relayd]}"
    client
    hang_up "${READY[0]}"
    printf x >&"${READY[1]}"
    kill -CONT "${PID[relayd]}"
    started "${READY[2]}"
    talks "$CLIENT_FD" "${READY[2]}"
    wait_said relayd '^unready .* reason=eof$'
    wait_said relayd '^unready .* reason=line$'
    for _ in 1 2 3; do
        next_id
    done
}

@test "a second control connection drops them and kills the ids, and gets those it asks for" {
    start_relayd
    serve_ready web 2
    stand_by "${IDS[0]}"
    old=$CONTROL_FD old_ids=("${IDS[@]}")
    serve_ready web 1
    expect "$old" '\[ERROR\] replaced.*'
    [ "$(rest "${READY[0]}")" = "= reset" ]
    claim "${old_ids[1]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    stand_by "${IDS[0]}"
    client
    started "${READY[0]}"
    next_id
    serve_by_hand web
    silent "$CONTROL_FD"
    announced
    not said relayd '^unready'
}

@test "a session that was started goes on without the control connection, those that wait do not" {
    start_relayd
    serve_ready web 3
    stand_by "${IDS[0]}" "${IDS[1]}"
    client
    started "${READY[0]}"
    hang_up "$CONTROL_FD"
    [ "$(rest "${READY[1]}")" = "= reset" ]
    wait_said relayd '^close service=web reason=eof$'
    claim "${IDS[2]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    talks "$CLIENT_FD" "${READY[0]}"
}

@test "SIGUSR1: those that wait do not keep it from leaving" {
    start_relayd
    serve_ready web 2
    stand_by "${IDS[0]}"
    stop relayd USR1
    [ "$status" -eq 0 ]
    [ "$(rest "${READY[0]}")" = "= reset" ]
}

@test "with keys a claim needs its proof, and a wrong one uses no id up" {
    write_keys "web $KEY" "other $OTHER_KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    serve_with_key "$KEY" web ready=1
    IDS=()
    next_id
    claim "${IDS[0]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    claim_with_key "$OTHER_KEY" "${IDS[0]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    rejects auth 2
    claim_with_key "$KEY" "${IDS[0]}"
    READY=("$DATA_FD")
    settled
    client
    started "${READY[0]}"
    talks "$CLIENT_FD" "${READY[0]}"
}

@test "SIGHUP: with the key the ready connections go" {
    write_keys "web $KEY" "tv $OTHER_KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    IDS=()
    serve_with_key "$KEY" web ready=2
    next_id
    next_id
    claim_with_key "$KEY" "${IDS[0]}"
    gone=$DATA_FD web=$CONTROL_FD
    serve_with_key "$OTHER_KEY" tv ready=1
    next_id
    claim_with_key "$OTHER_KEY" "${IDS[2]}"
    READY=("$DATA_FD")
    settled
    write_keys "tv $OTHER_KEY"
    reload relayd
    [ "$(rest "$gone")" = "= reset" ]
    claim_with_key "$KEY" "${IDS[1]}"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    expect "$web" '\[ERROR\] auth.*'
    client
    started "${READY[0]}"
}

@test "--max-ready holds for all services; what one leaves another gets" {
    start_relayd --max-ready 3 127.0.0.1:0+8
    serve_ready one 2
    one=$CONTROL_FD
    serve_by_hand two ready=3
    IDS=()
    next_id
    silent "$CONTROL_FD"
    said relayd '^unready service=two from=127\.0\.0\.1:[0-9]+ reason=limit missing=2$'
    stand_by "${IDS[0]}"
    client
    started "${READY[0]}"
    next_id
    silent "$CONTROL_FD"
    announced
    hang_up "$one"
    next_id
    next_id
    said relayd '^unready .* reason=limit' 1
    not said relayd '^unready .* reason=limit' 2
}

@test "those that wait do not count as unknown" {
    start_relayd --max-unknown 4 127.0.0.1:0+8
    serve_ready web 6
    stand_by "${IDS[@]}"
    serve_by_hand other
    SERVICE_PORT=$(value relayd '^open service=web' public)
    SERVICE_PORT=${SERVICE_PORT##*:}
    for ready in "${READY[@]}"; do
        client
        started "$ready"
    done
}

@test "they leave half of the descriptors to clients" {
    start relayd "$BASH" -c 'ulimit -n 64 && exec "$@"' - "${RELAYD_WORDS[@]}" 127.0.0.1:0+8
    wait_said relayd '^ready'
    read_ports relayd
    serve_by_hand web ready=64
    IDS=()
    said relayd '^unready service=web .* reason=limit missing=[0-9]+$'
    given=$((64 - $(value relayd '^unready' missing)))
    echo "$given were given"
    [ "$given" -ge 8 ]
    [ "$given" -le 31 ]
    for ((i = 0; i < given; i++)); do
        next_id
    done
    stand_by "${IDS[@]}"
    serve_by_hand other
    for _ in {1..10}; do
        announced
    done
    not said relayd '^pause'
}

@test "clients that wait leave a way in for them, and they leave one for everybody else" {
    start relayd "$BASH" -c 'ulimit -n 64 && exec "$@"' - "${RELAYD_WORDS[@]}" 127.0.0.1:0+8
    wait_said relayd '^ready'
    read_ports relayd
    serve_by_hand busy
    busy=$SERVICE_PORT
    serve_ready web 8
    SERVICE_PORT=$busy
    until said relayd '^pause reason=descriptors'; do
        client
    done
    for id in "${IDS[@]}"; do
        claim "$id"
    done
    wait_said relayd '^unready service=web from=127\.0\.0\.1:[0-9]+ reason=descriptors$'
    kept=$((8 - $(grep -c 'reason=descriptors' "$D/relayd.err")))
    echo "$kept were kept"
    [ "$kept" -ge 2 ]
    serve_by_hand other
}
