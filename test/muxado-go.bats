# muxado with the library that tcp-relay was written for, that of March 2014, on the other side: test/peers/muxado.go.
# It needs Go and Debian's golang-github-inconshreveable-muxado-dev, which scripts/check does not install.
# long: 90 s

load helper

LIBRARY=github.com/inconshreveable/muxado

# Debian's own Go has its libraries compiled already.
find_go() {
    for GO in "${GO-}" /usr/bin/go "$(command -v go)"; do
        [ -z "$GO" ] || [ ! -x "$GO" ] || return 0
    done
    GO=
}

# Says what is missing, if anything is.
missing() {
    find_go
    [ -n "$GO" ] || { echo "there is no Go here (golang-go)"; return; }
    [ -d "${MUXADO_GOPATH:-/usr/share/gocode}/src/$LIBRARY" ] || echo "there is no library (golang-github-inconshreveable-muxado-dev)"
}

setup_file() {
    [ -z "$(missing)" ] || return 0
    find_go
    export GOPATH=${MUXADO_GOPATH:-/usr/share/gocode} GO111MODULE=off GOTOOLCHAIN=local GOPROXY=off GOFLAGS= CGO_ENABLED=0
    GOCACHE=$BATS_FILE_TMPDIR/cache "$GO" build -o "$BATS_FILE_TMPDIR/muxado" "$BATS_TEST_DIRNAME/peers/muxado.go"
}

setup() {
    D=$BATS_TEST_TMPDIR
    cd "$ROOT" || return
    [ -x "$TOOLS/load" ] || { echo "the test tools are not built: make test-tools"; return 1; }
    [ -x "$BATS_FILE_TMPDIR/muxado" ] || skip "$(missing)"
}

