# The target -: relay-connect's own standard input and output serve one client.

load helper

# start_stdio: through a pipe on both sides; $1 gives its input, $2 takes its
# output. Sets PUBLIC from standard error.
start_stdio() {
    start_relayd
    start pipe "$BASH" -c "$1 | ${CONNECT_WORDS[*]} -n pipe 127.0.0.1:$CONTROL - | $2; echo \${PIPESTATUS[1]} >'$D/status'"
    wait_said pipe '^127\.0\.0\.1:[0-9]+$'
    PUBLIC=$(grep -E '^127\.0\.0\.1:[0-9]+$' "$D/pipe.err")
    PUBLIC_PORT=${PUBLIC##*:}
}

# A tree with some of everything.
make_tree() {
    mkdir -p "$D/tree/a/b/c"
    cp -r "$ROOT/lib" "$D/tree/a/b"
    head -c 5000000 /dev/urandom >"$D/tree/random"
    ln -s random "$D/tree/link"
    : >"$D/tree/a/empty"
    mkdir "$D/copy"
}

# sum_of_file_is FILE SUMS: that is what sha256sum printed of it.
sum_of_file_is() {
    [ "$(sha256sum <"$1")" = "$(cat "$2")" ]
}

ended_with() {
    wait_end pipe
    [ "$(cat "$D/status")" -eq "$1" ]
}

@test "tar | relay-connect R - on one side and nc on the other move a tree" {
    make_tree
    start_stdio "tar c -C '$D/tree' ." cat
    timeout 30 nc -N 127.0.0.1 "$PUBLIC_PORT" </dev/null | tar x -C "$D/copy"
    diff -r "$D/tree" "$D/copy"
    [ -L "$D/copy/link" ]
    ended_with 0
    [ ! -s "$D/pipe.out" ]
}

@test "relay-connect R - | tar takes a tree from socat" {
    make_tree
    start_stdio : "tar x -C '$D/copy'"
    tar c -C "$D/tree" . | timeout 30 socat -u - "TCP:$PUBLIC"
    ended_with 0
    diff -r "$D/tree" "$D/copy"
}

@test "50 MB each way at once arrive exactly" {
    head -c 50000000 /dev/urandom >"$D/there"
    head -c 50000000 /dev/urandom >"$D/back"
    start_stdio "cat '$D/there'" "sha256sum"
    timeout 60 nc -N 127.0.0.1 "$PUBLIC_PORT" <"$D/back" | sha256sum >"$D/got"
    ended_with 0
    sum_of_file_is "$D/there" "$D/got"
    sum_of_file_is "$D/back" "$D/pipe.out"
}

@test "standard output carries the session and nothing else" {
    start_stdio "echo question" cat
    dial "$PUBLIC"
    expect "$FD" question
    say "$FD" answer
    hang_up "$FD"
    ended_with 0
    [ "$(cat "$D/pipe.out")" = answer ]
}

@test "a second client is turned away, and the first one goes on" {
    start_stdio "sleep 60" cat
    dial "$PUBLIC"
    first=$FD
    say "$first" one
    wait_for grep -q one "$D/pipe.out"
    dial "$PUBLIC"
    [ "$(rest "$FD")" = "= reset" ]
    say "$first" two
    wait_for grep -q two "$D/pipe.out"
}

@test "the client's end is passed on while standard input stays open" {
    mkfifo "$D/later"
    start_stdio "cat '$D/later'" sha256sum
    printf question | timeout 20 nc -N 127.0.0.1 "$PUBLIC_PORT" >"$D/answer" &
    client=$!
    wait_for test -s "$D/pipe.out"
    [ "$(cat "$D/pipe.out")" = "$(printf question | sha256sum)" ]
    printf answer >"$D/later"
    wait "$client"
    [ "$(cat "$D/answer")" = answer ]
    ended_with 0
}

@test "it is passed on where standard input and output are one socket" {
    start_relayd
    start pipe socat -t 20 "EXEC:${CONNECT_WORDS[*]} -n pipe 127.0.0.1\\:$CONTROL -" EXEC:sha256sum
    wait_said pipe '^127\.0\.0\.1:[0-9]+$'
    PUBLIC=$(grep -E '^127\.0\.0\.1:[0-9]+$' "$D/pipe.err")
    [ "$(printf question | timeout 10 nc -N 127.0.0.1 "${PUBLIC##*:}")" = "$(printf question | sha256sum)" ]
}

@test "the end of standard input is passed on while the client goes on" {
    start_stdio "printf question" cat
    dial "$PUBLIC"
    [ "$(timeout 10 cat <&"$FD")" = question ]
    say "$FD" answer
    wait_for grep -q answer "$D/pipe.out"
    hang_up "$FD"
    ended_with 0
}

@test "a client that resets is a failure" {
    start_stdio "echo question; sleep 2" cat
    "$TOOLS/drip" "$PUBLIC" --text hello --until question --reset
    ended_with 1
}

@test "a reader that stalls stops the sender" {
    start_stdio : "{ sleep 2; sha256sum; }"
    head -c 30000000 /dev/urandom >"$D/there"
    timeout 60 socat -u "$D/there" "TCP:$PUBLIC"
    wait_for test -s "$D/pipe.out"
    sum_of_file_is "$D/there" "$D/pipe.out"
}

# The reader of standard output takes five bytes and leaves.
meet_a_reader_that_leaves() {
    start_stdio : "{ head -c 5; echo left >'$D/left'; }"
    dial "$PUBLIC"
    say "$FD" four
    wait_for test -s "$D/left"
}

@test "a reader that leaves before the client's end of file, which follows, lost nothing" {
    meet_a_reader_that_leaves
    hang_up "$FD"
    ended_with 0
    [ "$(cat "$D/pipe.out")" = four ]
}

@test "a reader that leaves before the client's last bytes is a failure" {
    meet_a_reader_that_leaves
    say "$FD" lost
    ended_with 1
}

@test "a reader that leaves a client that says no more is a failure" {
    meet_a_reader_that_leaves
    ended_with 1
}
