# hostpool: the protocol by hand, byte for byte: host processes and clients.

# Hello: version 1.
HELLO='\x00\x00\x00\x02\x08\x01'

# start_pool [OPTION...]: a relayd; sets CONTROL (where data connections go), COMMANDS and CLIENTS, its ports.
start_pool() {
    start_relayd "$@" hostpool:127.0.0.1:0
    read_pool relayd
}

# So does this, on ports as relay-connect knows them: one after the other.
start_pool_for_hosts() {
    find_ports 2
    start_relayd "$@" "hostpool:127.0.0.1:$CONTROL"
    read_pool relayd
}

read_pool() {
    local at

    at=$(value "$1" '^listen proto=hostpool ' commands)
    COMMANDS=${at##*:}
    at=$(value "$1" '^listen proto=hostpool ' clients)
    CLIENTS=${at##*:}
    at=$(value "$1" '^listen proto=hostpool ' addr)
    CONTROL=${at##*:}
    PORTS+=("$CONTROL" "$COMMANDS" "$CLIENTS")
}

# say_bytes FD ESCAPES: in one write.
say_bytes() {
    say_at_once "$1" '%b' "$2"
}

# exactly FD ESCAPES: these bytes come next.
exactly() {
    printf '%b' "$2" >"$D/wanted"
    timeout $((5 * TIME_FACTOR)) head -c "$(stat -c %s "$D/wanted")" <&"$1" >"$D/got" || :
    cmp "$D/wanted" "$D/got" || { od -A d -t x1 "$D/wanted" "$D/got"; return 1; }
}

# frame FD: the next one's message, in $D/message.
frame() {
    local length

    timeout $((5 * TIME_FACTOR)) head -c 4 <&"$1" >"$D/head" || :
    length=$(od -An -t u1 "$D/head" | awk 'NF == 4 {print (($1 * 256 + $2) * 256 + $3) * 256 + $4}')
    [ -n "$length" ] || { echo "no frame came"; return 1; }
    timeout $((5 * TIME_FACTOR)) head -c "$length" <&"$1" >"$D/message" || :
    [ "$(stat -c %s "$D/message")" -eq "$length" ]
}

# The last message as protoc reads it, in one line: decoded TYPE.
decoded() {
    protoc -I test "--decode=$1" hostpool.proto <"$D/message" | tr -s '\n ' ' '
}

need_protoc() {
    command -v protoc >/dev/null || skip "there is no protoc"
}

# The session's id in the last message, a welcome: in SESSION.
read_session() {
    local bytes i=1 at=0

    read -ra bytes <<<"$(od -An -v -t u1 "$D/message" | tr -s '\n ' ' ')"
    [ "${bytes[0]}" -eq 8 ]
    SESSION=0
    while :; do
        SESSION=$((SESSION | (bytes[i] & 127) << at))
        [ $((bytes[i] & 128)) -ne 0 ] || break
        i=$((i + 1)) at=$((at + 7))
    done
}

# A data connection that waits: sets DATA_FD and SESSION.
spare() {
    dial "127.0.0.1:$CONTROL"
    DATA_FD=$FD
    say_bytes "$FD" "$HELLO"
    frame "$FD"
    read_session
}

# spares COUNT: sets SPARES, their descriptors, and IDS, both in this order.
spares() {
    local i

    SPARES=() IDS=()
    for ((i = 0; i < $1; i++)); do
        spare
        SPARES+=("$DATA_FD")
        IDS+=("$SESSION")
    done
}

# A command connection: sets COMMAND_FD.
command_connection() {
    local opened

    opened=$(grep -c '^open service=hostpool-' "$D/relayd.err" || :)
    dial "127.0.0.1:$COMMANDS"
    COMMAND_FD=$FD
    wait_said relayd '^open service=hostpool-' $((opened + 1))
}

# A client: sets CLIENT_FD.
client() {
    dial "127.0.0.1:$CLIENTS"
    CLIENT_FD=$FD
}

# Commands as they are on the wire, of an id below 128: opened FD ID, dropped FD ID.
opened() {
    exactly "$1" "$(printf '\\x00\\x00\\x00\\x08\\x08\\x01\\x10\\x00\\x1a\\x02\\x08\\x%02x' "$2")"
}

dropped() {
    exactly "$1" "$(printf '\\x00\\x00\\x00\\x08\\x08\\x01\\x10\\x01\\x22\\x02\\x08\\x%02x' "$2")"
}

# Until relayd has done all that was said before.
settled() {
    local fd=$FD

    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" '\xff\xff\xff\xff'
    [ "$(rest "$FD")" = "= reset" ]
    hang_up "$FD"
    FD=$fd
}

# No byte goes to the client, and it is reset.
client_refused() {
    [ "$(rest "$CLIENT_FD" "${1:-5}")" = "= reset" ]
}

# --- relay-connect before it

# standing NAME COUNT: so many data connections of relayd NAME are there, and nothing is unread on them.
standing() {
    [ "$(ss -Htn state established "sport = :$CONTROL" | awk '$1 == 0' | wc -l)" -eq "$1" ]
}

# start_host NAME TARGET... [OPTION...]: a relay-connect, once its connections stand by; $SPARE_COUNT of them (10).
start_host() {
    local name=$1 before

    shift
    before=$(ss -Htn state established "sport = :$CONTROL" | wc -l)
    start "$name" "${CONNECT_WORDS[@]}" "${@:2}" "hostpool://127.0.0.1:$CONTROL" "$1"
    wait_for printed_or_gone "$name"
    read_public "$name"
    wait_for standing $((before + ${SPARE_COUNT:-10}))
    DESCRIPTORS[$name]=$(descriptors "$name")
}

# It has them all again.
full() {
    wait_for standing "${1:-10}"
}

# A local server that says something first: sets LOCAL.
start_greeter() {
    local port

    port=$(free_port)
    start greeter socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr,backlog=128" "SYSTEM:echo greetings; cat"
    wait_for listening "$port"
    LOCAL=127.0.0.1:$port
}
