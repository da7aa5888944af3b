# muxado: the protocol by hand, frame for frame, in either format. V says which
# one (1, 2). Frames are written as hex digits; spaces in them mean nothing.

V=1

# both COMMAND...: in either format.
both() {
    for V in 1 2; do
        "$@" || { echo "v$V"; return 1; }
    done
}

# Where what is said to a descriptor goes, if that is another one.
declare -gA SAID_BY

# hex TEXT: its bytes.
hex() {
    local all

    all=$(printf %s "$1" | od -An -v -t x1)
    echo "${all//[$' \n']/}"
}

# number N: 32 bits.
number() {
    printf %08x "$1"
}

# say_hex FD HEX...: in one write.
say_hex() {
    local all=${*:2}

    all=${all// /}
    say_at_once "${SAID_BY[$1]-$1}" '%b' "$(sed 's/../\\x&/g' <<<"$all")"
}

# take FD COUNT: the hex of so many bytes, or of those that came.
take() {
    local all

    all=$(timeout $((8 * TIME_FACTOR)) od -An -v -t x1 -N "$2" <&"$1")
    echo "${all//[$' \n']/}"
}

# exactly FD HEX...: these bytes come next.
exactly() {
    local want=${*:2} got

    want=${want// /}
    got=$(take "$1" $((${#want} / 2)))
    [ "$got" = "$want" ] || { echo "wanted $want"; echo "got    $got"; return 1; }
}

# Frames, in the format that is spoken.

# A stream is opened.
syn() {
    [ "$V" = 1 ] && echo "00000001$(number "$1")" || echo "00000012$(number "$1")"
}

# data ID TEXT
data() {
    if [ "$V" = 1 ]; then
        printf '%04x0003%08x%s' ${#2} "$1" "$(hex "$2")"
    else
        printf '%06x10%08x%s' ${#2} "$1" "$(hex "$2")"
    fi
}

fin() {
    [ "$V" = 1 ] && echo "00000103$(number "$1")" || echo "00000011$(number "$1")"
}

# rst ID CODE
rst() {
    [ "$V" = 1 ] && echo "00040002$(number "$1")$(number "$2")" || echo "00000400$(number "$1")$(number "$2")"
}

# window ID BYTES
window() {
    [ "$V" = 1 ] && echo "00040004$(number "$1")$(number "$2")" || echo "00000420$(number "$1")$(number "$2")"
}

# goaway LAST CODE
goaway() {
    [ "$V" = 1 ] && echo "0008000600000000$(number "$1")$(number "$2")" ||
        echo "0000083000000000$(number "$1")$(number "$2")"
}

# v1's stream of heartbeats.
beats() {
    echo "00080601$(number "$1")7ffffffffffffeff"
}

# frame FD: the next one's hex, in FRAME. A heartbeat (v1) of relayd's or relay-connect's is sent back, and is none.
frame() {
    local head length

    while :; do
        head=$(take "$1" 8)
        [ ${#head} -eq 16 ] || { echo "no frame came, only '$head'"; return 1; }
        [ "$V" = 1 ] && length=$((16#${head:0:4} & 0x3fff)) || length=$((16#${head:0:6}))
        FRAME=$head
        [ "$length" -eq 0 ] || FRAME+=$(take "$1" "$length")
        [ "$V" = 1 ] && [[ $head =~ ^0004000300000002$|^0004000300000005$ ]] || return 0
        say_hex "$1" "$FRAME" "$(window "$((16#${head:8}))" 4)"
    done
}

# told FD FRAME...: these come next.
told() {
    local fd=$1 one

    shift
    for one; do
        frame "$fd" || { echo "wanted ${one// /}"; return 1; }
        [ "$FRAME" = "${one// /}" ] || { echo "wanted ${one// /}"; echo "got    $FRAME"; return 1; }
    done
}

# ends FD: whether it does by end of file or reset, whatever came before.
ends() {
    rest "$1" "${2:-5}" | tail -c 8 | tr -d '\0' | grep -aq '= \(eof\|reset\)$'
}

# was_reset FD: nothing more comes.
was_reset() {
    [ "$(rest "$1" "${2:-5}" | tr -d '\0')" = "= reset" ]
}

was_ended() {
    [ "$(rest "$1" "${2:-5}" | tr -d '\0')" = "= eof" ]
}

# Servers by hand, at relayd.

start_relay() {
    start_relayd "$@" muxado:127.0.0.1:0+4
}

# What one says first.
hello() {
    [ "$V" = 1 ] && echo "$(syn 3)$(beats 5)" || syn 3
}

# A server that has just said hello on descriptor $1, or was on hold ($2 is not empty), is told its address: sets
# SERVER_FD, ADDRESS and SERVICE_PORT.
welcomed() {
    local address

    SERVER_FD=$1
    [ "$V" = 2 ] || [ -n "${2-}" ] || told "$1" "$(beats 2)"
    frame "$1"
    address=$(sed 's/../\\x&/g' <<<"${FRAME:16}")
    ADDRESS=$(printf '%b' "$address")
    SERVICE_PORT=${ADDRESS##*:}
    [ "$FRAME" = "$(data 3 "$ADDRESS")" ]
    told "$1" "$(fin 3)"
    say_hex "$1" "$(fin 3)"
    NEXT=4
    [ "$V" = 1 ] || NEXT=2
}

# A server that has no port, on descriptor $1: its heartbeats (v1) are sent back, and nothing else comes.
on_hold() {
    if [ "$V" = 1 ]; then
        told "$1" "$(beats 2)"
        say_hex "$1" 00040003 00000005 00000000
        told "$1" "$(window 5 4)"
        exactly "$1" 00040003 00000005 00000000
    fi
    silent "$1" 0.1
}

# A server: sets SERVER_FD, SERVICE_PORT.
serve() {
    dial_control
    say_hex "$FD" "$(hello)"
    welcomed "$FD"
}

# A client of it: sets CLIENT_FD, and ID, its stream.
client() {
    dial "127.0.0.1:$SERVICE_PORT"
    CLIENT_FD=$FD
    ID=$NEXT
    NEXT=$((NEXT + 2))
    told "$SERVER_FD" "$(syn "$ID")"
}

# flows CLIENT SERVER ID: bytes go each way.
flows() {
    printf there >&"$1"
    told "$2" "$(data "$3" there)"
    say_hex "$2" "$(window "$3" 5)" "$(data "$3" back)"
    [ "$(timeout 5 head -c 4 <&"$1")" = back ]
    told "$2" "$(window "$3" 4)"
}

# One that is to be harmed by nothing that others do: it has no heartbeats that would have to be sent back.
bystander() {
    local V=2

    serve
    session
    BYSTANDER=("$CLIENT_FD" "$SERVER_FD" "$ID")
}

unharmed() {
    local V=2

    flows "${BYSTANDER[@]}"
}

# A client that talks.
session() {
    client
    flows "$CLIENT_FD" "$SERVER_FD" "$ID"
}

closed() {
    wait_said relayd "^close service=$1 reason=$2$"
    not listening "$1"
}

# The process that carries a service's sessions.
carrier() {
    ps -o pid=,args= -s "${PID[$1]}" | awk -v of="$2" '$3 == of && NF == 3 {print $1}'
}
