# relay-connect's ready connections: what it says and is told, how it spreads
# them, and sessions over them.
# long: 70 s

load helper
load nginx
load auth

# start_fake: a relay that runs the script on standard input for each control
# connection, and $F/ready for each data connection; sets FAKE and F.
start_fake() {
    F=$D/fake
    mkdir "$F"
    { declare -f mac ids; cat; } >"$F/control"
    [ -f "$D/ready" ] || echo 'cat >/dev/null' >"$D/ready"
    cp "$D/ready" "$F/ready"
    start fake socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay "EXEC:$TOOLS/fake-relay $F"
    wait_said fake 'listening on'
    FAKE=$(grep -o 'listening on .*' "$D/fake.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

# What $F/ready does for a data connection, from standard input; before start_fake.
on_ready() {
    cat >"$D/ready"
}

# ids FIRST LAST: [READY] lines.
ids() {
    local i

    for ((i = $1; i <= $2; i++)); do
        printf '[READY] id=%032x\n' "$i"
    done
}

noted() {
    [ -f "$F/$1" ] && [ "$(wc -l <"$F/$1")" -ge "$2" ]
}

connect_to_fake() {
    start connect "${CONNECT_WORDS[@]}" -n web "$@"
}

# ready_service N: relayd, relay-connect -r N and behind it a server of `load`.
ready_service() {
    start_relayd
    start_load
    start_ready "$1" "$LOAD"
}

# start_ready N TARGET [OPTION...]: relay-connect, once its connections stand by.
start_ready() {
    start_connect -n web -r "$1" "${@:3}" "127.0.0.1:$CONTROL" "$2"
    DESCRIPTORS[connect]=$((DESCRIPTORS[connect] + $1))
    DESCRIPTORS[relayd]=$((DESCRIPTORS[relayd] + $1))
    wait_for standing_by "$1"
}

# So many data connections are there, and relayd has taken all that was said on them.
standing_by() {
    [ "$(ss -Htn state established "sport = :$CONTROL" | awk '$1 == 0' | wc -l)" -eq $(($1 + 1)) ]
}

@test "it asks for ready connections where it is told to, and each id is claimed, in lower case, once" {
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
say '[READY] id=0123456789ABCDEF0123456789abcdef'
say '[READY] later=x id=00000000000000000000000000000002'
hear
END
    connect_to_fake -r 2 "$FAKE" -- cat
    wait_for noted data 2
    [ "$(cat "$F/hello")" = '[HELLO] v=1 name=web ready=2' ]
    sort "$F/data" >"$D/claims"
    [ "$(sed -n 1p "$D/claims")" = '[DATA] id=00000000000000000000000000000002' ]
    [ "$(sed -n 2p "$D/claims")" = '[DATA] id=0123456789abcdef0123456789abcdef' ]
    # A descriptor each, and no process.
    no_offspring connect
    not said connect '^(pair|unready)'
}

@test "ids that nobody asked for are no reason to connect; one without an id ends the connection" {
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
case $N in
1) ids 1 5; say '[PING]'; hear; say '[READY]' ;;
2) say '[READY] id=12' ;;
esac
hear
END
    connect_to_fake "$FAKE" -- cat
    wait_for noted hello 3
    [ "$(head -n 1 "$F/hello")" = '[HELLO] v=1 name=web' ]
    [ "$(cat "$F/heard")" = '[PONG]' ]
    [ "$(grep -c '^lost .* reason=line$' "$D/connect.err")" -eq 2 ]
    [ ! -e "$F/data" ]
}

@test "a start makes it a session, of the client that the relay names, from the next byte on" {
    on_ready <<'END'
printf '[START] from=203.0.113.9:51522\nat once\n'
hear
say later
hear
END
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
ids 1 1
hear
END
    connect_to_fake -r 1 "$FAKE" -- cat
    wait_for noted heard 2
    [ "$(cat "$F/heard")" = $'at once\nlater' ]
    said connect '^pair service=web client=203\.0\.113\.9:51522 pid=[0-9]+'
    wait_said connect '^end service=web client=203\.0\.113\.9:51522 .* reason=eof$'
    not said connect '^unready'
}

