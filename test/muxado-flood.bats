# muxado: a relay that opens streams faster than they can be turned away.

load helper

# flood COUNT: the address of a public port, and streams that are opened and reset in turn, in v1.
flood() {
    printf '%b' "$(awk -v count="$1" '
        function number(n) { return sprintf("\\x%02x\\x%02x\\x%02x\\x%02x", 0, n / 65536 % 256, n / 256 % 256, n % 256) }
        BEGIN {
            printf "\\x00\\x08\\x00\\x03\\x00\\x00\\x00\\x03relay:80\\x00\\x00\\x01\\x03\\x00\\x00\\x00\\x03"
            for (i = 1; i <= count; i++)
                printf "%s%s%s%s%s", number(1), number(2 * i), "\\x00\\x04\\x00\\x02", number(2 * i), number(7)
        }')"
}

@test "more streams than sessions, opened and reset in turn: turned away one after the other" {
    local port

    port=$(free_port)
    flood 20000 >"$D/flood"
    start relay socat -u "FILE:$D/flood" "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr"
    wait_for listening "$port"
    start_load
    start connect bash -c 'ulimit -s 128; exec "$@"' - "${CONNECT_WORDS[@]}" --once --max-sessions 1 "muxado://127.0.0.1:$port" "$LOAD"
    wait_end connect
    said connect '^lost '
    [ "$status" -eq 0 ]
}
