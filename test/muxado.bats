# muxado: relayd's side, told byte for byte by servers that say what they
# should not, too. Streams in one connection, in both wire formats.
# long: 40 s

load helper
load muxado

# --- what a server says first

@test "the recorded session, byte for byte" {
    start_relay -H localhost
    p=${POOL[0]}
    address=$(hex "localhost:$p")
    length=$(printf %04x $((${#address} / 2)))
    dial_control
    c=$FD
    say_hex "$c" 00000001 00000003
    say_hex "$c" 00080601 00000005 7fffffff fffffeff
    exactly "$c" 00080601 00000002 7fffffff fffffeff
    exactly "$c" "$length" 0003 00000003 "$address" 00000103 00000003
    say_hex "$c" 00040004 00000003 "0000$length" 00000103 00000003
    dial "127.0.0.1:$p"
    exactly "$c" 00000001 00000004
    say "$FD" 'Hello, world'
    exactly "$c" 000d0003 00000004 "$(hex 'Hello, world')" 0a
    say_hex "$c" 00040004 00000004 0000000d
    zeros=$(printf '00%.0s' {1..243})
    say_hex "$c" 01000003 00000004 "$(hex 'Hello, world')" 0a "$zeros"
    [ "$(take "$FD" 256)" = "$(hex 'Hello, world')0a$zeros" ]
    exactly "$c" 00040004 00000004 00000100
    client=$FD
    hang_up "$client"
    exactly "$c" 00000103 00000004
    say_hex "$c" 00000103 00000004 00040002 00000004 00000004
    wait_said relayd "^end service=$p client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ up=13 down=256 seconds=[0-9.]+ reason=eof$"
    exactly "$c" 00040003 00000002 00000000
    say_hex "$c" 00040003 00000002 00000000 00040004 00000002 00000004
    exactly "$c" 00040004 00000002 00000004
    say_hex "$c" 00040003 00000005 00000000
    exactly "$c" 00040004 00000005 00000004 00040003 00000005 00000000
}

@test "the same in v2, byte for byte" {
    start_relay -H localhost
    p=${POOL[0]}
    address=$(hex "localhost:$p")
    length=$(printf %06x $((${#address} / 2)))
    dial_control
    c=$FD
    say_hex "$c" 00000012 00000003
    exactly "$c" "$length" 10 00000003 "$address" 00000011 00000003
    say_hex "$c" 00000420 00000003 "00$length" 00000011 00000003
    dial "127.0.0.1:$p"
    exactly "$c" 00000012 00000002
    say "$FD" 'Hello, world'
    exactly "$c" 00000d10 00000002 "$(hex 'Hello, world')" 0a
    say_hex "$c" 00000420 00000002 0000000d 00000510 00000002 "$(hex hello)"
    [ "$(timeout 5 head -c 5 <&"$FD")" = hello ]
    exactly "$c" 00000420 00000002 00000005
    hang_up "$FD"
    exactly "$c" 00000011 00000002
    say_hex "$c" 00000011 00000002
    wait_said relayd "^end service=$p .* up=13 down=5 .* reason=eof$"
    silent "$c"
}

@test "the first bytes may be split anywhere" {
    start_relay
    split() {
        local all

        all=$(hello)
        for at in 2 4 6 8 10; do
            dial_control
            say_hex "$FD" "${all:0:at}"
            settled
            say_hex "$FD" "${all:at}"
            welcomed "$FD"
            session
            hang_up "$SERVER_FD"
            ends "$CLIENT_FD"
            hang_up "$CLIENT_FD"
            wait_for not listening "$SERVICE_PORT"
        done
    }
    # relayd has read what was said before.
    settled() {
        wait_for eval '[ -z "$(ss -Htn "sport = :$CONTROL" | awk "\$2 > 0")" ]'
    }
    both split
}

@test "and one byte at a time, all of it" {
    start_relay
    single() {
        local all i

        dial_control
        c=$FD
        all=$(hello)
        for ((i = 0; i < ${#all}; i += 2)); do
            say_hex "$c" "${all:i:2}"
        done
        welcomed "$c"
        dial "127.0.0.1:$SERVICE_PORT"
        told "$c" "$(syn "$NEXT")"
        all=$(data "$NEXT" hello)$(fin "$NEXT")
        for ((i = 0; i < ${#all}; i += 2)); do
            say_hex "$c" "${all:i:2}"
        done
        [ "$(rest "$FD")" = 'hello= eof' ]
    }
    both single
}

@test "fewer than four bytes, and then nothing, are too slow" {
    start_relay --line-timeout 1
    for said in 00 0000 000000; do
        dial_control
        say_hex "$FD" "$said"
        was_reset "$FD"
    done
    said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=slow$' 3
    not said relayd '^open '
}

@test "a server that says nothing keeps its place, however long" {
    start_relay --line-timeout 1
    dial_control
    mute=$FD
    dial_control
    say_hex "$FD" 00
    was_reset "$FD"
    silent "$mute" 1
    V=2
    say_hex "$mute" "$(hello)"
    welcomed "$mute"
    session
}

@test "what begins otherwise costs its sender the connection and nobody else anything" {
    start_relay
    bystander
    n=0
    for said in 48454c4f ffffffff 16030155 00000007 00000021 00000014 000000ff 0d0a0d0a 00000031; do
        dial_control
        say_hex "$FD" "$said"
        was_reset "$FD"
        n=$((n + 1))
        wait_said relayd '^reject from=127\.0\.0\.1:[0-9]+ reason=line$' "$n"
    done
    unharmed
    not said relayd '^open ' 2
}

@test "garbage behind a good beginning ends that connection alone" {
    start_relay
    bystander
    for n in {1..20}; do
        dial_control
        printf '\0\0\0\'"$((n % 2))" >"$D/all"
        head -c 4000 /dev/urandom >>"$D/all"
        cat "$D/all" >&"$FD" 2>/dev/null || :
        hang_up "$FD"
        wait_said relayd '^close ' "$n"
    done
    unharmed
    not said relayd '^(refuse|end) '
}

@test "it is told the host that -H names, and the address that it reached" {
    start_relay -H relay.example.org
    address_told() {
        serve
        [ "$ADDRESS" = "relay.example.org:$SERVICE_PORT" ]
    }
    both address_told
    relayd_as relayd2 -H 2001:db8::1 muxado:127.0.0.1:0+2
    serve
    [ "$ADDRESS" = "[2001:db8::1]:${POOL[0]}" ]
    relayd_as relayd3 muxado:0.0.0.0:0+2
    dial "127.0.0.7:$CONTROL"
    say_hex "$FD" "$(hello)"
    welcomed "$FD"
    [ "$ADDRESS" = "127.0.0.7:${POOL[0]}" ]
}

@test "the ports above PORT, 50 of them by default, the lowest first" {
    find_ports 50
    start_relayd "muxado:127.0.0.1:$CONTROL"
    [ ${#POOL[@]} -eq 50 ]
    for n in 1 2 3; do
        serve
        [ "$SERVICE_PORT" -eq $((CONTROL + n)) ]
        said relayd "^open service=$SERVICE_PORT proto=muxado public=127\.0\.0\.1:$SERVICE_PORT from=127\.0\.0\.1:[0-9]+$"
    done
}

@test "a second stream of the server's is refused" {
    start_relay
    second() {
        local code

        serve
        [ "$V" = 1 ] && code=6 || code=5
        say_hex "$SERVER_FD" "$(syn 7)"
        told "$SERVER_FD" "$(rst 7 "$code")"
        say_hex "$SERVER_FD" "$(syn 101)" "$(data 101 x)"
        told "$SERVER_FD" "$(rst 101 "$code")" "$(rst 101 4)"
        session
    }
    both second
}

@test "a first stream that ends as it begins is told the address all the same" {
    start_relay
    V=2
    dial_control
    say_hex "$FD" 00000013 00000003
    frame "$FD"
    [ "${FRAME:6:10}" = 1000000003 ]
    told "$FD" "$(fin 3)"
    V=1
    dial_control
    say_hex "$FD" 00000101 00000003
    told "$FD" "$(beats 2)"
    frame "$FD"
    [ "${FRAME:4:12}" = 000300000003 ]
    told "$FD" "$(fin 3)"
}

# --- ports

@test "without a free port servers are on hold, with heartbeats alone, and served in their order" {
    start_relayd muxado:127.0.0.1:0+1
    serve
    first=$SERVER_FD
    session
    held=()
    for V in 1 2 1; do
        dial_control
        say_hex "$FD" "$(hello)"
        held+=("$FD")
        on_hold "$FD"
    done
    not said relayd '^open ' 2
    not said relayd '^reject '
    hang_up "$first"
    n=1
    for V in 1 2 1; do
        n=$((n + 1))
        wait_said relayd '^open ' "$n"
        welcomed "${held[n - 2]}" held
        [ "$SERVICE_PORT" -eq "${POOL[0]}" ]
        session
        hang_up "$SERVER_FD"
        wait_said relayd "^close service=$SERVICE_PORT reason=" "$n"
    done
}

@test "one that has left meanwhile is skipped" {
    start_relayd muxado:127.0.0.1:0+1
    serve
    first=$SERVER_FD
    for how in reset fin; do
        printf '\0\0\0\1\0\0\0\3' >"$D/hello"
        start "$how" socat -u "OPEN:$D/hello" "TCP:127.0.0.1:$CONTROL$([ "$how" = fin ] || echo ,linger=0)"
        wait_end "$how"
    done
    dial_control
    say_hex "$FD" "$(hello)"
    last=$FD
    on_hold "$last"
    hang_up "$first"
    welcomed "$last" held
    session
    not said relayd '^open ' 3
}

@test "the public port is free at once when its server goes, and its clients are reset" {
    start_relayd muxado:127.0.0.1:0+1
    n=0
    going() {
        for how in fin goaway; do
            serve
            session
            n=$((n + 1))
            [ "$how" = fin ] || say_hex "$SERVER_FD" "$(goaway 0 0)"
            hang_up "$SERVER_FD"
            was_reset "$CLIENT_FD"
            wait_said relayd "^close service=$SERVICE_PORT reason=(eof|reset)$" "$n"
            wait_said relayd "^end service=$SERVICE_PORT .* reason=reset$" "$n"
            wait_for not listening "$SERVICE_PORT"
        done
    }
    both going
}

# --- GOAWAY

@test "GOAWAY of the server: no more clients, and those that there are go on" {
    start_relay
    going() {
        serve
        session
        open=$CLIENT_FD
        say_hex "$SERVER_FD" "$(goaway 2 0)"
        flows "$open" "$SERVER_FD" "$ID"
        dial "127.0.0.1:$SERVICE_PORT"
        was_reset "$FD"
        wait_said relayd "^refuse service=$SERVICE_PORT client=127\.0\.0\.1:[0-9]+ reason=gone$"
        flows "$open" "$SERVER_FD" "$ID"
        listening "$SERVICE_PORT"
        say_hex "$SERVER_FD" "$(fin "$ID")"
        was_ended "$open"
        hang_up "$open"
        told "$SERVER_FD" "$(fin "$ID")"
    }
    both going
}

@test "unknown types are skipped in v2" {
    start_relay
    V=2
    serve
    session
    say_hex "$SERVER_FD" "000005 40 00000002 $(hex skip!)" "000000 f0 00000000" "000003 95 7fffffff 010203"
    flows "$CLIENT_FD" "$SERVER_FD" "$ID"
}

