# relay-connect: the lines it says and the lines it is told, byte for byte.

load helper

# start_fake: a relay that runs the script on standard input for each control
# connection; sets FAKE (its address) and F (what it noted down).
start_fake() {
    F=$D/fake
    mkdir "$F"
    cat >"$F/control"
    start fake socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay "EXEC:$TOOLS/fake-relay $F"
    wait_said fake 'listening on'
    FAKE=$(grep -o 'listening on .*' "$D/fake.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

# noted FILE COUNT: so many lines are in it.
noted() {
    [ -f "$F/$1" ] && [ "$(wc -l <"$F/$1")" -ge "$2" ]
}

connect_to_fake() {
    start connect "${CONNECT_WORDS[@]}" -n web "$@"
}

@test "it says hello with name and port, and prints what the relay calls public" {
    start_fake <<'END'
say '[PUBLIC] relay.example.org:8080'
hear
END
    start connect "${CONNECT_WORDS[@]}" -n cam "$FAKE" web=8080:localhost:80 localhost:22
    wait_for noted hello 2
    sort "$F/hello" >"$D/hellos"
    [ "$(sed -n 1p "$D/hellos")" = "[HELLO] v=1 name=cam" ]
    [ "$(sed -n 2p "$D/hellos")" = "[HELLO] v=1 name=cam.web port=8080" ]
    wait_for grep -qx 'relay.example.org:8080' "$D/connect.out"
}

@test "a client is claimed with its id, in lower case, and served" {
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
say "[NEW]$PORT id=0123456789ABCDEF0123456789abcdef from=203.0.113.9:51522"
hear
END
    connect_to_fake "$FAKE" -- cat
    wait_for noted echoed 1
    [ "$(cat "$F/data")" = "[DATA] id=0123456789abcdef0123456789abcdef" ]
    said connect '^pair service=web client=203\.0\.113\.9:51522 pid=[0-9]+'
}

@test "every line may be split at every byte" {
    start_fake <<'END'
public='[PUBLIC] 127.0.0.1:9'
for ((at = 1; at <= ${#public}; at++)); do
    say "$public" "$at"
done
for ((at = 1; at <= 6; at++)); do
    say '[PING]' "$at"
    hear
done
for ((at = 1; at <= ${#new} || at == 1; at++)); do
    new="[NEW]$PORT id=$(printf '%032x' "$at") from=127.0.0.1:5"
    say "$new" "$at"
done
echo "$((at - 1))" >"$DIR/sent"
hear
END
    connect_to_fake "$FAKE" -- cat
    wait_for test -s "$F/sent"
    sent=$(cat "$F/sent")
    [ "$sent" -gt 60 ]
    wait_for noted echoed "$sent"
    [ "$(sort -u "$F/echoed" | wc -l)" -eq "$sent" ]
    [ "$(grep -cx '\[PONG\]' "$F/heard")" -eq 6 ]
    noted hello 1
    not noted hello 2
}

@test "several lines in one write are all taken" {
    start_fake <<'END'
for i in 1 2 3 4 5 6 7 8; do
    printf '[NEW]%s id=%032x from=127.0.0.1:5\n[PING]\n' "$PORT" "$i"
done >"$DIR/lines"
echo '[PUBLIC] 127.0.0.1:9' | cat - "$DIR/lines" >"$DIR/all"
cat "$DIR/all"
for i in 1 2 3 4 5 6 7 8; do
    hear
done
cat >/dev/null
END
    connect_to_fake "$FAKE" -- cat
    wait_for noted echoed 8
    wait_for noted heard 8
}

@test "unknown words and keys are ignored" {
    start_fake <<'END'
say '[WEATHER] is=fine'
say '[PUBLIC] 127.0.0.1:9'
say '[WEATHER]'
say "[NEW]$PORT color=blue id=00000000000000000000000000000001 from=127.0.0.1:5 more="
hear
END
    connect_to_fake "$FAKE" -- cat
    wait_for noted echoed 1
    not noted hello 2
}

@test "a line of 512 bytes is taken; 513 bytes, and malformed lines, cost the connection alone" {
    start_fake <<'END'
pad=$(printf 'x%.0s' {1..600})
say '[PUBLIC] 127.0.0.1:9'
case $N in
1) line='[X] pad='; say "$line${pad:0:511-${#line}}"; say '[PING]'; hear; exit 0 ;;
2) line='[X] pad='; say "$line${pad:0:512-${#line}}" ;;
3) printf '%s' "[X] pad=$pad" ;;
4) say 'hello there' ;;
5) say $'[PING]\r' ;;
6) say '[PUBLIC]' ;;
7) say '[NEW]' ;;
8) say '[NEW]99999 id=00000000000000000000000000000001 from=127.0.0.1:5' ;;
9) say '[NEW]80 id=0 from=127.0.0.1:5' ;;
esac
cat >/dev/null
END
    connect_to_fake "$FAKE" -- cat
    wait_at_most 30 noted hello 10
    [ "$(cat "$F/heard")" = '[PONG]' ]
    alive connect
}

@test "garbage costs the connection alone" {
    start_fake <<'END'
[ "$N" -gt 3 ] || { head -c 1000 /dev/urandom; cat >/dev/null; }
say '[PUBLIC] 127.0.0.1:9'
hear
END
    connect_to_fake "$FAKE" -- cat
    wait_at_most 30 noted hello 4
    wait_for test -s "$D/connect.out"
    alive connect
}

@test "it asks again for the port it had" {
    start_fake <<'END'
say '[PUBLIC] relay.example.org:8123'
[ "$N" -eq 1 ] || hear
END
    connect_to_fake "$FAKE" -- cat
    wait_for noted hello 2
    [ "$(sed -n 2p "$F/hello")" = "[HELLO] v=1 name=web want=8123" ]
    [ "$(cat "$D/connect.out")" = "relay.example.org:8123" ]
}

@test "it prints the public address again when it has changed" {
    start_fake <<'END'
say "[PUBLIC] relay.example.org:800$N"
[ "$N" -eq 2 ] || exit 0
hear
END
    connect_to_fake "$FAKE" -- cat
    wait_for grep -qx 'relay.example.org:8002' "$D/connect.out"
    [ "$(head -n 1 "$D/connect.out")" = "relay.example.org:8001" ]
}

@test "errors that would come again end it with 3" {
    for code in version line auth port-denied replaced; do
        rm -rf "$D/fake"
        start_fake <<END
say '[ERROR] $code because it is so'
cat >/dev/null
END
        connect_to_fake "$FAKE" -- cat
        wait_end connect
        [ "$status" -eq 3 ] || { echo "$code: $status"; false; }
        [ ! -s "$D/connect.out" ]
        grep -qF "$code" "$D/connect.err"
        grep -qF 'because\x20it\x20is\x20so' "$D/connect.err"
        kill_sessions fake
        rm "$D/connect.err" "$D/fake.err"
    done
}

@test "other errors do not end it" {
    start_fake <<'END'
codes=(0 full port-taken timeout something-new)
[ "$N" -lt 5 ] || { say '[PUBLIC] 127.0.0.1:9'; hear; }
say "[ERROR] ${codes[N]} for now"
END
    connect_to_fake "$FAKE" -- cat
    wait_at_most 20 noted hello 5
    wait_for test -s "$D/connect.out"
    alive connect
}

@test "with --once it ends when the relay does" {
    start_fake <<'END'
say '[PUBLIC] 127.0.0.1:9'
END
    connect_to_fake --once "$FAKE" -- cat
    wait_end connect
    [ "$status" -eq 0 ]
    [ "$(cat "$D/connect.out")" = "127.0.0.1:9" ]
}
