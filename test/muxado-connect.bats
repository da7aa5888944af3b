# muxado: relay-connect, in both formats, before relayd and before a relay that
# says what the test wants.
# long: 60 s

load helper
load muxado

SCHEMES=(muxado muxado2)

# The process that carries its streams is there as long as its connection.
COMMANDS=([connect]=1 [connect1]=1 [connect2]=1)

# start_service [OPTION...]: relayd, a local server of `load`, and relay-connect with SCHEME.
start_service() {
    start_relayd "${MANY[@]}" muxado:127.0.0.1:0+4
    start_load
    start_connect "$@" -n web "$SCHEME://127.0.0.1:$CONTROL" "$LOAD"
}

# The carrier of the connection: of relayd, which calls it by its port, and of relay-connect, by its name.
processor_ms() {
    echo $(($(cpu_ms "$(carrier relayd "$PUBLIC_PORT")") + $(cpu_ms "$(carrier connect web)")))
}

at_rest() {
    local before used

    before=$(processor_ms)
    sleep 1
    used=$(($(processor_ms) - before))
    echo "$used ms"
    [ "$used" -le 60 ]
}

# for_each COMMAND: with either scheme.
for_each() {
    for SCHEME in "${SCHEMES[@]}"; do
        "$@" || { echo "$SCHEME"; return 1; }
        end_everything
        STARTED=() PID=() DESCRIPTORS=()
        rm -f "$D"/*.err "$D"/*.out "$D/orders"
    done
}

@test "it prints the public address, and bytes go both ways, 100 at once, by checksum" {
    many() {
        start_service
        [ "$PUBLIC" = "127.0.0.1:${POOL[0]}" ]
        said connect "^open service=web proto=muxado public=$PUBLIC$"
        n=$(scaled 100)
        load_client "$PUBLIC" both --sessions "$n" --at-once "$n" --bytes 1048576
        load_served "$n"
        wait_said relayd "^end service=$PUBLIC_PORT client=127\.0\.0\.1:[0-9]+ pid=[0-9]+ up=1048616 down=1048576 seconds=[0-9.]+ reason=eof$" "$n"
        wait_said connect '^end service=web .* up=1048616 down=1048576 .* reason=eof$' "$n"
        not said relayd '^(refuse|reject|close) '
        leave_nothing
    }
    for_each many
}

@test "each end is passed on while the other direction goes on" {
    halves() {
        start_service
        load_client "$PUBLIC" client-first --sessions 20 --at-once 10 --up 10000 --down 1000000
        load_client "$PUBLIC" server-first --sessions 20 --at-once 10 --up 1000000 --down 10000
        load_client "$PUBLIC" client-first --sessions 5 --at-once 5 --up 0 --down 100000
        load_client "$PUBLIC" server-first --sessions 5 --at-once 5 --up 100000 --down 0
        load_client "$PUBLIC" client-closes --sessions 10 --at-once 10 --up 1048576 --down 0 --pause-server 200
        load_client "$PUBLIC" server-closes --sessions 10 --at-once 10 --up 0 --down 1048576 --pause-client 200
        load_served 70
        leave_nothing
    }
    for_each halves
}

@test "resets pass both ways, amid a transfer and after one end, too" {
    resets() {
        start_service
        for who in client server; do
            load_client "$PUBLIC" $who-resets --sessions 20 --at-once 10 --bytes 10000
            load_client "$PUBLIC" $who-cuts --sessions 10 --at-once 10 --bytes 2000000
            load_client "$PUBLIC" half-$who-resets --sessions 10 --at-once 10 --bytes 100000
        done
        load_served 80
        leave_nothing
    }
    for_each resets
}

@test "one of 50 that does not read stops its own stream only, and the processes rest" {
    stalled() {
        start_service
        start stalled "$TOOLS/load" client "$PUBLIC" --mode both --up 1000 --down 100000000 --pause-client 60000
        start stalled2 "$TOOLS/load" client "$PUBLIC" --mode both --up 100000000 --down 1000 --pause-server 60000
        wait_said connect '^pair ' 2
        n=$(scaled 49)
        load_client "$PUBLIC" both --sessions "$n" --at-once "$n" --bytes 1048576
        load_client "$PUBLIC" client-first --sessions 10 --at-once 5 --bytes 100000
        at_rest
        kill_sessions stalled stalled2
        wait_said connect '^end .* reason=reset$'
    }
    for_each stalled
}

@test "a server on a unix socket; one that closes while its client stays costs no processor time" {
    start_relayd muxado:127.0.0.1:0+4
    start_load "unix:$D/socket"
    start_connect -n web "muxado://127.0.0.1:$CONTROL" "$D/socket"
    load_client "$PUBLIC" both --sessions 20 --at-once 10 --bytes 100000
    load_client "$PUBLIC" client-first --sessions 10 --at-once 10 --bytes 100000
    load_client "$PUBLIC" server-first --sessions 10 --at-once 10 --bytes 100000
    load_served 40
    rm -f "$D/socket"
    start brief socat "UNIX-LISTEN:$D/socket,fork" "SYSTEM:echo bye"
    wait_for test -S "$D/socket"
    dial "$PUBLIC"
    expect "$FD" bye
    [ "$(rest "$FD")" = "= eof" ]
    at_rest
}

@test "localhost" {
    start_relayd muxado:127.0.0.1:0+4
    start_load
    start_connect -n web "muxado://localhost:$CONTROL" "localhost:${LOAD##*:}"
    load_client "$PUBLIC" both --sessions 20 --at-once 10 --bytes 100000
    load_served 20
}

@test "a name that has to be looked up, and is none" {
    start_relayd muxado:127.0.0.1:0+4
    start_load
    start_connect -n web "muxado2://127.0.0.1:$CONTROL" "ip6-localhost.invalid:1"
    dial "$PUBLIC"
    [ "$(rest "$FD")" = "= reset" ]
    wait_said connect '^end service=web .* reason=error error=.'
}

@test "-- COMMAND: each client has one, which is told where it is reached" {
    commands() {
        start_relayd muxado:127.0.0.1:0+4
        TCPREMOTEIP=forged start_connect -n web "$SCHEME://127.0.0.1:$CONTROL" -- \
            sh -c 'echo "$PROTO ${TCPREMOTEIP-none} $TCPLOCALIP $TCPLOCALPORT"; cat'
        for _ in 1 2 3; do
            dial "$PUBLIC"
            expect "$FD" "TCP none 127\.0\.0\.1 $PUBLIC_PORT"
            say "$FD" hello
            expect "$FD" hello
        done
        [ "$("$TOOLS/drip" "$PUBLIC" --text hello --split 0 --shut | tail -n 1)" = 'hello= eof' ]
        leave_nothing
    }
    for_each commands
}

@test "-: standard input and output serve one client, and end well" {
    head -c 3000000 /dev/urandom >"$D/up"
    start_relayd muxado:127.0.0.1:0+4
    start pipe "$BASH" -c ": | ${CONNECT_WORDS[*]} muxado://127.0.0.1:$CONTROL - | sha256sum; echo \${PIPESTATUS[1]} >'$D/status'"
    wait_said pipe '^127\.0\.0\.1:[0-9]+$'
    PUBLIC=$(grep -E '^127\.0\.0\.1:[0-9]+$' "$D/pipe.err")
    timeout 60 socat -u "$D/up" "TCP:$PUBLIC"
    wait_end pipe
    [ "$(cat "$D/status")" -eq 0 ]
    [ "$(cat "$D/pipe.out")" = "$(sha256sum <"$D/up")" ]
}

@test "-P: the server is told that the client is not known, before all else" {
    start_relayd muxado:127.0.0.1:0+4
    start server socat TCP-LISTEN:0,bind=127.0.0.1,fork EXEC:cat
    wait_for eval 'ss -Hltnp | grep -q "pid=${PID[server]},"'
    server=$(ss -Hltnp | grep "pid=${PID[server]}," | awk '{print $4}')
    for n in 1 2; do
        connect_as "connect$n" -P "$n" -n web "muxado://127.0.0.1:$CONTROL" "$server"
        dial "$PUBLIC"
        say "$FD" hello
        if [ "$n" = 1 ]; then
            expect "$FD" $'PROXY UNKNOWN\r'
        else
            [ "$(take "$FD" 12)" = 0d0a0d0a000d0a515549540a ]
            [ "$(take "$FD" 4)" = 20000000 ] || true
        fi
        expect "$FD" hello
    done
}

@test "--max-sessions: more clients are reset, and served when there is room" {
    limited() {
        start_relayd muxado:127.0.0.1:0+4
        start_connect --max-sessions 2 -n web "$SCHEME://127.0.0.1:$CONTROL" -- cat
        for _ in 1 2; do
            dial "$PUBLIC"
            say "$FD" hello
            expect "$FD" hello
        done
        first=$FD
        for _ in {1..8}; do
            dial "$PUBLIC"
            [ "$(rest "$FD")" = "= reset" ]
        done
        hang_up "$first"
        wait_said relayd '^end .* reason=eof$'
        dial "$PUBLIC"
        say "$FD" hello
        expect "$FD" hello
    }
    for_each limited
}

# More than the channel between relay-connect and the process has room for.
@test "600 clients that come at once are all served" {
    burst() {
        start_service --max-sessions 1000
        n=$(scaled 600)
        load_client "$PUBLIC" both --sessions "$n" --at-once "$n" --bytes 5000
        load_served "$n"
        not said relayd '^(refuse|reject|close) '
        not said connect '^refuse '
    }
    for_each burst
}

@test "a server that refuses: the client is reset at once" {
    refuses() {
        start_service
        stop load
        resets_at_once
        wait_said connect '^end .* reason=error error=.*refused' 10
    }
    for_each refuses
}

@test "a relay that comes back has the service again, killed or told to leave" {
    find_ports 1
    start_relayd "muxado:127.0.0.1:$CONTROL+1"
    start_load
    start_connect -n web "muxado://127.0.0.1:$CONTROL" "$LOAD"
    for n in 2 3; do
        if [ "$n" = 2 ]; then
            stop relayd
        else
            kill_sessions relayd
        fi
        rm "$D/relayd.err"
        start_relayd "muxado:127.0.0.1:$CONTROL+1"
        wait_at_most 20 said connect '^open ' "$n"
        load_client "$PUBLIC" both --sessions 5 --bytes 10000
    done
    [ "$(sort -u "$D/connect.out")" = "$PUBLIC" ]
}

@test "without a free port it waits, and has one when there is one" {
    start_relayd muxado:127.0.0.1:0+1
    V=2
    serve
    start_load
    start connect "${CONNECT_WORDS[@]}" -n web "muxado2://127.0.0.1:$CONTROL" "$LOAD"
    wait_for eval '[ "$(ss -Htn state established "sport = :$CONTROL" | wc -l)" -ge 2 ]'
    hang_up "$SERVER_FD"
    wait_for test -s "$D/connect.out"
    read_public connect
    load_client "$PUBLIC" both --sessions 5 --bytes 10000
}

# What outlives relay-connect itself.
@test "sessions outlive relay-connect, killed or told to leave" {
    outlives() {
        for signal in KILL TERM; do
            start_relayd muxado:127.0.0.1:0+4
            start_connect -n web "$SCHEME://127.0.0.1:$CONTROL" "$ECHO"
            dial "$PUBLIC"
            say "$FD" hello
            expect "$FD" hello
            kill "-$signal" "${PID[connect]}"
            wait_end connect
            say "$FD" 'still there'
            expect "$FD" 'still there'
            # No more of them.
            other=$FD
            dial "$PUBLIC"
            [ "$(rest "$FD")" = "= reset" ]
            say "$other" 'and still'
            expect "$other" 'and still'
            hang_up "$other"
            wait_said relayd '^close '
            wait_for no_offspring connect
            stop relayd
            rm -f "$D"/*.err "$D"/*.out
        done
    }
    port=$(free_port)
    ECHO=127.0.0.1:$port
    SCHEME=muxado
    start echo socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" EXEC:cat
    wait_for listening "$port"
    outlives
    SCHEME=muxado2
    outlives
}

@test "USR1: the sessions go on until their end, and then it leaves" {
    start_relayd muxado:127.0.0.1:0+4
    start_connect -n web "muxado://127.0.0.1:$CONTROL" -- cat
    dial "$PUBLIC"
    first=$FD
    say "$first" hello
    expect "$first" hello
    kill -USR1 "${PID[connect]}"
    wait_said connect '^drain sessions=1$'
    dial "$PUBLIC"
    [ "$(rest "$FD")" = "= reset" ]
    say "$first" 'and again'
    expect "$first" 'and again'
    alive connect
    hang_up "$first"
    wait_end connect
    [ "$status" -eq 0 ]
}

@test "INT: sessions end, with resets" {
    SCHEME=muxado2
    start_service
    dial "$PUBLIC"
    wait_said connect '^pair '
    stop connect INT
    [ "$status" -eq 0 ]
    [ "$(rest "$FD")" = "= reset" ]
}

@test "a process that is killed: its clients are reset, and it connects again" {
    killed() {
        start_service
        dial "$PUBLIC"
        wait_said connect '^pair '
        kill -KILL "$(carrier connect web)"
        [ "$(rest "$FD")" = "= reset" ]
        wait_said connect '^end service=web .* reason=killed$'
        wait_at_most 20 said connect '^open ' 2
        read_public connect
        load_client "$PUBLIC" both --sessions 5 --bytes 10000
        # And the relay's.
        dial "$PUBLIC"
        wait_said connect '^pair ' 7
        kill -KILL "$(carrier relayd "$PUBLIC_PORT")"
        [ "$(rest "$FD")" = "= reset" ]
        wait_said relayd '^end .* reason=killed$'
        wait_at_most 20 said connect '^open ' 3
        read_public connect
        load_client "$PUBLIC" both --sessions 5 --bytes 10000
    }
    for_each killed
}

@test "many that come and go at once leave nothing behind" {
    storm() {
        start_service
        start client1 "$TOOLS/load" client "$PUBLIC" --mode client-cuts --sessions 300 --at-once 40 --bytes 200000
        start client2 "$TOOLS/load" client "$PUBLIC" --mode both --sessions 300 --at-once 40 --bytes 20000
        for name in client1 client2; do
            wait_at_most 60 gone "$name"
            wait_end "$name"
            [ "$status" -eq 0 ]
        done
        load_served 600
        leave_nothing
    }
    for_each storm
}

@test "mistakes on the command line say what to do" {
    load auth
    key_of "web $KEY"
    for scheme in muxado muxado2; do
        connect_mistake 'leave --ready out' -r 2 $scheme://127.0.0.1 localhost:80
        connect_mistake 'leave --key out' -k "$D/key" $scheme://127.0.0.1 localhost:80
        connect_mistake 'leave --via out' --via 'socat - TCP:%h:%p' $scheme://127.0.0.1 localhost:80
        connect_mistake 'leave PUBLIC, 8080, out' $scheme://127.0.0.1 8080:localhost:80
    done
    run "${CONNECT_WORDS[@]}" --help
    [[ $output == *muxado* ]]
}
