# http-proxies: real HTTP proxies, as they are, and ptth through them.
#
# SILENCE: after so many seconds of silence they end a connection; by default
# after as long as they do, or as README.md says.

load readme

# --- before servers and clients; they set PROXY, a URL

# start_squid [AUTH]: AUTH: only for the user "user", whatever his password.
start_squid() {
    local port

    port=$(free_port)
    cat >"$D/squid.conf" <<END
http_port 127.0.0.1:$port
${1:+auth_param basic program $(ls /usr/lib*/squid/basic_fake_auth)
acl known proxy_auth user
http_access deny !known}
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
coredump_dir none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname squid
dns_nameservers 127.0.0.1
${SILENCE:+read_timeout $SILENCE seconds}
END
    start squid squid -N -f "$D/squid.conf"
    wait_for listening "$port"
    PROXY=http://127.0.0.1:$port
}

# start_tinyproxy [AUTH]: the same.
start_tinyproxy() {
    local port

    port=$(free_port)
    cat >"$D/tinyproxy.conf" <<END
Port $port
Listen 127.0.0.1
MaxClients 1000
LogLevel Critical
${1:+BasicAuth user secret}
${SILENCE:+Timeout $SILENCE}
END
    start tinyproxy tinyproxy -d -c "$D/tinyproxy.conf"
    wait_for listening "$port"
    PROXY=http://127.0.0.1:$port
}

# --- before relayd, configured as README.md says; they set FRONT, a port, in place of CONTROL

# adapt TLS: what stands in README.md, for these ports and without TLS where TLS is empty.
adapt() {
    sed -e "s/127\.0\.0\.1:8080/127.0.0.1:$CONTROL/" -e "s|/etc/ssl/server\.pem|${1:-/none}|" ${SILENCE:+-e "s/\<1d\>/${SILENCE}s/"} |
        if [ -n "$1" ]; then
            sed -e "s/^\( *bind \):443/\1127.0.0.1:$FRONT/" -e "s/listen 443/listen 127.0.0.1:$FRONT/"
        else
            sed -e "s/^\( *bind \):443 .*/\1127.0.0.1:$FRONT/" -e "s/listen 443 ssl/listen 127.0.0.1:$FRONT/" -e '/ssl_/d'
        fi
}

# start_haproxy [PEM]: relayd needs --proxy-from 127.0.0.1 then.
start_haproxy() {
    FRONT=$(free_port)
    readme_block '    option http-no-delay' | adapt "${1-}" >"$D/haproxy.cfg"
    start haproxy haproxy -db -f "$D/haproxy.cfg"
    wait_for listening "$FRONT"
}

start_nginx() {
    FRONT=$(free_port)
    run_nginx "$FRONT" < <(echo 'access_log off;'; readme_block 'server {' | adapt "${1-}")
}

# --- through them: AT_SERVER and AT_CLIENT are relay-connect's options there

# serve_ptth NAME TARGET: relay-connect beside a server; sets URL.
serve_ptth() {
    connect_as connect -n "$1" "${AT_SERVER[@]}" "ptth://127.0.0.1:${FRONT:-$CONTROL}" "$2"
    URL=$PUBLIC
}

# And beside clients of URL; sets LOCAL.
call_ptth() {
    connect_as connect-here --listen 127.0.0.1:0 "${AT_CLIENT[@]}" "$URL"
    LOCAL=$PUBLIC
}

start_both() {
    start_load
    serve_ptth web "$LOAD"
    call_ptth
}

# carries [SESSIONS]: ends of file pass in each direction by itself; what was cut, in the middle or in one half, never looks finished.
carries() {
    local mode

    for mode in both client-first server-first client-cuts server-cuts half-client-resets half-server-resets; do
        load_client "$LOCAL" "$mode" --sessions "${1:-10}" --at-once 5 --up 300000 --down 300000
    done
    not said relayd '^(refuse|reject) '
}

# carries_much [SESSIONS [BYTES]]: at once; and both ways at once. All bytes are compared.
carries_much() {
    load_client "$LOCAL" both --sessions "${1:-100}" --at-once "${1:-100}" --bytes 50000
    load_client "$LOCAL" both --bytes "$(scaled "${2:-104857600}")"
}