@test "while it waits it answers whether it is there; unknown words are ignored; lines come in pieces" {
    on_ready <<'END'
for at in 1 3 6; do
    say '[PING]' "$at"
    hear
done
say '[WEATHER] is=fine'
say '[PING]'
hear
start='[START] from=127.0.0.1:5'
say "$start" $((16#$ID))
say "ping $ID"
IFS= read -r REPLY && echo "$REPLY" >>"$DIR/echoed"
END
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
ids 1 24
hear
END
    connect_to_fake -r 24 "$FAKE" -- cat
    wait_for noted echoed 24
    [ "$(sort -u "$F/echoed" | wc -l)" -eq 24 ]
    [ "$(sort -u "$F/heard")" = '[PONG]' ]
    [ "$(wc -l <"$F/heard")" -eq 96 ]
}

@test "never more than asked for at once; an id that came early is used when one is free" {
    on_ready <<'END'
until [ -e "$DIR/go" ]; do sleep 0.02; done
rmdir "$DIR/go" 2>/dev/null || cat >/dev/null
printf '[START]\n'
hear
END
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
ids 1 30
until [ -e "$DIR/again" ]; do sleep 0.02; done
ids 31 31
say '[PING]'
hear
cat >/dev/null
END
    connect_to_fake -r 2 "$FAKE" -- sh -c 'echo served; read x'
    wait_for noted data 2
    mkdir "$F/again"
    wait_for noted heard 1
    not noted data 3
    [ "$(sort "$F/data" | tail -n 1)" = "$(printf '[DATA] id=%032x' 30)" ]
    mkdir "$F/go"
    wait_for noted data 3
    [ "$(tail -n 1 "$F/data")" = "$(printf '[DATA] id=%032x' 31)" ]
    wait_for grep -q served "$F/heard"
    not noted data 4
}

@test "the control connection's end drops those that wait, and no session" {
    on_ready <<'END'
[ "$ID" = 00000000000000000000000000000001 ] || { cat >/dev/null; echo "$ID" >>"$DIR/ended"; exit; }
printf '[START]\n'
until [ -e "$DIR/ended" ]; do sleep 0.02; done
say more
IFS= read -r REPLY && echo "$REPLY" >>"$DIR/echoed"
END
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
[ "$N" -eq 1 ] || hear
ids 1 2
until [ -e "$DIR/leave" ]; do sleep 0.02; done
END
    connect_to_fake -r 2 "$FAKE" -- cat
    wait_for noted data 2
    wait_said connect '^pair '
    mkdir "$F/leave"
    wait_for noted ended 1
    wait_for noted echoed 1
    not said connect '^unready'
}

@test "with a key the claim has its proof, and a relay without the key gets no connection" {
    key_of "web $KEY"
    start_fake <<END
nonce=\${line##*nonce=}
say '[PING]'
hear
[ "\$N" -gt 1 ] || { ids 1 1; cat >/dev/null; exit; }
say "[AUTH] nonce=00112233445566778899aabbccddeeff proof=\$(mac $KEY "relay\n\$nonce\n00112233445566778899aabbccddeeff\n")"
hear
say '[PUBLIC] relay.example.org:8080'
say '[READY] id=0123456789ABCDEF0123456789abcdef'
hear
END
    start connect "${CONNECT_WORDS[@]}" -k "$D/key" -r 1 "$FAKE" -- cat
    wait_end connect
    [ "$status" -eq 3 ]
    said connect '^refused service=web code=auth text=the.x20relay.x20does.x20not.x20ask'
    [ ! -e "$F/data" ]
    start connect "${CONNECT_WORDS[@]}" -k "$D/key" -r 1 "$FAKE" -- cat
    wait_for noted data 1
    id=0123456789abcdef0123456789abcdef
    [ "$(cat "$F/data")" = "[DATA] id=$id proof=$(mac "$KEY" "data\n$id\n")" ]
    [[ "$(tail -n 1 "$F/hello")" =~ ^"[HELLO] v=1 name=web ready=1 nonce="[0-9a-f]{32}$ ]]
}

@test "a relay that is silent on one loses it" {
    on_ready <<'END'
[ "$ID" = 00000000000000000000000000000001 ] || {
    began=${EPOCHREALTIME/./}
    cat >/dev/null
    echo $(((${EPOCHREALTIME/./} - began) / 1000)) >>"$DIR/ended"
    exit
}
while say '[PING]' && hear; do sleep 0.5; done
END
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
ids 1 2
while say '[PING]' && hear; do sleep 0.5; done
END
    connect_to_fake -r 2 --silence-timeout 2 "$FAKE" -- cat
    wait_for noted data 2
    wait_for noted ended 1
    [ "$(cat "$F/ended")" -gt 1500 ]
    said connect '^unready service=web reason=timeout$' 1
    not said connect '^unready' 2
    alive connect
}

@test "what is neither a line nor one for it costs it alone, and makes nobody hurry" {
    on_ready <<'END'
case $((16#$ID % 8)) in
0) say '[PONG]' ;;
1) say "[NEW]$PORT id=$ID" ;;
2) say 'HTTP/1.0 200 OK' ;;
3) head -c 600 /dev/zero | tr '\0' x ;;
4) say $'[PING]\r' ;;
5) exit ;;
6) say '[ERROR] auth go away' ;;
7) say "[READY] id=$ID" ;;
esac
cat >/dev/null
END
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
ids 1 8
until [ "$(wc -l <"$DIR/data")" -ge 8 ]; do sleep 0.02; done 2>/dev/null
for ((i = 9; i <= 508; i++)); do
    ids "$i" "$i"
    sleep 0.005
