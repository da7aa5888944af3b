# HTTP/1.1's heads and bodies, without a connection but the reader's: by vectors.

load helper

# vectors GROUP
vectors() {
    run "$TOOLS/http" "$1"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *" checks, 0 wrong" ]]
}

@test "heads: what is in them; lengths and codings that are not all readers' are refused" {
    vectors heads
}

@test "what is no head is refused with the first byte that shows it" {
    vectors mistakes
}

@test "fields are found by their names" {
    vectors fields
}

@test "bodies: lengths and chunks, cut anywhere; what is malformed stays so; framing is bounded" {
    vectors bodies
}

@test "chunks that are written are read again" {
    vectors chunks
}

@test "a reader takes heads from a socket, cut anywhere, and no byte beyond" {
    vectors reader
}
