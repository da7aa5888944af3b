# The log: what strangers can cause is held to some lines a second, and counted.

load helper

# knocks COUNT: connections to the control port that say nonsense.
knocks() {
    local i

    for ((i = 0; i < $1; i++)); do
        dial_control
        say "$FD" nonsense
        rest "$FD" >/dev/null
        hang_up "$FD"
    done
}

# The lines that begin with a word, and those said to be left out.
accounted() {
    awk -v word="$1" '$1 == word {n++} $1 == "suppressed" && $2 == "word=" word {split($3, l, "="); n += l[2]}
        END {print n + 0}' "$D/relayd.err"
}

all_accounted() {
    [ "$(accounted "$1")" -eq "$2" ]
}

@test "lines above the rate are left out, and their number is said" {
    start_relayd --max-log-rate 3 127.0.0.1:0+8
    knocks 60
    wait_for all_accounted reject 60
    said relayd '^suppressed word=reject lines=[0-9]+$'
    [ "$(grep -c '^reject' "$D/relayd.err")" -lt 60 ]
}

@test "refuse and reject are counted apart" {
    start_relayd --max-log-rate 1 --max-waiting 1 127.0.0.1:0+8
    serve_by_hand web
    announced_client
    for _ in {1..10}; do
        dial "127.0.0.1:$SERVICE_PORT"
        rest "$FD" >/dev/null
    done
    knocks 1
    said relayd '^reject '
    wait_for all_accounted refuse 10
    not said relayd '^suppressed word=reject'
}

@test "below the rate nothing is left out" {
    start_relayd 127.0.0.1:0+8
    knocks 19
    [ "$(grep -c '^reject' "$D/relayd.err")" -eq 19 ]
    not said relayd '^suppressed'
}
