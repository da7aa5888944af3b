# README.md's curl commands, as they stand there, but for the relay's and the server's address.
# long: 10 s

load helper
load nginx
load readme

# a_pipeline LINE NAME: the one with this line, for server and port NAME.
a_pipeline() {
    readme_block "$1" | sed -e "s|http://relay\.example\.org:8080|http://127.0.0.1:$CONTROL|" -e "s|cam/80|$2|" \
        -e "s|localhost 80|127.0.0.1 ${SERVER-}|"
}

start_relay() {
    start_relayd ptth:127.0.0.1:0
}

# serve_by_curl NAME: beside SERVER, a port.
serve_by_curl() {
    start servers sh -c "$(a_pipeline 'while id=' "$1")"
    wait_said relayd "^open service=$1 "
}

# call_by_curl NAME: standard input goes there, what comes back to standard output.
call_by_curl() {
    timeout $((30 * TIME_FACTOR)) sh -c "$(a_pipeline 'until id=' "$1")"
}

# A web server with one file.
start_web() {
    SERVER=$(free_port)
    run_nginx "$SERVER" <<END
    access_log off;
    server { listen 127.0.0.1:$SERVER; location / { root $D/www; } }
END
    head -c "$(scaled 20000000)" /dev/urandom >"$D/www/file"
}

# One that takes a file to its end and then answers with another.
start_exchange() {
    SERVER=$(free_port)
    head -c "$(scaled 5000000)" /dev/urandom >"$D/answer"
    start exchange socat -t 60 "TCP-LISTEN:$SERVER,bind=127.0.0.1,fork" "SYSTEM:cat >$D/got.\$\$; mv $D/got.\$\$ $D/got; cat $D/answer"
    wait_for listening "$SERVER"
}

# fetch COMMAND...: its input asks for that file, and does not end before all of it is there: nginx takes that for a client who
# has left.
fetch() {
    { printf 'GET /file HTTP/1.0\r\n\r\n'; wait_for is_there; } | "$@" >"$D/page"
    content <"$D/page" | cmp - "$D/www/file"
}

is_there() {
    [ "$(stat -c %s "$D/page")" -gt "$(stat -c %s "$D/www/file")" ] && content <"$D/page" | cmp -s - "$D/www/file"
}

# The body of an answer.
content() {
    sed '1,/^\r$/d'
}

@test "curl at all ends, nginx behind: the file, once and again" {
    start_web
    start_relay
    serve_by_curl cam/80
    for _ in 1 2; do
        fetch call_by_curl cam/80
    done
    wait_said relayd '^end .* reason=eof$' 2
}

@test "curl at all ends, socat behind: a file each way, the second after the first one's end" {
    start_exchange
    start_relay
    serve_by_curl cam/80
    head -c "$(scaled 3000000)" /dev/urandom >"$D/question"
    call_by_curl cam/80 <"$D/question" | cmp - "$D/answer"
    cmp "$D/question" "$D/got"
}

@test "curl beside the server, relay-connect beside clients, three at once" {
    start_web
    start_relay
    serve_by_curl cam/80
    connect_as connect --listen 127.0.0.1:0 "ptth://127.0.0.1:$CONTROL/cam/80"
    for i in 1 2 3; do
        start "client$i" curl -sS -o "$D/page$i" "http://$PUBLIC/file"
    done
    for i in 1 2 3; do
        wait_end "client$i"
        cmp "$D/page$i" "$D/www/file"
    done
}

@test "relay-connect beside the server, curl beside the client" {
    start_exchange
    start_relay
    start_connect -n cam "ptth://127.0.0.1:$CONTROL" "127.0.0.1:$SERVER"
    head -c "$(scaled 3000000)" /dev/urandom >"$D/question"
    call_by_curl "cam/$SERVER" <"$D/question" | cmp - "$D/answer"
    cmp "$D/question" "$D/got"
}

@test "with keys, as README.md has them" {
    start_web
    readme_block 'relay-key cam ' | grep '^relay-key' |
        sed -e "s|/etc/relayd\.keys|$D/keys|" -e "s|^|$ROOT/scripts/|" >"$D/make-keys"
    (umask 077; sh "$D/make-keys"; for name in cam laptop; do grep "^$name " "$D/keys" >"$D/$name.key"; done)
    start_relayd -k "$D/keys" ptth:127.0.0.1:0
    start_connect -k "$D/cam.key" "ptth://127.0.0.1:$CONTROL" "80:127.0.0.1:$SERVER"
    [ "$PUBLIC" = "ptth://127.0.0.1:$CONTROL/cam/80" ]
    read -r name key _ <"$D/laptop.key"
    (umask 077; echo "Authorization: Bearer $name:$key" >"$D/auth")
    a_pipeline 'until id=' cam/80 | sed "s|curl |curl -H @$D/auth |" >"$D/client"
    fetch timeout $((30 * TIME_FACTOR)) sh "$D/client"
    connect_as connect2 -k "$D/laptop.key" --listen 127.0.0.1:0 "ptth://127.0.0.1:$CONTROL/cam/80"
    curl -sS "http://$PUBLIC/file" | cmp - "$D/www/file"
    connect_as connect3 -k "$D/cam.key" --listen 127.0.0.1:0 "ptth://127.0.0.1:$CONTROL/cam/80"
    not curl -sS "http://$PUBLIC/file"
    wait_said connect3 '^end .* error=the\\x20relay\\x20says\\x20403\\x20Forbidden$'
}
