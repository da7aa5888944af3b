# hostpool: relay-connect's side before a relay that says what the test wants:
# welcomes and commands, in pieces, too early, too late, and wrong.
# long: 40 s

load helper
load hostpool

# start_fake: a relay that does what $D/data and $D/commands say for each
# connection (on_data, on_command; else it welcomes, and is silent); sets FAKE and F.
start_fake() {
    F=$D/fake
    mkdir "$F"
    [ -f "$D/data" ] || printf 'hello\nwelcome "$N"\nrest\n' >"$D/data"
    [ -f "$D/commands" ] || echo rest >"$D/commands"
    cp "$D/data" "$D/commands" "$F"
    find_ports 1
    FAKE=127.0.0.1:$CONTROL
    start fake_data socat -t 20 "TCP-LISTEN:$CONTROL,bind=127.0.0.1,fork,nodelay,reuseaddr" "EXEC:$TOOLS/fake-pool $F data"
    start fake_commands socat "TCP-LISTEN:${POOL[0]},bind=127.0.0.1,fork,nodelay,reuseaddr" \
        "EXEC:$TOOLS/fake-pool $F commands"
    wait_for listening "$CONTROL"
    wait_for listening "${POOL[0]}"
}

on_data() {
    cat >"$D/data"
}

# Each data connection is welcomed, and welcomed.N is there then.
welcome_all() {
    on_data <<'SCRIPT'
hello
welcome "$N"
mkdir "$DIR/welcomed.$N"
rest
SCRIPT
}

on_command() {
    cat >"$D/commands"
}

# connect_to_fake TARGET [OPTION...]
connect_to_fake() {
    start connect "${CONNECT_WORDS[@]}" -n pool "${@:2}" "hostpool://$FAKE" "$1"
}

# There was a connection KIND.N.
came() {
    [ -d "$F/$1.$2" ]
}

# It has ended.
ended() {
    [ -e "$F/$1.$2/ended" ]
}

lines() {
    [ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

GREETER=(-- sh -c 'echo greetings; exec cat')

# A relay-connect whose clients are greeted first.
connect_greeter() {
    start connect "${CONNECT_WORDS[@]}" -n pool "$@" "hostpool://$FAKE" "${GREETER[@]}"
}

@test "what it says is a hello, byte for byte, and on the command connection nothing" {
    start_fake
    connect_to_fake localhost:1 -r 2
    wait_for lines "$F/hello" 2
    [ "$(sort -u "$F/hello")" = " 00 00 00 02 08 01" ]
    wait_for test -s "$D/connect.out"
    stop connect
    wait_for ended commands 1
    wait_for ended data 1
    [ ! -s "$F/commands.1/got" ]
    [ ! -s "$F/data.1/got" ]
}

@test "the welcome may be split at every byte, and its address is printed when it changes" {
    on_data <<'SCRIPT'
hello
welcome "$N" "host$N.example" "8$N" >"$DIR/whole.$N"
size=$(stat -c %s "$DIR/whole.$N")
for ((i = 1; i <= size; i++)); do
    head -c "$i" "$DIR/whole.$N" | tail -c 1
    sleep 0.002
done
await "go.$N"
SCRIPT
    start_fake
    connect_to_fake localhost:1 -r 1
    wait_for printed connect 1
    mkdir "$F/go.1"
    wait_for printed connect 2
    [ "$(head -n 2 "$D/connect.out")" = $'host1.example:81\nhost2.example:82' ]
}

@test "an OPEN may come before the welcome has been read, and a client's bytes right behind that" {
    on_command <<'SCRIPT'
await data.2
bytes "$(open_of 1)"
mkdir "$DIR/open"
rest
SCRIPT
    on_data <<'SCRIPT'
hello
await open
case $N in
1)
    sleep 0.1
    welcome 1
    IFS= read -r REPLY; echo "$REPLY" >"$DIR/said.1"
    ;;
2)
    { welcome 2; printf 'a line\n'; } >"$DIR/both"
    cat "$DIR/both"
    for _ in 1 2; do
        IFS= read -r REPLY; echo "$REPLY" >>"$DIR/said.2"
    done
    ;;
*)
    welcome "$N"
    ;;
