# PROXY headers: relayd believes those of the addresses it is told to; who is
# behind the proxy is what counts then, everywhere.
# long: 40 s

load helper

SIGNATURE='\r\n\r\n\x00\r\nQUIT\n'
CLIENT='\xc0\x00\x02\x09'           # 192.0.2.9
REACHED='\xc6\x33\x64\x01'          # 198.51.100.1
PORTS_42='\x9c\x42\x01\xbb'         # 40002 and 443
DB8='\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'

V1_TCP4='PROXY TCP4 192.0.2.9 198.51.100.1 40002 443\r\n'
V1_TCP6='PROXY TCP6 2001:db8::9 2001:db8::1 40002 443\r\n'
V1_UNKNOWN='PROXY UNKNOWN\r\n'
V2_IN4="$SIGNATURE\\x21\\x11\\x00\\x0c$CLIENT$REACHED$PORTS_42"
V2_IN6="$SIGNATURE\\x21\\x21\\x00\\x24$DB8\\x09$DB8\\x01$PORTS_42"
V2_LOCAL="$SIGNATURE\\x20\\x00\\x00\\x00"
V2_UNSPEC="$SIGNATURE\\x21\\x00\\x00\\x00"
V2_TLVS="$SIGNATURE\\x21\\x11\\x00\\x15$CLIENT$REACHED$PORTS_42\\x01\\x00\\x02h2\\x04\\x00\\x01\\x00"

# One header for each version and family, and whom it names (own: nobody).
HEADERS=("$V1_TCP4" "$V1_TCP6" "$V1_UNKNOWN" "$V2_IN4" "$V2_IN6" "$V2_LOCAL" "$V2_UNSPEC" "$V2_TLVS")
NAMES=(192.0.2.9:40002 '[2001:db8::9]:40002' own 192.0.2.9:40002 '[2001:db8::9]:40002' own own 192.0.2.9:40002)

# A relayd that believes this machine's headers.
believing() {
    [ $# -gt 0 ] || set -- 127.0.0.1:0+8
    start_relayd --proxy-from 127.0.0.0/8 "$@"
}

# A service web, offered through the proxy: sets CONTROL_FD and SERVICE_PORT.
offer_web() {
    dial_control
    CONTROL_FD=$FD
    say_at_once "$FD" '%b%s\n' "${1:-$V1_TCP4}" '[HELLO] v=1 name=web'
    expect "$FD" '\[PUBLIC\] .*:([0-9]+)'
    SERVICE_PORT=${BASH_REMATCH[1]}
}

# A client of it through the proxy, with its first bytes: sets CLIENT_FD and ID; FROM is what the server is told.
client_with() {
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    say_at_once "$FD" '%b' "$1"
    told
}

told() {
    expect "$CONTROL_FD" '\[NEW\][0-9]+ id=([0-9a-f]{32}) from=([^ ]+)'
    ID=${BASH_REMATCH[1]}
    FROM=${BASH_REMATCH[2]}
}

# The data connection for ID, and its first bytes, in one write behind a header: sets DATA_FD.
claim_through() {
    dial_control
    DATA_FD=$FD
    say_at_once "$FD" '%b%s\n' "$1" "[DATA] id=$ID"
}

# own NAME: FROM is NAME, or this machine's where that is "own".
names() {
    if [ "$1" = own ]; then
        [[ $FROM =~ ^127\.0\.0\.1:[0-9]+$ ]]
    else
        [ "$FROM" = "$1" ]
    fi || { echo "from=$FROM, not $1"; return 1; }
}

# bytes_of ESCAPED: its bytes, each as an escape of its own, in BYTES.
bytes_of() {
    mapfile -t BYTES < <(printf '%b' "$1" | od -An -v -tx1 | tr ' ' '\n' | sed -n 's/^\(..\)$/\\x\1/p')
}

part() {
    local IFS=

    echo "${BYTES[*]:$1:$2}"
}

# No connection waits for its header: relayd has what it had.
nothing_held() {
    wait_for at_most_descriptors relayd $((DESCRIPTORS[relayd] + $1))
}

@test "a client is who the header says, in each version and family" {
    believing
    offer_web
    for i in "${!HEADERS[@]}"; do
        client_with "${HEADERS[i]}first\\n"
        names "${NAMES[i]}"
        claim_through "$V2_LOCAL"
        expect "$DATA_FD" first
        talks "$CLIENT_FD" "$DATA_FD"
        said relayd "^pair service=web client=$(sed 's/[].[]/\\&/g' <<<"$FROM") "
        hang_up "$CLIENT_FD"
        hang_up "$DATA_FD"
    done
    wait_said relayd '^end ' "${#HEADERS[@]}"
}

@test "a server is who the header says, and is told the address that it reached" {
    believing
    for i in "${!HEADERS[@]}"; do
        offer_web "${HEADERS[i]}"
        case ${NAMES[i]} in
        own) public=127.0.0.1 ;;
        *2001*) public='[2001:db8::1]' ;;
        *) public=198.51.100.1 ;;
        esac
        [ "$REPLY" = "[PUBLIC] $public:${POOL[0]}" ] || { echo "$REPLY"; false; }
        FROM=$(value relayd '^open ' from)
        names "${NAMES[i]}"
        hang_up "$CONTROL_FD"
        wait_said relayd '^close service=web reason=eof$' $((i + 1))
    done
}