done
touch "$DIR/told"
cat >/dev/null
END
    connect_to_fake -r 8 "$FAKE" -- cat
    wait_at_most 30 test -e "$F/told"
    # Each loss is followed by half a second on average, in which the other seven may be lost.
    claims=$(wc -l <"$F/data")
    echo "508 ids, $claims claims"
    [ "$claims" -lt 150 ]
    said connect '^unready service=web reason=line$' 7
    said connect '^unready service=web reason=eof$'
    not said connect '^(lost|pair)'
    alive connect
}

@test "what cannot be: --via, -, more than 64, few descriptors" {
    usage() {
        run timeout 10 "${CONNECT_WORDS[@]}" "$@"
        echo "$output"
        [ "$status" -eq 2 ]
        [[ "${lines[0]}" == "relay-connect: "*--ready* ]]
    }
    usage -r 1 --via 'socat - TCP:%h:%p' 127.0.0.1:1 localhost:1
    usage --ready 8 127.0.0.1:1 -
    usage -r 65 127.0.0.1:1 localhost:1
    run timeout 10 "$BASH" -c 'ulimit -n 64; exec "$@"' - "${CONNECT_WORDS[@]}" -r 64 127.0.0.1:1 localhost:1
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$output" == "relay-connect: 64 open files are too few for --ready 64: "*"'ulimit -n'"* ]]
    # None at all is what is done anyway.
    start_relayd
    start_connect -r 0 --via 'socat -t 86400 -,shut-down TCP:%h:%p' -n web "127.0.0.1:$CONTROL" localhost:1
    COMMANDS[connect]=1
}

@test "sessions over ready connections, exact both ways, and with either side first" {
    ready_service 4
    no_offspring connect
    load_client "$PUBLIC" both --sessions 100 --at-once 4 --bytes 1000000
    load_client "$PUBLIC" client-first --sessions 50 --at-once 4 --up 10000 --down 3000000
    load_client "$PUBLIC" server-first --sessions 50 --at-once 4 --up 3000000 --down 10000
    load_served 200
    not said relayd '^(refuse|reject|unready)'
    not said connect '^(refuse|unready)'
    wait_for standing_by 4
}

