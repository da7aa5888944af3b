# ptth: what becomes of the others when one of the four goes while the session
# runs: nothing that was cut looks as if it had ended.
# long: 30 s

load helper
load ptth

ended_as_reset() {
    wait_said relayd '^end service=box/web .* reason=reset$' "${1:-1}"
}

@test "a body that breaks off, in a chunk or between two, resets the other three" {
    start_ptth
    for piece in '5\r\nwor' '5\r\nwords\r\n' '5' '5\r\nwords\r\n0\r\n' '5\r\nwords\r\n0\r\nTrailer: x\r\n'; do
        running
        say_at_once "$UP_FD" "$piece"
        hang_up "$UP_FD"
        was_reset "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
        running
        say_at_once "$DOWN_FD" "$piece"
        hang_up "$DOWN_FD"
        was_reset "$CONNECT_FD" "$ACCEPT_FD" "$UP_FD"
    done
    ended_as_reset 10
    serves_on
}

@test "a body that breaks off before its Content-Length resets the other three" {
    start_ptth
    announced
    accepts
    downstream
    ask POST "/upstream/$ID" 'Content-Length: 10'
    UP_FD=$FD
    printf 'some' >&"$UP_FD"
    head "$ACCEPT_FD" 200
    comes "$ACCEPT_FD" some
    hang_up "$UP_FD"
    was_reset "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    ended_as_reset
    said relayd ' up=4 down=0 '
}

@test "a malformed chunk resets all four" {
    start_ptth
    for piece in 'x\r\n' '5\nwords\r\n' '5\r\nwordsx' '\x2d5\r\n' '0x5\r\n' '\r\n' '5 5\r\n' '4000000000000001\r\n' \
        'fffffffffffffffff\r\n' '0\r\nTrailer\x00\r\n\r\n' '1;\x01\r\n' '5\r\nwords\n'; do
        running
        say_at_once "$UP_FD" "$piece"
        was_reset "$UP_FD" "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    done
    wait_said relayd '^end service=box/web .* reason=error error=.*$' 12
    serves_on
}

@test "extensions without an end are no body" {
    start_ptth
    running
    printf -v long '%9000s' ''
    say_at_once "$UP_FD" '5;%s' "${long// /x}"
    was_reset "$UP_FD" "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
}

@test "who reads an answer goes: the other three are reset" {
    start_ptth
    running
    chunk "$UP_FD" unread
    wait_for unread_by_us 11
    reset_by "$ACCEPT_FD"
    was_reset "$CONNECT_FD" "$UP_FD" "$DOWN_FD"
    running
    chunk "$DOWN_FD" unread
    wait_for unread_by_us 11
    reset_by "$CONNECT_FD"
    was_reset "$ACCEPT_FD" "$UP_FD" "$DOWN_FD"
    ended_as_reset 2
    serves_on
}

@test "kill -9 of any of four curls: none of the others looks as if it had ended well" {
    start_ptth
    for victim in client acceptor up down; do
        meet
        INPUT=/dev/zero call up "/upstream/$ID" -X POST -T - --limit-rate 2M
        INPUT=/dev/zero call down "/downstream/$ID" -X POST -T - --limit-rate 2M
        call acceptor "/accept/$ID"
        wait_for test -s "$D/acceptor.body"
        wait_for test -s "$D/client.body"
        stop "$victim" KILL
        for name in client acceptor up down; do
            [ "$name" = "$victim" ] || cut_off "$name"
        done
    done
    ended_as_reset 4
    serves_on
}

@test "kill -9 of the session's process resets all four" {
    start_ptth
    running
    kill -KILL "$(value relayd '^pair ' pid)"
    was_reset "$UP_FD" "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    wait_said relayd '^end .* reason=killed$'
    serves_on
}

@test "a session in which nothing moves for the idle timeout is cut" {
    start_ptth --idle-timeout 1
    running
    was_reset "$UP_FD" "$CONNECT_FD" "$ACCEPT_FD" "$DOWN_FD"
    wait_said relayd '^end .* up=10 down=8 .* reason=idle$'
}
