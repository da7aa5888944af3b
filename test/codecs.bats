# Codecs: bytes in, fields out, without a socket.

load helper

@test "numbers, texts, addresses and lines, by vectors" {
    run "$TOOLS/codecs"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *" checks, 0 wrong" ]]
}
