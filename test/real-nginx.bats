# A real web server behind it: nginx, as it is.

load helper
load nginx

start_nginx() {
    WEB=$(free_port)
    BACK=$(free_port)
    mkdir "$D/posted"
    run_nginx "$WEB" "$D/posted" <<END
    access_log off;
    client_max_body_size 0;
    keepalive_requests 1000;
    server {
        listen 127.0.0.1:$WEB;
        root $D/www;
        location /post {
            client_body_in_file_only on;
            proxy_pass_request_body off;
            proxy_set_header Content-Length 0;
            proxy_pass http://127.0.0.1:$BACK;
        }
    }
    server {
        listen 127.0.0.1:$BACK;
        location / { return 200 "taken"; }
    }
END
    start_relayd
    start_connect -n web "127.0.0.1:$CONTROL" "127.0.0.1:$WEB"
}

same() {
    [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

fetch() {
    curl -sS --fail --max-time $((60 * TIME_FACTOR)) --noproxy '*' "$@"
}

@test "a page of 1 MiB arrives byte for byte" {
    start_nginx
    head -c 1048576 /dev/urandom >"$D/www/page"
    fetch -o "$D/page" "http://$PUBLIC/page"
    cmp "$D/www/page" "$D/page"
}

@test "ten requests on one connection" {
    start_nginx
    head -c 100000 /dev/urandom >"$D/www/page"
    args=()
    for i in {1..10}; do
        args+=(-o "$D/page.$i" "http://$PUBLIC/page")
    done
    fetch -w '%{num_connects}\n' "${args[@]}" >"$D/connects"
    [ "$(awk '{n += $1} END {print n}' "$D/connects")" -eq 1 ]
    for i in {1..10}; do
        cmp "$D/www/page" "$D/page.$i"
    done
    wait_said relayd '^pair ' 1
    not said relayd '^pair ' 2
}

@test "100 MB down and 100 MB up, by checksum" {
    start_nginx
    head -c 104857600 /dev/urandom >"$D/www/big"
    fetch -o "$D/big" "http://$PUBLIC/big"
    same "$D/www/big" "$D/big"
    [ "$(fetch -X POST -H 'Expect:' -T "$D/big" "http://$PUBLIC/post")" = taken ]
    same "$D/www/big" "$(find "$D/posted" -type f)"
    rm -r "$D/www" "$D/posted" "$D/big"
}

@test "50 downloads at once" {
    start_nginx
    head -c 1048576 /dev/urandom >"$D/www/page"
    args=(--parallel --parallel-immediate --parallel-max 50)
    for i in {1..50}; do
        args+=(-o "$D/page.$i" "http://$PUBLIC/page")
    done
    fetch "${args[@]}"
    [ "$(sha256sum "$D/www/page" "$D"/page.* | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 1 ]
}
