# Keys at relay-connect: which relay it gives its server to, and which not.

load helper
load auth

# start_fake: as in connect-lines.bats; the script has $(mac KEY TEXT) at hand too.
start_fake() {
    F=$D/fake
    rm -rf "$F" "$D/fake.err" "$D/connect.err"
    mkdir "$F"
    { declare -f mac; cat; } >"$F/control"
    start fake socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay "EXEC:$TOOLS/fake-relay $F"
    wait_said fake 'listening on'
    FAKE=$(grep -o 'listening on .*' "$D/fake.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

# It leaves with exit code 3 and says why; nobody reached the local server.
leaves() {
    wait_end connect
    [ "$status" -eq 3 ]
    said connect "^refused service=web code=auth text=$1"
    not said connect '^pair'
    [ ! -s "$D/connect.out" ]
}

connect_keyed() {
    key_of "web $KEY"
    start connect "${CONNECT_WORDS[@]}" -k "$D/key" "$FAKE" -- cat
}

@test "a relay that has the key is answered with the proof, and its clients with theirs" {
    start_fake <<END
nonce=\${line##*nonce=}
say "[AUTH] nonce=00112233445566778899aabbccddeeff proof=\$(mac $KEY "relay\n\$nonce\n00112233445566778899aabbccddeeff\n")"
hear
[ "\$REPLY" = "[PROOF] \$(mac $KEY "server\n00112233445566778899aabbccddeeff\n\$nonce\nweb\n0\n")" ] || exit
say '[PUBLIC] relay.example.org:8080'
say "[NEW]\$PORT id=0123456789ABCDEF0123456789abcdef from=203.0.113.9:51522"
hear
END
    connect_keyed
    wait_for grep -qx 'relay.example.org:8080' "$D/connect.out"
    wait_for test -s "$F/echoed"
    id=0123456789abcdef0123456789abcdef
    [ "$(cat "$F/data")" = "[DATA] id=$id proof=$(mac "$KEY" "data\n$id\n")" ]
    [[ "$(cat "$F/hello")" =~ ^"[HELLO] v=1 name=web nonce="[0-9a-f]{32}$ ]]
}

@test "a relay that does not ask for the key does not get the server: [PUBLIC], [NEW], plain [NEW]" {
    for line in '[PUBLIC] 127.0.0.1:9' '[NEW]9 id=0123456789abcdef0123456789abcdef' '[NEW]9'; do
        start_fake <<END
say '$line'
hear
END
        connect_keyed
        leaves 'the.x20relay.x20does.x20not.x20ask'
        stop fake
    done
}

@test "a relay whose proof is another's, made with another key, or none, does not get it" {
    for proof in "proof=\$(mac $OTHER_KEY \"relay\n\$nonce\n00112233445566778899aabbccddeeff\n\")" \
        "proof=\$(mac $KEY \"relay\n00112233445566778899aabbccddeeff\n\$nonce\n\")" \
        "proof=\$(mac $KEY \"server\n\$nonce\n00112233445566778899aabbccddeeff\n\")" ''; do
        start_fake <<END
nonce=\${line##*nonce=}
say "[AUTH] nonce=00112233445566778899aabbccddeeff $proof" | sed 's/ $//'
hear
END
        connect_keyed
        leaves 'the.x20relay.x20does.x20not.x20have'
        [ ! -s "$F/heard" ]
        stop fake
    done
}

@test "after the proof, too, a plain [NEW] is not taken" {
    start_fake <<END
nonce=\${line##*nonce=}
say "[AUTH] nonce=00112233445566778899aabbccddeeff proof=\$(mac $KEY "relay\n\$nonce\n00112233445566778899aabbccddeeff\n")"
hear
say '[NEW]9'
hear
END
    connect_keyed
    leaves 'the.x20relay.x20does.x20not.x20ask'
}

@test "without a key, a relay that asks for one: exit code 3, and what to give" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    run "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$CONTROL" localhost:80
    [ "$status" -eq 3 ]
    [[ $output == *"code=auth"*key* ]]
}

@test "with the wrong key, and with a key the relay does not know: exit code 3" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    for line in "web $OTHER_KEY" "cam $OTHER_KEY"; do
        key_of "$line"
        run "${CONNECT_WORDS[@]}" -k "$D/key" "127.0.0.1:$CONTROL" localhost:80
        [ "$status" -eq 3 ]
    done
    wait_for rejects auth 2
}

@test "the name is the key's, and -n may only go on behind a dot" {
    write_keys "cam $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    key_of "cam $KEY"
    start connect "${CONNECT_WORDS[@]}" -k "$D/key" "127.0.0.1:$CONTROL" web=localhost:80 localhost:22 localhost:23
    wait_for printed connect 3
    for name in cam cam.2 cam.web; do
        said relayd "^open service=$name "
    done
    connect_as second -k "$D/key" -n cam.lab "127.0.0.1:$CONTROL" localhost:80
    run "${CONNECT_WORDS[@]}" -k "$D/key" -n web "127.0.0.1:$CONTROL" localhost:80
    [ "$status" -eq 2 ]
    [[ $output == *"'cam'"*"'web'"* ]]
}

@test "a key file that cannot be used, or has more than one line" {
    for wrong in "web $KEY"$'\n'"cam $KEY" "# none" "web"; do
        key_of "$wrong"
        run "${CONNECT_WORDS[@]}" -k "$D/key" 127.0.0.1:1 localhost:80
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output == "relay-connect: cannot use the key file '$D/key': "* ]]
    done
}

@test "the key may come through a pipe" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    mkfifo -m 600 "$D/key"
    start connect "${CONNECT_WORDS[@]}" -k "$D/key" "127.0.0.1:$CONTROL" localhost:80
    echo "web $KEY" >"$D/key"
    wait_said relayd '^open service=web '
}

@test "SIGHUP: the new key is that of the next connection" {
    write_keys "web $KEY"
    find_ports 8
    start_relayd -k "$D/keys" "127.0.0.1:$CONTROL+8"
    key_of "web $KEY"
    start_connect -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    key_of "web short"
    reload connect
    said connect '^keys file=.* error=line'
    key_of "web $OTHER_KEY"
    reload connect
    said connect '^keys file=.* names=1'
    stop relayd
    write_keys "web $OTHER_KEY"
    start_relayd -k "$D/keys" "127.0.0.1:$CONTROL+8"
    wait_for said relayd '^open service=web ' 2
}
