# Attacks: what strangers on the Internet do to an open port, many at once. Each is
# let in to nothing, and costs others nothing beyond what the limits say.
#
# ATTACK_SECONDS (3): how long the floods last.

load helper
load auth

: "${ATTACK_SECONDS:=3}"

setup_file() {
    # Processes that are killed by the helper are not worth a line of bash's.
    set +m
}

# attack NAME KIND PORT COUNT [AT_ONCE [NET [SOURCES]]]: in the background, until all are open.
attack() {
    local name=$1

    shift
    start "$name" "$TOOLS/attack" "$@"
    wait_at_most 30 grep -q '^open' "$D/$name.out"
}

# The number behind KEY= in the last line of an attack that is over.
counted() {
    tail -n 1 "$D/$1.out" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# counted_all NAME KEY NUMBER
counted_all() {
    tail -n 1 "$D/$1.out"
    [ "$(counted "$1" "$2")" -eq "$3" ]
}

# A server behind which every line comes back: sets ECHO (its public port).
start_echo() {
    connect_as "connect$1" -n "echo$1" "127.0.0.1:$CONTROL" -- cat
    ECHO=$PUBLIC_PORT
}

# visits NAME COUNT: so many good clients from an address of their own, one after the other.
visits() {
    start "$1" "$TOOLS/attack" visit "$ECHO" "$2" 1 77
    wait_at_most 60 grep -q '^begun' "$D/$1.out"
    wait_end "$1"
}

# All that the log says of this word: its lines, and those that were suppressed.
lines_of() {
    awk -v word="$1" '$1 == word {n++}
        $1 == "suppressed" && $2 == "word=" word {sub("lines=", "", $3); n += $3}
        END {print n + 0}' "$D/relayd.err"
}

lines_are() {
    [ "$(lines_of "$1")" -eq "$2" ]
}

# grown_little PID KB BEFORE: its own memory has grown by so much at most.
grown_little() {
    echo "its memory: $3 kB before, $(memory_kb "$1") kB after"
    [ "$(memory_kb "$1")" -le $(($3 + $2 * TIME_FACTOR)) ]
}

@test "500 slow peers on every port: clients are served within a second, servers log in" {
    start_relayd "127.0.0.1:0+20"
    dial_control
    wait_said relayd '^open service=[0-9]+ '
    reverse=$(value relayd '^open service=[0-9]+ ' reverse)
    start_echo 1
    attack slow_control slow "$CONTROL" 0 75 50 3
    attack slow_public slow "$ECHO" 0 200 51 4
    attack slow_reverse slow "${reverse##*:}" 0 100 52 4
    attack slow_more slow "$CONTROL" 0 125 53 3
    visits good 10
    counted_all good let_in 10
    [ "$(counted good slowest_ms)" -lt $((1000 * TIME_FACTOR)) ]
    start_echo 2
    visits good2 5
    counted_all good2 let_in 5
    silent "$FD"
}

@test "failed logins, as many as the machine does: memory flat, log bounded and exact, servers log in" {
    write_keys "web $KEY" "echo1 $KEY" "echo2 $KEY"
    key_of "echo1 $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    connect_as connect1 -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    ECHO=$PUBLIC_PORT
    timeout 30 "$TOOLS/attack" login "$CONTROL" 500 20 99 4
    before=$(memory_kb "${PID[relayd]}")
    began=$(now_ms)
    attack logins login "$CONTROL" 0 40 99 4
    key_of "echo2 $KEY"
    connect_as connect2 -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    visits good 10
    counted_all good let_in 10
    until [ $(($(now_ms) - began)) -gt $((ATTACK_SECONDS * 1000)) ]; do
        sleep 0.1
    done
    stop logins
    counted_all logins let_in 0
    seconds=$((($(now_ms) - began) / 1000 + 1))
    failed=$(($(counted logins eof) + $(counted logins reset) + 500))
    echo "$failed failed logins in $seconds s"
    [ "$failed" -gt $((500 + $(scaled 1000))) ]
    # Those that SIGTERM cut short may have said nothing yet: 40 at most.
    logged_all() {
        [ "$(lines_of reject)" -ge "$failed" ]
    }
    wait_for logged_all
    [ "$(lines_of reject)" -le $((failed + 40)) ]
    [ "$(grep -c '^reject ' "$D/relayd.err")" -le $(((seconds + 3 + 30 * (TIME_FACTOR - 1)) * 20)) ]
    grown_little "${PID[relayd]}" 64 "$before"
}

@test "every failed login is in the log, one by one or counted" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" --max-log-rate 7 127.0.0.1:0+8
    start logins "$TOOLS/attack" login "$CONTROL" "$(scaled 3000)" 24 99 4
    wait_end logins
    counted_all logins begun "$(scaled 3000)"
    counted_all logins let_in 0
    wait_for lines_are reject "$(scaled 3000)"
}

# claims KIND: 50,000 random ids (2 sources) while clients come and go and one waits.
claims() {
    local before

    for _ in {1..3}; do
        announced_client
        waiting+=("$CLIENT_FD $ID")
    done
    "$TOOLS/attack" "$1" "$CONTROL" 500 20 98 2
    before=$(memory_kb "${PID[relayd]}")
    start guesses "$TOOLS/attack" "$1" "$CONTROL" "$(scaled 50000)" 40 98 2
    visits good 20
    counted_all good let_in 20
    wait_at_most 60 grep -q '^begun' "$D/guesses.out"
    wait_end guesses
    counted_all guesses begun "$(scaled 50000)"
    counted_all guesses let_in 0
    grown_little "${PID[relayd]}" 64 "$before"
    not said relayd '^refuse '
}

@test "50,000 random ids without keys: none is good, waiting clients are served, memory flat" {
    waiting=()
    start_relayd -c 60 127.0.0.1:0+8
    start_echo 1
    serve_by_hand web
    claims claim
    for client in "${waiting[@]}"; do
        claim "${client#* }"
        talks "${client% *}" "$DATA_FD"
    done
}

@test "50,000 random ids and proofs with keys: none is good, waiting clients are served, memory flat" {
    waiting=()
    write_keys "web $KEY" "echo1 $KEY"
    key_of "echo1 $KEY"
    start_relayd -k "$D/keys" -c 60 127.0.0.1:0+8
    connect_as connect1 -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    ECHO=$PUBLIC_PORT
    serve_with_key "$KEY" web
    claims prove
    for client in "${waiting[@]}"; do
        claim_with_key "$KEY" "${client#* }"
        talks "${client% *}" "$DATA_FD"
    done
}

# flooded_by KIND: one source connects to both ports as fast as it can, and another one visits.
flooded_by() {
    start_relayd 127.0.0.1:0+8
    start_echo 1
    attack flood_public "$1" "$ECHO" 0 300 60
    attack flood_control "$1" "$CONTROL" 0 300 60
    visits good "$(scaled 200)"
    counted_all good begun "$(scaled 200)"
    [ "$(counted good let_in)" -ge $(($(scaled 200) * 99 / 100)) ]
    stop flood_public
    stop flood_control
    echo "of the flood: $(counted flood_public begun) to the public port, $(counted flood_control begun) to the control port"
}

@test "a source that connects to everything and holds: 99 of 100 connections of another are served" {
    flooded_by hold
}
