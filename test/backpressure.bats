# Backpressure: a side that does not read stops the one that sends, and takes
# no memory.
# long: 20 s

load helper

# Of all session children.
processor_ms() {
    local pid sum=0

    for pid in $(offspring relayd) $(offspring connect); do
        sum=$((sum + $(cpu_ms "$pid")))
    done
    echo "$sum"
}

# The memory of the largest session child of either program.
largest_kb() {
    local pid

    for pid in $(offspring relayd) $(offspring connect); do
        memory_kb "$pid"
    done | sort -n | tail -n 1
}

@test "one side stops reading for 10 s while the other sends 1 GiB" {
    start_all
    # One that has moved nothing yet is what the others are measured by.
    dial "$PUBLIC"
    wait_said relayd '^pair '
    wait_said connect '^pair '
    base=$(largest_kb)
    bytes=$(scaled 1073741824)
    start down "$TOOLS/load" client "$PUBLIC" --mode both --up 1000 --down "$bytes" --pause-client 10000
    start up "$TOOLS/load" client "$PUBLIC" --mode both --up "$bytes" --down 1000 --pause-server 10000
    wait_said relayd '^pair ' 3
    wait_said connect '^pair ' 3
    began=$(now_ms)
    most=$base
    used=
    while [ $(($(now_ms) - began)) -lt 9000 ]; do
        now=$(largest_kb)
        [ "$now" -le "$most" ] || most=$now
        # Once all buffers are full there is nothing to do.
        [ -n "$used" ] || [ $(($(now_ms) - began)) -lt 4000 ] || used=$(processor_ms)
        sleep 0.25
    done
    used=$(($(processor_ms) - used))
    echo "session children: from $base to $most KiB; $used ms of the processor in 5 s"
    [ $((most - base)) -lt 256 ]
    [ "$used" -lt 250 ]
    alive down
    alive up
    for name in down up; do
        wait_at_most 60 gone "$name"
        wait_end "$name"
        [ "$status" -eq 0 ]
    done
    hang_up "$FD"
    wait_said relayd '^end .* up=[0-9]+ down='"$bytes"' .* reason=eof$'
}

@test "a client that stalls for ever holds nobody up" {
    start_all
    start stalled "$TOOLS/load" client "$PUBLIC" --mode both --down 1000000000 --pause-client 60000
    wait_said relayd '^pair '
    load_client "$PUBLIC" both --sessions 50 --at-once 10 --bytes 100000
}
