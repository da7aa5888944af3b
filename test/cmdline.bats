# The command line: a mistake is exit code 2 and one sentence that names what
# to change.

load helper

# mistake TEXT COMMAND...: it says TEXT in one line on standard error.
mistake() {
    local text=$1

    shift
    echo "$*"
    status=0
    timeout 10 "$@" >"$D/mistake.out" 2>"$D/mistake" </dev/null || status=$?
    cat "$D/mistake"
    [ "$status" -eq 2 ]
    [ "$(wc -l <"$D/mistake")" -eq 1 ]
    [ ! -s "$D/mistake.out" ]
    grep -qF -- "$text" "$D/mistake"
}

relayd() {
    mistake "$1" "${RELAYD_WORDS[@]}" "${@:2}"
}

relay_connect() {
    mistake "$1" "${CONNECT_WORDS[@]}" "${@:2}"
}

@test "relayd: options" {
    relayd --wrong --wrong
    relayd -x -x
    relayd --claim-timeout --claim-timeout
    relayd claim-timeout -c
    relayd claim-timeout -c 0
    relayd claim-timeout -c ten
    relayd idle-timeout -i -1
    relayd max-sessions --max-sessions 0
    relayd max-sessions --max-sessions=many
    relayd max-per-service --max-per-service 99999999999999999999
    relayd max-per-source --max-per-source ''
    relayd max-waiting --max-waiting -5
    relayd ping-interval --ping-interval 0
    relayd silence-timeout --silence-timeout 1
    relayd max-log-rate --max-log-rate 0
    relayd keys -k
    relayd plain --plain=yes
}

@test "relayd: LISTEN" {
    relayd 99999 99999
    relayd 127.0.0.1:x 127.0.0.1:x
    relayd nothing:1 nothing:1
    relayd 65000+1000 127.0.0.1:65000+1000
    relayd 1+x 127.0.0.1:1+x
    relayd '1+' 127.0.0.1:1+
    relayd example.org example.org:1
}

@test "relay-connect: options" {
    relay_connect --wrong --wrong 127.0.0.1 localhost:80
    relay_connect name -n
    relay_connect name -n a/b 127.0.0.1 localhost:80
    relay_connect name -n "$(printf 'n%.0s' {1..65})" 127.0.0.1 localhost:80
    relay_connect connect-timeout -c 0 127.0.0.1 localhost:80
    relay_connect once --once=yes 127.0.0.1 localhost:80
}

@test "relay-connect: RELAY and TARGET" {
    relay_connect RELAY
    relay_connect TARGET 127.0.0.1
    relay_connect COMMAND 127.0.0.1 --
    relay_connect gopher gopher://127.0.0.1 localhost:80
    relay_connect 127.0.0.1:x 127.0.0.1:x localhost:80
    relay_connect 127.0.0.1:0 127.0.0.1:0 localhost:80
    relay_connect localhost 127.0.0.1 localhost
    relay_connect localhost:99999 127.0.0.1 localhost:99999
    relay_connect 99999:localhost:80 127.0.0.1 99999:localhost:80
    relay_connect a/b=localhost:80 127.0.0.1 a/b=localhost:80
    relay_connect - 127.0.0.1 - localhost:80
    relay_connect same 127.0.0.1 same=localhost:80 same=localhost:81
}

@test "--help is on standard output and names every option" {
    "${RELAYD_WORDS[@]}" --help >"$D/help" 2>"$D/errors"
    for option in -H --public-host -c --claim-timeout -i --idle-timeout -u --user --chroot --max-sessions --max-per-service \
        --max-per-source --max-waiting --help --version LISTEN; do
        grep -qF -- "$option" "$D/help" || { echo "$option"; false; }
    done
    "${CONNECT_WORDS[@]}" --help >"$D/help" 2>>"$D/errors"
    for option in -n --name -1 --once -c --connect-timeout --help --version RELAY TARGET COMMAND; do
        grep -qF -- "$option" "$D/help" || { echo "$option"; false; }
    done
    [ ! -s "$D/errors" ]
    [ "$(wc -L <"$D/help")" -le 100 ]
}

@test "--version is one line with the program's name" {
    "${RELAYD_WORDS[@]}" --version | grep -qxE 'relayd [0-9]+(\.[0-9]+)+'
    "${CONNECT_WORDS[@]}" --version | grep -qxE 'relay-connect [0-9]+(\.[0-9]+)+'
}

@test "options may be written long, short and together" {
    start_relayd --claim-timeout=5 -i7 --max-waiting 3 127.0.0.1:0+2
    start connect "${CONNECT_WORDS[@]}" -1n web "127.0.0.1:$CONTROL" localhost:1
    wait_said relayd '^open service=web '
}

@test "relayd alone listens on the loopback address" {
    ! ss -Htan "sport >= :62514 and sport <= :62714" | grep -q . || skip "port 62514 is in use"
    relayd_as relayd
    said relayd '^listen proto=new addr=127\.0\.0\.1:62514 pool=62515-62714$'
}
