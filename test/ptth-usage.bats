# ptth: relay-connect's command line.

load helper
load ptth-connect

@test "a service that --listen cannot be for" {
    for wrong in ptth://127.0.0.1 ptth://127.0.0.1/ ptth://127.0.0.1/web ptth://127.0.0.1/web/ ptth://127.0.0.1//80 \
        ptth://127.0.0.1/web/80/ ptth://127.0.0.1/we%62/80 'ptth://127.0.0.1/web/80?x' ptth://127.0.0.1:0/web/80 \
        ptth://127.0.0.1:99999/web/80 ptth://:80/web/80 ptth:///web/80 ptth://::1/web/80 'ptth://[::1/web/80' \
        "ptth://127.0.0.1/$(printf 'n%.0s' {1..65})/80" "ptth://$(printf 'n%.0s' {1..300})/web/80"; do
        connect_mistake 'names no service: write ptth://HOST/SERVER/PORT' --listen 0 "$wrong"
    done
    for wrong in 127.0.0.1/web/80 http://127.0.0.1/web/80 new://127.0.0.1 -; do
        connect_mistake 'is no service for --listen' --listen 0 "$wrong"
    done
}

@test "an address that --listen cannot have" {
    for wrong in x 99999 -1 '' localhost:80 127.0.0.1: 127.0.0.1:x ::1:80; do
        connect_mistake 'is not [ADDR:]PORT for --listen' --listen "$wrong" ptth://127.0.0.1/web/80
    done
}

@test "--listen takes no TARGET, and no option of servers" {
    for more in localhost:80 -; do
        connect_mistake 'takes one service' --listen 0 ptth://127.0.0.1/web/80 "$more"
    done
    connect_mistake 'takes one service' --listen 0 ptth://127.0.0.1/web/80 -- cat
    for option in "-n web" "-r 3" "-P 1" "-1"; do
        connect_mistake 'serves clients' $option --listen 0 ptth://127.0.0.1/web/80
    done
    connect_mistake 'is not a COMMAND for --via' --via '%x' --listen 0 ptth://127.0.0.1/web/80
    connect_mistake 'two ways' --via cat --proxy http://127.0.0.1 --listen 0 ptth://127.0.0.1/web/80
}

@test "a service's URL is no RELAY, and wants --listen" {
    connect_mistake 'is not a RELAY' ptth://127.0.0.1/web/80 localhost:80
    connect_mistake 'no TARGET' ptth://127.0.0.1
    connect_mistake '--ready with ptth:// is 1 to 64' -r 0 ptth://127.0.0.1 localhost:80
    connect_mistake 'neither - nor -- COMMAND' -P 1 ptth://127.0.0.1 -
}

@test "a port that somebody has" {
    start_load
    run timeout 10 "${CONNECT_WORDS[@]}" --listen "$LOAD" ptth://127.0.0.1/web/80
    [ "$status" -eq 1 ]
    [[ $output == "relay-connect: cannot have the port $LOAD: Address already in use"* ]]
}

@test "--listen is on the loopback address unless another is given" {
    for at in 127.0.0.1 0.0.0.0 '[::1]' '[::]'; do
        start "connect$at" "${CONNECT_WORDS[@]}" --listen "$at:0" ptth://127.0.0.1:1/web/80
        wait_for test -s "$D/connect$at.out"
        [[ "$(cat "$D/connect$at.out")" == "$at:"* ]]
        listening "$(sed 's/.*://' "$D/connect$at.out")"
    done
    URL=ptth://127.0.0.1:1/web/80
    call
    [[ $LOCAL == 127.0.0.1:* ]]
}

start_relayd_at_80() {
    [ "$(id -u)" -eq 0 ] && ! listening 80 || skip "port 80 is not to be had"
    relayd_as relayd80 ptth:127.0.0.1:80
}

@test "IPv6 literals, and HTTP's own port goes without saying" {
    start_relayd "${MANY[@]}" 'ptth:[::1]:0'
    RELAY="[::1]:$CONTROL"
    start local socat 'TCP6-LISTEN:0,bind=[::1],fork,reuseaddr' EXEC:cat
    wait_for listening_of local
    port=${LOCAL_SERVER##*:}
    serve "[::1]:$port"
    [ "$URL" = "ptth://[::1]:$CONTROL/web/$port" ]
    call
    load_client "$LOCAL" echo --sessions 5 --bytes 100000
    start_relayd_at_80
    connect_as connect80 -n web ptth://127.0.0.1 localhost:9
    [ "$PUBLIC" = ptth://127.0.0.1/web/9 ]
}
