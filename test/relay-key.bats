# scripts/relay-key: a line for a key file.

load helper
load auth

@test "the line is one that both programs take, and another each time" {
    umask 077
    for shell in dash "busybox ash" bash; do
        command -v "${shell%% *}" >/dev/null || continue
        $shell "$ROOT/scripts/relay-key" cam max=3 >>"$D/lines"
    done
    "$ROOT/scripts/relay-key" cam max=3 >>"$D/lines"
    not grep -vxE 'cam [0-9a-f]{48} max=3' "$D/lines"
    [ "$(sort -u "$D/lines" | wc -l)" -eq "$(wc -l <"$D/lines")" ]
    tail -n 1 "$D/lines" | tee "$D/key" >"$D/keys"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    start_connect -k "$D/key" "127.0.0.1:$CONTROL" -- cat
    said relayd '^open service=cam '
}

bats_require_minimum_version 1.5.0

@test "a mistake: exit code 2, nothing on standard output" {
    for name in '' -x 'a b' a/b "$(printf 'n%.0s' {1..65})"; do
        run --separate-stderr "$ROOT/scripts/relay-key" "$name"
        [ "$status" -eq 2 ]
        [ -z "$output" ]
        [ -n "$stderr" ]
    done
}
