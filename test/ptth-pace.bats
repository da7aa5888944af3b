# ptth: who reads slowly holds up whoever sends, and costs no memory; who has
# ended one way costs no time.
# long: 30 s

load helper
load ptth

# half NAME: a connection that can be ended one way: what comes is in $D/NAME.out;
# $SAY writes to it.
half() {
    mkfifo "$D/$1.fifo"
    exec {SAY}<>"$D/$1.fifo"
    DIALLED+=("$SAY")
    INPUT=$D/$1.fifo start "$1" socat -t 600 - "TCP:127.0.0.1:$CONTROL"
    HALF[$1]=$SAY
}

declare -gA HALF

# Its end is passed on, and has come.
end_half() {
    hang_up "${HALF[$1]}"
    wait_for half_closed
}

half_closed() {
    ss -Htan "sport = :$CONTROL" | grep -q '^CLOSE-WAIT'
}

got() {
    grep -aq "$2" "$D/$1.out"
}

session() {
    value relayd '^pair ' pid
}

# Neither relayd nor the session's process does anything to speak of for a while.
rests() {
    local before after

    before=$(($(cpu_ms "${PID[relayd]}") + $(cpu_ms "$1")))
    sleep 0.7
    after=$(($(cpu_ms "${PID[relayd]}") + $(cpu_ms "$1")))
    echo "$((after - before)) ms"
    [ $((after - before)) -le 100 ]
}

# --- ended one way

@test "callers of connect and accept who have ended their direction cost nothing, and are served" {
    start_ptth
    half client
    request "${HALF[client]}" GET /connect/box/web
    ask GET /listen/box/web
    answer "$FD" 200
    ID=$BODY
    half acceptor
    request "${HALF[acceptor]}" GET "/accept/$ID"
    wait_for got client '^HTTP/1.1 200'
    end_half client
    rests "${PID[relayd]}"
    end_half acceptor
    rests "${PID[relayd]}"
    upstream
    downstream
    wait_said relayd '^pair '
    rests "$(session)"
    for _ in 1 2; do
        chunk "$UP_FD" words
        wait_for got acceptor words
        chunk "$DOWN_FD" answer
        wait_for got client answer
        rests "$(session)"
    done
    last_chunk "$UP_FD"
    wait_end acceptor
    answer "$UP_FD" 200
    rests "$(session)"
    last_chunk "$DOWN_FD"
    wait_end client
    wait_said relayd ' reason=eof$'
}

@test "an ended body whose connection stays, ends or is reset costs nothing" {
    start_ptth
    for how in stays ends reset; do
        running
        last_chunk "$UP_FD"
        expect "$ACCEPT_FD" $'0\r'
        case $how in
        stays) ;;
        ends)
            answer "$UP_FD" 200
            hang_up "$UP_FD"
            hang_up "$ACCEPT_FD"
            ;;
        reset)
            reset=$UP_FD
            wait_for unread_by_us +50
            hang_up "$reset"
            hang_up "$ACCEPT_FD"
            ;;
        esac
        rests "$(session)"
        chunk "$DOWN_FD" "more words"
        comes "$CONNECT_FD" "more words"
        rests "$(session)"
        last_chunk "$DOWN_FD"
        expect "$CONNECT_FD" $'0\r'
        answer "$DOWN_FD" 200
        wait_said relayd ' reason=eof$'
    done
    said relayd ' reason=eof$' 3
}

@test "bytes behind a body, and behind a request that waits, cost nothing and disturb nobody" {
    start_ptth
    announced
    chunk "$CONNECT_FD" behind
    accepts
    chunk "$ACCEPT_FD" behind
    rests "${PID[relayd]}"
    upstream
    downstream
    head "$CONNECT_FD" 200
    head "$ACCEPT_FD" 200
    say_at_once "$UP_FD" '5\r\nwords\r\n0\r\n\r\nbehind'
    comes "$ACCEPT_FD" words
    expect "$ACCEPT_FD" $'0\r'
    answer "$UP_FD" 200
    chunk "$UP_FD" more
    rests "$(session)"
    chunk "$DOWN_FD" "and back"
    comes "$CONNECT_FD" "and back"
    last_chunk "$DOWN_FD"
    wait_said relayd ' up=5 down=8 .* reason=eof$'
}

@test "a body that ended, or broke off, while it waits for accept costs nothing" {
    start_ptth
    announced
    half up
    request "${HALF[up]}" POST "/upstream/$ID" 'Content-Length: 5'
    printf words >&"${HALF[up]}"
    end_half up
    rests "${PID[relayd]}"
    accepts
    downstream
    head "$CONNECT_FD" 200
    head "$ACCEPT_FD" 200
    comes "$ACCEPT_FD" words
    expect "$ACCEPT_FD" $'0\r'
    wait_for got up '^HTTP/1.1 200'
    rests "$(session)"
    last_chunk "$DOWN_FD"
    wait_said relayd ' up=5 down=0 .* reason=eof$'
}

# --- slow readers

@test "a reader that pauses holds up its sender, in either direction, and gets every byte" {
    start_ptth
    make_file big $((10000000 + $(scaled 40000000)))
    for slow in up down; do
        dial_control
        CONNECT_FD=$FD
        say_at_once "$FD" 'GET /connect/box/web HTTP/1.0\r\n\r\n'
        ask GET /listen/box/web
        answer "$FD" 200
        ID=$BODY
        dial_control
        ACCEPT_FD=$FD
        say_at_once "$FD" 'GET /accept/%s HTTP/1.0\r\n\r\n' "$ID"
        [ "$slow" = up ] && INPUT=$D/big || INPUT=/dev/null
        call up "/upstream/$ID" -X POST -T -
        [ "$slow" = down ] && INPUT=$D/big || INPUT=/dev/null
        call down "/downstream/$ID" -X POST -T -
        wait_for stuck "$slow"
        rests "$(session)"
        [ "$(memory_kb "$(session)")" -lt $((600 * TIME_FACTOR * TIME_FACTOR)) ]
        [ "$slow" = up ] && reader=$ACCEPT_FD || reader=$CONNECT_FD
        head "$reader" 200
        cmp - "$D/big" <&"$reader"
        ended up 200
        ended down 200
    done
    said relayd " up=$(stat -c %s "$D/big") down=0 .* reason=eof$"
    wait_said relayd " up=0 down=$(stat -c %s "$D/big") .* reason=eof$"
}

position() {
    awk '$1 == "pos:" {print $2}' "/proc/${PID[$1]}/fdinfo/0"
}

# It has read a part of its file, and gets no further.
stuck() {
    local before

    before=$(position "$1")
    sleep 0.5
    [ "$before" -gt 0 ] && [ "$(position "$1")" = "$before" ]
}