@test "a header may be split at every byte, and nothing behind it is lost" {
    believing --max-waiting 1000 --max-sessions 1000 --max-unknown 1000
    offer_web
    for header in "$V1_TCP6" "$V2_TLVS"; do
        bytes_of "$header"
        for ((at = 1; at <= ${#BYTES[@]}; at++)); do
            dial "127.0.0.1:$SERVICE_PORT"
            CLIENT_FD=$FD
            printf '%b' "$(part 0 "$at")" >&"$FD"
            [ "$at" -eq "${#BYTES[@]}" ] || silent "$CONTROL_FD" 0.01
            say_at_once "$FD" '%bfirst\n' "$(part "$at" 200)"
            told
            [[ $FROM = *9*:40002 ]]
            claim_through "$V2_LOCAL"
            expect "$DATA_FD" first
            hang_up "$CLIENT_FD"
            hang_up "$DATA_FD"
        done
    done
}

@test "a header byte by byte, and then [HELLO]" {
    believing
    for header in "$V1_TCP4" "$V2_IN4"; do
        bytes_of "$header"
        dial_control
        for byte in "${BYTES[@]}"; do
            printf '%b' "$byte" >&"$FD"
            sleep 0.002
        done
        say "$FD" '[HELLO] v=1 name=web'
        expect "$FD" "\[PUBLIC\] 198\.51\.100\.1:${POOL[0]}"
    done
}

@test "a plain server may be behind the proxy, and its reverse connections too" {
    believing --any-reverse
    dial_control
    CONTROL_FD=$FD
    say_at_once "$FD" '%b' "$V1_TCP4"
    wait_said relayd "^open service=${POOL[0]} proto=new public=198.51.100.1:${POOL[0]} from=192.0.2.9:40002 "
    dial "127.0.0.1:${POOL[0]}"
    CLIENT_FD=$FD
    say_at_once "$FD" '%b' "$V2_IN6"
    expect "$CONTROL_FD" "\[NEW\]${POOL[1]}"
    dial "127.0.0.1:${POOL[1]}"
    say_at_once "$FD" '%b' "$V2_LOCAL"
    talks "$CLIENT_FD" "$FD"
}

@test "reverse connections come from the address that the header gave, and from no other" {
    believing
    dial_control
    CONTROL_FD=$FD
    say_at_once "$FD" '%b' "$V1_TCP4"
    wait_said relayd "^open service=${POOL[0]} "
    dial "127.0.0.1:${POOL[0]}"
    CLIENT_FD=$FD
    say_at_once "$FD" '%b' "$V2_IN6"
    expect "$CONTROL_FD" "\[NEW\]${POOL[1]}"
    dial "127.0.0.1:${POOL[1]}"
    say_at_once "$FD" '%b' "$V2_LOCAL"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=address$'
    dial "127.0.0.1:${POOL[1]}"
    say_at_once "$FD" '%b' "$V2_IN4"
    talks "$CLIENT_FD" "$FD"
}

@test "without --any-reverse another address is rejected, with it it is not" {
    for way in --any-reverse ''; do
        relayd_as "relayd$way" ${way:+"$way"} 127.0.0.1:0+2
        dial_control
        CONTROL_FD=$FD
        wait_said "relayd$way" '^open '
        dial "127.0.0.1:${POOL[0]}"
        CLIENT_FD=$FD
        expect "$CONTROL_FD" "\[NEW\]${POOL[1]}"
        start "other$way" socat -t 10 "SYSTEM:echo there; cat" "TCP:127.0.0.1:${POOL[1]},bind=127.0.0.2"
        if [ -n "$way" ]; then
            expect "$CLIENT_FD" there
        else
            wait_said relayd '^reject from=127\.0\.0\.2:[0-9]+ reason=address$'
        fi
    done
}

@test "what is no header is reset, on every port" {
    believing
    offer_web
    count=0
    for port in "$CONTROL" "$SERVICE_PORT"; do
        for bytes in 'GET / HTTP/1.1\r\n' '[HELLO] v=1 name=x\n' 'PROXY TCP4 192.0.2.9 198.51.100.1 1 65536\r\n' \
            'PROXY TCP4 1.2.3.4\n' "$SIGNATURE\\x21\\x12\\x00\\x0c$CLIENT$REACHED$PORTS_42" \
            "$SIGNATURE\\x11\\x11\\x00\\x0c" "$SIGNATURE\\x21\\x11\\xff\\xff" "PROXY UNKNOWN $(printf 'x%.0s' {1..100})"; do
            dial "127.0.0.1:$port"
            say_at_once "$FD" '%b' "$bytes"
            [ "$(rest "$FD")" = "= reset" ] || { echo "not reset: $bytes"; false; }
            wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=proxy$' $((++count))
        done
    done
    silent "$CONTROL_FD" 0.1
    nothing_held 1
}

@test "a header that is not whole in time is given up, however it drips" {
    believing --line-timeout 3 127.0.0.1:0+8
    offer_web
    dial "127.0.0.1:$SERVICE_PORT"
    quiet=$FD
    dial_control
    began=$(now_ms)
    bytes_of "$V1_TCP6"
    for byte in "${BYTES[@]:0:15}"; do
        { printf '%b' "$byte" >&"$FD"; } 2>/dev/null || break
        not said relayd 'reason=slow' >/dev/null || break
        sleep 0.3
    done
    wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=slow$' 2
    took=$(($(now_ms) - began))
    echo "$took ms"
    [ "$took" -ge 2900 ]
    [ "$took" -lt $((6000 * TIME_FACTOR)) ]
    [ "$(rest "$quiet")" = "= reset" ]
    nothing_held 1
}

@test "from any other address a header is only bytes" {
    start_relayd --proxy-from 127.0.0.2,10.0.0.0/8,::1 127.0.0.1:0+8
    serve_by_hand web
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    say_at_once "$FD" '%b' "$V1_TCP4"
    told
    names own
    claim "$ID"
    expect "$DATA_FD" $'PROXY TCP4 192\.0\.2\.9 198\.51\.100\.1 40002 443\r'
    dial_control
    say_at_once "$FD" '%b' "$V1_TCP4"
    wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=line$'
}

@test "limits hold for each real source, not for the proxy" {
    believing --max-per-source 2
    offer_web
    for host in 1 2 3; do
        for port in 1 2; do
            client_with "PROXY TCP4 192.0.2.$host 198.51.100.1 $port 443\\r\\n"
            names "192.0.2.$host:$port"
        done
    done
    dial "127.0.0.1:$SERVICE_PORT"
    say_at_once "$FD" '%b' 'PROXY TCP4 192.0.2.2 198.51.100.1 3 443\r\n'
    [ "$(rest "$FD")" = "= reset" ]
    wait_said relayd '^refuse service=web client=192\.0\.2\.2:3 reason=limit$'
}

@test "headers that are awaited count as unknown, in all and not for each source" {
    believing --max-unknown 8
    fds=()
    for _ in {1..8}; do
        dial_control
        fds+=("$FD")
    done
    nothing_held 8
    wait_for eval '[ "$(descriptors relayd)" -eq $((DESCRIPTORS[relayd] + 8)) ]'
    not said relayd '^reject'
    dial_control
    [ "$(rest "$FD")" = "= reset" ]
    wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=full$'
    for fd in "${fds[@]}"; do
        hang_up "$fd"
    done
    nothing_held 0
    offer_web
}

@test "a real source behind the proxy has its quarter of the unknown" {
    believing --max-unknown 8
    for port in 1 2 3; do
        dial_control
        say_at_once "$FD" '%b[' "PROXY TCP4 192.0.2.9 198.51.100.1 $port 443\\r\\n"
    done
    wait_said relayd '^reject from=192\.0\.2\.9:3 reason=full$'
    dial_control
    say_at_once "$FD" '%b%s\n' "PROXY TCP4 192.0.2.8 198.51.100.1 4 443\\r\\n" '[HELLO] v=1 name=web'
    expect "$FD" '\[PUBLIC\] .*'
}

@test "a name is held by the real address" {
    believing
    offer_web "$V1_TCP4"
    first=$CONTROL_FD
    dial_control
    say_at_once "$FD" '%b%s\n' "PROXY TCP4 192.0.2.8 198.51.100.1 4 443\\r\\n" '[HELLO] v=1 name=web'
    expect "$FD" '\[ERROR\] auth .*'
    offer_web 'PROXY TCP4 192.0.2.9 198.51.100.1 40003 443\r\n'
    expect "$first" '\[ERROR\] replaced .*'
}

@test "who leaves before its header is whole costs nothing" {
    believing
    offer_web
    for how in eof reset; do
        for port in "$CONTROL" "$SERVICE_PORT"; do
            for bytes in '' 'PROXY TCP4 192' "$SIGNATURE" "$SIGNATURE\\x21\\x11\\x00\\x0c$CLIENT"; do
                case $how in
                eof) printf '%b' "$bytes" | socat -u - "TCP:127.0.0.1:$port" ;;
                reset) printf '%b' "$bytes" | socat -u - "TCP:127.0.0.1:$port,linger=0" ;;
                esac
            done
        done
    done
    nothing_held 1
    not said relayd '^(reject|refuse)'
    silent "$CONTROL_FD" 0.1
}

@test "a service that goes takes those along whose header is awaited" {
    believing
    offer_web
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    printf 'PROXY ' >&"$FD"
    wait_for eval '[ "$(descriptors relayd)" -eq $((DESCRIPTORS[relayd] + 2)) ]'
    hang_up "$CONTROL_FD"
    [ "$(rest "$CLIENT_FD")" = "= reset" ]
    nothing_held 0
}

@test "--pool-addr: the public ports are there, and servers are told so" {
    start_relayd --pool-addr 127.0.0.3 127.0.0.1:0+4
    said relayd '^listen proto=new addr=127\.0\.0\.1:[0-9]+ pool=[0-9,-]+ pool_addr=127\.0\.0\.3$'
    start_load
    start_connect -n web "127.0.0.1:$CONTROL" "$LOAD"
    [ "$PUBLIC" = "127.0.0.3:$PUBLIC_PORT" ]
    refused "$PUBLIC_PORT"
    load_client "$PUBLIC" both --sessions 5 --bytes 1000
}

@test "--pool-addr any: servers are told the address they reached" {
    start_relayd --pool-addr 0.0.0.0 127.0.0.1:0+4
    said relayd ' pool_addr=0\.0\.0\.0$'
    serve_by_hand web
    dial "127.0.0.9:$SERVICE_PORT"
    expect "$CONTROL_FD" '\[NEW\].*'
}

@test "--pool-addr counts where LISTENs overlap" {
    find_ports 6
    base=$CONTROL
    # Control ports on two addresses, but the pools would be the same ports.
    run timeout 5 "${RELAYD_WORDS[@]}" --pool-addr 127.0.0.3 "127.0.0.1:$base+4" "127.0.0.2:$base+4"
    [ "$status" -eq 1 ]
    [[ $output == *overlap* ]]
    # A control port within the other's pool.
    run timeout 5 "${RELAYD_WORDS[@]}" --pool-addr 127.0.0.2 "127.0.0.1:$base+4" "127.0.0.2:$((base + 2))+0"
    [ "$status" -eq 1 ]
    [[ $output == *overlap* ]]
    # The same ports, but the pool is elsewhere.
    relayd_as relayd --pool-addr 127.0.0.3 "127.0.0.1:$base+2" "127.0.0.1:$((base + 2))+0"
}

@test "mistakes of these options name what to change" {
    for args in '--proxy-from x' '--proxy-from 10.0.0.0/33' '--proxy-from 127.0.0.1,' '--pool-addr localhost' \
        '--pool-addr 1.2.3.4:5'; do
        run "${RELAYD_WORDS[@]}" $args 127.0.0.1:0
        echo "$output"
        [ "$status" -eq 2 ]
        [[ $output == *"${args%% *}"* ]]
    done
    for args in '-P 3 127.0.0.1 localhost:80' '-P 0 127.0.0.1 localhost:80' '-P 1 127.0.0.1 -' '-P 2 127.0.0.1 -- cat'; do
        run "${CONNECT_WORDS[@]}" $args
        echo "$output"
        [ "$status" -eq 2 ]
        [[ $output == *proxy-protocol* ]]
    done
}