esac
rest
SCRIPT
    start_fake
    connect_greeter -r 2
    wait_for lines "$F/said.1" 1
    [ "$(cat "$F/said.1")" = greetings ]
    wait_for lines "$F/said.2" 2
    [ "$(cat "$F/said.2")" = $'greetings\na line' ]
    wait_said connect '^pair service=pool ' 2
    # Both are replaced.
    wait_for came data 4
    not said connect '^(unready|lost)'
}

@test "a client's bytes are served though OPEN comes late, which makes no second session then" {
    on_command <<'SCRIPT'
await said.1
bytes "$(open_of 1)"
await data.2
mkdir "$DIR/told"
rest
SCRIPT
    on_data <<'SCRIPT'
hello
welcome "$N"
[ "$N" -eq 1 ] || rest
printf 'a line\n'
IFS= read -r REPLY
IFS= read -r REPLY
mkdir "$DIR/said.1"
rest
SCRIPT
    start_fake
    connect_greeter -r 1
    wait_for test -d "$F/told"
    wait_for test -f "$F/data.2/got"
    stop connect USR1 &
    wait_for ended data 2
    [ "$(grep -c '^pair' "$D/connect.err")" -eq 1 ]
    kill_sessions fake_data fake_commands
    wait
}

@test "a client's end of file waits for OPEN, and the client has its answer" {
    on_command <<'SCRIPT'
await shut
bytes "$(open_of 1)"
rest
SCRIPT
    on_data <<'SCRIPT'
hello
welcome "$N"
[ "$N" -eq 1 ] || rest
shut
mkdir "$DIR/shut"
rest
SCRIPT
    start_fake
    connect_greeter -r 1
    wait_for test -s "$F/data.1/got"
    [ "$(cat "$F/data.1/got")" = greetings ]
    said connect '^pair service=pool '
    wait_said connect '^end service=pool .* reason=eof$'
}

@test "a DROP of one that waits, and an end without OPEN, lose it, and another is made" {
    on_command <<'SCRIPT'
await welcomed.1
bytes "$(drop_of 1)"
rest
SCRIPT
    on_data <<'SCRIPT'
hello
welcome "$N"
mkdir "$DIR/welcomed.$N"
[ "$N" -ne 2 ] || exit
rest
SCRIPT
    start_fake
    connect_to_fake localhost:1 -r 2
    wait_for ended data 1
    wait_said connect '^unready service=pool reason=dropped$'
    wait_said connect '^unready service=pool reason=(eof|reset)$'
    wait_for came data 4
    not said connect '^(pair|lost)'
}

@test "other host processes' ids are nothing to it, nor are commands that it does not know" {
    on_command <<'SCRIPT'
await welcomed.1
await welcomed.2
for i in 100 101 102 103; do
    bytes "$(open_of $i)$(drop_of $i)$(drop_of $((i - 50)))"
done
bytes "$(open_of 0)$(drop_of 0)"
# Another type; none, and no session; a field that is not known.
bytes '\0\0\0\x04\x08\x01\x10\x07'
bytes '\0\0\0\x02\x08\x01'
bytes '\0\0\0\x0d\x08\x01\x10\x00\x1a\x02\x08\x63\x2a\x03xxx'
mkdir "$DIR/told"
await go
bytes "$(open_of 2)"
rest
SCRIPT
    welcome_all
    start_fake
    connect_greeter -r 2
    wait_for test -d "$F/told"
    [ ! -s "$F/data.1/got" ]
    mkdir "$F/go"
    wait_for test -s "$F/data.2/got"
    [ "$(grep -c '^pair' "$D/connect.err")" -eq 1 ]
    not said connect '^(lost|unready)'
}

