# muxado: relay-connect before a relay that says, frame by frame, what the test
# wants.
# long: 20 s

load helper
load muxado

# listen_by_hand: a relay for one connection, on the port FAKE: what comes on it is read from R, what is said to R goes out.
listen_by_hand() {
    FAKES=$((${FAKES-0} + 1))
    mkfifo "$D/from$FAKES" "$D/to$FAKES"
    exec {R}<>"$D/from$FAKES"
    exec {to}<>"$D/to$FAKES"
    DIALLED+=("$R" "$to")
    SAID_BY[$R]=$to
    start "fake$FAKES" socat "TCP-LISTEN:$FAKE,bind=127.0.0.1,reuseaddr,nodelay" "OPEN:$D/to$FAKES,rdonly!!OPEN:$D/from$FAKES,wronly"
    wait_for listening "$FAKE"
}

# start_fake TARGET... [-- COMMAND...]: that, and a relay-connect that has said hello.
start_fake() {
    local scheme=muxado

    [ "$V" = 1 ] || scheme=muxado2
    FAKE=$(free_port)
    listen_by_hand
    CONNECTS=$((${CONNECTS-0} + 1))
    C=connect$CONNECTS
    start "$C" "${CONNECT_WORDS[@]}" -n web "$scheme://127.0.0.1:$FAKE" "$@"
    hello_heard
}

hello_heard() {
    [ "$V" = 2 ] || exactly "$R" "$(syn 3)" "$(beats 5)"
    [ "$V" = 1 ] || exactly "$R" "$(syn 3)"
}

# The relay tells that address.
tell() {
    say_hex "$R" "$(data 3 "$1")" "$(fin 3)"
}

# It takes that.
address_taken() {
    told "$R" "$(window 3 ${#1})" "$(fin 3)"
    wait_for grep -qxF "$1" "$D/$C.out"
}

welcome() {
    tell 127.0.0.1:9
    address_taken 127.0.0.1:9
}

# A client, stream $1, talks with `cat`.
talks_on() {
    say_hex "$R" "$(syn "$1")" "$(data "$1" hello)"
    # Window and answer come in any order.
    frame "$R"
    first=$FRAME
    frame "$R"
    [ "$first$FRAME" = "$(window "$1" 5)$(data "$1" hello)" ] || [ "$first$FRAME" = "$(data "$1" hello)$(window "$1" 5)" ]
    say_hex "$R" "$(window "$1" 5)"
}

@test "what it says, and the address in single bytes" {
    single() {
        local all i

        start_fake -- cat
        all=$(data 3 127.0.0.1:9)$(fin 3)
        [ "$V" = 2 ] || all=$(beats 2)$all
        for ((i = 0; i < ${#all}; i += 2)); do
            say_hex "$R" "${all:i:2}"
        done
        address_taken 127.0.0.1:9
        said "$C" '^open service=web proto=muxado public=127\.0\.0\.1:9$'
        talks_on 4
        # And in a frame for each byte.
        start_fake -- cat
        for i in h o s t : 9; do
            say_hex "$R" "$(data 3 "$i")"
            told "$R" "$(window 3 1)"
        done
        say_hex "$R" "$(fin 3)"
        told "$R" "$(fin 3)"
        wait_for grep -qx host:9 "$D/$C.out"
    }
    both single
}

@test "an address that is none costs the connection, and it connects again" {
    n=0
    V=2
    for address in '' 9 host host: :9 host:0 host:65536 host:9x 'ho st:9' ::1:9 $'host\n:9'; do
        start_fake localhost:1
        [ -z "$address" ] && say_hex "$R" "$(fin 3)" || tell "$address"
        wait_said "$C" '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=line$'
        [ ! -s "$D/$C.out" ]
        stop "$C"
    done
}

@test "the longest address is taken" {
    V=2
    label=$(printf 'x%.0s' {1..63})
    start_fake localhost:1
    tell "$label.$label.$label.${label:0:61}:65535"
    address_taken "$label.$label.$label.${label:0:61}:65535"
}

@test "a relay that resets the stream for the address, or ends, is left" {
    V=2
    start_fake localhost:1
    say_hex "$R" "$(rst 3 5)"
    wait_said "$C" '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason='
    V=1
    start_fake localhost:1
    kill "${PID[fake$FAKES]}"
    wait_said "$C" '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=(eof|reset)$'
}

@test "GOAWAY: those that there are go on" {
    goes() {
        start_fake -- cat
        welcome
        say_hex "$R" "$(syn 4)" "$(data 4 one)"
        frame "$R"
        frame "$R"
        say_hex "$R" "$(goaway 3 0)" "$(window 4 3)" "$(data 4 two)"
        frame "$R"
        first=$FRAME
        frame "$R"
        [[ "$first$FRAME" == *"$(data 4 two)"* ]]
    }
    both goes
}

@test "a relay's heartbeats are sent back, whichever stream and split they have" {
    V=1
    start_fake -- cat
    say_hex "$R" "$(beats 2)"
    welcome
    # Its own come, too; frame() has them sent back.
    say_hex "$R" "00040003 00000002 01020304"
    got=$(take "$R" 24)
    [ "$got" = "000400040000000200000004000400030000000201020304" ] ||
        [ "$got" = "000400030000000201020304000400040000000200000004" ]
    say_hex "$R" "00020003 00000002 0506"
    say_hex "$R" "00020003 00000002 0708"
    got=$(take "$R" 24)
    [[ $got == *000400030000000205060708* ]]
    V=2
    start_fake -- cat
    welcome
    say_hex "$R" "000004 12 00000002 ffffffff" "000004 10 00000002 01020304"
    got=$(take "$R" 24)
    [[ $got == *0000041000000002* ]]
}

@test "a relay that does not send heartbeats back is left after 13 s" {
    V=1
    start_fake -- cat
    tell 127.0.0.1:9
    began=$(now_ms)
    wait_at_most 20 said "$C" '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=timeout$'
    took=$(($(now_ms) - began))
    echo "$took ms"
    [ "$took" -ge 11000 ]
}

@test "what the relay may not do costs it the connection" {
    n=0
    wrong() {
        for said in "$(syn 5)" "$(syn 0)" "$(data 6 x)" "$(rst 9 7)" "$(window 11 1)"; do
            start_fake -- cat
            welcome
            say_hex "$R" "$said"
            told "$R" "$(goaway 0 1)"
            wait_said "$C" '^lost service=web relay=127\.0\.0\.1:[0-9]+ reason=line$'
            stop "$C"
        done
    }
    both wrong
}

@test "streams that are opened and reset at once leave nothing behind" {
    rapid() {
        local all= id

        # What it says of its reset would stand between the lines of the log.
        start_fake -- sh -c 'exec cat 2>/dev/null'
        welcome
        for ((id = 4; id < 204; id += 2)); do
            all+=$(syn "$id")$(data "$id" x)$(rst "$id" 7)
        done
        say_hex "$R" "$all"
        # Those that were reset before a connection was asked for are not heard of.
        wait_for eval '[ "$(grep -c "^end " "$D/$C.err")" -ge 64 ]' || return 1
        # Windows and resets that were on their way.
        say_hex "$R" "$(syn 300)" "$(data 300 hello)"
        until frame "$R" && [ "$FRAME" = "$(data 300 hello)" ]; do
            [ -n "$FRAME" ]
        done
    }
    both rapid
}
