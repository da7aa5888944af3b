# Backpressure: a side that does not read stops the one that sends, and takes
# no memory.

load helper

# The largest of its memory and $most, in $most.
at_most() {
    local now

    now=$(memory_kb "$1")
    [ "$now" -le "$most" ] || most=$now
}

@test "one side stops reading for 10 s while the other sends 1 GiB" {
    start_all
    bytes=$(scaled 1073741824)
    start down "$TOOLS/load" client "$PUBLIC" --mode both --up 1000 --down "$bytes" --pause-client 10000
    start up "$TOOLS/load" client "$PUBLIC" --mode both --up "$bytes" --down 1000 --pause-server 10000
    wait_said relayd '^pair ' 2
    wait_said connect '^pair ' 2
    began=$(now_ms)
    children="$(offspring relayd) $(offspring connect)"
    declare -A first largest
    for pid in $children; do
        first[$pid]=$(memory_kb "$pid")
        largest[$pid]=${first[$pid]}
    done
    while [ $(($(now_ms) - began)) -lt 9000 ]; do
        for pid in $children; do
            most=${largest[$pid]}
            at_most "$pid"
            largest[$pid]=$most
        done
        sleep 0.25
        # Once the buffers are full, nothing is to be done.
        [ -n "${busy-}" ] || [ $(($(now_ms) - began)) -lt 4000 ] || busy=$(for pid in $children; do cpu_ms "$pid"; done)
    done
    idle=$(for pid in $children; do cpu_ms "$pid"; done)
    for pid in $children; do
        echo "session child $pid: from ${first[$pid]} to ${largest[$pid]} KiB"
        [ $((largest[$pid] - first[$pid])) -lt 256 ]
    done
    echo "processor ms at 4 s:" $busy "and at 9 s:" $idle
    [ $(($(echo $idle | tr ' ' '+') - ($(echo $busy | tr ' ' '+')))) -lt 250 ]
    alive down
    alive up
    [ -z "$(tail -q -n 1 "$D/down.out" "$D/up.out")" ]
    wait_at_most 60 gone down
    wait_at_most 60 gone up
    wait_end down
    [ "$status" -eq 0 ]
    wait_end up
    [ "$status" -eq 0 ]
    load_served 2
}

@test "a client that stalls for ever holds nobody up" {
    start_all
    start stalled "$TOOLS/load" client "$PUBLIC" --mode both --down 1000000000 --pause-client 60000
    wait_said relayd '^pair '
    load_client "$PUBLIC" both --sessions 50 --at-once 10 --bytes 100000
}
