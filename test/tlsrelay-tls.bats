# TLS with certificates for tlsrelay's control port: scripts/tx_tlsrelay with stunnel, certificates by scripts/relay-certs.
# long: 20 s

load helper
load nginx

STUNNEL=$(command -v stunnel4 || command -v stunnel)

setup_file() {
    local certs=$BATS_TEST_DIRNAME/../scripts/relay-certs

    cd "$BATS_FILE_TMPDIR"
    "$certs" ca ours
    "$certs" server ours localhost
    "$certs" server ours app.example.org
    "$certs" client ours cam
    "$certs" ca others
    "$certs" client others cam
}

# start_relay [OPTION...]: stunnel on CONTROL, relayd behind it, as operators of the original start it.
start_relay() {
    CERTS=$BATS_FILE_TMPDIR/ours
    export RELAYD TMPDIR=$D
    RELAYD_WORDS=("$ROOT/scripts/tx_tlsrelay")
    find_ports 8
    relayd_as relayd -k "$CERTS/localhost" --port-count 8 "$CONTROL" "$@"
    # Beside relayd: stunnel, and three that end one with the other.
    COMMANDS[relayd]=4
}

# by_stunnel [DIR]: a stunnel that takes relay-connect to the relay, on NEAR, with DIR's certificate or none.
by_stunnel() {
    NEAR=$(free_port)
    cat >"$D/client.conf" <<END
client = yes
foreground = yes
pid =
[relay]
accept = 127.0.0.1:$NEAR
connect = localhost:$CONTROL
CAfile = $CERTS/ca.crt.pem
verifyChain = yes
checkHost = localhost
TIMEOUTidle = 2000000
END
    [ -z "${1-}" ] || printf '%s\n' "cert = $1/client.crt.pem" "key = $1/client.key.pem" >>"$D/client.conf"
    start stunnel "$STUNNEL" "$D/client.conf"
    wait_for listening "$NEAR"
}

# A web server on WEB, and by TLS on WEBS.
start_web() {
    WEB=$(free_port)
    WEBS=$(free_port)
    mkdir -p "$D/www"
    head -c 1048576 /dev/urandom >"$D/www/page"
    run_nginx "$WEB" <<END
    access_log off;
    root $D/www;
    server { listen 127.0.0.1:$WEB; }
    server {
        listen 127.0.0.1:$WEBS ssl;
        ssl_certificate $CERTS/app.example.org/server.crt.pem;
        ssl_certificate_key $CERTS/app.example.org/server.key.pem;
    }
END
}

fetch() {
    curl -sS --fail --max-time $((60 * TIME_FACTOR)) --noproxy '*' -o "$D/page" "$@"
}

page_arrived() {
    [ "$(sha256sum <"$D/www/page")" = "$(sha256sum <"$D/page")" ]
}

@test "with a certificate: relay-connect behind stunnel, a page byte for byte" {
    start_relay
    start_web
    by_stunnel "$CERTS/cam"
    start_connect "tlsrelay://127.0.0.1:$NEAR" "127.0.0.1:$WEB"
    [ "$PUBLIC" = "127.0.0.1:${POOL[4]}" ]
    said relayd "^open service=${POOL[4]} proto=tlsrelay public=$PUBLIC from=127\.0\.0\.1:[0-9]+ reverse=127\.0\.0\.1:${POOL[0]}\$"
    for _ in 1 2 3; do
        fetch "http://$PUBLIC/page"
        page_arrived
    done
    said relayd "^end service=$PUBLIC_PORT .* reason=eof"
}

@test "with a certificate: relay-connect by a command that speaks TLS to the control port alone" {
    start_relay
    start_web
    COMMANDS[connect]=1
    export CERTS
    start_connect -V 'sh -c "case %p in
        '"$CONTROL"') to=OPENSSL:%h:%p,cafile=$CERTS/ca.crt.pem,cert=$CERTS/cam/client.crt.pem,key=$CERTS/cam/client.key.pem ;;
        *) to=TCP:%h:%p ;;
        esac; exec socat -t 86400 -,shut-down \$to"' "tlsrelay://localhost:$CONTROL" "127.0.0.1:$WEB"
    fetch "http://$PUBLIC/page"
    page_arrived
}

