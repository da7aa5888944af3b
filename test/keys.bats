# Keys at the relay: who is let in, by the protocol's own lines, and who is not.
# long: 20 s

load helper
load auth

start_keyed() {
    start_relayd -k "$D/keys" "${@:-127.0.0.1:0+8}"
}

@test "challenge and response, both proofs as openssl makes them, and a session" {
    write_keys "# keys" "" "web $KEY" "other $OTHER_KEY"
    start_keyed
    serve_with_key "$KEY" web
    announced_client
    claim_with_key "$KEY" "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    serve_with_key "$KEY" web.ssh "port=${POOL[3]}"
    [ "$SERVICE_PORT" -eq "${POOL[3]}" ]
    said relayd '^open service=web\.ssh '
    not said relayd '^reject'
}

@test "every challenge has a nonce of its own" {
    write_keys "web $KEY"
    start_keyed
    for _ in {1..20}; do
        challenge web
        echo "$RELAY_NONCE" >>"$D/nonces"
        hang_up "$CONTROL_FD"
    done
    [ "$(sort -u "$D/nonces" | wc -l)" -eq 20 ]
    wait_for rejects auth 20
}

@test "a wrong key, no key, an unknown name: refused alike, each logged once" {
    write_keys "web $KEY" "ptth $KEY role=client" "far $KEY from=192.0.2.0/24"
    start_keyed
    challenge web
    say "$CONTROL_FD" "[PROOF] $(server_proof "$OTHER_KEY" web)"
    refused_as auth
    rejects auth 1
    for name in nobody ptth far; do
        challenge "$name"
        [ "$RELAY_PROOF" != "$(mac "$KEY" "relay\n$SERVER_NONCE\n$RELAY_NONCE\n")" ]
        say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" "$name")"
        refused_as auth
    done
    rejects auth 4
    dial_control
    CONTROL_FD=$FD
    say "$FD" "[HELLO] v=1 name=web"
    refused_as auth
    rejects auth 5
    not said relayd '^open'
}

@test "a proof for another name, port, nonce or purpose is none" {
    write_keys "cam $KEY"
    start_keyed
    challenge cam.web "port=${POOL[1]}"
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" cam.ssh)"
    refused_as auth
    challenge cam.web "port=${POOL[1]}"
    OWN_PORT=0
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" cam.web)"
    refused_as auth
    challenge cam.web
    SERVER_NONCE=$(nonce)
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" cam.web)"
    refused_as auth
    challenge cam.web
    say "$CONTROL_FD" "[PROOF] $RELAY_PROOF"
    refused_as auth
    rejects auth 4
}

@test "a recorded conversation is no good a second time" {
    write_keys "web $KEY"
    start_keyed
    serve_with_key "$KEY" web
    proof=$(server_proof "$KEY" web)
    hang_up "$CONTROL_FD"
    wait_said relayd '^close service=web'
    dial_control
    CONTROL_FD=$FD
    say_at_once "$FD" '%s\n' "[HELLO] v=1 name=web nonce=$SERVER_NONCE" "[PROOF] $proof"
    expect "$FD" '\[AUTH\] .*'
    refused_as auth
    rejects auth 1
}

@test "proofs that are cut, extended, or not hex are malformed" {
    write_keys "web $KEY"
    start_keyed
    count=0
    for cut in 's/.$//' 's/$/0/' 's/^./g/' 's/^/ /' 's/^.*$//'; do
        challenge web
        say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" web | sed "$cut")"
        refused_as line
        count=$((count + 1))
        rejects line "$count"
    done
}

@test "nothing goes before the proof: no claim, no second hello" {
    write_keys "web $KEY"
    start_keyed
    for line in "[HELLO] v=1 name=web nonce=$(nonce)" "[DATA] id=$(nonce)" "[PONG]" "[AUTH] nonce=$(nonce)"; do
        challenge web
        say "$CONTROL_FD" "$line"
        [[ "$(rest "$CONTROL_FD")" = *"= "[er]* ]]
    done
    challenge web
    say "$CONTROL_FD" "[LATER] a word that is not known yet"
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" web)"
    expect "$CONTROL_FD" '\[PUBLIC\] .*'
}

