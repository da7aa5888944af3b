# ptth-connect: relay-connect's two terminators of PTTH, and a relay between
# them: relayd, or one that says what a test wants it to say.

# start_relay [OPTION...]: sets RELAY.
start_relay() {
    start_relayd "${MANY[@]}" "$@" ptth:127.0.0.1:0
    RELAY=127.0.0.1:$CONTROL
}

# serve_as NAME [OPTION...] TARGET...: beside the server; sets URL.
serve_as() {
    connect_as "$1" -n web "${@:2:$#-2}" "ptth://$RELAY/" "${@:$#}"
    URL=$PUBLIC
}

serve() {
    serve_as connect "$@"
}

# serve_with COMMAND [ARG...]
serve_with() {
    connect_as connect -n web "ptth://$RELAY" -- "$@"
    URL=$PUBLIC
}

# call_as NAME [OPTION...]: beside the clients; sets LOCAL, HOST:PORT.
call_as() {
    connect_as "$1" "${@:2}" --listen 0 "$URL"
    LOCAL=$PUBLIC
}

call() {
    call_as connect-client "$@"
}

# Both, and a server of `load`. The options are those of both.
start_both() {
    start_relay
    start_load
    serve "$@" "$LOAD"
    call "$@"
}

# start_script: a relay that answers what $F/listen, accept, downstream,
# connect and upstream say: see tools/fake-http. Sets FAKE and F.
start_script() {
    F=$D/fake
    mkdir -p "$F"
    start fake socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay,backlog=100 "EXEC:$TOOLS/fake-http $F"
    wait_said fake 'listening on'
    FAKE=$(grep -o 'listening on .*' "$D/fake.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

# answers ENDPOINT: with the script on standard input.
answers() {
    cat >"$F/$1"
}

# How many requests of an endpoint there were.
requests() {
    ls "$F" 2>/dev/null | grep -cxE "$1\.[0-9]+"
}

at_least_requests() {
    [ "$(requests "$1")" -ge "$2" ]
}

# What drip hears of LOCAL: how it ended.
ended_as() {
    "$TOOLS/drip" "$LOCAL" "${@:2}" --wait $((20000 * TIME_FACTOR)) >"$D/answer"
    cat "$D/answer"
    [[ "$(tail -n 1 "$D/answer")" == *"= $1" ]]
}

# They use no processor time to speak of.
at_rest() {
    local name pid before=0 after=0 pids=()

    for name in "$@"; do
        mapfile -t -O "${#pids[@]}" pids < <(echo "${PID[$name]}"; offspring "$name")
    done
    for pid in "${pids[@]}"; do
        before=$((before + $(cpu_ms "$pid")))
    done
    sleep 1
    for pid in "${pids[@]}"; do
        after=$((after + $(cpu_ms "$pid")))
    done
    echo "$((after - before)) ms"
    [ $((after - before)) -le $((60 * TIME_FACTOR)) ]
}

# Sets LOCAL_SERVER to the address where a socat called NAME listens.
listening_of() {
    local port

    port=$(ss -Hltnp | grep "pid=${PID[$1]}," | awk '{sub(/.*:/, "", $4); print $4}')
    LOCAL_SERVER=127.0.0.1:$port
    [ -n "$port" ]
}

# offspring_is NAME TEXT: a process of it is called so.
offspring_is() {
    ps -o args= -s "${PID[$1]}" | grep -qxF -- "$2"
}

# A server that echoes: sets LOCAL_SERVER.
start_echo() {
    start local socat TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr,backlog=200 EXEC:cat
    wait_for listening_of local
}

# A session that is open: sets FD.
open_session() {
    dial "$LOCAL"
    still_open
}

still_open() {
    say "$FD" hello
    expect "$FD" hello
}
