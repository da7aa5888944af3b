# ptth behind nginx and HAProxy, which are configured as README.md says.
# long: 45 s

load helper
load nginx
load sshd
load http-proxies

# behind KIND [OPTION...]: a relayd with these options.
behind() {
    local from=

    [ "$1" != haproxy ] || from='--proxy-from 127.0.0.1'
    start_relayd "${MANY[@]}" $from "${@:2}" ptth:127.0.0.1:0
    "start_$1" "${PEM-}"
    AT_SERVER=() AT_CLIENT=() AT_CURL=()
}

# The same by TLS; whoever comes verifies it, by socat or by openssl.
behind_tls() {
    CERTS=$BATS_FILE_TMPDIR/certs
    PEM=$CERTS/server.pem
    # Each request starts a program, and that TLS.
    TIME_FACTOR=$((TIME_FACTOR * 3))
    behind "$1"
    by_socat="socat -t 86400 -,shut-down OPENSSL:localhost:%p,cafile=$CERTS/ca.pem"
    by_openssl="openssl s_client -quiet -verify_quiet -no_ign_eof -nocommands -verify_return_error -verify_hostname localhost -CAfile $CERTS/ca.pem -connect localhost:%p"
    AT_SERVER=(--via "$by_socat") AT_CLIENT=(--via "$by_openssl")
    AT_CURL=(--cacert "$CERTS/ca.pem" --resolve "localhost:$FRONT:127.0.0.1")
    COMMANDS[connect]=1
}

setup_file() {
    "$BATS_TEST_DIRNAME/tools/certs" "$BATS_FILE_TMPDIR/certs"
}

# --- sessions

@test "nginx: what ends and what is cut, 100 sessions at once, 100 MB both ways at once" {
    behind nginx
    start_both
    carries
    carries_much
    not said connect '^lost '
}

@test "haproxy: what ends and what is cut, 100 sessions at once, 100 MB both ways at once" {
    behind haproxy
    start_both
    carries
    carries_much
    not said connect '^lost '
}

@test "nginx with TLS, socat and openssl: what ends and what is cut" {
    behind_tls nginx
    start_both
    carries 4
    carries_much 10 30000000
}

@test "haproxy with TLS, socat and openssl: what ends and what is cut" {
    behind_tls haproxy
    start_both
    carries 4
    carries_much 10 30000000
}

@test "a terminal through nginx with TLS, key by key" {
    behind_tls nginx
    types
}

@test "a terminal through haproxy with TLS, key by key" {
    behind_tls haproxy
    types
}

@test "haproxy says who servers and clients are, and nobody else gets in without saying so" {
    behind haproxy
    start_both
    dial "$LOCAL"
    wait_said relayd '^pair '
    from=$(ss -Htn "dport = :$FRONT" | awk '{print $4}')
    grep -qF "$(value relayd '^open ' from)" <<<"$from"
    grep -qF "$(value relayd '^pair ' client)" <<<"$from"
    curl -s "http://127.0.0.1:$CONTROL/listen/box/1" || :
    wait_said relayd '^reject .* reason=proxy$'
}

# --- what breaks off

@test "nginx: kill -9 of who sends a body is a cut across" {
    behind nginx
    breaks_off
}

@test "haproxy: kill -9 of who sends a body is a cut across" {
    behind haproxy
    breaks_off
}

@test "haproxy with TLS: kill -9 of who sends a body is a cut across" {
    behind_tls haproxy
    COMMANDS[connect]=1
    breaks_off https://localhost
}

# --- silence

silent_nginx() {
    SILENCE=2 behind nginx "$@"
}

silent_haproxy() {
    SILENCE=2 behind haproxy "$@"
}

@test "nginx: what is silent for longer than its times is cut, a request that is held is given up" {
    ends_silence silent_nginx 'the\\x20relay\\x20says\\x20504\\x20Gateway\\x20Time-out'
}

@test "haproxy: what is silent for longer than its times is cut, a request that is held is given up" {
    ends_silence silent_haproxy 'the\\x20relay\\x20says\\x20504\\x20Gateway\\x20Time-out'
}

# --- what cannot be

# nginx with this in place of a word of README.md's.
start_gatherer() {
    FRONT=$(free_port)
    run_nginx "$FRONT" < <(readme_block 'server {' | adapt '' | sed "$GATHERS")
}

@test "a proxy that gathers bodies: the client is reset after the claim timeout, and the relay says why" {
    GATHERS='/proxy_request_buffering/d' behind gatherer -c 1
    serve_ptth web 127.0.0.1:1
    call_ptth
    dial "$LOCAL"
    began=$(now_ms)
    [ "$(rest "$FD")" = "= reset" ]
    wait_said relayd '^refuse service=web/1 client=127\.0\.0\.1:[0-9]+ reason=timeout$'
}

@test "a proxy that takes the chunks away: both ends say so" {
    GATHERS='s/proxy_http_version/chunked_transfer_encoding off; &/' behind gatherer -c 1
    serve_ptth web 127.0.0.1:1
    call_ptth
    dial "$LOCAL"
    [ "$(rest "$FD")" = "= reset" ]
    for name in connect connect-here; do
        wait_said "$name" '^end .* reason=error error=what\\x20stands\\x20before\\x20the\\x20relay\\x20does\\x20not\\x20pass\\x20chunks\\x20on$'
    done
}