@test "a data connection needs its proof; a wrong one does not use the id up" {
    write_keys "web $KEY" "other $OTHER_KEY"
    start_keyed
    serve_with_key "$KEY" web
    announced_client
    claim "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    claim_with_key "$OTHER_KEY" "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    rejects auth 2
    claim_with_key "$KEY" "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    claim_with_key "$KEY" "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    rejects id 1
}

@test "the id of another service, with one's own key, is none" {
    write_keys "web $KEY" "other $OTHER_KEY"
    start_keyed
    serve_with_key "$OTHER_KEY" other
    serve_with_key "$KEY" web
    announced_client
    claim_with_key "$OTHER_KEY" "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    rejects auth 1
    claim_with_key "$KEY" "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "an id that comes late is none" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" -c 1 127.0.0.1:0+8
    serve_with_key "$KEY" web
    announced_client
    wait_said relayd '^refuse service=web .* reason=timeout'
    claim_with_key "$KEY" "$ID"
    [ "$(rest "$DATA_FD")" = "= reset" ]
    rejects id 1
}

@test "takeover with a good proof, from any address; a bad one disturbs nobody" {
    write_keys "web $KEY"
    start_keyed
    serve_with_key "$KEY" web
    first=$CONTROL_FD port=$SERVICE_PORT
    challenge web
    say "$CONTROL_FD" "[PROOF] $(server_proof "$OTHER_KEY" web)"
    refused_as auth
    silent "$first"
    key_of "web $KEY"
    start far socat -d -d "TCP-LISTEN:0,bind=127.0.0.1,fork" "TCP:127.0.0.1:$CONTROL,bind=127.0.0.9"
    wait_said far 'listening on'
    connect_as connect -k "$D/key" "$(grep -oE '127\.0\.0\.1:[0-9]+' "$D/far.err" | head -n 1)" -- cat
    said relayd '^open service=web .* from=127\.0\.0\.9:'
    [ "$PUBLIC_PORT" -eq "$port" ]
    expect "$first" '\[ERROR\] replaced .*'
}

@test "ports= of a key: those alone, asked for or given" {
    find_ports 8
    write_keys "web $KEY ports=${POOL[2]},${POOL[4]}-${POOL[5]}"
    start_keyed "127.0.0.1:$CONTROL+8"
    for wanted in 2 4 5; do
        serve_with_key "$KEY" "web.$wanted"
        [ "$SERVICE_PORT" -eq "${POOL[$wanted]}" ]
    done
    challenge web
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" web)"
    refused_as full
    challenge web "port=${POOL[0]}"
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" web)"
    refused_as port-denied
    challenge web "port=${POOL[4]}"
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" web)"
    refused_as port-taken
}

@test "max= of a key: so many clients of each of its services" {
    write_keys "web $KEY max=2"
    start_keyed
    serve_with_key "$KEY" web
    announced_client
    announced_client
    dial "127.0.0.1:$SERVICE_PORT"
    [ "$(rest "$FD")" = "= reset" ]
    said relayd '^refuse service=web .* reason=limit'
    serve_with_key "$KEY" web.2
    announced_client
}

@test "plain servers are refused, and served with --plain" {
    write_keys "web $KEY"
    start_keyed
    dial_control
    silent "$FD" 1
    not said relayd '^open'
    stop relayd
    start_relayd -k "$D/keys" --plain 127.0.0.1:0+8
    dial_control
    wait_said relayd '^open service=[0-9]+ .* reverse='
}

@test "a server that says hello late on a relay with --plain still has to prove it" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" --plain 127.0.0.1:0+8
    dial_control
    CONTROL_FD=$FD
    wait_said relayd '^open service=[0-9]+ '
    port=$(value relayd '^open ' service)
    dial "127.0.0.1:$port"
    CLIENT_FD=$FD
    expect "$CONTROL_FD" '\[NEW\][0-9]+'
    SERVER_NONCE=$(nonce) OWN_PORT=
    say "$CONTROL_FD" "[HELLO] v=1 name=web nonce=$SERVER_NONCE"
    expect "$CONTROL_FD" '\[AUTH\] nonce=([0-9a-f]{32}) proof=([0-9a-f]{64})'
    RELAY_NONCE=${BASH_REMATCH[1]}
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" web)"
    expect "$CONTROL_FD" "\[PUBLIC\] 127\.0\.0\.1:$port"
    expect "$CONTROL_FD" '\[NEW\][0-9]+ id=([0-9a-f]{32}) from=.*'
    claim_with_key "$KEY" "${BASH_REMATCH[1]}"
    talks "$CLIENT_FD" "$DATA_FD"
}

