# --proxy: the relay is reached through an HTTP proxy, by CONNECT.
# long: 60 s

load helper
load auth

# What "user:pass word" is in base64.
CREDENTIALS=dXNlcjpwYXNzIHdvcmQ=

# start_proxy [ANSWER [PORT]]: one that answers so; sets PROXY (its URL) and F (what it noted down).
start_proxy() {
    local name=proxy${3-}

    F=$D/proxy
    mkdir -p "$F"
    printf '%s\n' "${1:-through}" >"$F/answer"
    start "$name" socat -d -d "TCP-LISTEN:${2:-0},bind=127.0.0.1,reuseaddr,fork,nodelay" "EXEC:$TOOLS/fake-proxy $F,nofork"
    wait_said "$name" 'listening on'
    PROXY=http://$(grep -o 'listening on .*' "$D/$name.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

# write_auth TEXT: the file for --proxy-auth, as it is.
write_auth() {
    (umask 077 && printf '%s' "$1" >"$D/auth")
}

# serve_proxy [OPTION...]: relayd, and a server of `load` that reaches it through PROXY.
serve_proxy() {
    start_relayd "${MANY[@]}" 127.0.0.1:0+8
    start_load
    start_connect -n web --proxy "$PROXY" "$@" "127.0.0.1:$CONTROL" "$LOAD"
}

# fails_with REASON RELAY-CONNECT'S-ARGUMENT...: it does not get through, and says why.
fails_with() {
    run timeout $((20 * TIME_FACTOR)) "${CONNECT_WORDS[@]}" -1 -n web --proxy "$PROXY" "${@:2}" relay.example.org localhost:1
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "lost service=web relay=relay.example.org:62514 reason=${1// /\\x20}" ]]
}

# asked N HOST:PORT [LINE]: the N-th request is exactly so, with this line more.
asked() {
    local wanted="CONNECT $2 HTTP/1.1"$'\r\n'"Host: $2"$'\r\n'

    [ -z "${3-}" ] || wanted+=$3$'\r\n'
    cmp <(printf '%s\r\n' "$wanted") "$F/head.$1"
}

# --- the command line

@test "what is no URL of a proxy is a usage mistake, and none of it is repeated" {
    for url in '' proxy proxy:3128 //proxy http: http:// http:/proxy http://: http://:80 http://proxy: http://proxy:0 \
        http://proxy:99999 http://proxy:x 'http://pro xy' http://::1 'http://[::1' http://-proxy ftp://proxy \
        https://proxy socks5://proxy http://proxy/ http://proxy:80/path 'http://proxy?q' 'http://proxy#f'; do
        echo "$url"
        connect_mistake --proxy --proxy "$url" 127.0.0.1 localhost:80
    done
    connect_mistake "without TLS" --proxy https://proxy 127.0.0.1 localhost:80
    connect_mistake "behind HOST:PORT" --proxy http://proxy/ 127.0.0.1 localhost:80
    for url in http://user:secret@proxy https://user:secret@proxy user:secret@proxy http://user@proxy; do
        connect_mistake --proxy-auth --proxy "$url" 127.0.0.1 localhost:80
        [[ "$output" != *secret* ]]
    done
}

@test "what does not go with --proxy is a usage mistake" {
    connect_mistake "--via and --proxy" --via 'socat - TCP:%h:%p' --proxy http://proxy 127.0.0.1 localhost:80
    connect_mistake "--ready is for connections made directly: leave it or --proxy out" -r 1 --proxy http://proxy 127.0.0.1 localhost:80
    connect_mistake "leave --proxy out" --proxy http://proxy hostpool://127.0.0.1 localhost:80
    connect_mistake "give --proxy URL" --proxy-auth "$D/auth" 127.0.0.1 localhost:80
}

# auth_refused WORDS: and nothing of the file is repeated.
auth_refused() {
    run timeout 10 "${CONNECT_WORDS[@]}" --proxy http://127.0.0.1:1 --proxy-auth "${2:-$D/auth}" 127.0.0.1 localhost:80
    echo "$output"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *"cannot use the file of --proxy-auth"*"$1"* && "$output" != *secret* ]]
}

