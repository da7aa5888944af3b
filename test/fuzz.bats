# The parsers against the seeds of the fuzz targets, their beginnings and their
# changes in one byte; `make fuzz` looks for new ones.

load helper

# replay TARGET: all of its seeds.
replay() {
    run env FUZZ_WRONG="$D/wrong" "test/fuzz/$1" -n "$(scaled 4000)" "test/fuzz/seeds/$1"/*
    echo "$output"
    [ ! -f "$D/wrong" ] || od -A d -c "$D/wrong"
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^[0-9]+\ inputs$ ]]
}

@test "addresses" {
    replay addr
}

@test "blocks of addresses" {
    replay cidr
}

@test "HTTP proxies, and what they answer" {
    replay forward_proxy
}

@test "frames and messages of the protocol hostpool" {
    replay hostpool_message
}

@test "bodies of HTTP" {
    replay http_body
}

@test "heads of HTTP" {
    replay http_head
}

@test "key files" {
    replay keyfile
}

@test "lines as they come in pieces" {
    replay line
}

@test "frames and streams of the protocol muxado" {
    replay mux
}

@test "the lines of the protocol new" {
    replay new_line
}

@test "PROXY headers" {
    replay proxy
}

@test "SHA-256 and HMAC" {
    replay sha256
}

@test "what relay-connect offers" {
    replay target
}

@test "texts and numbers" {
    replay text
}

@test "the lines of the protocol tlsrelay" {
    replay tlsrelay_line
}

@test "each target has seeds and is replayed, and all seeds have a target" {
    for file in test/fuzz/*.c; do
        name=$(basename "$file" .c)
        [ "$name" != replay ] || continue
        echo "$name"
        ls "test/fuzz/seeds/$name"/* >/dev/null
        grep -qx "    replay $name" test/fuzz.bats
    done
    for seeds in test/fuzz/seeds/*; do
        [ -f "test/fuzz/$(basename "$seeds").c" ]
    done
}

@test "make fuzz without clang says what is missing" {
    run make -s fuzz FUZZ_CC="$D/clang" FUZZ_SECONDS=1
    echo "$output"
    [ "$status" -ne 0 ]
    [[ "${lines[0]}" == "scripts/fuzz: there is no $D/clang: "*clang* ]]
}
