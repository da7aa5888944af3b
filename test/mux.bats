# The machine of the protocol muxado, without a socket: by vectors, and as two
# of them talk to each other.
# long: 15 s

load helper

@test "frames, streams, windows, heartbeats: by vectors, cut anywhere" {
    run "$TOOLS/mux"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *" checks, 0 wrong" ]]
}

@test "two machines: what is sent comes, and windows hold" {
    run "$TOOLS/mux" pair "$(scaled 20)"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *" checks, 0 wrong" ]]
}