@test "SIGHUP: a key that is gone or another ends its services, others stay" {
    write_keys "web $KEY" "cam $KEY" "tv $KEY"
    start_keyed
    serve_with_key "$KEY" web
    web=$CONTROL_FD
    serve_with_key "$KEY" cam.1
    cam=$CONTROL_FD
    serve_with_key "$KEY" tv
    announced_client
    write_keys "tv $KEY max=5" "cam $OTHER_KEY"
    reload relayd
    CONTROL_FD=$web refused_as auth
    CONTROL_FD=$cam refused_as auth
    said relayd '^close service=web reason=auth'
    said relayd '^close service=cam\.1 reason=auth'
    not said relayd '^close service=tv'
    claim_with_key "$KEY" "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    serve_with_key "$OTHER_KEY" cam.1
    said relayd '^keys file=.* names=2$'
}

@test "SIGHUP: a file with a mistake changes nothing and says so" {
    write_keys "web $KEY"
    start_keyed
    serve_with_key "$KEY" web
    write_keys "cam $KEY" "web short"
    reload relayd
    said relayd '^keys file=.* error=line\\x202:'
    announced_client
    chmod 644 "$D/keys"
    reload relayd
    said relayd '^keys file=.* error=.*chmod'
    rm "$D/keys"
    reload relayd
    said relayd '^keys file=.* error=No\\x20such'
    serve_with_key "$KEY" web.2
    challenge cam
    say "$CONTROL_FD" "[PROOF] $(server_proof "$KEY" cam)"
    refused_as auth
}

@test "a challenge that is not answered has a line's time" {
    write_keys "web $KEY"
    start_relayd -k "$D/keys" --line-timeout 2 127.0.0.1:0+8
    challenge web
    wait_for rejects slow 1
    refused_as timeout
}

@test "a key file that cannot be used: one sentence, with the line, and exit code 1" {
    mistake() {
        run "${RELAYD_WORDS[@]}" -k "$D/keys" 127.0.0.1:0
        echo "$output"
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "${lines[0]}" == "relayd: cannot use the key file '$D/keys': "$1 ]]
    }
    mistake "No such file*"
    write_keys "web $KEY"
    chmod 640 "$D/keys"
    mistake "*chmod 600"
    write_keys "web $KEY" "# comment" "" "web $OTHER_KEY"
    mistake "line 4: *NAME*"
    write_keys "web 0123456789abcde"
    mistake "line 1: KEY is 16 to 128*"
    write_keys "web $KEY" "cam $KEY port=80"
    mistake "line 2: the words are role=*"
    printf 'web %s\0\n' "$KEY" >"$D/keys"
    mistake "line 1: there is a NUL*"
    head -c 1100000 /dev/zero | tr '\0' '#' >"$D/keys"
    mistake "*megabyte"
    rm "$D/keys"
    mkdir -m 700 "$D/keys"
    mistake "it is no regular file"
}

@test "keys stand in no log, no title, no argument" {
    write_keys "web $KEY"
    start_keyed
    key_of "web $KEY"
    start_connect -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    dial "$PUBLIC"
    CLIENT_FD=$FD
    say "$FD" x
    expect "$FD" x
    not grep -q "$KEY" "$D/relayd.err" "$D/connect.err" "$D/connect.out"
    ps -eo args= >"$D/ps"
    not grep -q "$KEY" "$D/ps"
}

@test "no session child has a key in its memory" {
    write_keys "web $KEY"
    start_keyed
    key_of "web $KEY"
    start_connect -k "$D/key" "127.0.0.1:$CONTROL" web.1="127.0.0.1:$CONTROL"
    dial "$PUBLIC"
    wait_for offspring_count relayd 1
    wait_for offspring_count connect 1
    for name in relayd connect; do
        # To see that the search can find it: the parent has it.
        "$TOOLS/remembers" "${PID[$name]}" "$KEY"
        not "$TOOLS/remembers" "$(offspring "$name")" "$KEY"
    done
}