# Each key is answered before the next one is typed.
types() {
    local key word='The quick brown fox, 42 times.'

    run_sshd
    serve_ptth box "127.0.0.1:$SSHD"
    call_ptth
    mkfifo "$D/keys.in" "$D/keys.out"
    exec {KEYS}<>"$D/keys.in" {SHOWN}<>"$D/keys.out"
    DIALLED+=("$KEYS" "$SHOWN")
    INPUT=$D/keys.in start keys sh -c 'exec "$@" >"$0"' "$D/keys.out" \
        ssh "${OPTIONS[@]}" -tt -p "${LOCAL##*:}" 127.0.0.1 'echo ready; exec cat'
    expect "$SHOWN" $'ready\r'
    for ((i = 0; i < ${#word}; i++)); do
        printf '%s' "${word:i:1}" >&"$KEYS"
        IFS= read -r -N 1 -t $((10 * TIME_FACTOR)) -u "$SHOWN" key
        [ "$key" = "${word:i:1}" ]
    done
    printf '\n\4' >&"$KEYS"
    expect "$SHOWN" $'\r'
    expect "$SHOWN" "$word"$'\r'
    wait_end keys
    [ "$status" -eq 0 ]
}

# body NAME PATH: curl, as AT_CURL has it, sends what is written to BODY.
body() {
    rm -f "$D/$1"
    mkfifo "$D/$1"
    exec {BODY}<>"$D/$1"
    DIALLED+=("$BODY")
    INPUT=$D/$1 start "$1" curl -sS "${AT_CURL[@]}" -H Expect: -X POST -T - "$2"
}

ask() {
    curl -sS "${AT_CURL[@]}" -d '' "$@"
}

# Who sends is killed, and the one across sees no end of file.
breaks_off() {
    local at=${1:-http://127.0.0.1}:${FRONT:-$CONTROL} sink id

    URL=ptth://127.0.0.1:${FRONT:-$CONTROL}/web/1
    call_ptth
    dial "$LOCAL"
    id=$(ask "$at/listen/web/1")
    start accept curl -sSN "${AT_CURL[@]}" -d '' "$at/accept/$id"
    body down "$at/downstream/$id"
    say "$BODY" hello
    expect "$FD" hello
    stop down KILL
    [ "$(rest "$FD")" = "= reset" ]

    sink=$(free_port)
    start sink socat -d -u "TCP-LISTEN:$sink,bind=127.0.0.1" "CREATE:$D/got"
    wait_for listening "$sink"
    serve_ptth box "127.0.0.1:$sink"
    : >"$D/head"
    start client curl -sSN "${AT_CURL[@]}" -d '' -D "$D/head" "$at/connect/box/$sink"
    wait_for grep -qi '^relay-connection-id' "$D/head"
    id=$(grep -i '^relay-connection-id' "$D/head" | cut -c 22-53)
    body up "$at/upstream/$id"
    say "$BODY" hello
    wait_for grep -q hello "$D/got"
    stop up KILL
    wait_end sink
    said sink 'reset by peer'
}

# forget NAME...: they end at once, and may be started anew.
forget() {
    local name

    kill_sessions "$@"
    for name; do
        rm -f "$D/$name".{out,err}
    done
}

# ends_silence START REASON: START brings up what ends silence after SILENCE, before a relayd with its options. A request that
# is held for longer is lost, and says so; one that is not, not. A session that is silent is cut.
ends_silence() {
    "$1"
    serve_ptth box 127.0.0.1:1
    wait_said connect "^lost service=box relay=127\.0\.0\.1:[0-9]+ reason=$2\$"
    forget "${STARTED[@]}"
    "$1" --poll-timeout 1
    start connect "${CONNECT_WORDS[@]}" -n box "${AT_SERVER[@]}" "ptth://127.0.0.1:${FRONT:-$CONTROL}" -- sh -c "exec cat 2>/dev/null"
    wait_for test -s "$D/connect.out"
    URL=$(cat "$D/connect.out")
    call_ptth
    dial "$LOCAL"
    say "$FD" hello
    expect "$FD" hello
    [ "$(rest "$FD")" = "= reset" ]
    wait_said connect '^end service=box .* reason=(reset|error error=the\\x20relay\\x20says\\x20[45]..)$'
    not said connect '^lost '
}
