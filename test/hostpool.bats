# hostpool: relayd's side. What host processes and clients say and are told, byte
# for byte, and what becomes of those that wait.
# long: 50 s

load helper
load hostpool

# Connections that were taken, said something wrong, and are gone: reset, and so logged.
rejected() {
    [ "$(rest "$1")" = "= reset" ] || { echo "not reset"; return 1; }
    wait_said relayd "^reject from=127\.0\.0\.1:[0-9]+ reason=$2$" "${3:-1}"
}

unready() {
    wait_said relayd "^unready service=hostpool-$CONTROL from=127\.0\.0\.1:[0-9]+ reason=$1$" "${2:-1}"
}

# $1 bytes of unknown fields that say nothing: a field 2 of bytes, as many as are left.
unknown() {
    printf '\\x12\\x%02x\\x%02x' $((($1 - 3) % 128 + 128)) $((($1 - 3) / 128))
    printf 'x%.0s' $(seq $(($1 - 3)))
}

# --- what is said

@test "the listen line names three ports, each on the address that was given" {
    start_pool
    said relayd "^listen proto=hostpool addr=127\.0\.0\.1:$CONTROL commands=127\.0\.0\.1:$COMMANDS clients=127\.0\.0\.1:$CLIENTS$"
    listening "$CONTROL"
    listening "$COMMANDS"
    listening "$CLIENTS"
    find_ports 2
    port=$CONTROL
    relayd_as relayd2 "hostpool:127.0.0.1:$port"
    said relayd2 "^listen proto=hostpool addr=127\.0\.0\.1:$port commands=127\.0\.0\.1:$((port + 1)) clients=127\.0\.0\.1:$((port + 2))$"
}

@test "a hello is welcomed, a client is announced, its bytes go both ways, its end is told: byte for byte" {
    start_pool
    command_connection
    dial "127.0.0.1:$CONTROL"
    data=$FD
    say_bytes "$data" "$HELLO"
    port=$(printf %s "$CLIENTS" | od -An -t x1 | sed 's/ /\\x/g')
    exactly "$data" "\\x00\\x00\\x00\\x14\\x08\\x01\\x12\\x09127.0.0.1\\x1a\\x05$port"
    silent "$data"
    silent "$COMMAND_FD" 0.05
    client
    opened "$COMMAND_FD" 1
    silent "$data" 0.05
    talks "$CLIENT_FD" "$data"
    said relayd "^pair service=hostpool-$CONTROL client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ waited_ms=0$"
    silent "$COMMAND_FD" 0.05
    hang_up "$CLIENT_FD"
    [ "$(rest "$data")" = "= eof" ]
    hang_up "$data"
    dropped "$COMMAND_FD" 1
    said relayd "^end service=hostpool-$CONTROL client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ up=11 down=9 seconds=[0-9.]+ reason=eof$"
    silent "$COMMAND_FD" 0.05
}

@test "protoc says the hello, and reads the welcome and the commands" {
    need_protoc
    start_pool -H relay.example.org
    command_connection
    protoc -I test --encode=Hello hostpool.proto <<<'version: 1' >"$D/hello"
    dial "127.0.0.1:$CONTROL"
    data=$FD
    { printf "\\x00\\x00\\x00\\x$(printf %02x "$(stat -c %s "$D/hello")")"; cat "$D/hello"; } >"$D/hello.frame"
    cat "$D/hello.frame" >&"$data"
    frame "$data"
    [ "$(decoded HostProcessHelloResponse)" = "session_id: 1 relay_host: \"relay.example.org\" relay_port: \"$CLIENTS\" " ]
    client
    frame "$COMMAND_FD"
    [ "$(decoded Command)" = 'version: 1 message_type: CONNECTION_OPEN connection_open { assigned_to_session: 1 } ' ]
    hang_up "$CLIENT_FD"
    [ "$(rest "$data")" = "= eof" ]
    hang_up "$data"
    frame "$COMMAND_FD"
    [ "$(decoded Command)" = 'version: 1 message_type: CONNECTION_DROP connection_drop { session_id: 1 } ' ]
}

@test "the host told is the one that was reached, or -H's; an IPv6 address has no brackets" {
    host() {
        dial "$1"
        say_bytes "$FD" "$HELLO"
        frame "$FD"
        [[ "$(tr -d '\0' <"$D/message")" == *"$2"$'\x1a'* ]] || { od -c "$D/message"; return 1; }
    }
    start_relayd hostpool:0.0.0.0:0
    host "127.0.0.7:$CONTROL" $'\x12\x09127.0.0.7'
    relayd_as relayd2 -H 2001:db8::1 hostpool:127.0.0.1:0
    host "127.0.0.1:$CONTROL" $'\x12\x0b2001:db8::1'
    relayd_as relayd3 'hostpool:[::]:0'
    host "::1:$CONTROL" $'\x12\x03::1'
    host "127.0.0.1:$CONTROL" $'\x12\x09127.0.0.1'
}

