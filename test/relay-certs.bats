# scripts/relay-certs: a CA, and certificates by it.

load helper

# made FILE...: they are there, for nobody else to read.
made() {
    local file

    for file in "$@"; do
        [ "$(stat -c %a "$file")" = 600 ]
    done
}

verifies() {
    openssl verify -purpose "$@"
}

certs() {
    local shell=$1

    shift
    $shell "$ROOT/scripts/relay-certs" "$@"
}

@test "what it makes, in each shell" {
    cd "$D"
    for shell in dash "busybox ash" bash; do
        command -v "${shell%% *}" >/dev/null || continue
        ca=ca-${shell%% *}
        certs "$shell" ca "$ca" 2>&1 | not grep .
        certs "$shell" --days 3 server "$ca" relay.example.org 203.0.113.5 2001:db8::5
        certs "$shell" --days=2 client "$ca" cam
        made "$ca"/*.pem "$ca"/*/*.pem
        [ "$(cd "$ca" && find . -type f | sort | tr '\n' ' ')" = "./ca.crt.pem ./ca.key.pem ./cam/ca.crt.pem ./cam/client.crt.pem ./cam/client.key.pem ./relay.example.org/ca.crt.pem ./relay.example.org/server.crt.pem ./relay.example.org/server.key.pem " ]
        [ -z "$(find "$ca" -name '.*' -mindepth 1)" ]
        verifies sslserver -CAfile "$ca/ca.crt.pem" -verify_hostname relay.example.org "$ca/relay.example.org/server.crt.pem"
        for ip in 203.0.113.5 2001:db8::5; do
            verifies sslserver -CAfile "$ca/ca.crt.pem" -verify_ip "$ip" "$ca/relay.example.org/server.crt.pem"
        done
        not verifies sslserver -CAfile "$ca/ca.crt.pem" -verify_hostname www.example.org "$ca/relay.example.org/server.crt.pem"
        verifies sslclient -CAfile "$ca/ca.crt.pem" "$ca/cam/client.crt.pem"
        not verifies sslserver -CAfile "$ca/ca.crt.pem" "$ca/cam/client.crt.pem"
        not verifies sslclient -CAfile "$ca/ca.crt.pem" "$ca/relay.example.org/server.crt.pem"
        openssl x509 -in "$ca/cam/client.crt.pem" -noout -checkend $((86400 + 3600))
        not openssl x509 -in "$ca/cam/client.crt.pem" -noout -checkend $((86400 * 2 + 3600))
    done
    not verifies sslclient -CAfile ca-bash/ca.crt.pem ca-dash/cam/client.crt.pem
}

@test "nothing is overwritten" {
    scripts/relay-certs ca "$D/ca"
    scripts/relay-certs server "$D/ca" localhost
    scripts/relay-certs client "$D/ca" cam
    (cd "$D" && find ca -type f -exec sha256sum {} +) >"$D/before"
    for words in "ca $D/ca" "server $D/ca localhost" "client $D/ca cam" "server $D/ca cam" "client $D/ca localhost" "client $D/ca ca.crt.pem"; do
        run scripts/relay-certs $words
        echo "$words: $output"
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    rm "$D/ca/ca.crt.pem"
    run scripts/relay-certs ca "$D/ca"
    [ "$status" -eq 1 ]
    (cd "$D" && find ca -type f -exec sha256sum {} +) >"$D/after"
    grep -v ' ca/ca.crt.pem' "$D/before" | diff - "$D/after"
    [ "$(find "$D/ca" -name '.made*' | wc -l)" -eq 0 ]
}

bats_require_minimum_version 1.5.0

@test "a mistake: exit code 2, one sentence, nothing made" {
    scripts/relay-certs ca "$D/ca"
    find "$D/ca" >"$D/before"
    while read -r words; do
        run --separate-stderr scripts/relay-certs $words
        echo "$words: $stderr"
        [ "$status" -eq 2 ]
        [ -z "$output" ]
        [ "${#stderr_lines[@]}" -eq 1 ]
    done <<END

wrong $D/x
ca
ca $D/a $D/b
server $D/ca
client $D/ca
client $D/ca a b
client $D/ca ../a
client $D/ca .a
client $D/ca -a
server $D/ca a/b
server $D/ca localhost a,b
server $D/ca fe80::1%eth0
client $D/ca $(printf 'n%.0s' {1..65})
--days 0 client $D/ca cam
--days x client $D/ca cam
--days
--wrong
END
    find "$D/ca" | diff "$D/before" -
}

@test "without openssl, without a CA, and where openssl fails" {
    run scripts/relay-certs client "$D/none" cam
    [ "$status" -eq 1 ]
    [[ $output = *"relay-certs ca "* ]]
    scripts/relay-certs ca "$D/ca"
    printf 'x' >"$D/ca/ca.key.pem"
    run scripts/relay-certs client "$D/ca" cam
    [ "$status" -eq 1 ]
    [ ! -e "$D/ca/cam" ]
    [ "$(find "$D/ca" -name '.made*' | wc -l)" -eq 0 ]
    mkdir "$D/bin"
    for c in sh cat rm mkdir; do
        ln -s "$(command -v $c)" "$D/bin"
    done
    run env PATH="$D/bin" scripts/relay-certs client "$D/ca" cam
    [ "$status" -eq 1 ]
    [[ $output = *"install openssl"* ]]
}
