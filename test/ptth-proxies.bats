# ptth: real HTTP proxies between relayd and its callers: nginx, HAProxy and
# squid, where they are there.
# long: 30 s

load helper
load nginx
load ptth

have() {
    command -v "$1" >/dev/null || skip "$1 is not installed"
}

# A word goes each way while the bodies are open yet, then the files end.
words_at_once() {
    for name in up down; do
        mkfifo "$D/$name.fifo"
        exec {FD}<>"$D/$name.fifo"
        DIALLED+=("$FD")
        WORDS[$name]=$FD
    done
    meet box/web "$@"
    INPUT=$D/up.fifo call up "/upstream/$ID" -X POST -T - "$@"
    INPUT=$D/down.fifo call down "/downstream/$ID" -X POST -T - "$@"
    call acceptor "/accept/$ID" "$@"
    for i in {1..5}; do
        echo "over $i" >&"${WORDS[up]}"
        wait_for grep -qx "over $i" "$D/acceptor.body"
        echo "back $i" >&"${WORDS[down]}"
        wait_for grep -qx "back $i" "$D/client.body"
    done
    hang_up "${WORDS[up]}"
    hang_up "${WORDS[down]}"
    all_ended
    rm "$D"/*.fifo
}

declare -gA WORDS

# Files, then one whose sender is killed: it looks whole to nobody.
goes_through() {
    make_file one 3000000
    make_file two 2000000
    for _ in 1 2; do
        meet box/web "$@"
        carry one two "$@"
    done
    words_at_once "$@"
    meet box/web "$@"
    INPUT=/dev/zero call up "/upstream/$ID" -X POST -T - --limit-rate 1M "$@"
    call acceptor "/accept/$ID" "$@"
    INPUT=/dev/null call down "/downstream/$ID" -X POST -T - "$@"
    wait_for test -s "$D/acceptor.body"
    stop up KILL
    cut_off acceptor
    wait_said relayd '^end .* reason=reset$'
}

@test "nginx" {
    have nginx
    start_ptth
    port=$(free_port)
    run_nginx "$port" <<END
    access_log off;
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass http://127.0.0.1:$CONTROL;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            client_max_body_size 0;
        }
    }
END
    BASE=http://127.0.0.1:$port
    goes_through
}

@test "HAProxy" {
    have haproxy
    start_ptth
    port=$(free_port)
    cat >"$D/haproxy.cfg" <<END
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend callers
    bind 127.0.0.1:$port
    default_backend relay
backend relay
    server relay 127.0.0.1:$CONTROL
END
    start haproxy haproxy -db -f "$D/haproxy.cfg"
    wait_for listening "$port"
    BASE=http://127.0.0.1:$port
    goes_through
}

@test "squid" {
    have squid
    start_ptth
    port=$(free_port)
    cat >"$D/squid.conf" <<END
http_port 127.0.0.1:$port
http_access allow all
access_log none
cache_log $D/squid.log
cache deny all
pid_filename none
coredump_dir $D
visible_hostname squid
shutdown_lifetime 0 seconds
netdb_filename none
END
    chmod 777 "$D"
    start squid squid -N -f "$D/squid.conf"
    wait_for listening "$port"
    goes_through -x "http://127.0.0.1:$port"
}