@test "a hello may be split at every byte, or be its longer forms" {
    start_pool
    for ((i = 0; i < 6; i++)); do
        dial "127.0.0.1:$CONTROL"
        printf '%b' "$HELLO" >"$D/hello"
        head -c "$i" "$D/hello" >&"$FD"
        silent "$FD" 0.03
        tail -c +$((i + 1)) "$D/hello" >&"$FD"
        frame "$FD"
    done
    dial "127.0.0.1:$CONTROL"
    for byte in '\x00' '\x00' '\x00' '\x02' '\x08'; do
        say_bytes "$FD" "$byte"
        silent "$FD" 0.01
    done
    say_bytes "$FD" '\x01'
    frame "$FD"
    # The number in ten bytes; another one before it; fields that are not known.
    for hello in '\x0b\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00' '\x04\x08\x07\x08\x01' \
        '\x0c\x12\x03xxx\x08\x01\x1d\x01\x02\x03\x04'; do
        dial "127.0.0.1:$CONTROL"
        say_bytes "$FD" "\\x00\\x00\\x00$hello"
        frame "$FD"
    done
}

@test "a message of 4,096 bytes is taken, one of 4,097 is not, whatever is in it" {
    start_pool
    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" "\\x00\\x00\\x10\\x00\\x08\\x01$(unknown 4094)"
    frame "$FD"
    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" "\\x00\\x00\\x10\\x01\\x08\\x01$(unknown 4095)"
    rejected "$FD" line
    # The head alone is enough to know.
    for length in '\x00\x00\x10\x01' '\xff\xff\xff\xff' '\x80\x00\x00\x00' '\x01\x00\x00\x02' 'GET ' 'SSH-'; do
        dial "127.0.0.1:$CONTROL"
        say_bytes "$FD" "$length"
        [ "$(rest "$FD" 2)" = "= reset" ]
    done
    wait_said relayd '^reject .* reason=line$' 7
}

