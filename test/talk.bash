# talk: conversations, byte for byte, over descriptors of this shell. A name for
# the last one of a kind: FD, CONTROL_FD, CLIENT_FD, DATA_FD.

# dial HOST:PORT: sets FD.
dial() {
    exec {FD}<>"/dev/tcp/${1%:*}/${1##*:}"
    DIALLED+=("$FD")
}

# relayd's control port.
dial_control() {
    dial "127.0.0.1:$CONTROL"
}

hang_up() {
    eval "exec $1>&-"
}

# say FD TEXT: and a newline.
say() {
    printf '%s\n' "$2" >&"$1"
}

# say_at_once FD FORMAT [ARGUMENT...]: as printf, in one write; printf itself
# makes a write of each line.
say_at_once() {
    local fd=$1

    shift
    printf "$@" >"$D/at_once"
    cat "$D/at_once" >&"$fd"
}

# hear FD: one line of at most 10 s, in REPLY.
hear() {
    IFS= read -r -t $((10 * TIME_FACTOR)) -u "$1" REPLY || {
        echo "no line came, only '$REPLY'"
        return 1
    }
}

# expect FD REGEX: the next line is exactly so; its groups are in BASH_REMATCH.
expect() {
    hear "$1"
    [[ $REPLY =~ ^$2$ ]] || {
        echo "expected '$2', got '$REPLY'"
        return 1
    }
}

# How a connection goes on: what still comes, then "= eof", "= reset", or
# "= open" if it has not ended within SECONDS (5).
rest() {
    local how=0

    timeout $((${2:-5} * TIME_FACTOR)) cat <&"$1" 2>"$D/rest.err" || how=$?
    if [ "$how" -eq 0 ]; then
        echo "= eof"
    elif grep -q 'reset by peer' "$D/rest.err"; then
        echo "= reset"
    else
        echo "= open"
    fi
}

# silent FD [SECONDS]: nothing comes and it stays open, for so long (0.3).
silent() {
    local got=0 byte

    IFS= read -r -d '' -n 1 -t "${2:-0.3}" -u "$1" byte 2>/dev/null || got=$?
    [ "$got" -gt 128 ] || {
        echo "not silent: '$byte'"
        return 1
    }
}

# Whether somebody takes connections there, found without making one.
listening() {
    ss -Hltn "sport = :$1" | grep -q .
}

refused() {
    not eval "(exec 9<>/dev/tcp/127.0.0.1/$1)" 2>/dev/null
}

# A service NAME on relayd by hand: sets CONTROL_FD and SERVICE_PORT.
# serve_by_hand NAME [KEY=VALUE...]
serve_by_hand() {
    dial_control
    CONTROL_FD=$FD
    say "$FD" "[HELLO] v=1 name=$*"
    expect "$FD" '\[PUBLIC\] 127\.0\.0\.1:([0-9]+)'
    SERVICE_PORT=${BASH_REMATCH[1]}
}

# A client of it that waits: sets CLIENT_FD and ID.
announced_client() {
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    expect "$CONTROL_FD" '\[NEW\][0-9]+ id=([0-9a-f]{32}) from=127\.0\.0\.1:[0-9]+'
    ID=${BASH_REMATCH[1]}
}

# claim ID: sets DATA_FD.
claim() {
    dial_control
    DATA_FD=$FD
    say "$FD" "[DATA] id=$1"
}

# The two are one session: a line goes through each way.
talks() {
    say "$1" "over there"
    expect "$2" "over there"
    say "$2" "and back"
    expect "$1" "and back"
}
