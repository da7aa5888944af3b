# A real SSH server behind it: OpenSSH, as it is.
# long: 20 s

load helper
load sshd

start_sshd() {
    run_sshd
    start_relayd
    start_connect -n ssh "127.0.0.1:$CONTROL" "127.0.0.1:$SSHD"
}

over_ssh() {
    timeout $((30 * TIME_FACTOR)) ssh "${OPTIONS[@]}" -p "$PUBLIC_PORT" "$@"
}

@test "a shell on a terminal" {
    start_sshd
    printf 'echo forty-$((6 * 7)); tty; exit 7\n' >"$D/typed"
    run over_ssh -tt 127.0.0.1 sh <"$D/typed"
    echo "$output"
    [ "$status" -eq 7 ]
    [[ $output = *forty-42* ]]
    [[ $output = */dev/pts/* ]]
}

@test "input goes in and output comes out" {
    start_sshd
    head -c 3000000 /dev/urandom >"$D/in"
    over_ssh 127.0.0.1 cat <"$D/in" >"$D/out"
    cmp "$D/in" "$D/out"
}

@test "scp of 100 MB each way, by checksum" {
    start_sshd
    head -c 104857600 /dev/urandom >"$D/big"
    timeout $((60 * TIME_FACTOR)) scp -q "${OPTIONS[@]}" -P "$PUBLIC_PORT" "$D/big" "127.0.0.1:$D/there"
    timeout $((60 * TIME_FACTOR)) scp -q "${OPTIONS[@]}" -P "$PUBLIC_PORT" "127.0.0.1:$D/there" "$D/back"
    [ "$(sha256sum "$D/big" "$D/there" "$D/back" | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 1 ]
    rm "$D/big" "$D/there" "$D/back"
}
