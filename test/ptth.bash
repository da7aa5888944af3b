# ptth: relayd's side of it: the requests that servers and clients make, by curl
# in the background, and byte for byte over descriptors of this shell.

start_ptth() {
    start_relayd "$@" ptth:127.0.0.1:0
    BASE=http://127.0.0.1:$CONTROL
}

# --- by curl

# call NAME PATH [OPTION...]: its answer's body is in $D/NAME.body, the heads in
# $D/NAME.head, its status the last line of $D/NAME.out.
call() {
    local name=$1 path=$2

    shift 2
    rm -f "$D/$name".{body,head,out,err}
    : >"$D/$name.body"
    start "$name" curl -sS -N --max-time $((60 * TIME_FACTOR)) -D "$D/$name.head" -o "$D/$name.body" \
        -w '%{http_code}\n' "$@" "$BASE$path"
}

# ended NAME STATUS: it is answered so, to the end.
ended() {
    wait_at_most 60 gone "$1"
    wait_end "$1"
    cat "$D/$1.err"
    [ "$status" -eq 0 ]
    [ "$(tail -n 1 "$D/$1.out")" = "$2" ] || { cat "$D/$1.out" "$D/$1.body"; return 1; }
}

# cut_off NAME: its transfer has failed.
cut_off() {
    wait_end "$1"
    cat "$D/$1.err"
    [ "$status" -ne 0 ]
}

has_answer() {
    grep -q "^HTTP/1.1 $2 " "$D/$1.head" 2>/dev/null
}

wait_answer() {
    wait_for has_answer "$1" "$2"
}

# field NAME FIELD: of its answer's head.
field() {
    tr -d '\r' <"$D/$1.head" | sed -n "s/^$2: //Ip" | tail -n 1
}

# meet [SERVICE] [OPTION...]: a client connects, a server is told: sets ID.
meet() {
    local service=${1-box/web}

    call client "/connect/$service" "${@:2}"
    call listener "/listen/$service" "${@:2}"
    ended listener 200
    ID=$(cat "$D/listener.body")
}

# make_file NAME BYTES
make_file() {
    head -c "$2" /dev/urandom >"$D/$1"
}

# These two are the same.
same_bytes() {
    cmp "$D/$1" "$D/$2"
}

# carry UP DOWN [OPTION...]: all four requests, to their ends; the files get through.
carry() {
    local up=$1 down=$2

    shift 2
    call acceptor "/accept/$ID" -X POST "$@"
    INPUT=$D/$up call up "/upstream/$ID" -X POST -T - "$@"
    INPUT=$D/$down call down "/downstream/$ID" -X POST -T - "$@"
    all_ended
    same_bytes "$up" acceptor.body
    same_bytes "$down" client.body
}

all_ended() {
    local name

    for name in client acceptor up down; do
        ended "$name" 200
    done
}

# --- byte for byte

# request FD METHOD PATH [FIELD...], at once.
request() {
    local fd=$1 method=$2 path=$3 field

    shift 3
    {
        printf '%s %s HTTP/1.1\r\nHost: relay\r\n' "$method" "$path"
        for field; do
            printf '%s\r\n' "$field"
        done
        printf '\r\n'
    } >"$D/at_once"
    cat "$D/at_once" >&"$fd"
}

# ask METHOD PATH [FIELD...]: on a connection of its own: sets FD.
ask() {
    dial_control
    request "$FD" "$@"
}

# head FD STATUS: an answer's head (STATUS may be a pattern), in HEAD, its lines without their CR.
head() {
    if [[ $1 = -* ]]; then
        command head "$@"
        return
    fi
    HEAD=
    while hear "$1" && [ "$REPLY" != $'\r' ]; do
        HEAD+=${REPLY%$'\r'}$'\n'
    done
    [[ $HEAD = "HTTP/1.1 "$2" "* ]] || { echo "expected $2, got '$HEAD'"; return 1; }
}

# bytes FD COUNT: so many, in REPLY.
bytes() {
    IFS= read -r -d '' -N "$2" -t $((10 * TIME_FACTOR)) -u "$1" REPLY || { echo "only '$REPLY' came"; return 1; }
}

