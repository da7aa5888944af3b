# Attacks: what strangers on the Internet do to an open port, many at once. Each is
# let in to nothing, and costs others nothing beyond what the limits say.
#
# ATTACK_SECONDS (3): how long the floods last.
# long: 50 s

load helper
load auth

: "${ATTACK_SECONDS:=3}"

# attack NAME KIND PORT COUNT [AT_ONCE [NET [SOURCES]]]: in the background, until all are open.
attack() {
    local name=$1

    shift
    start "$name" "$TOOLS/attack" "$@"
    wait_at_most 30 grep -q '^open' "$D/$name.out"
}

# The number behind KEY= in the last line of an attack that is over.
counted() {
    tail -n 1 "$D/$1.out" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# counted_all NAME KEY NUMBER
counted_all() {
    tail -n 1 "$D/$1.out"
    [ "$(counted "$1" "$2")" -eq "$3" ]
}

# A server behind which every line comes back: sets ECHO (its public port).
start_echo() {
    connect_as "connect$1" -n "echo$1" "127.0.0.1:$CONTROL" -- cat
    ECHO=$PUBLIC_PORT
}

# visits NAME COUNT: so many good clients from an address of their own, one after the other.
visits() {
    start "$1" "$TOOLS/attack" visit "$ECHO" "$2" 1 77
    wait_at_most 60 grep -q '^begun' "$D/$1.out"
    wait_end "$1"
}

# All that the log says of this word: its lines, and those that were suppressed.
lines_of() {
    awk -v word="$1" '$1 == word {n++}
        $1 == "suppressed" && $2 == "word=" word {sub("lines=", "", $3); n += $3}
        END {print n + 0}' "$D/relayd.err"
}

lines_are() {
    [ "$(lines_of "$1")" -eq "$2" ]
}

# grown_little PID KB BEFORE: its own memory has grown by so much at most.
grown_little() {
    echo "its memory: $3 kB before, $(memory_kb "$1") kB after"
    [ "$(memory_kb "$1")" -le $(($3 + $2 * TIME_FACTOR)) ]
}

@test "500 slow peers on every port: clients are served within a second, servers log in" {
    start_relayd "127.0.0.1:0+20"
    dial_control
    wait_said relayd '^open service=[0-9]+ '
    reverse=$(value relayd '^open service=[0-9]+ ' reverse)
    start_echo 1
    attack slow_control slow "$CONTROL" 0 75 50 3
    attack slow_public slow "$ECHO" 0 200 51 4
    attack slow_reverse slow "${reverse##*:}" 0 100 52 4
    attack slow_more slow "$CONTROL" 0 125 53 3
    visits good 10
    counted_all good let_in 10
    [ "$(counted good slowest_ms)" -lt $((1000 * TIME_FACTOR)) ]
    start_echo 2
    visits good2 5
    counted_all good2 let_in 5
    silent "$FD"
}

@test "failed logins, as many as the machine does: memory flat, log bounded and exact, servers log in" {
    write_keys "web $KEY" "echo1 $KEY" "echo2 $KEY"
    key_of "echo1 $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    connect_as connect1 -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    ECHO=$PUBLIC_PORT
    timeout 30 "$TOOLS/attack" login "$CONTROL" 500 20 99 4
    before=$(memory_kb "${PID[relayd]}")
    began=$(now_ms)
    attack logins login "$CONTROL" 0 40 99 4
    key_of "echo2 $KEY"
    connect_as connect2 -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    visits good 10
    counted_all good let_in 10
    until [ $(($(now_ms) - began)) -gt $((ATTACK_SECONDS * 1000)) ]; do
        sleep 0.1
    done
    stop logins
    counted_all logins let_in 0
    seconds=$((($(now_ms) - began) / 1000 + 1))
    failed=$(($(counted logins eof) + $(counted logins reset) + 500))
    echo "$failed failed logins in $seconds s"
    [ "$failed" -gt $((500 + $(scaled 1000))) ]
    # Those that SIGTERM cut short may have said nothing yet: 40 at most.
    logged_all() {
        [ "$(lines_of reject)" -ge "$failed" ]
    }
    wait_for logged_all
    [ "$(lines_of reject)" -le $((failed + 40)) ]
    [ "$(grep -c '^reject ' "$D/relayd.err")" -le $(((seconds + 3 + 30 * (TIME_FACTOR - 1)) * 20)) ]
    grown_little "${PID[relayd]}" 64 "$before"
}

@test "every failed login is in the log, one by one or counted" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" --max-log-rate 7 127.0.0.1:0+8
    start logins "$TOOLS/attack" login "$CONTROL" "$(scaled 3000)" 24 99 4
    wait_end logins
    counted_all logins begun "$(scaled 3000)"
    counted_all logins let_in 0
    wait_for lines_are reject "$(scaled 3000)"
}

