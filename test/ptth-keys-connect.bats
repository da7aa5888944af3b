# ptth: keys at relay-connect's ends.
# long: 20 s

load helper
load auth
load ptth-connect

# A relay with keys for the server web, and for the client eve, who may come to web alone.
start_with_keys() {
    write_keys "web $KEY" "eve $OTHER_KEY role=client to=web" "ann $OTHER_KEY role=client to=cam"
    start_relay -k "$D/keys"
    start_echo
    key_of "web $KEY"
    mv "$D/key" "$D/web.key"
    for who in eve ann; do
        key_of "$who $OTHER_KEY role=client"
        mv "$D/key" "$D/$who.key"
    done
}

@test "with keys at both ends a client comes through; without, or with another's, none does" {
    start_with_keys
    connect_as connect -k "$D/web.key" "ptth://$RELAY" "$LOCAL_SERVER"
    URL=$PUBLIC
    call -k "$D/eve.key"
    open_session
    call_as connect-nobody
    ended_as reset --text hello
    wait_said connect-nobody '^end .* error=the.x20relay.x20says.x20401'
    for who in ann web; do
        call_as "connect-$who" -k "$D/$who.key"
        ended_as reset --text hello
        wait_said "connect-$who" '^end .* error=the.x20relay.x20says.x20403'
    done
}

@test "a wrong key, none, or one of a client: exit code 3, and no URL" {
    start_with_keys
    key_of "web $OTHER_KEY"
    for option in "-k $D/key" "" "-k $D/eve.key -n eve"; do
        rm -f "$D"/connect.*
        start connect "${CONNECT_WORDS[@]}" $option "ptth://$RELAY" "$LOCAL_SERVER"
        wait_end connect
        [ "$status" -eq 3 ]
        said connect '^refused service=.* code=(auth|scope) text=the.x20relay.x20says.x2040[13]'
        [ ! -s "$D/connect.out" ]
    done
}

@test "the key is in no command line, environment, log or session's process" {
    start_with_keys
    connect_as connect -k "$D/web.key" "ptth://$RELAY" "$LOCAL_SERVER"
    URL=$PUBLIC
    call -k "$D/eve.key"
    open_session
    open_session
    ps -eo args= >"$D/ps"
    cat /proc/"${PID[connect]}"/environ /proc/"${PID[connect-client]}"/environ >"$D/environ"
    not grep -qaE "$KEY|$OTHER_KEY" "$D/ps" "$D/environ" "$D"/*.err "$D"/*.out
    # To see that the search can find it: the parent has it.
    "$TOOLS/remembers" "${PID[connect]}" "$KEY"
    "$TOOLS/remembers" "${PID[connect-client]}" "$OTHER_KEY"
    for pid in $(offspring connect); do
        not "$TOOLS/remembers" "$pid" "$KEY"
    done
    for pid in $(offspring connect-client); do
        not "$TOOLS/remembers" "$pid" "$OTHER_KEY"
    done
}

@test "SIGHUP: the new key is that of the next request" {
    start_with_keys
    connect_as connect -k "$D/web.key" "ptth://$RELAY" "$LOCAL_SERVER"
    URL=$PUBLIC
    cp "$D/eve.key" "$D/key"
    call -k "$D/key"
    open_session
    key_of "ann $OTHER_KEY role=client"
    reload connect-client
    ended_as reset --text hello
    key_of "eve short"
    reload connect-client
    said connect-client '^keys file=.* error='
    key_of "eve $OTHER_KEY role=client"
    reload connect-client
    open_session
}
