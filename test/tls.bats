# TLS, composed: a terminator before relayd's one control port, a command on the other side.
# long: 20 s

load helper
load auth

STUNNEL=$(command -v stunnel4 || command -v stunnel)

setup_file() {
    "$BATS_TEST_DIRNAME/tools/certs" "$BATS_FILE_TMPDIR/certs"
}

# Both ends of file pass through the first, the second ends at either; see relay-connect(1).
by_socat() {
    VIA="socat -t 86400 -,shut-down OPENSSL:%h:%p,cafile=$CERTS/ca.pem${1:+,cert=$CERTS/$1.pem}"
}

by_openssl() {
    VIA="openssl s_client -quiet -verify_quiet -no_ign_eof -nocommands -verify_return_error -verify_hostname localhost -CAfile $CERTS/ca.pem ${1:+-cert $CERTS/$1.pem} -connect %h:%p"
}

by_stunnel() {
    cat >"$D/client.conf" <<END
client = yes
foreground = quiet
pid =
connect = localhost:$TLS_PORT
CAfile = $CERTS/ca.pem
verifyChain = yes
checkHost = localhost
END
    VIA="$STUNNEL $D/client.conf"
}

# start_terminator KIND [CLIENTS]: in front of relayd, on TLS_PORT; CLIENTS: with their certificates alone.
# It comes from an address of its own, so that the tests' clients need no PROXY header.
start_terminator() {
    CERTS=$BATS_FILE_TMPDIR/certs
    write_keys "web $KEY"
    key_of "web $KEY"
    start_relayd "${MANY[@]}" -k "$D/keys" -H 127.0.0.1 --proxy-from 127.0.0.9 --pool-addr 127.0.0.1 127.0.0.1:0+8
    TLS_PORT=$(free_port)
    "$@"
    wait_for listening "$TLS_PORT"
}

stunnel() {
    cat >"$D/stunnel.conf" <<END
foreground = yes
pid =
[relay]
accept = 127.0.0.1:$TLS_PORT
connect = 127.0.0.1:$CONTROL
local = 127.0.0.9
protocol = proxy
cert = $CERTS/server.pem
END
    [ -z "${1-}" ] || printf '%s\n' "CAfile = $CERTS/ca.pem" "verifyChain = yes" >>"$D/stunnel.conf"
    start stunnel "$STUNNEL" "$D/stunnel.conf"
}

haproxy() {
    cat >"$D/haproxy.cfg" <<END
defaults
    mode tcp
    timeout connect 10s
    timeout client 1d
    timeout server 1d
listen relay
    bind 127.0.0.1:$TLS_PORT ssl crt $CERTS/server.pem ${1:+ca-file $CERTS/ca.pem verify required}
    server relayd 127.0.0.1:$CONTROL send-proxy-v2 source 127.0.0.9
END
    start haproxy haproxy -db -f "$D/haproxy.cfg"
}

# relayd is told who the server is.
serve() {
    start_load
    COMMANDS[connect]=1
    start_connect -k "$D/key" --via "$VIA" "localhost:$TLS_PORT" "$LOAD"
    said relayd '^open service=web .* from=127\.0\.0\.1:'
}

both_ways() {
    serve
    load_client "$PUBLIC" both --sessions 10 --at-once 5 --bytes 1048576
    load_served 10
}

half_closes() {
    serve
    load_client "$PUBLIC" client-first --sessions 50 --at-once 10 --up 10000 --down 1000000
    load_client "$PUBLIC" server-first --sessions 50 --at-once 10 --up 1000000 --down 10000
    load_served 100
}

# A server's end comes last, as most protocols have it.
server_ends() {
    serve
    load_client "$PUBLIC" server-closes --sessions 50 --at-once 10 --up 0 --down 1048576
    load_served 50
}

@test "stunnel, and socat: either end of file alone" {
    start_terminator stunnel
    by_socat
    half_closes
}

@test "stunnel, and socat: both ways" {
    start_terminator stunnel
    by_socat
    both_ways
}

@test "haproxy, and socat: either end of file alone" {
    start_terminator haproxy
    by_socat
    half_closes
}

@test "haproxy, and socat: both ways" {
    start_terminator haproxy
    by_socat
    both_ways
}

@test "stunnel, and openssl s_client: what a server says and its end" {
    start_terminator stunnel
    by_openssl
    server_ends
}

@test "haproxy, and openssl s_client: what a server says and its end" {
    start_terminator haproxy
    by_openssl
    server_ends
}

@test "stunnel on both sides" {
    start_terminator stunnel
    by_stunnel
    server_ends
}

@test "a web page through openssl and haproxy" {
    start_terminator haproxy
    by_openssl
    COMMANDS[connect]=1
    start_connect -k "$D/key" --via "$VIA" "localhost:$TLS_PORT" -- sh -c \
        'while read -r line && [ "$line" != "$(printf "\r")" ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\npage\n"'
    [ "$(curl -s "http://$PUBLIC/")" = page ]
}

# refused_without WORD: a certificate of another CA, and none, are refused; the right one serves.
certificates_are_asked_for() {
    for who in '' stranger; do
        "$1" "$who"
        start "connect$who" "${CONNECT_WORDS[@]}" -1 -k "$D/key" --via "$VIA" "localhost:$TLS_PORT" localhost:1
        wait_end "connect$who"
        [ "$status" -eq 1 ]
        said "connect$who" '^via service=web pid=[0-9]+ exit=[0-9]+$'
    done
    not said relayd '^open '
    "$1" client
    start_load
    COMMANDS[connect2]=1
    connect_as connect2 -k "$D/key" --via "$VIA" "localhost:$TLS_PORT" "$LOAD"
    load_client "$PUBLIC" server-closes --sessions 10 --at-once 5 --up 0 --down 100000
    load_served 10
}

@test "stunnel that asks for certificates: refused without, served with one; by socat" {
    start_terminator stunnel clients
    certificates_are_asked_for by_socat
}

@test "stunnel that asks for certificates: refused without, served with one; by openssl" {
    start_terminator stunnel clients
    certificates_are_asked_for by_openssl
}

@test "haproxy that asks for certificates: refused without, served with one; by socat" {
    start_terminator haproxy clients
    certificates_are_asked_for by_socat
}

@test "haproxy that asks for certificates: refused without, served with one; by openssl" {
    start_terminator haproxy clients
    certificates_are_asked_for by_openssl
}

@test "a relay that another CA vouches for is not talked to" {
    start_terminator stunnel
    "$TOOLS/certs" "$D/others"
    CERTS=$D/others
    for by in by_socat by_openssl; do
        "$by"
        start "connect$by" "${CONNECT_WORDS[@]}" -1 -k "$D/key" --via "$VIA" "localhost:$TLS_PORT" localhost:1
        wait_end "connect$by"
        [ "$status" -eq 1 ]
    done
    not said relayd '^open '
}