# claims KIND: 100,000 random ids (2 sources) while clients come and go and one waits.
claims() {
    local before

    for _ in {1..3}; do
        announced_client
        waiting+=("$CLIENT_FD $ID")
    done
    "$TOOLS/attack" "$1" "$CONTROL" 500 20 98 2
    before=$(memory_kb "${PID[relayd]}")
    start guesses "$TOOLS/attack" "$1" "$CONTROL" "$(scaled 100000)" 40 98 2
    visits good 20
    counted_all good let_in 20
    wait_at_most 60 grep -q '^begun' "$D/guesses.out"
    wait_end guesses
    counted_all guesses begun "$(scaled 100000)"
    counted_all guesses let_in 0
    grown_little "${PID[relayd]}" 64 "$before"
    not said relayd '^refuse '
}

@test "100,000 random ids without keys: none is good, waiting clients are served, memory flat" {
    waiting=()
    start_relayd -c 60 127.0.0.1:0+8
    start_echo 1
    serve_by_hand web
    claims claim
    for client in "${waiting[@]}"; do
        claim "${client#* }"
        talks "${client% *}" "$DATA_FD"
    done
}

@test "100,000 random ids and proofs with keys: none is good, waiting clients are served, memory flat" {
    waiting=()
    write_keys "web $KEY" "echo1 $KEY"
    key_of "echo1 $KEY"
    start_relayd -k "$D/keys" -c 60 127.0.0.1:0+8
    connect_as connect1 -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    ECHO=$PUBLIC_PORT
    serve_with_key "$KEY" web
    claims prove
    for client in "${waiting[@]}"; do
        claim_with_key "$KEY" "${client#* }"
        talks "${client% *}" "$DATA_FD"
    done
}

# flooded_by KIND: one source connects to both ports as fast as it can, and another one visits.
flooded_by() {
    start_relayd 127.0.0.1:0+8
    start_echo 1
    attack flood_public "$1" "$ECHO" 0 300 60
    attack flood_control "$1" "$CONTROL" 0 300 60
    visits good "$(scaled 100)"
    counted_all good begun "$(scaled 100)"
    [ "$(counted good let_in)" -ge $(($(scaled 100) * 99 / 100)) ]
    stop flood_public
    stop flood_control
    echo "of the flood: $(counted flood_public begun) to the public port, $(counted flood_control begun) to the control port"
}

@test "a source that connects to everything and holds: 99 of 100 connections of another are served" {
    flooded_by hold
}

@test "a source that connects and resets at full speed: 99 of 100 connections of another are served" {
    flooded_by reset
}

# hostile: a relay that says what the script on standard input says; sets HOSTILE and F.
hostile() {
    F=$D/fake
    mkdir "$F"
    cat >"$F/control"
    start fake socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay "EXEC:$TOOLS/fake-relay $F"
    wait_said fake 'listening on'
    HOSTILE=$(grep -o 'listening on .*' "$D/fake.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

@test "what a relay calls public is safe in a script, or is not printed" {
    hostile <<'END'
case $N in
1) say '[PUBLIC] [$(id):`id`]:80' ;;
2) say "[PUBLIC] [a:';id;']:80" ;;
3) say '[PUBLIC] -rf:80' ;;
4) say '[PUBLIC] host;id:80' ;;
5) say $'[PUBLIC] ho\e[31mst:80' ;;
6) say $'[PUBLIC] [::1\r]:80' ;;
7) say '[PUBLIC] *:80' ;;
8) say '[PUBLIC] [::1%$(id)]:80' ;;
9) say '[PUBLIC] [2001:db8::1]:80' && hear ;;
esac
END
    for i in {1..9}; do
        start "connect$i" "${CONNECT_WORDS[@]}" --once -n web "$HOSTILE" localhost:1
        if [ "$i" -lt 9 ]; then
            wait_end "connect$i"
            said "connect$i" '^lost .* reason=line$'
            not test -s "$D/connect$i.out"
        else
            wait_for grep -qFx '[2001:db8::1]:80' "$D/connect$i.out"
        fi
        not grep -P '[^\x20-\x7e]' "$D/connect$i.err"
    done
}