# start_server [serve TARGET|greet]: the library's, on relayd; sets PUBLIC.
start_server() {
    [ $# -gt 0 ] || set -- serve
    : >"$D/peer.out"
    start peer "$BATS_FILE_TMPDIR/muxado" "$1" "127.0.0.1:$CONTROL" "${@:2}"
    wait_for printed_or_gone peer
    read_public peer
}

# The library's relay: sets CONTROL and PUBLIC_PORT.
start_relay() {
    CONTROL=$(free_port)
    PUBLIC_PORT=$(free_port)
    start relay "$BATS_FILE_TMPDIR/muxado" relay "127.0.0.1:$CONTROL" "127.0.0.1:$PUBLIC_PORT"
    wait_for printed_or_gone relay
}

# relay-connect on it, for a server of load's.
start_behind() {
    start_relay
    start_load
    start_connect -n web "muxado://127.0.0.1:$CONTROL" "${1:-$LOAD}"
    [ "$PUBLIC" = "127.0.0.1:$PUBLIC_PORT" ]
}

# A MiB that nobody knows, there and back.
echoed() {
    head -c 1048576 /dev/urandom >"$D/sent"
    timeout $((60 * TIME_FACTOR)) socat -t 30 - "TCP:$1" <"$D/sent" >"$D/echoed"
    [ "$(sha256sum <"$D/sent")" = "$(sha256sum <"$D/echoed")" ]
}

start_echo() {
    ECHO=127.0.0.1:$(free_port)
    start echo socat -t 30 "TCP-LISTEN:${ECHO##*:},bind=127.0.0.1,fork,reuseaddr" EXEC:cat
    wait_for listening "${ECHO##*:}"
}

# --- its server, and relayd

@test "its server is told the public address" {
    start_relayd muxado:127.0.0.1:0+2
    start_server
    [ "$PUBLIC" = "127.0.0.1:${POOL[0]}" ]
    said relayd "^open service=${POOL[0]} proto=muxado public=$PUBLIC from=127\.0\.0\.1:[0-9]+\$"
}

@test "its server echoes a MiB" {
    start_relayd muxado:127.0.0.1:0+2
    start_server
    echoed "$PUBLIC"
    wait_said relayd "^end service=${POOL[0]} client=.* up=1048576 down=1048576 .* reason=eof"
}

@test "its server: 20 clients at once, by echo, and with either side first to end its direction" {
    start_relayd muxado:127.0.0.1:0+2
    start_server
    load_client "$PUBLIC" echo --sessions 60 --at-once 20 --bytes 500000
    stop peer
    start_load
    start_server serve "$LOAD"
    for mode in both client-first server-first; do
        load_client "$PUBLIC" "$mode" --sessions 40 --at-once 20 --bytes 500000
    done
    load_served 120
    not said relayd '^end .* reason=(reset|killed|error|timeout)'
}

@test "its server: clients that do not read, and that do not send, hold nobody up" {
    start_relayd muxado:127.0.0.1:0+2
    start_load
    start_server serve "$LOAD"
    start slow "$TOOLS/load" client "$PUBLIC" --mode both --sessions 5 --at-once 5 --bytes 8000000 --pause-client 4000
    load_client "$PUBLIC" both --sessions 40 --at-once 10 --bytes 300000
    alive slow
    wait_at_most 60 gone slow
    wait_end slow
    [ "$status" -eq 0 ]
}

@test "its server: a client's reset arrives" {
    start_relayd muxado:127.0.0.1:0+2
    start_load
    start_server serve "$LOAD"
    load_client "$PUBLIC" client-resets --sessions 20 --at-once 20 --bytes 100000
    wait_said relayd '^end .* reason=reset' 20
    # And the connection to the server is as good as before.
    load_client "$PUBLIC" both --sessions 5 --bytes 100000
    load_served 25
}

@test "its server closes first: a RST 4 comes for what the client does later, which harms nothing" {
    start_relayd muxado:127.0.0.1:0+2
    start_server greet
    dial "$PUBLIC"
    HELD=$FD
    expect "$HELD" hello
    for _ in {1..20}; do
        dial "$PUBLIC"
        expect "$FD" hello
        [ "$(rest "$FD")" = "= eof" ]
        say "$FD" "nobody reads this"
        hang_up "$FD"
    done
    wait_said relayd '^end .* down=6 .* reason=eof' 20
    # The first one has been open all the time.
    say "$HELD" "nor this"
    say "$HELD" "nor this"
    [ "$(rest "$HELD")" = "= eof" ]
    hang_up "$HELD"
    wait_said relayd '^end .* down=6 .* reason=eof' 21
    not said relayd '^end .* reason=reset'
    alive peer
}

@test "its server: heartbeats of both sides are answered: it is there after 30 s, sessions too" {
    start_relayd muxado:127.0.0.1:0+2
    start_server
    dial "$PUBLIC"
    HELD=$FD
    say "$HELD" before
    expect "$HELD" before
    silent "$HELD" 30
    say "$HELD" after
    expect "$HELD" after
    alive peer
    not said relayd '^close '
}

@test "its server: whoever stops is given up after 13 s, by the other side" {
    start_relayd muxado:127.0.0.1:0+2
    start_server
    kill -STOP "${PID[peer]}"
    wait_at_most 25 said relayd "^close service=${POOL[0]} reason=timeout"
    kill -CONT "${PID[peer]}"
    wait_end peer
    start_server
    carrier=$(offspring relayd)
    kill -STOP "$carrier"
    wait_at_most 25 gone peer
    kill -CONT "$carrier"
    wait_said relayd "^close service=${POOL[0]} reason=" 2
}

@test "its server goes: its port is free, and its clients are reset" {
    start_relayd muxado:127.0.0.1:0+1
    start_server
    dial "$PUBLIC"
    say "$FD" before
    expect "$FD" before
    stop peer
    [ "$(rest "$FD")" = "= reset" ]
    wait_said relayd "^close service=${POOL[0]} reason=(eof|reset)"
    start_server
    [ "$PUBLIC" = "127.0.0.1:${POOL[0]}" ]
    echoed "$PUBLIC"
}

@test "relayd goes: its server sees that, once the sessions are over" {
    start_relayd muxado:127.0.0.1:0+2
    start_server
    dial "$PUBLIC"
    say "$FD" before
    expect "$FD" before
    stop relayd
    say "$FD" after
    expect "$FD" after
    alive peer
    hang_up "$FD"
    wait_end peer
    [ "$status" -eq 0 ]
    said peer '^ended '
}

@test "relayd is ended by INT: its server sees that at once" {
    start_relayd muxado:127.0.0.1:0+2
    start_server
    dial "$PUBLIC"
    say "$FD" before
    expect "$FD" before
    stop relayd INT
    [ "$(rest "$FD")" = "= reset" ]
    wait_end peer
    said peer '^ended '
}

# --- its relay, and relay-connect

@test "its relay: relay-connect prints the public address, and a MiB is echoed" {
    start_echo
    start_behind "$ECHO"
    echoed "$PUBLIC"
    wait_said connect '^end service=web client=.* up=1048576 down=1048576 .* reason=eof'
}

@test "its relay: 20 clients at once, with either side first to end its direction" {
    start_behind
    for mode in both client-first server-first; do
        load_client "$PUBLIC" "$mode" --sessions 40 --at-once 20 --bytes 500000
    done
    load_served 120
    not said connect '^end .* reason=(reset|killed|error|timeout)'
}

@test "its relay: the local server's reset arrives, and one that is not there is a reset" {
    start_behind
    load_client "$PUBLIC" server-resets --sessions 20 --at-once 20 --bytes 100000
    load_client "$PUBLIC" both --sessions 5 --bytes 100000
    load_served 25
    dial "$PUBLIC"
    [ "$(rest "$FD")" = "= reset" ]
    wait_said connect '^end .* reason=error error=Connection\\x20refused'
}

@test "its relay: heartbeats of both sides are answered: it is there after 30 s, sessions too" {
    start_behind
    hold_sessions "$PUBLIC" 3
    sleep 30
    all_alive 3
    finish_held
    not said connect '^lost '
}

@test "its relay: one that stops is given up after 13 s, and found again" {
    start_behind
    kill -STOP "${PID[relay]}"
    wait_at_most 25 said connect '^lost service=web .* reason=timeout'
    kill -CONT "${PID[relay]}"
    wait_at_most 25 said connect '^open ' 2
    load_client "$PUBLIC" both --sessions 5 --bytes 100000
}

@test "its relay goes: relay-connect sees that, and finds the next one" {
    start_behind
    stop relay
    wait_said connect '^lost service=web .* reason=(eof|reset)'
    start relay2 "$BATS_FILE_TMPDIR/muxado" relay "127.0.0.1:$CONTROL" "127.0.0.1:$PUBLIC_PORT"
    wait_at_most 40 said connect '^open ' 2
    load_client "$PUBLIC" both --sessions 5 --bytes 100000
}

@test "relay-connect goes: its relay sees that" {
    start_behind
    stop connect
    wait_said relay '^ended '
}