@test "an application's own TLS passes end to end" {
    start_relay
    start_web
    by_stunnel "$CERTS/cam"
    start_connect "tlsrelay://127.0.0.1:$NEAR" "127.0.0.1:$WEBS"
    fetch --cacert "$CERTS/ca.crt.pem" --connect-to "app.example.org:443:$PUBLIC" https://app.example.org/page
    page_arrived
    # It is the application's certificate that the client sees: another name, and another CA's, are not taken.
    not fetch --cacert "$CERTS/ca.crt.pem" --connect-to "localhost:443:$PUBLIC" https://localhost/page
    not fetch --cacert "$BATS_FILE_TMPDIR/others/ca.crt.pem" --connect-to "app.example.org:443:$PUBLIC" https://app.example.org/page
}

refused_by_relay() {
    start connect "${CONNECT_WORDS[@]}" -1 "tlsrelay://127.0.0.1:$NEAR" 127.0.0.1:1
    wait_end connect
    [ ! -s "$D/connect.out" ]
    not said relayd '^open '
    wait_said relayd "SSL.*$1"
}

@test "without a certificate: refused" {
    start_relay
    by_stunnel
    refused_by_relay 'peer did not return a certificate'
}

@test "with a certificate of another CA: refused" {
    start_relay
    by_stunnel "$BATS_FILE_TMPDIR/others/cam"
    refused_by_relay 'certificate verify failed'
}

@test "with a certificate that is a relay's: refused" {
    start_relay
    mkdir "$D/relay"
    for kind in crt key; do
        cp "$CERTS/localhost/server.$kind.pem" "$D/relay/client.$kind.pem"
    done
    by_stunnel "$D/relay"
    refused_by_relay 'certificate verify failed'
}

@test "a relay that another CA vouches for is not talked to" {
    start_relay
    CERTS=$BATS_FILE_TMPDIR/others
    by_stunnel "$BATS_FILE_TMPDIR/ours/cam"
    refused_by_relay 'unknown ca'
}

@test "the original's server, by hand: TLS on the control port, plain bytes on the reverse port" {
    start_relay --myhost localhost
    mkfifo "$D/to"
    exec {HOLD}<>"$D/to"
    DIALLED+=("$HOLD")
    INPUT=$D/to start server openssl s_client -quiet -verify_quiet -no_ign_eof -nocommands -verify_return_error \
        -verify_hostname localhost -CAfile "$CERTS/ca.crt.pem" -cert "$CERTS/cam/client.crt.pem" -key "$CERTS/cam/client.key.pem" \
        -connect "localhost:$CONTROL"
    wait_for eval '[ "$(wc -l <"$D/server.out")" -eq 2 ]'
    [ "$(cat "$D/server.out")" = "public_listener localhost:${POOL[4]}"$'\r\n'"reverse_listener localhost:${POOL[0]}"$'\r' ]
    for i in 1 2 3; do
        dial "127.0.0.1:${POOL[4]}"
        CLIENT_FD=$FD
        say "$CLIENT_FD" "before anybody is there"
        wait_for eval '[ "$(grep -c "^new_connection.\$" "$D/server.out")" -eq "$i" ]'
        dial "127.0.0.1:${POOL[0]}"
        expect "$FD" "before anybody is there"
        talks "$CLIENT_FD" "$FD"
    done
    # When it goes, its sessions do.
    stop server
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    wait_said relayd "^close service=${POOL[4]} reason="
    wait_said relayd "^end service=${POOL[4]} .* reason=killed" 3
}

@test "the reverse port takes connections of the address that the TLS connection came from" {
    start_relay
    by_stunnel "$CERTS/cam"
    start_load
    start_connect "tlsrelay://127.0.0.1:$NEAR" "$LOAD"
    nc -d -w 5 -s 127.0.0.7 127.0.0.1 "${POOL[0]}" || :
    said relayd '^reject from=127\.0\.0\.7:[0-9]+ reason=address'
    load_client "$PUBLIC" both --sessions 20 --at-once 5 --bytes 100000
    load_served 20
}

keepalive_on_both() {
    [ "$(ss -Htno state established "sport = :$CONTROL" | grep -cE 'timer:\(keepalive,1?[0-9](\.[0-9])?(sec|ms)')" -eq 2 ]
}

@test "a server that has vanished is noticed: TCP asks every 15 s, on both legs" {
    start_relay
    by_stunnel "$CERTS/cam"
    start_load
    start_connect "tlsrelay://127.0.0.1:$NEAR" "$LOAD"
    wait_for keepalive_on_both
}
