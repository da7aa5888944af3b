# PROXY headers with those who really speak them: HAProxy before relayd, nginx
# behind relay-connect.

load helper
load nginx

# start_haproxy SEND: passes HA_CONTROL on to relayd's control port and HA_WEB
# to the first public port, each with a header (send-proxy or send-proxy-v2).
start_haproxy() {
    HA_CONTROL=$(free_port)
    HA_WEB=$(free_port)
    cat >"$D/haproxy.cfg" <<END
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen control
    bind 127.0.0.1:$HA_CONTROL
    server relayd 127.0.0.1:$CONTROL $1
listen web
    bind 127.0.0.1:$HA_WEB
    server relayd 127.0.0.1:${POOL[0]} $1
END
    start haproxy haproxy -db -f "$D/haproxy.cfg"
    wait_for listening "$HA_WEB"
}

# nginx that logs whom the header names, in access.log: "CLIENT PUBLIC-PORT".
start_nginx() {
    WEB=$(free_port)
    run_nginx "$WEB" <<END
    log_format who "\$remote_addr \$proxy_protocol_server_port";
    access_log $D/access.log who;
    server {
        listen 127.0.0.1:$WEB proxy_protocol;
        listen [::1]:$WEB proxy_protocol;
        listen unix:$D/web.sock proxy_protocol;
        set_real_ip_from 127.0.0.1;
        set_real_ip_from ::1;
        set_real_ip_from unix:;
        real_ip_header proxy_protocol;
        location / { return 200 "served"; }
    }
END
}

fetch() {
    curl -sS --fail --max-time $((20 * TIME_FACTOR)) --noproxy '*' "$@"
}

logged() {
    [ "$(tail -n 1 "$D/access.log" 2>/dev/null)" = "$1" ]
}

# --- HAProxy

@test "HAProxy before a public port and the control port, version 1 and 2" {
    for send in send-proxy send-proxy-v2; do
        relayd_as "relayd-$send" --proxy-from 127.0.0.1 127.0.0.1:0+4
        start_haproxy "$send"
        start_load
        connect_as "connect-$send" -n web "127.0.0.1:$HA_CONTROL" "$LOAD"
        # What servers reached is the proxy's address, by the header.
        [ "$PUBLIC" = "127.0.0.1:${POOL[0]}" ]
        load_client "127.0.0.1:$HA_WEB" both --sessions 40 --at-once 10 --bytes 50000
        load_served 40
        exec {FD}<>"/dev/tcp/127.0.0.1/$HA_WEB"
        DIALLED+=("$FD")
        from=$(ss -Htn "dport = :$HA_WEB and sport != :$HA_WEB" | awk '{print $4}' | tail -n 1)
        wait_said "relayd-$send" "client=${from//./\\.} "
        hang_up "$FD"
        not said "relayd-$send" '^reject'
        kill_sessions haproxy
        kill_sessions load
        rm "$D/load.out"
    done
}

# --- nginx

# ask CLIENT: a request through the first public port, from this address by its header.
ask() {
    local family=TCP4 to=198.51.100.1

    [[ $1 != *:* ]] || { family=TCP6; to=2001:db8::1; }
    printf 'PROXY %s %s %s 40002 443\r\nGET / HTTP/1.0\r\n\r\n' "$family" "$1" "$to" |
        socat -t 10 - "TCP:127.0.0.1:${POOL[0]},bind=127.0.0.2"
}

@test "nginx knows the client by -P 1 and -P 2, over TCP of both families and a unix socket" {
    start_nginx
    start_relayd --proxy-from 127.0.0.2 -H 203.0.113.1 127.0.0.1:0+4
    count=0
    for version in 1 2; do
        for target in "127.0.0.1:$WEB" "[::1]:$WEB" "$D/web.sock"; do
            connect_as "connect$((++count))" -P "$version" -n web "127.0.0.1:$CONTROL" "$target"
            for client in 192.0.2.9 2001:db8::9; do
                [[ $(ask "$client") == *served ]]
                wait_for logged "$client ${POOL[0]}"
                : >"$D/access.log"
            done
            stop "connect$count"
            wait_said relayd '^close ' "$count"
        done
    done
}

@test "of a relay that does not tell the client nginx takes the connection's own address" {
    start_nginx
    start original "$TOOLS/plain_relay"
    wait_for grep -q control "$D/original.out"
    for version in 1 2; do
        start "connect$version" "${CONNECT_WORDS[@]}" -P "$version" "127.0.0.1:$(awk '/control/ {print $2}' "$D/original.out")" "127.0.0.1:$WEB"
        wait_for eval '[ "$(grep -c public "$D/original.out")" -ge '"$version"' ]'
        [ "$(fetch "http://127.0.0.1:$(awk '/public/ {port = $2} END {print port}' "$D/original.out")/")" = served ]
        wait_for logged '127.0.0.1 -'
        : >"$D/access.log"
        stop "connect$version"
    done
}