@test "a file of credentials that cannot be used" {
    auth_refused "No such file" "$D/nothing"
    mkdir -m 700 "$D/directory"
    auth_refused "no regular file" "$D/directory"
    write_auth $'user:secret\n'
    for mode in 640 604 620; do
        chmod "$mode" "$D/auth"
        auth_refused "chmod 600"
    done
    chmod 600 "$D/auth"
    for text in '' $'\n' secret $'secret\n'; do
        write_auth "$text"
        auth_refused "not USER:PASSWORD"
    done
    for text in $'user:secret\nmore\n' $'user:secret\r\n' $'\nuser:secret' $'user:se\tcret' $'user:secret\x7f' $'user:secret\n\n'; do
        write_auth "$text"
        auth_refused "not one line, or has a control character"
    done
    write_auth "user:$(printf 's%.0s' {1..251})"
    auth_refused "longer than 255 bytes"
    write_auth "user:$(printf 's%.0s' {1..10000})"
    auth_refused "longer than 255 bytes"
}

# --- what is asked

@test "the request, byte for byte, of a name, an address and IPv6, without credentials" {
    start_proxy 'say "HTTP/1.1 502 Bad Gateway\r\n\r\n"'
    n=0
    for relay in relay.example.org 192.0.2.1:7 '[2001:db8::1]:62000' tlsrelay://relay.example.org muxado://relay muxado2://relay:9; do
        run timeout $((20 * TIME_FACTOR)) "${CONNECT_WORDS[@]}" -1 --proxy "$PROXY" "$relay" localhost:1
        n=$((n + 1))
    done
    asked 1 relay.example.org:62514
    asked 2 192.0.2.1:7
    asked 3 '[2001:db8::1]:62000'
    asked 4 relay.example.org:12000
    asked 5 relay:8080
    asked 6 relay:9
}

@test "the request with credentials" {
    start_proxy 'say "HTTP/1.1 502 Bad Gateway\r\n\r\n"'
    write_auth $'user:pass word\n'
    fails_with "the proxy says 502 Bad Gateway" --proxy-auth "$D/auth"
    asked 1 relay.example.org:62514 "Proxy-Authorization: Basic $CREDENTIALS"
    write_auth 'user:pass word'
    fails_with "the proxy says 502 Bad Gateway" --proxy-auth "$D/auth"
    asked 2 relay.example.org:62514 "Proxy-Authorization: Basic $CREDENTIALS"
    for secret in ":" "user:" ":p" "us:er:p@ss/?" "$(printf 'u:\xc3\xa9')" "u:$(printf 's%.0s' {1..252})" "u:$(printf 's%.0s' {1..253})"; do
        write_auth "$secret"
        run timeout $((20 * TIME_FACTOR)) "${CONNECT_WORDS[@]}" -1 --proxy "$PROXY" --proxy-auth "$D/auth" relay.example.org localhost:1
        last=$(ls "$F" | grep -c '^head')
        asked "$last" relay.example.org:62514 "Proxy-Authorization: Basic $(printf '%s' "$secret" | base64 -w 0)"
    done
    [ "$last" -eq 9 ]
}

@test "the credentials are in no log and no argument, and no session has them in its memory" {
    start_proxy
    write_auth $'user:pass word\n'
    serve_proxy --proxy-auth "$D/auth"
    dial "$PUBLIC"
    wait_for offspring_count connect 1
    wait_for asked 2 "127.0.0.1:$CONTROL" "Proxy-Authorization: Basic $CREDENTIALS"
    ps -eo args= >"$D/ps"
    not grep -qE "pass word|$CREDENTIALS" "$D/ps" "$D/connect.err" "$D/connect.out" "$D/relayd.err"
    # To see that the search can find it: the parent has it.
    "$TOOLS/remembers" "${PID[connect]}" "$CREDENTIALS"
    not "$TOOLS/remembers" "$(offspring connect)" "$CREDENTIALS"
    not "$TOOLS/remembers" "$(offspring connect)" "pass word"
}

