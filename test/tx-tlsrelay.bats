# scripts/tx_tlsrelay: relayd by the command line of the original, and stunnel beside it.

load helper

setup_file() {
    "$BATS_TEST_DIRNAME/../scripts/relay-certs" ca "$BATS_FILE_TMPDIR/certs"
    "$BATS_TEST_DIRNAME/../scripts/relay-certs" server "$BATS_FILE_TMPDIR/certs" localhost
    # Prints what relayd would be given.
    printf '#!/bin/sh\nprintf "%%s\\n" "$*"\n' >"$BATS_FILE_TMPDIR/relayd"
    chmod +x "$BATS_FILE_TMPDIR/relayd"
}

SHELLS=(dash "busybox ash" bash)

# gives "RELAYD'S WORDS" [WORD...]: in each shell.
gives() {
    local shell

    for shell in "${SHELLS[@]}"; do
        command -v "${shell%% *}" >/dev/null || continue
        output=$(TMPDIR=$D RELAYD=$BATS_FILE_TMPDIR/relayd $shell scripts/tx_tlsrelay "${@:2}")
        echo "$shell: ${*:2}: $output"
        [ "$output" = "$1" ]
    done
}

mistake() {
    echo "$*"
    status=0
    RELAYD=$BATS_FILE_TMPDIR/relayd timeout 10 scripts/tx_tlsrelay "${@:2}" >"$D/out" 2>"$D/err" </dev/null || status=$?
    cat "$D/err"
    [ "$status" -eq "${CODE:-2}" ]
    [ "$(wc -l <"$D/err")" -eq 1 ]
    [ ! -s "$D/out" ]
    grep -qF -- "$1" "$D/err"
}

@test "the original's words" {
    gives "tlsrelay:0.0.0.0:12000+200" --no-tls
    gives "tlsrelay:0.0.0.0:5000+2" --no-tls 5000 --port-count 2
    gives "tlsrelay:0.0.0.0:5000+2" --no-tls --port-count=2 5000
    gives "-H relay.example.org tlsrelay:0.0.0.0:12000+200" --myhost relay.example.org --no-tls
    gives "-H relay.example.org tlsrelay:0.0.0.0:12000+200" --no-tls --myhost=relay.example.org
    gives "-H 192.0.2.1 --max-sessions 9 -u nobody tlsrelay:0.0.0.0:12000+200" --no-tls --myhost=192.0.2.1 -- --max-sessions 9 -u nobody
}

@test "the original's words, by TLS" {
    find_ports 2
    for keys in "-k $BATS_FILE_TMPDIR/certs/localhost" "--keys=$BATS_FILE_TMPDIR/certs/localhost" "-k$BATS_FILE_TMPDIR/certs/localhost"; do
        gives "--proxy-from ::1 --pool-addr 0.0.0.0 -H a.example tlsrelay:[::1]:$CONTROL+2" $keys --myhost a.example --port-count 2 "$CONTROL"
        wait_for not listening "$CONTROL"
    done
    cp -r "$BATS_FILE_TMPDIR/certs/localhost" "$D/relay_server_certs"
    cd "$D"
    ROOT_SCRIPT=$ROOT/scripts/tx_tlsrelay
    [ "$(TMPDIR=$D RELAYD=$BATS_FILE_TMPDIR/relayd "$ROOT_SCRIPT" "$CONTROL")" = "--proxy-from ::1 --pool-addr 0.0.0.0 tlsrelay:[::1]:$CONTROL+200" ]
}

@test "a mistake: one sentence, and exit code 2" {
    mistake --wrong --wrong
    mistake --port --port 12000
    mistake PORT --no-tls twelve
    mistake PORT --no-tls 012
    mistake 65535 --no-tls 0
    mistake 65535 --no-tls 65500
    mistake 'one port' --no-tls 12000 12001
    mistake even --port-count 3
    mistake --port-count --port-count many
    mistake --port-count --port-count=
    mistake --myhost --myhost
    mistake --keys --keys
    CODE=1 mistake relay-certs -k "$D"
    CODE=1 mistake --no-tls -k "$D"
}

