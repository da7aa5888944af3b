# --via: the relay is reached through a command.

load helper

# start_via COMMAND [OPTION...]: relayd, and a server of `load` behind it.
start_via() {
    COMMANDS[connect]=1
    start_relayd "${MANY[@]}" 127.0.0.1:0+8
    start_load
    start_connect -n web --via "$@" "127.0.0.1:$CONTROL" "$LOAD"
}

@test "sessions go both ways through socat, byte for byte" {
    start_via 'socat - TCP:%h:%p'
    load_client "$PUBLIC" both --sessions 10 --at-once 5 --bytes 1048576
    load_served 10
}
