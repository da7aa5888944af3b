# auth: key files, and the proofs of the protocol made by openssl, so that ours
# are held against somebody else's.

KEY=correct-horse-battery-staple
OTHER_KEY=another-key-of-some-length

# write_keys [LINE...]: the relay's key file, $D/keys.
write_keys() {
    (umask 077; printf '%s\n' "$@" >"$D/keys.new")
    mv "$D/keys.new" "$D/keys"
}

# key_of LINE: a server's own key file, $D/key.
key_of() {
    (umask 077; printf '%s\n' "$1" >"$D/key")
}

# reload NAME [COUNT]: SIGHUP, and until it says that it has read its keys.
reload() {
    local before

    before=$(grep -c '^keys ' "$D/$1.err") || :
    kill -HUP "${PID[$1]}"
    wait_said "$1" '^keys ' $((before + 1))
}

# mac KEY TEXT: HMAC-SHA256 in hex, of printf's TEXT.
mac() {
    local line

    line=$(printf "$2" | openssl dgst -sha256 -mac HMAC -macopt "key:$1")
    echo "${line##* }"
}

nonce() {
    openssl rand -hex 16
}

# challenge NAME [KEY=VALUE...]: says hello; sets CONTROL_FD, SERVER_NONCE, RELAY_NONCE, RELAY_PROOF, OWN_PORT.
challenge() {
    dial_control
    CONTROL_FD=$FD
    SERVER_NONCE=$(nonce)
    OWN_PORT=$(printf '%s\n' "$@" | sed -n 's/^port=//p')
    say "$FD" "[HELLO] v=1 name=$* nonce=$SERVER_NONCE"
    expect "$FD" '\[AUTH\] nonce=([0-9a-f]{32}) proof=([0-9a-f]{64})'
    RELAY_NONCE=${BASH_REMATCH[1]}
    RELAY_PROOF=${BASH_REMATCH[2]}
}

# server_proof KEY NAME: for the last challenge.
server_proof() {
    mac "$1" "server\n$RELAY_NONCE\n$SERVER_NONCE\n$2\n${OWN_PORT:-0}\n"
}

# serve_with_key KEY NAME [KEY=VALUE...]: sets CONTROL_FD and SERVICE_PORT.
serve_with_key() {
    local key=$1

    shift
    challenge "$@"
    [ "$RELAY_PROOF" = "$(mac "$key" "relay\n$SERVER_NONCE\n$RELAY_NONCE\n")" ]
    say "$CONTROL_FD" "[PROOF] $(server_proof "$key" "$1")"
    expect "$CONTROL_FD" '\[PUBLIC\] 127\.0\.0\.1:([0-9]+)'
    SERVICE_PORT=${BASH_REMATCH[1]}
}

# claim_with_key KEY ID: sets DATA_FD.
claim_with_key() {
    dial_control
    DATA_FD=$FD
    say "$FD" "[DATA] id=$2 proof=$(mac "$1" "data\n$2\n")"
}

# It was told [ERROR] auth, and the log says so once more than before.
refused_as() {
    expect "$CONTROL_FD" "\[ERROR\] $1 .*"
    [ "$(rest "$CONTROL_FD")" = "= eof" ]
}

# rejects REASON COUNT
rejects() {
    [ "$(grep -cE "^reject from=127\.0\.0\.1:[0-9]+ reason=$1\$" "$D/relayd.err")" -eq "$2" ]
}
