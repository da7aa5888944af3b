# ptth through forward proxies, squid and tinyproxy, as they are.
# long: 45 s

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
        load_client "$LOCAL" client-first --sessions 10 --at-once 5 --up 300000 --down 300000
        load_client "$LOCAL" server-cuts --sessions 10 --at-once 5 --up 300000 --down 300000
        forget "${STARTED[@]}"
    done
}

@test "tinyproxy at the server's end, or at the client's" {
    for end in server client; do
        through tinyproxy "$end"
        start_both
        load_client "$LOCAL" client-first --sessions 10 --at-once 5 --up 300000 --down 300000
        load_client "$LOCAL" server-cuts --sessions 10 --at-once 5 --up 300000 --down 300000
        forget "${STARTED[@]}"
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
    forget connect connect-here
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

silent_squid() {
    SILENCE=2 through squid both "$@"
}

silent_tinyproxy() {
    SILENCE=2 through tinyproxy both "$@"
}

@test "squid: what is silent for longer than its read_timeout is cut, a request that is held is given up" {
    ends_silence silent_squid 'the\\x20relay\\x20says\\x20504\\x20Gateway\\x20Timeout'
}

@test "tinyproxy: what is silent for longer than its Timeout is cut, a request that is held is given up" {
    ends_silence silent_tinyproxy eof
}