@test "a client has its session without a notification: the server is never asked for a connection" {
    ready_service 2
    before=$(ss -Htn state established "sport = :$CONTROL" | awk '{print $4}' | sort)
    dial "$PUBLIC"
    wait_said connect '^pair '
    wait_said relayd '^pair service=web .* waited_ms=0$'
    wait_for standing_by 3
    ss -Htn state established "sport = :$CONTROL" | awk '{print $4}' | sort >"$D/now"
    # The session's is one of those that were there before.
    [ "$(comm -23 <(echo "$before") "$D/now" | wc -l)" -eq 0 ]
}

@test "more clients than ready connections are served all the same, at once" {
    ready_service 2
    load_client "$PUBLIC" both --sessions 40 --at-once 40 --bytes 100000
    load_served 40
    not said relayd '^(refuse|reject)'
}

@test "a client beyond --max-sessions is reset, over a ready connection too" {
    start_relayd
    start_load
    start_ready 2 "$LOAD" --max-sessions 1
    dial "$PUBLIC"
    wait_said connect '^pair '
    dial "$PUBLIC"
    [ "$(rest "$FD")" = "= reset" ]
}

@test "with keys, a unix socket and a PROXY header" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    key_of "web $KEY"
    start unix socat "UNIX-LISTEN:$D/socket,fork" EXEC:cat
    wait_for test -S "$D/socket"
    start_ready 2 "$D/socket" -k "$D/key" -P 1
    dial "$PUBLIC"
    port=$(ss -Htn "dport = :$PUBLIC_PORT" | awk '{sub(/.*:/, "", $4); print $4}')
    say "$FD" hello
    expect "$FD" "PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 $port $PUBLIC_PORT"$'\r'
    expect "$FD" hello
}

@test "nginx behind it: 50 MiB by checksum, and ten requests on one connection" {
    web=$(free_port)
    run_nginx "$web" <<END
    access_log off;
    server { listen 127.0.0.1:$web; root $D/www; }
END
    start_relayd
    start_ready 2 "127.0.0.1:$web"
    head -c 52428800 /dev/urandom >"$D/www/big"
    curl -sS --fail --noproxy '*' -o "$D/big" "http://$PUBLIC/big"
    [ "$(sha256sum <"$D/big")" = "$(sha256sum <"$D/www/big")" ]
    head -c 100000 "$D/www/big" >"$D/www/page"
    args=()
    for i in {1..10}; do
        args+=(-o "$D/page.$i" "http://$PUBLIC/page")
    done
    curl -sS --fail --noproxy '*' "${args[@]}"
    for i in {1..10}; do
        cmp "$D/www/page" "$D/page.$i"
    done
    said relayd '^pair service=web .* waited_ms=0$' 2
    rm -r "$D/www" "$D/big"
}

# came FILE WORD COUNT: so many connections that said this.
came() {
    [ "$(grep -c " $2\$" "$D/$1.out")" -ge "$3" ]
}

@test "a relay that starts again is not stormed: 50 times -r 8, 50 connections in the first second" {
    n=$(scaled 50)
    start before "$TOOLS/ready_relay" 127.0.0.1:0
    wait_for test -s "$D/before.out"
    relay=$(head -n 1 "$D/before.out")
    for ((i = 1; i <= n; i++)); do
        start "connect$i" "${CONNECT_WORDS[@]}" -n "web$i" -r 8 "$relay" localhost:1
    done
    wait_at_most 30 came before data $((8 * n))
    stop before KILL
    start after "$TOOLS/ready_relay" "$relay"
    wait_at_most 30 came after data $((8 * n))
    awk 'NF == 2 {n[int($1 / 500)]++} END {for (i in n) print "from " i / 2 " s: " n[i]}' "$D/after.out" | sort -n
    [ "$(awk 'NF == 2 && $1 < 1000' "$D/after.out" | wc -l)" -le "$n" ]
    [ "$(grep -c hello "$D/after.out")" -eq "$n" ]
    [ "$(grep -c data "$D/after.out")" -eq $((8 * n)) ]
    # Nor all at the same time later.
    [ "$(awk '/data/ {if (first == "") first = $1; last = $1} END {print last - first}' "$D/after.out")" -gt 1000 ]
}