@test "the process of a muxado connection does not have them either" {
    start_proxy
    write_auth $'user:pass word\n'
    start_relayd muxado:127.0.0.1:0+2
    start_connect --proxy "$PROXY" --proxy-auth "$D/auth" "muxado://127.0.0.1:$CONTROL" localhost:1
    "$TOOLS/remembers" "${PID[connect]}" "$CREDENTIALS"
    not "$TOOLS/remembers" "$(offspring connect)" "$CREDENTIALS"
    COMMANDS[connect]=1
}

# --- what is answered

@test "what the proxy says where it does not connect" {
    start_proxy 'say "$(cat "$DIR/text")"'
    while IFS='|' read -r answer reason; do
        printf '%s' "$answer" >"$F/text"
        fails_with "$reason"
    done <<'END'
HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 4\r\n\r\nbody|the proxy says 407 Proxy Authentication Required
HTTP/1.0 502 Bad Gateway\r\n\r\n|the proxy says 502 Bad Gateway
HTTP/1.1 503\r\n\r\n|the proxy says 503
HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n|the proxy says 302 Found
HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n|the proxy says 403 Forbidden
HTTP/1.1 400 a\xff"b\\c\r\n\r\n|the proxy says 400 a\xff\x22b\x5cc
HTTP/1.1 400 a\e[31mb\r\n\r\n|the proxy: it does not speak HTTP
HTTP/1.1 999 \r\n\r\n|the proxy says 999 
GET / HTTP/1.1\r\n\r\n|the proxy: it does not speak HTTP
HTTP/2 200 OK\r\n\r\n|the proxy: it does not speak HTTP
HTTP/1.1 2x0 OK\r\n\r\n|the proxy: it does not speak HTTP
HTTP/1.1 200 OK\n\n|the proxy: it does not speak HTTP
SSH-2.0-OpenSSH_9.2\r\n|the proxy: it does not speak HTTP
HTTP/1.1 200 OK\r\n|the proxy: it closed the connection
|the proxy: it closed the connection
END
}

@test "a long reason is cut" {
    start_proxy 'say "HTTP/1.1 500 %s\r\n\r\n" "$(printf "x%.0s" {1..4000})"'
    run timeout $((20 * TIME_FACTOR)) "${CONNECT_WORDS[@]}" -1 -n web --proxy "$PROXY" relay.example.org localhost:1
    echo "$output"
    [[ "${lines[0]}" =~ reason=the\\x20proxy\\x20says\\x20500\\x20x{60,90}$ ]]
}

@test "a head that is too long" {
    start_proxy 'say "HTTP/1.1 200 OK\r\nX: %s\r\n\r\n" "$(printf "x%.0s" {1..9000})"; hear'
    fails_with "the proxy: its answer is too long"
}

@test "an answer that does not come, or not to its end, has 10 s" {
    start_proxy 'sleep 1000'
    began=$(now_ms)
    start connect "${CONNECT_WORDS[@]}" -1 -n web --proxy "$PROXY" relay.example.org localhost:1
    wait_for test -e "$F/head.1"
    echo 'printf "HTTP/1.1 200 OK\r\nX: "; while printf x; do sleep 0.5; done' >"$F/answer"
    start connect2 "${CONNECT_WORDS[@]}" -1 -n web --proxy "$PROXY" relay.example.org localhost:1
    for name in connect connect2; do
        wait_at_most 20 said "$name" '^lost .* reason=the\\x20proxy:\\x20it\\x20does\\x20not\\x20answer$'
        [ $(($(now_ms) - began)) -ge 9500 ]
        wait_end "$name"
        [ "$status" -eq 1 ]
    done
}

@test "an answer in pieces of one byte, others before it, and fields that mean nothing" {
    start_proxy 'through split "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 x\r\nA: b\r\n\r\nHTTP/1.1 299 \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"'
    serve_proxy
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
    load_served 5
}

@test "what comes in one piece with the answer is the tunnel's" {
    start_proxy 'if [ "$N" -eq 1 ]; then
    say "HTTP/1.1 200 OK\r\n\r\n[PUBLIC] 127.0.0.1:62000\n[NEW]62514 id=00112233445566778899aabbccddeeff from=192.0.2.1:7\n"
    while hear; do :; done
else
    say "HTTP/1.1 200 OK\r\n\r\nping\n"
    hear; hear; hear
fi'
    start connect "${CONNECT_WORDS[@]}" -n web --proxy "$PROXY" relay.example.org -- cat
    wait_for grep -qx ping "$F/heard"
    [ "$(cat "$D/connect.out")" = 127.0.0.1:62000 ]
    grep -q '^\[HELLO\] v=1 name=web' "$F/heard"
    grep -qx '\[DATA\] id=00112233445566778899aabbccddeeff' "$F/heard"
    asked 2 relay.example.org:62514
}

# --- where it goes

@test "sessions both ways, and either end of file alone where the proxy passes it on" {
    start_proxy
    serve_proxy
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 1048576
    load_client "$PUBLIC" client-first --sessions 20 --at-once 5 --up 10000 --down 1000000
    load_client "$PUBLIC" server-first --sessions 20 --at-once 5 --up 1000000 --down 10000
    load_served 60
    not said relayd '^end .* reason=(reset|error)'
}

@test "of several relays the one that answered gets the data connections" {
    find_ports 1
    nobody=$CONTROL
    start_proxy
    start_relayd
    start_load
    start_connect -n web --proxy "$PROXY" "127.0.0.1:$nobody,127.0.0.1:$CONTROL" "$LOAD"
    asked 1 "127.0.0.1:$nobody"
    asked 2 "127.0.0.1:$CONTROL"
    load_client "$PUBLIC" both --sessions 3 --bytes 10000
    asked 5 "127.0.0.1:$CONTROL"
    load_served 3
}

@test "where a plain relay says, a name or an address, through the proxy" {
    start_load
    start_proxy 'if [ "$N" -eq 1 ]; then
    say "HTTP/1.1 200 OK\r\n\r\n[NEW]81\n"
    sleep 0.3
    say "[NEW]elsewhere.example.org:82\n"
    sleep 0.3
    say "[NEW][2001:db8::1]:83\n"
    sleep 0.3
    say "[NEW]'"$LOAD"'\n"
    hear
    hear
else
    say "HTTP/1.1 503 no\r\n\r\n"
fi'
    start connect "${CONNECT_WORDS[@]}" -n web --proxy "$PROXY" relay.example.org localhost:1
    wait_said connect '^end service=web .* reason=error error=the\\x20proxy\\x20says\\x20503\\x20no$' 4
    asked 2 relay.example.org:81
    asked 3 elsewhere.example.org:82
    asked 4 '[2001:db8::1]:83'
    asked 5 "$LOAD"
}

@test "tlsrelay: the reverse connection goes where the relay says, through the proxy" {
    start_proxy
    start_relayd tlsrelay:127.0.0.1:0+4
    start_load
    start_connect --proxy "$PROXY" "tlsrelay://127.0.0.1:$CONTROL" "$LOAD"
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 300000
    load_served 20
    asked 1 "127.0.0.1:$CONTROL"
    [ "$(ls "$F" | grep -c '^head')" -eq 21 ]
}

@test "muxado: all sessions go through the one connection, in both formats" {
    start_proxy
    start_relayd "${MANY[@]}" muxado:127.0.0.1:0+4
    start_load
    for format in muxado muxado2; do
        COMMANDS[connect$format]=1
        connect_as "connect$format" --proxy "$PROXY" "$format://127.0.0.1:$CONTROL" "$LOAD"
        load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 300000
        load_client "$PUBLIC" client-first --sessions 20 --at-once 5 --up 10000 --down 100000
    done
    load_served 80
    [ "$(ls "$F" | grep -c '^head')" -eq 2 ]
}

@test "a command serves clients, and is not told the proxy's address as the relay's" {
    start_proxy
    start_relayd
    start_connect -n web --proxy "$PROXY" "127.0.0.1:$CONTROL" -- sh -c \
        'echo "$PROTO $TCPREMOTEIP ${TCPLOCALIP-unset} $TCPLOCALHOST $TCPLOCALPORT"; exec cat'
    dial "$PUBLIC"
    expect "$FD" "TCP 127\.0\.0\.1 unset 127\.0\.0\.1 $PUBLIC_PORT"
}

@test "- takes one client through it" {
    start_proxy
    start_relayd
    head -c 300000 /dev/urandom >"$D/in"
    INPUT=$D/in start connect "${CONNECT_WORDS[@]}" -n web --proxy "$PROXY" "127.0.0.1:$CONTROL" -
    wait_said connect '^127\.0\.0\.1:[0-9]+$'
    dial "$(grep -E '^127\.0\.0\.1:[0-9]+$' "$D/connect.err")"
    timeout $((20 * TIME_FACTOR)) cat <&"$FD" >"$D/got"
    cmp "$D/in" "$D/got"
    hang_up "$FD"
    wait_end connect
    [ "$status" -eq 0 ]
}

@test "the name of the proxy is looked up, that of the relay is not" {
    start_proxy
    start_relayd
    start connect "${CONNECT_WORDS[@]}" -n web --proxy "http://localhost:${PROXY##*:}" nosuch.invalid localhost:1
    wait_said connect '^lost service=web relay=nosuch\.invalid:62514 reason=the\\x20proxy\\x20says\\x20502\\x20Bad\\x20Gateway$'
    stop connect
    start connect2 "${CONNECT_WORDS[@]}" -n web --proxy http://nosuch.invalid 127.0.0.1 localhost:1
    wait_at_most 20 said connect2 '^lost service=web relay=127\.0\.0\.1:62514 reason=the\\x20proxy:\\x20(that\\x20host|no\\x20name\\x20server)'
    # It is asking again already.
    kill_sessions connect2
}

@test "the proxy goes and comes: it is found again, with the same public port" {
    find_ports 1
    port=$CONTROL
    start_proxy through "$port"
    serve_proxy
    before=$PUBLIC
    kill_sessions proxy
    wait_said connect '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=the\\x20proxy:\\x20Connection\\x20refused$' 2
    said relayd '^close service=web '
    start_proxy through "$port" 2
    wait_said relayd "^open service=web proto=new public=$before " 2
    load_client "$before" both --sessions 5 --bytes 10000
    load_served 5
    [ "$(sort -u "$D/connect.out")" = "$before" ]
}

@test "a proxy that refuses costs no storm of attempts, and what it refuses for a session that session alone" {
    start_proxy '[ ! -e "$DIR/broken" ] || { say "HTTP/1.1 503 Service Unavailable\r\n\r\n"; exit; }; through'
    touch "$F/broken"
    start_relayd -c 1 127.0.0.1:0+8
    start connect "${CONNECT_WORDS[@]}" -n web --proxy "$PROXY" "127.0.0.1:$CONTROL" -- cat
    wait_said connect '^retry service=web in_ms=' 3
    before=$(grep -c '^retry ' "$D/connect.err")
    sleep 1
    [ "$(grep -c '^retry ' "$D/connect.err")" -le $((before + 15)) ]
    rm "$F/broken"
    wait_for printed connect 1
    read_public connect
    touch "$F/broken"
    dial "$PUBLIC"
    [ "$(rest "$FD" 20)" != "= open" ]
    rm "$F/broken"
    dial "$PUBLIC"
    say "$FD" hello
    expect "$FD" hello
    said connect '^end .* reason=error error=the\\x20proxy\\x20says\\x20503\\x20Service\\x20Unavailable$' 1
}

@test "--once: 1 where the proxy lets nobody through, 0 where the relay ends" {
    start_proxy
    start_relayd
    start_connect -1 -n web --proxy "$PROXY" "127.0.0.1:$CONTROL" localhost:1
    stop relayd
    wait_end connect
    [ "$status" -eq 0 ]
    fails_with "the proxy says 502 Bad Gateway"
}

# --- proxies that people have

# real_proxy KIND [basic]: runs it; basic: it wants "user", "pass word" (tinyproxy: "pass"). Sets PROXY.
real_proxy() {
    type -P "$1" >/dev/null || skip "there is no $1"
    PROXY_PORT=$(free_port)
    PROXY=http://127.0.0.1:$PROXY_PORT
    "$@"
    wait_for listening "$PROXY_PORT"
}

tinyproxy() {
    cat >"$D/tinyproxy.conf" <<END
Port $PROXY_PORT
Listen 127.0.0.1
Timeout 600
MaxClients 100
${1:+BasicAuth user pass}
END
    write_auth $'user:pass\n'
    start tinyproxy tinyproxy -d -c "$D/tinyproxy.conf"
}

# As root it becomes somebody else, who cannot read below $D. Its shared memory
# has this name, and goes with it where it is not killed: stop it.
squid() {
    local rule='http_access allow all'

    [ -z "${1-}" ] || rule='auth_param basic program /bin/sed -u s/^user.pass%20word$/OK/;t;s/.*/ERR/
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all'
    cat >"$D/squid.conf" <<END
http_port 127.0.0.1:$PROXY_PORT
$rule
cache deny all
access_log none
cache_store_log none
cache_log /dev/null
pid_filename none
coredump_dir none
netdb_filename none
max_filedescriptors 1024
shutdown_lifetime 0 seconds
END
    write_auth $'user:pass word\n'
    start squid squid -n "relayd$PROXY_PORT" -N -d 1 -f "$D/squid.conf"
}

# Both directions, but one end of file at a time: neither proxy passes it on alone.
exact_through() {
    connect_as "connect$1" --proxy "$PROXY" "$2127.0.0.1:$CONTROL" "$LOAD"
    rm -f "$D/orders"
    hold_sessions "$PUBLIC" 10 --bytes 1048576
    all_alive 10
    finish_held
    rm "$D/hold.out"
    load_client "$PUBLIC" client-closes --sessions 20 --at-once 5 --up 1048576 --down 0
    load_client "$PUBLIC" server-closes --sessions 20 --at-once 5 --up 0 --down 1048576
}

exact() {
    real_proxy "$1"
    start_relayd "${MANY[@]}" 127.0.0.1:0+4
    start_load
    exact_through new ''
    load_served 50
    stop "$1"
}

exact_tlsrelay() {
    real_proxy "$1"
    start_relayd "${MANY[@]}" tlsrelay:127.0.0.1:0+4
    start_load
    exact_through tlsrelay tlsrelay://
    load_served 50
    stop "$1"
}

# There an end of file is no end of the connection.
exact_muxado() {
    real_proxy "$1"
    start_relayd "${MANY[@]}" muxado:127.0.0.1:0+4
    start_load
    COMMANDS[connectmuxado]=1
    exact_through muxado muxado://
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 1048576
    load_client "$PUBLIC" client-first --sessions 20 --at-once 5 --up 10000 --down 1000000
    load_client "$PUBLIC" server-first --sessions 20 --at-once 5 --up 1000000 --down 10000
    load_served 110
    stop "$1"
}

# Nobody gets through without the right credentials.
asks_for_credentials() {
    local right=$D/auth

    real_proxy "$1" basic
    start_relayd "${MANY[@]}" 127.0.0.1:0+4
    start_load
    fails_with "the proxy says 407 Proxy Authentication Required"
    (umask 077 && echo user:wrong >"$D/wrong")
    run timeout $((20 * TIME_FACTOR)) "${CONNECT_WORDS[@]}" -1 --proxy "$PROXY" --proxy-auth "$D/wrong" "127.0.0.1:$CONTROL" "$LOAD"
    [[ "${lines[0]}" == *'reason=the\x20proxy\x20says\x2040'[0-9]'\x20'* ]]
    start_connect -n web --proxy "$PROXY" --proxy-auth "$right" "127.0.0.1:$CONTROL" "$LOAD"
    load_client "$PUBLIC" server-closes --sessions 20 --at-once 5 --up 0 --down 100000
    load_served 20
    stop "$1"
}

@test "tinyproxy: sessions of new" {
    exact tinyproxy
}

@test "tinyproxy: sessions of tlsrelay" {
    exact_tlsrelay tinyproxy
}

@test "tinyproxy: sessions of muxado, either end of file alone" {
    exact_muxado tinyproxy
}

@test "tinyproxy: with credentials, and not without" {
    asks_for_credentials tinyproxy
}

@test "squid: sessions of new" {
    exact squid
}

@test "squid: sessions of tlsrelay" {
    exact_tlsrelay squid
}

@test "squid: sessions of muxado, either end of file alone" {
    exact_muxado squid
}

@test "squid: with credentials, and not without" {
    asks_for_credentials squid
}
