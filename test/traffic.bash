# traffic: bytes through sessions by test/tools/load, checked at both ends;
# sessions that are held; and what processes use meanwhile.

# The limits that stand in the way of many sessions from one machine.
MANY=(--max-sessions 6000 --max-per-service 6000 --max-per-source 6000 --max-waiting 6000 --max-unknown 6000)

start_load() {
    start load "$TOOLS/load" server "${1:-127.0.0.1:0}" --reset-ms $((1000 * TIME_FACTOR))
    wait_for test -s "$D/load.out"
    LOAD=$(head -n 1 "$D/load.out")
}

# load_client ADDRESS MODE [OPTION...]: it is content with every session.
load_client() {
    timeout $((120 * TIME_FACTOR)) "$TOOLS/load" client "$1" --mode "$2" --reset-ms $((1000 * TIME_FACTOR)) "${@:3}"
}

# The server's verdict: it served this many sessions, and all were exact.
load_served() {
    wait_for load_counts "$1" || { tail -n 1 "$D/load.out"; return 1; }
    stop load
    [ "$status" -eq 0 ]
}

# It has counted so many sessions, and so many failures (0).
load_counts() {
    tail -n 1 "$D/load.out" | grep -q "^sessions=$1 failed=${2:-0} unfinished=0 "
}

# hold_sessions ADDRESS COUNT [OPTION...]: they are kept until finish_held.
hold_sessions() {
    mkfifo "$D/orders"
    exec {ORDERS}<>"$D/orders"
    DIALLED+=("$ORDERS")
    INPUT=$D/orders start hold "$TOOLS/load" client "$1" --mode hold --sessions "$2" --at-once "$2" --bytes 1000 "${@:3}"
    wait_at_most 60 grep -q '^held ' "$D/hold.out"
    grep -q "^held $2$" "$D/hold.out"
    ROUNDS=0
}

# Begins to move bytes through each of them, both ways.
begin_round() {
    echo >&"$ORDERS"
    ROUNDS=$((ROUNDS + 1))
}

round_ended() {
    [ "$(grep -c '^alive ' "$D/hold.out")" -eq "$ROUNDS" ]
}

# And waits until that is done: this many are alive.
end_round() {
    wait_at_most 60 round_ended
    tail -n 1 "$D/hold.out"
    [ "$(tail -n 1 "$D/hold.out")" = "alive $1" ]
}

all_alive() {
    begin_round
    end_round "$1"
}

# Each side ends its direction and sees the other's end; $1 of them had failed.
finish_held() {
    hang_up "$ORDERS"
    wait_end hold
    tail -n 1 "$D/hold.out"
    grep -q " failed=${1:-0} unfinished=0 " "$D/hold.out"
}

# --- what a process uses

# The milliseconds of processor time that it has had.
cpu_ms() {
    local stat

    stat=$(<"/proc/$1/stat")
    read -ra stat <<<"${stat##*) }"
    echo $(((stat[11] + stat[12]) * 1000 / $(getconf CLK_TCK)))
}

# Its own memory in KiB.
memory_kb() {
    awk '/^Anonymous:/ {print $2}' "/proc/$1/smaps_rollup"
}

# No local server is there: clients of PUBLIC are reset at once.
resets_at_once() {
    for _ in {1..10}; do
        dial "$PUBLIC"
        began=$(now_ms)
        [ "$(rest "$FD")" = "= reset" ] || return
        [ $(($(now_ms) - began)) -lt $((1000 * TIME_FACTOR)) ] || return
    done
}
