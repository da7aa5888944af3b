# The messages of the protocol hostpool: by vectors, and as protoc, protobuf's
# own program, writes and reads them (test/hostpool.proto).
# long: 15 s

load helper

need_protoc() {
    command -v protoc >/dev/null || skip "there is no protoc"
}

# What messages are called in test/hostpool.proto.
declare -gA NAMES=([hello]=Hello [welcome]=HostProcessHelloResponse [command]=AnyCommand)

# written_as MESSAGE TEXT KIND FIELD...: a frame is what protoc makes of the text, behind its length.
written_as() {
    local bytes

    protoc -I test "--encode=$1" hostpool.proto <<<"$2" >"$D/theirs"
    "$TOOLS/messages" "${@:3}" >"$D/frame"
    tail -c +5 "$D/frame" >"$D/ours"
    cmp "$D/theirs" "$D/ours" || { echo "$2"; od -A d -t x1 "$D/theirs" "$D/ours"; return 1; }
    bytes=$(stat -c %s "$D/ours")
    [ "$(head -c 4 "$D/frame" | od -A n -t x1 | tr -d ' ')" = "$(printf '%08x' "$bytes")" ]
}

# What protoc reads in each file, as it prints it.
decode() {
    local file kind=$1

    for file in "${@:2}"; do
        echo "file: ${file##*/}"
        protoc -I test "--decode=${NAMES[$kind]}" hostpool.proto <"$file" 2>>"$D/said" || echo "failed: yes"
    done
    echo "file:"
}

# The same as test/tools/messages prints it. What hosts and ports can be is relayd's own rule.
as_ours() {
    awk -v kind="$1" '
        function is_host(s) {
            if (s ~ /^"[A-Za-z0-9._][A-Za-z0-9._-]*"$/)
                return length(s) <= 257
            return s ~ /^"[0-9a-fA-F.]*:[0-9a-fA-F:.]*(%[A-Za-z0-9._-]+)?"$/ && length(s) <= 257
        }
        function is_port(s) {
            return s ~ /^"[0-9]+"$/ && length(s) <= 7 && text(s) + 0 > 0 && text(s) + 0 < 65536
        }
        function text(s) {
            return substr(s, 2, length(s) - 2)
        }
        function number(key) {
            return key in has ? has[key] : 0
        }
        function shown() {
            if ("failed:" in has)
                return "bad"
            if (kind == "hello")
                return "version=" number("version:")
            if (kind == "welcome") {
                if (!is_host(has["relay_host:"]) || !is_port(has["relay_port:"]))
                    return "bad"
                return "session=" number("session_id:") " host=" text(has["relay_host:"]) " port=" (text(has["relay_port:"]) + 0)
            }
            session = number("message_type:") == 0 ? number("assigned_to_session:") : 0
            if (number("message_type:") == 1)
                session = number("session_id:")
            return "version=" number("version:") " type=" number("message_type:") " session=" session
        }
        $1 == "file:" {
            if (name != "")
                print name, shown()
            name = $2
            split("", has)
            next
        }
        {
            key = $1
            sub(/^ *[^ ]* /, "")
            has[key] = $0
        }'
}

# read_alike KIND: what was made of it is read, and refused, as protoc does; there is enough of both.
read_alike() {
    need_protoc
    mkdir "$D/made"
    "$TOOLS/messages" make "$D/made" "$(scaled 120)"
    "$TOOLS/messages" parse "$1" "$D/made/$1"-* >"$D/ours"
    decode "$1" "$D/made/$1"-* | as_ours "$1" >"$D/theirs"
    diff "$D/theirs" "$D/ours" || { tail -n 5 "$D/said"; return 1; }
    echo "$(grep -c ' bad$' "$D/ours") of $(wc -l <"$D/ours") are bad"
    [ "$(grep -c 'random.* bad$' "$D/ours")" -ge "$(scaled 30)" ]
    [ "$(grep -c 'random.*=' "$D/ours")" -ge "$(scaled 30)" ]
    [ "$(sed 's/^[^ ]* //' "$D/ours" | sort -u | wc -l)" -ge "$(scaled 20)" ]
}

@test "frames and messages, by vectors" {
    run "$TOOLS/messages"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *" checks, 0 wrong" ]]
}

@test "hellos are written as protoc writes them" {
    need_protoc
    for n in 0 1 2 127 128 16383 16384 2147483647 -1 -128 -2147483648; do
        written_as Hello "version: $n" hello "$n"
    done
}

@test "welcomes are written as protoc writes them" {
    need_protoc
    long=$(printf '%0255d' 0)
    for n in 0 1 128 2147483647 -1; do
        for host in a relay.example 2001:db8::7 "${long:128}" "${long:127}" "$long"; do
            written_as HostProcessHelloResponse "session_id: $n relay_host: '$host' relay_port: '8002'" welcome "$n" "$host" 8002
        done
    done
    for port in 1 80 65535; do
        written_as HostProcessHelloResponse "session_id: 1 relay_host: 'a' relay_port: '$port'" welcome 1 a "$port"
    done
}

@test "commands are written as protoc writes them" {
    need_protoc
    for n in 0 1 127 128 2147483647 -1 -2147483648; do
        written_as Command "version: 1 message_type: CONNECTION_OPEN connection_open {assigned_to_session: $n}" command 1 0 "$n"
        written_as Command "version: 1 message_type: CONNECTION_DROP connection_drop {session_id: $n}" command 1 1 "$n"
    done
    written_as Command "version: 0 message_type: CONNECTION_OPEN connection_open {assigned_to_session: 0}" command 0 0 0
    written_as Command "version: -1 message_type: CONNECTION_DROP connection_drop {session_id: 5}" command -1 1 5
}

@test "hellos are read as protoc reads them" {
    read_alike hello
}

@test "welcomes are read as protoc reads them" {
    read_alike welcome
}

@test "commands are read as protoc reads them" {
    read_alike command
}