@test "a flood of [NEW]: no more processes than --max-sessions says" {
    hostile <<'END'
say '[PUBLIC] 127.0.0.1:9'
for i in {1..500}; do
    say "[NEW]$PORT id=$(printf '%032x' "$i") from=203.0.113.9:1"
done
say '[PING]'
hear
hear
END
    start connect "${CONNECT_WORDS[@]}" --max-sessions 5 -n web "$HOSTILE" -- sh -c 'read -r line; cat'
    wait_at_most 30 grep -qx '\[PONG\]' "$F/heard"
    # Five with a shell and its cat, and sixteen on their way to turn clients away.
    [ "$(offspring connect | wc -l)" -le 31 ]
    said connect '^end service=web .* error=too'
}

@test "[NEW] with strange hosts, [ERROR] with escapes, an endless line: nothing raw in the log" {
    hostile <<'END'
case $N in
1) say '[NEW]$(touch x):80' ;;
2) say '[NEW][::1;id:x]:80' ;;
3) say '[NEW]-h:80' ;;
4) say '[NEW]99999999999999999999' ;;
5) say '[NEW]host:' ;;
6) say '[NEW]9 id=0123' ;;
7) say $'[ERROR] full \e[31mred' ;;
8) say '[ERROR] fu"ll\ reject' ;;
9) head -c 100000 /dev/zero | tr '\0' '[' ;;
esac
END
    for i in {1..9}; do
        start "connect$i" "${CONNECT_WORDS[@]}" --once -n web "$HOSTILE" localhost:1
        wait_end "connect$i"
        said "connect$i" '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=[^ ]+$'
        not grep -P '[^\x20-\x7e]' "$D/connect$i.err"
        not said "connect$i" '^(reject|pair)'
    done
}

@test "ids of others: nearly right, with the proof of another id, used" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    serve_with_key "$KEY" web
    announced_client
    near=${ID%?}$([ "${ID: -1}" = 0 ] && echo 1 || echo 0)
    claim_with_key "$KEY" "$near"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    rejects id 1
    dial_control
    say "$FD" "[DATA] id=$ID proof=$(mac "$KEY" "data\n$near\n")"
    [ "$(rest "$FD")" = "= reset" ]
    rejects auth 1
    claim_with_key "$KEY" "${ID^^}"
    talks "$CLIENT_FD" "$DATA_FD"
    claim_with_key "$KEY" "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    rejects id 2
}

@test "a man in the middle: a handshake passed on later, or to another relay or name, is good for nothing" {
    write_keys "web $KEY" "cam $OTHER_KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    first=$CONTROL
    relayd_as relayd2 -k "$D/keys" 127.0.0.1:0+8
    second=$CONTROL CONTROL=$first
    challenge web
    proof=$(server_proof "$KEY" web)
    CONTROL=$second
    dial_control
    CONTROL_FD=$FD
    say "$FD" "[HELLO] v=1 name=web nonce=$SERVER_NONCE"
    expect "$FD" '\[AUTH\] .*'
    say "$FD" "[PROOF] $proof"
    refused_as auth
    CONTROL=$first
    challenge cam
    say "$CONTROL_FD" "[PROOF] $proof"
    refused_as auth
    not said relayd '^open'
    not said relayd2 '^open'
}

@test "names and texts of strangers cannot forge a line of the log" {
    start_relayd 127.0.0.1:0+8
    for name in 'a b' $'a\e[2J' 'a"b' 'a\x20b' $'a\ropen'; do
        "$TOOLS/drip" "127.0.0.1:$CONTROL" --split 0 --text "[HELLO] v=1 name=$name"$'\n' >"$D/answer"
        grep -q '^\[ERROR\] line' "$D/answer"
    done
    not grep -P '[^\x20-\x7e]' "$D/relayd.err"
    not said relayd '^open'
}