@test "what is no hello costs its sender the connection, and nobody else anything" {
    start_pool
    command_connection
    spare
    count=0
    for message in '\x01\x08' '\x02\x08\x80' '\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' '\x02\x0b\x08' '\x02\x0a\x05' \
        '\x01\xff' '\x02\x00\x01' '\x03\x08\x01\x0c' '\x03\x08\x01\x0e'; do
        dial "127.0.0.1:$CONTROL"
        say_bytes "$FD" "\\x00\\x00\\x00$message"
        rejected "$FD" line $((++count)) || { echo "$message"; false; }
    done
    for ((i = 1; i <= 50; i++)); do
        said=$("$TOOLS/drip" "127.0.0.1:$CONTROL" --garbage "$i" 200 --split 0 --wait 2000) || :
        [[ "$said" == *"= reset" ]] || { echo "seed $i: $said"; false; }
    done
    client
    opened "$COMMAND_FD" 1
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "another version is not served" {
    start_pool
    count=0
    for message in '\x00' '\x02\x08\x00' '\x02\x08\x02' '\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01' '\x04\x08\x01\x08\x02' '\x03\x0a\x01x'; do
        dial "127.0.0.1:$CONTROL"
        say_bytes "$FD" "\\x00\\x00\\x00$message"
        rejected "$FD" version $((++count)) || { echo "$message"; false; }
    done
}

@test "a hello has its time, before it begins and from its first byte on" {
    start_pool --line-timeout 1
    began=$(now_ms)
    dial "127.0.0.1:$CONTROL"
    nothing=$FD
    dial "127.0.0.1:$CONTROL"
    some=$FD
    say_bytes "$some" '\x00\x00\x10'
    said=$("$TOOLS/drip" "127.0.0.1:$CONTROL" --garbage 1 0 --wait 4000)
    [ "$said" = "= reset" ]
    rejected "$nothing" slow
    rejected "$some" slow 3
    # Byte by byte does not lengthen it.
    start slow bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1; printf "\0\0\17\240\22\200\37" >&3; while printf x >&3; do sleep 0.1; done' - "$CONTROL"
    wait_said relayd '^reject .* reason=slow$' 4
    took=$(($(now_ms) - began))
    echo "$took ms"
    [ "$took" -ge 1900 ]
    [ "$took" -lt $((5000 * TIME_FACTOR)) ]
}

@test "who leaves before the hello is whole leaves nothing behind" {
    start_pool
    before=$(descriptors relayd)
    for said in '' '\x00' '\x00\x00\x00\x02' '\x00\x00\x10\x00xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; do
        dial "127.0.0.1:$CONTROL"
        say_bytes "$FD" "$said"
        settled
        hang_up "$FD"
    done
    settled
    wait_for at_most_descriptors relayd "$before"
    not said relayd '^(unready|pair)'
}

# --- those that wait

@test "whatever is readable before there is a client closes the connection" {
    start_pool
    command_connection
    # A second message in the same write.
    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" "$HELLO$HELLO"
    [[ "$(rest "$FD" | tr -d '\0')" == *"= reset" ]]
    unready line
    dial "127.0.0.1:$CONTROL"
    say_bytes "$FD" "${HELLO}x"
    [[ "$(rest "$FD" | tr -d '\0')" == *"= reset" ]]
    unready line 2
    # And later.
    for said in x "$HELLO" '\x00'; do
        spare
        say_bytes "$DATA_FD" "$said"
        [ "$(rest "$DATA_FD")" = "= reset" ]
    done
    unready line 5
    client
    silent "$COMMAND_FD" 0.1
}

@test "so does an end of file, and a reset" {
    start_pool
    command_connection
    spare
    hang_up "$DATA_FD"
    unready eof
    printf '%b' "$HELLO" >"$D/hello"
    start half socat "OPEN:$D/hello,rdonly!!OPEN:$D/half,creat,wronly" "TCP:127.0.0.1:$CONTROL"
    unready eof 2
    start cut socat "SYSTEM:cat $D/hello; exec sleep 1000!!OPEN:$D/welcome,creat,wronly" "TCP:127.0.0.1:$CONTROL,linger=0"
    wait_for test -s "$D/welcome"
    kill_sessions cut
    unready reset
    client
    silent "$COMMAND_FD" 0.1
}

@test "at the moment of the client one that is broken, or has said something, is passed over" {
    start_pool
    command_connection
    spares 4
    # The client and what they say is seen in one round, the client first.
    kill -STOP "${PID[relayd]}"
    client
    hang_up "${SPARES[0]}"
    say_bytes "${SPARES[1]}" x
    say_bytes "${SPARES[2]}" "$HELLO"
    kill -CONT "${PID[relayd]}"
    opened "$COMMAND_FD" 4
    talks "$CLIENT_FD" "${SPARES[3]}"
    unready eof
    unready line 2
    silent "$COMMAND_FD" 0.1
}

@test "the one that has waited longest is next, and no id comes twice" {
    start_pool
    command_connection
    spares 5
    [ "${IDS[*]}" = "1 2 3 4 5" ]
    for i in 0 1 2; do
        client
        opened "$COMMAND_FD" "${IDS[i]}"
        talks "$CLIENT_FD" "${SPARES[i]}"
    done
    hang_up "${SPARES[3]}"
    unready eof
    spare
    [ "$SESSION" -eq 6 ]
    client
    opened "$COMMAND_FD" 5
    talks "$CLIENT_FD" "${SPARES[4]}"
    client
    opened "$COMMAND_FD" 6
    talks "$CLIENT_FD" "$DATA_FD"
    for _ in {1..20}; do
        spare
        hang_up "$DATA_FD"
        echo "$SESSION"
    done >"$D/ids"
    [ "$(sort -un "$D/ids" | wc -l)" -eq 20 ]
    [ "$(sort -n "$D/ids" | head -n 1)" -eq 7 ]
}

@test "what a client says before it has a server arrives, and its end of file is no departure" {
    start_pool
    printf early >"$D/early"
    start early socat -t 10 "OPEN:$D/early,rdonly!!OPEN:$D/answer,creat,wronly" "TCP:127.0.0.1:$CLIENTS"
    wait_for clients_wait 1
    command_connection
    spare
    opened "$COMMAND_FD" 1
    exactly "$DATA_FD" early
    [ "$(rest "$DATA_FD")" = "= eof" ]
    say_bytes "$DATA_FD" "the answer"
    hang_up "$DATA_FD"
    dropped "$COMMAND_FD" 1
    wait_end early
    [ "$(cat "$D/answer")" = "the answer" ]
    said relayd '^end .* up=5 down=10 .* reason=eof$'
}

# So many clients are connected.
clients_wait() {
    [ "$(ss -Htn "sport = :$CLIENTS" | grep -c ESTAB\\\|CLOSE-WAIT)" -eq "$1" ]
}

@test "a client that nothing is there for waits its time, and is refused" {
    start_pool -c 1
    began=$(now_ms)
    client
    client_refused
    [ $(($(now_ms) - began)) -ge 900 ]
    said relayd "^refuse service=hostpool-$CONTROL client=127\.0\.0\.1:[0-9]+ reason=timeout$"
    # Nor with a command connection alone, nor with a data connection alone.
    command_connection
    client
    client_refused
    hang_up "$COMMAND_FD"
    wait_said relayd "^close service=hostpool-$CONTROL reason=eof from=127\.0\.0\.1:[0-9]+$"
    spare
    client
    client_refused
    said relayd '^refuse .* reason=timeout$' 3
    not said relayd '^pair'
    silent "$DATA_FD"
}

@test "a client that waits is served by what comes meanwhile, the longest waiting first" {
    start_pool
    command_connection
    client
    first=$CLIENT_FD
    client
    settled
    silent "$COMMAND_FD" 0.1
    spare
    opened "$COMMAND_FD" 1
    talks "$first" "$DATA_FD"
    spare
    opened "$COMMAND_FD" 2
    talks "$CLIENT_FD" "$DATA_FD"
    wait_said relayd '^pair .* waited_ms=[0-9]+$' 2
}

@test "without a command connection clients and data connections wait for one" {
    start_pool
    spares 2
    client
    first=$CLIENT_FD
    client
    silent "$first"
    silent "${SPARES[0]}" 0.05
    not said relayd '^pair'
    command_connection
    opened "$COMMAND_FD" 1
    opened "$COMMAND_FD" 2
    talks "$first" "${SPARES[0]}"
    talks "$CLIENT_FD" "${SPARES[1]}"
}

@test "a client that is gone meanwhile costs no data connection" {
    start_pool
    spare
    start leaves "$TOOLS/drip" "127.0.0.1:$CLIENTS" --text x --split 0 --reset
    wait_end leaves
    client
    settled
    command_connection
    opened "$COMMAND_FD" 1
    talks "$CLIENT_FD" "$DATA_FD"
    said relayd '^refuse .* reason=gone$'
    [ "$(grep -c '^pair' "$D/relayd.err")" -eq 1 ]
}

@test "when the last command connection goes, what waits and what runs stays" {
    start_pool
    command_connection
    spares 2
    client
    opened "$COMMAND_FD" 1
    hang_up "$COMMAND_FD"
    wait_said relayd "^close service=hostpool-$CONTROL reason=eof from="
    talks "$CLIENT_FD" "${SPARES[0]}"
    silent "${SPARES[1]}"
    client
    silent "$CLIENT_FD"
    command_connection
    opened "$COMMAND_FD" 2
    talks "$CLIENT_FD" "${SPARES[1]}"
    not said relayd '^unready'
}

# --- command connections

@test "every command connection is told of every client" {
    start_pool
    all=()
    for _ in 1 2 3; do
        command_connection
        all+=("$COMMAND_FD")
    done
    spares 2
    client
    for fd in "${all[@]}"; do
        opened "$fd" 1
    done
    hang_up "${all[1]}"
    wait_said relayd '^close service=hostpool-[0-9]+ reason=eof from='
    hang_up "$CLIENT_FD"
    [ "$(rest "${SPARES[0]}")" = "= eof" ]
    hang_up "${SPARES[0]}"
    dropped "${all[0]}" 1
    dropped "${all[2]}" 1
    client
    opened "${all[0]}" 2
    opened "${all[2]}" 2
}

@test "what a host process says on its command connection is ignored, its end is not" {
    start_pool
    command_connection
    say_bytes "$COMMAND_FD" "$HELLO"
    say_bytes "$COMMAND_FD" '\xff\xff\xff\xff'
    head -c 1000000 /dev/urandom >&"$COMMAND_FD"
    spare
    client
    opened "$COMMAND_FD" 1
    talks "$CLIENT_FD" "$DATA_FD"
    start cut socat -u "EXEC:sleep 1000" "TCP:127.0.0.1:$COMMANDS,linger=0"
    wait_said relayd '^open ' 2
    kill_sessions cut
    wait_said relayd '^close .* reason=(reset|eof) from='
    silent "$COMMAND_FD" 0.1
}

@test "commands are not sent to the data port, nor hellos answered on the others" {
    start_pool
    command_connection
    say_bytes "$COMMAND_FD" "$HELLO"
    silent "$COMMAND_FD" 0.1
    client
    say_bytes "$CLIENT_FD" "$HELLO"
    silent "$CLIENT_FD" 0.1
    silent "$COMMAND_FD" 0.1
    spare
    opened "$COMMAND_FD" 1
    exactly "$DATA_FD" "$HELLO"
}