@test "--help" {
    for shell in "${SHELLS[@]}"; do
        command -v "${shell%% *}" >/dev/null || continue
        $shell scripts/tx_tlsrelay --help | grep -q -- --myhost
        $shell scripts/tx_tlsrelay -h | grep -q -- --port-count
    done
}

start_relay() {
    export RELAYD TMPDIR=$D
    RELAYD_WORDS=("$ROOT/scripts/tx_tlsrelay")
    find_ports 4
    relayd_as relayd -k "$BATS_FILE_TMPDIR/certs/localhost" --port-count 4 "$CONTROL"
}

stunnel_pid() {
    ps -o pid=,comm= -s "${PID[relayd]}" | awk '$2 ~ /^stunnel/ { print $1 }'
}

@test "the process is relayd, and its signals end stunnel too" {
    for signal in TERM INT QUIT USR1; do
        start_relay
        [ "$(ps -o comm= -p "${PID[relayd]}")" = relayd ] || [ "$RELAYD" != "$ROOT/relayd" ]
        listening "$CONTROL"
        stop relayd "$signal"
        [ "$status" -eq 0 ]
        wait_for no_processes
        not listening "$CONTROL"
    done
    no_listeners
}

@test "kill -9 of relayd ends stunnel, and that of stunnel relayd" {
    start_relay
    stop relayd KILL
    [ "$status" -eq 137 ]
    wait_for no_processes
    start_relay
    kill -KILL "$(stunnel_pid)"
    wait_end relayd
    [ "$status" -eq 0 ]
    wait_said relayd '^tx_tlsrelay: stunnel has ended, and so does relayd$'
    wait_for no_processes
}

@test "nothing is left where relayd or stunnel does not start" {
    find_ports 4
    export RELAYD TMPDIR=$D/tmp
    mkdir "$TMPDIR"
    start relayd scripts/tx_tlsrelay -k "$BATS_FILE_TMPDIR/certs/localhost" --port-count 4 "$CONTROL" -- --no-such-option
    wait_end relayd
    [ "$status" -eq 2 ]
    wait_for no_processes
    start relayd2 nc -lk 0.0.0.0 "$CONTROL"
    wait_for listening "$CONTROL"
    start relayd scripts/tx_tlsrelay -k "$BATS_FILE_TMPDIR/certs/localhost" --port-count 4 "$CONTROL"
    wait_end relayd
    [ "$status" -eq 1 ]
    said relayd '^tx_tlsrelay: stunnel did not start'
    kill -KILL "${PID[relayd2]}"
    wait_for no_processes
    wait_for eval '[ -z "$(ls "$TMPDIR")" ]'
}

@test "a session goes on after TERM, and the ports are free for the next one" {
    start_relay
    dial "127.0.0.1:$CONTROL"
    hang_up "$FD"
    CERTS=$BATS_FILE_TMPDIR/certs
    "$ROOT/scripts/relay-certs" client "$CERTS" "cam$$"
    mkfifo "$D/to"
    exec {HOLD}<>"$D/to"
    DIALLED+=("$HOLD")
    INPUT=$D/to start server openssl s_client -quiet -verify_quiet -no_ign_eof -nocommands -CAfile "$CERTS/ca.crt.pem" \
        -cert "$CERTS/cam$$/client.crt.pem" -key "$CERTS/cam$$/client.key.pem" -connect "localhost:$CONTROL"
    wait_for eval '[ "$(wc -l <"$D/server.out")" -eq 2 ]'
    dial "127.0.0.1:${POOL[2]}"
    CLIENT_FD=$FD
    wait_for grep -q new_connection "$D/server.out"
    dial "127.0.0.1:${POOL[0]}"
    talks "$CLIENT_FD" "$FD"
    stop relayd TERM
    [ "$status" -eq 0 ]
    wait_for not listening "$CONTROL"
    talks "$CLIENT_FD" "$FD"
    relayd_as relayd2 -k "$CERTS/localhost" --port-count 4 "$CONTROL"
    talks "$CLIENT_FD" "$FD"
    COMMANDS[relayd2]=4
}