@test "commands may be split at every byte, and come many in one read" {
    on_command <<'SCRIPT'
for i in {1..10}; do
    await "welcomed.$i"
done
one=$(open_of 1)
for ((i = 0; i < ${#one}; i += ${#byte})); do
    byte=${one:i:2}             # \0, else \xNN
    [ "$byte" = '\0' ] || byte=${one:i:4}
    bytes "$byte"
    sleep 0.003
done
all=
for i in 2 3 4 5 6 7 8 9; do
    all+=$(open_of "$i")
done
bytes "$all$(drop_of 10)\\0\\0"
rest
SCRIPT
    welcome_all
    start_fake
    connect_greeter
    for i in {1..9}; do
        wait_for test -s "$F/data.$i/got"
    done
    wait_said connect '^unready service=pool reason=dropped$'
    [ ! -s "$F/data.10/got" ]
    wait_said connect '^pair' 9
    not said connect '^lost'
}

@test "what is no command, or of another version, loses the relay, and it connects again" {
    on_command <<'SCRIPT'
case $N in
1) bytes '\0\0\0\x02\x08\x80' ;;
2) bytes '\0\0\0\x0a\x08\x02\x10\x00\x1a\x02\x08\x01\x20\x00' ;;
3) bytes '\xff\xff\xff\xff' ;;
4) bytes '\0\0\x10\x01' ;;
5) bytes '\0\0\0\x06\x08\x01\x10\x00\x1a\x05' ;;
6) bytes 'HTTP/1.0 400 Bad Request' ;;
7) bytes '\0\0\0\0' ;;
8) exit ;;
esac
rest
SCRIPT
    start_fake
    connect_to_fake localhost:1 -r 1
    wait_at_most 30 came commands 9
    reasons=$(sed -n 's/^lost service=pool relay=127.0.0.1:[0-9]* reason=//p' "$D/connect.err" | tr '\n' ' ')
    [ "$reasons" = "line version line line line line version eof " ] || { echo "$reasons"; false; }
    alive connect
}

@test "a welcome that is none loses the one connection" {
    on_data <<'SCRIPT'
hello
case $N in
1) bytes '\xff\xff\xff\xff' ;;
2) bytes '\0\0\0\x02\x08\x80' ;;
3) bytes '\0\0\0\x02\x08\x01' ;;
4) welcome 1 'a b' 9 ;;
5) welcome 1 127.0.0.1 0 ;;
6) welcome 1 127.0.0.1 65536 ;;
7) welcome 1 127.0.0.1 9x ;;
8) welcome 1 $'\nx' 9 ;;
9) exit ;;
*) welcome "$N" ;;
esac
rest
SCRIPT
    start_fake
    connect_to_fake localhost:1 -r 10
    wait_for test -s "$D/connect.out"
    [ "$(cat "$D/connect.out")" = 127.0.0.1:9 ]
    wait_said connect '^unready service=pool reason=line$' 8
    wait_said connect '^unready service=pool reason=eof$'
    not said connect '^(lost|pair)'
    alive connect
}

@test "a welcome has ten seconds" {
    on_data <<'SCRIPT'
hello
[ "$N" -ne 1 ] || printf '\0'
[ "$N" -le 1 ] || welcome "$N"
rest
SCRIPT
    start_fake
    connect_to_fake localhost:1 -r 2
    wait_for test -s "$D/connect.out"
    wait_at_most 15 ended data 1
    wait_said connect '^unready service=pool reason=slow$'
    wait_for came data 3
    not said connect '^lost'
}

@test "a command connection that is lost takes those that wait along: it could not be told that they are used" {
    on_command <<'SCRIPT'
[ "$N" -eq 1 ] || rest
await welcomed.1
await welcomed.2
SCRIPT
    welcome_all
    start_fake
    connect_greeter -r 2
    wait_for ended data 1
    wait_for ended data 2
    wait_for came commands 2
    wait_for test -d "$F/welcomed.4"
    not ended data 3
    not said connect '^pair'
}

@test "what it was told of ids is forgotten with the relay that told it" {
    on_command <<'SCRIPT'
[ "$N" -eq 1 ] || rest
await welcomed.1
all=
for i in {2..60}; do
    all+=$(open_of "$i")
done
bytes "$all"
SCRIPT
    welcome_all
    start_fake
    connect_greeter -r 1
    wait_for came commands 2
    wait_for test -d "$F/welcomed.2"
    not wait_at_most 1 said connect '^pair'
    [ ! -s "$F/data.2/got" ]
}
