# ptth through forward proxies, squid and tinyproxy, as they are.
# long: 30 s

load helper
load sshd
load http-proxies

# through PROXY ENDS [OPTION...]: ENDS: server, client or both; a relayd with these options.
through() {
    start_relayd "${MANY[@]}" "${@:3}" ptth:127.0.0.1:0
    "start_$1"
    AT_SERVER=() AT_CLIENT=()
    [ "$2" = client ] || AT_SERVER=(--proxy "$PROXY")
    [ "$2" = server ] || AT_CLIENT=(--proxy "$PROXY")
    AT_CURL=(--proxy "$PROXY")
}

# --- sessions

@test "squid at the server's end, or at the client's" {
    for end in server client; do
        through squid "$end"
        start_both
        carries
        kill_sessions squid load connect connect-here relayd
        rm "$D"/*.out
    done
}

@test "tinyproxy at the server's end, or at the client's" {
    for end in server client; do
        through tinyproxy "$end"
        start_both
        carries
        kill_sessions tinyproxy load connect connect-here relayd
        rm "$D"/*.out
    done
}

@test "squid at both ends, 100 sessions at once, 100 MB both ways at once" {
    through squid both
    start_both
    carries
    carries_much
}

@test "tinyproxy at both ends, 100 sessions at once, 100 MB both ways at once" {
    through tinyproxy both
    start_both
    carries
    carries_much
    # It ends connections behind their answer without a word.
    not said connect '^lost '
}

@test "a terminal through squid, key by key" {
    through squid both
    types
}

@test "a terminal through tinyproxy, key by key" {
    through tinyproxy both
    types
}

# --- what breaks off

@test "squid: kill -9 of who sends a body is a cut across" {
    through squid both
    breaks_off
}

@test "tinyproxy: kill -9 of who sends a body is a cut across" {
    through tinyproxy both
    breaks_off
}

# --- credentials

# asks_who PROXY PASSWORD
asks_who() {
    start_relayd ptth:127.0.0.1:0
    "start_$1" auth
    (umask 077; echo "user:$2" >"$D/auth"; echo "other:$2" >"$D/other")
    URL=ptth://127.0.0.1:$CONTROL/web/1

    start connect "${CONNECT_WORDS[@]}" --proxy "$PROXY" "ptth://127.0.0.1:$CONTROL" localhost:1
    AT_CLIENT=(--proxy "$PROXY")
    call_ptth
    dial "$LOCAL"
    wait_said connect '^lost .* reason=the\\x20proxy\\x20says\\x20407\\x20Proxy\\x20Authentication\\x20Required$'
    wait_said connect-here '^end .* reason=error error=the\\x20proxy\\x20says\\x20407\\x20Proxy\\x20Authentication\\x20Required$'
    [ "$(rest "$FD")" = "= reset" ]
    kill_sessions connect connect-here
    not said relayd '^open '

    AT_SERVER=(--proxy "$PROXY" --proxy-auth "$D/auth") AT_CLIENT=(--proxy "$PROXY" --proxy-auth "$D/auth")
    start_both
    load_client "$LOCAL" both --sessions 5 --bytes 10000
}

@test "squid that asks for a user: refused without, served with him" {
    asks_who squid anything
}

@test "tinyproxy that asks for a password: refused without, served with it" {
    asks_who tinyproxy secret
}

# --- silence

# ends_silence PROXY REASON: after 2 s. A request that is held for longer is lost, and says so; one that is not, not.
ends_silence() {
    SILENCE=2
    through "$1" both
    serve_ptth box 127.0.0.1:1
    wait_said connect "^lost service=box relay=127\.0\.0\.1:[0-9]+ reason=$2\$"
    kill_sessions "$1" connect relayd
    rm "$D/connect".*
    through "$1" both --poll-timeout 1
    start connect "${CONNECT_WORDS[@]}" -n box "${AT_SERVER[@]}" "ptth://127.0.0.1:$CONTROL" -- cat
    wait_for test -s "$D/connect.out"
    URL=$(cat "$D/connect.out")
    call_ptth
    dial "$LOCAL"
    say "$FD" hello
    expect "$FD" hello
    [ "$(rest "$FD")" = "= reset" ]
    wait_said connect '^end service=box .* reason=reset$'
    not said connect '^lost '
}

@test "squid: what is silent for longer than its read_timeout is cut, a request that is held is given up" {
    ends_silence squid 'the\\x20relay\\x20says\\x20504\\x20Gateway\\x20Timeout'
}

@test "tinyproxy: what is silent for longer than its Timeout is cut, a request that is held is given up" {
    ends_silence tinyproxy eof
}
