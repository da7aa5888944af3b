# Times: that of a line, and how much silence is the end.

load helper

# A server NAME that answers [PING] or not: $2 is what it says then.
start_server() {
    cat >"$D/$1.sh" <<END
echo '[HELLO] v=1 name=$1'
while read -r line; do
    case \$line in
    '[PING]') echo "\$line" >&2; $2 ;;
    esac
done
END
    start "$1" socat "TCP:127.0.0.1:$CONTROL" "EXEC:sh $D/$1.sh"
}

@test "a line has its time from its first byte, however slowly it goes on" {
    start_relayd --line-timeout 3 127.0.0.1:0+8
    for name in hello data; do
        dial_control
        eval "$name=$FD"
    done
    printf '[HELLO] v=1' >&"$hello"
    printf '[DATA] id=' >&"$data"
    began=$(now_ms)
    for _ in {1..8}; do
        sleep 0.3
        printf ' ' >&"$hello"
        printf '0' >&"$data"
    done
    expect "$hello" '\[ERROR\] timeout.*'
    [ "$(rest "$hello")" = "= eof" ]
    [ "$(rest "$data")" = "= reset" ]
    took=$(($(now_ms) - began))
    echo "took $took ms"
    [ "$took" -gt 2900 ]
    [ "$took" -lt $((5000 * TIME_FACTOR)) ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=slow$' 2
}

@test "who does not answer is gone, who answers is not, on both sides" {
    start_relayd --ping-interval 1 --silence-timeout 3 127.0.0.1:0+8
    start_server answers "echo '[PONG]'"
    start_server silent ":"
    wait_said relayd '^open service=answers '
    wait_said relayd '^open service=silent '
    start_connect --silence-timeout 3 -n kept "127.0.0.1:$CONTROL" localhost:1
    # A relay that says nothing more.
    start mute socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork "SYSTEM:echo '[PUBLIC] 127.0.0.1\:9'; cat >/dev/null"
    wait_said mute 'listening on'
    mute=$(grep -oE '127\.0\.0\.1:[0-9]+' "$D/mute.err" | head -n 1)
    start connect_mute "${CONNECT_WORDS[@]}" --silence-timeout 3 "$mute" localhost:1
    wait_for test -s "$D/connect_mute.out"
    began=$(now_ms)
    wait_at_most 10 said relayd '^close service=silent reason=timeout$'
    wait_at_most 10 said connect_mute '^lost .*reason=timeout'
    [ $(($(now_ms) - began)) -gt 2000 ]
    # Another round of silence makes nobody else leave.
    wait_for grep_count PING "$D/answers.err" 6
    not said relayd '^close service=(answers|kept)'
    [ "$(grep -c '^open ' "$D/relayd.err")" -eq 3 ]
}

grep_count() {
    [ "$(grep -c "$1" "$2")" -ge "$3" ]
}

@test "the defaults: 10 s for a line, asked every 15 s, given up after 45" {
    "${RELAYD_WORDS[@]}" --help | grep -qE -- '--line-timeout .*\(10\)'
    "${RELAYD_WORDS[@]}" --help | grep -qE -- '--ping-interval .*\(15\)'
    "${RELAYD_WORDS[@]}" --help | grep -qE -- '--silence-timeout .*\(45\)'
    "${CONNECT_WORDS[@]}" --help | grep -qE -- '--silence-timeout .*\(45\)'
}