# answer FD STATUS: one that has a length: its body is in BODY.
answer() {
    head "$1" "$2"
    BODY=
    [ "$2" != 204 ] || return 0
    [[ $HEAD =~ Content-Length:\ ([0-9]+) ]]
    bytes "$1" "${BASH_REMATCH[1]}"
    BODY=$REPLY
}

# refused_with FD STATUS: in one line, and it says why.
refused_with() {
    answer "$1" "$2"
    [[ $BODY = "$2 "*$'\n' && ${BODY%$'\n'} != *$'\n'* ]] || { echo "body '$BODY'"; return 1; }
}

# chunk FD TEXT
chunk() {
    say_at_once "$1" '%x\r\n%s\r\n' ${#2} "$2"
}

last_chunk() {
    say_at_once "$1" '0\r\n\r\n'
}

# comes FD TEXT: in one chunk.
comes() {
    expect "$1" "$(printf %x ${#2})"$'\r'
    bytes "$1" $((${#2} + 2))
    [ "$REPLY" = "$2"$'\r\n' ] || { echo "got '$REPLY'"; return 1; }
}

# announced [SERVICE] [FIELD...]: sets CONNECT_FD, LISTEN_FD and ID.
announced() {
    local service=${1-box/web}

    ask POST "/connect/$service" "${@:2}"
    CONNECT_FD=$FD
    ask POST "/listen/$service" "${@:2}"
    LISTEN_FD=$FD
    answer "$LISTEN_FD" 200
    ID=$BODY
}

# Sets ACCEPT_FD, UP_FD and DOWN_FD.
accepts() {
    ask POST "/accept/$ID" "$@"
    ACCEPT_FD=$FD
}

upstream() {
    ask POST "/upstream/$ID" 'Transfer-Encoding: chunked' "$@"
    UP_FD=$FD
}

downstream() {
    ask POST "/downstream/$ID" 'Transfer-Encoding: chunked' "$@"
    DOWN_FD=$FD
}

# The three that are due begin the session.
begins() {
    accepts "$@"
    upstream "$@"
    downstream "$@"
    head "$CONNECT_FD" 200
    head "$ACCEPT_FD" 200
}

# running [SERVICE]: a whole session; a word has gone each way.
running() {
    announced "$@"
    begins "${@:2}"
    chunk "$UP_FD" "over there"
    comes "$ACCEPT_FD" "over there"
    chunk "$DOWN_FD" "and back"
    comes "$CONNECT_FD" "and back"
}

# Both ways to their ends.
finish() {
    last_chunk "$UP_FD"
    expect "$ACCEPT_FD" $'0\r'
    last_chunk "$DOWN_FD"
    expect "$CONNECT_FD" $'0\r'
    answer "$UP_FD" 200
    answer "$DOWN_FD" 200
}

# The next client is served.
serves_on() {
    running "${1-box/web}"
    finish
}

# A reset of one that has not read all that came.
reset_by() {
    hang_up "$1"
}

# was_reset FD...: each of them.
was_reset() {
    local fd how

    for fd; do
        how=$(rest "$fd" | tail -n 1)
        [[ $how = *"= reset" ]] || { echo "not reset: $how"; return 1; }
        hang_up "$fd"
    done
}

# So many bytes (or more: +COUNT) of relayd's wait for this shell to read them.
unread_by_us() {
    ss -Htn "dport = :$CONTROL" | awk -v n="$1" 'n ~ /^[+]/ ? $2 >= n + 0 : $2 == n' | grep -q .
}

# --- many that wait

# listen NAME [SERVICE]: a held listen by hand, in the array of that name.
declare -gA HELD

listen() {
    ask GET "/listen/${2-box/web}"
    HELD[$1]=$FD
}

# client NAME [SERVICE]
client() {
    ask GET "/connect/${2-box/web}"
    HELD[$1]=$FD
}

told() {
    answer "${HELD[$1]}" 200
    ID=$BODY
}

full() {
    refused_with "$1" 503
    [[ $HEAD =~ Retry-After:\ [1-9] ]]
}

# What listens and connects of relayd's connections has been read.
settled() {
    wait_for nothing_unread
}

nothing_unread() {
    ! ss -Htn "sport = :$CONTROL" | awk '$2 > 0' | grep -q .
}
