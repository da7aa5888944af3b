# Faults of the machine: calls that fail cost the one connection they are for.
# strace makes them fail (-e inject), in the programs as they are; it comes to
# a program that runs and goes again, so that what follows is seen too.
# long: 45 s

load helper
load auth
load hostpool

# strace's names; a ? is for calls that not every machine has.
FORK='?fork,?vfork,?clone,?clone3'

setup_file() {
    if ! command -v strace >/dev/null || ! strace -e trace=none -e inject=getppid:error=EIO true 2>/dev/null; then
        export NO_TRACING="ptrace is not permitted here, or there is no strace"
    fi
}

# Those that do not come to the programs themselves.
needs_strace() {
    [ -z "${NO_TRACING-}" ] || skip "$NO_TRACING"
    [ ${#RELAYD_WORDS[@]} -eq 1 ] && [ ${#CONNECT_WORDS[@]} -eq 1 ] || skip "the programs run under another one"
}

# break_calls NAME CALLS HOW [OPTION...]: from now on calls of the program, and of
# every process that came of it, fail; HOW is strace's: error=EAGAIN:when=1..3,
# counted in each process. What happened is in $D/trace.NAME.
break_calls() {
    local name=$1 calls=$2 how=$3 all

    shift 3
    mapfile -t all < <(ps -o pid= -s "${PID[$name]}" | sed 's/ *//; s/^/--attach=/')
    : >"$D/breaks_$name.err"
    start "breaks_$name" strace -f -o "$D/trace.$name" -e "trace=$calls" -e "inject=$calls:$how" "$@" "${all[@]}"
    for pid in "${all[@]#*=}"; do
        wait_for attached_or_gone "$name" "$pid"
    done
}

attached_or_gone() {
    said "breaks_$1" "Process $2 attached" || [ ! -e "/proc/$2" ]
}

mend_calls() {
    stop "breaks_$1"
}

# Calls that were made to fail so far, at least so many.
broken() {
    [ "$(grep -c INJECTED "$D/trace.$1")" -ge "$2" ]
}

served_client() {
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
}

hang_up_client() {
    hang_up "$CLIENT_FD"
    hang_up "$DATA_FD"
}

# other_programs FILE FLAG...: those that the test starts have FILE compiled so. The rest is compiled once for all tests.
other_programs() {
    local compile=(cc -std=c99 -D_POSIX_C_SOURCE=200809L -O1) objects

    mkdir "$D/other"
    (
        cd "$D/other"
        if [ ! -d "$BATS_FILE_TMPDIR/objects" ]; then
            "${compile[@]}" -c "$ROOT"/relayd.c "$ROOT"/relay-connect.c "$ROOT"/lib/*.c "$ROOT"/lib/proto/*.c \
                "$ROOT/test/tools/short_io.c"
            cp -r . "$BATS_FILE_TMPDIR/objects"
        fi
        cp "$BATS_FILE_TMPDIR/objects"/*.o .
        "${compile[@]}" "${@:2}" -c "$ROOT/$1"
        objects=$(ls ./*.o | grep -vE '/relayd?(-connect)?\.o$')
        cc -o relayd relayd.o $objects
        cc -o relay-connect relay-connect.o $objects
    )
    RELAYD_WORDS=("$D/other/relayd")
    CONNECT_WORDS=("$D/other/relay-connect")
}

# strace makes a call fail by giving it a number that is none: the sessions' filter would end them.
without_filter() {
    other_programs lib/sandbox.c -DNO_SECCOMP
}

# With neither a nursery nor a child there, a client takes two forks: the
# nursery's, and where that fails, a child's.
@test "relayd cannot fork: that client is refused, the next ones are served" {
    needs_strace
    start_relayd
    serve_by_hand web
    break_calls relayd "$FORK" error=EAGAIN:when=1..6
    for i in 1 2 3; do
        announced_client
        claim "$ID"
        [ "$(rest "$CLIENT_FD")" = "= reset" ]
        [ "$(rest "$DATA_FD")" = "= reset" ]
        wait_said relayd '^refuse service=web client=127\.0\.0\.1:[0-9]+ reason=limit$' "$i"
        hang_up_client
    done
    broken relayd 6
    served_client
    mend_calls relayd
    served_client
    [ "$(grep -c '^pause ' "$D/relayd.err")" -eq 1 ]
}

@test "relay-connect cannot fork: that client is refused, the next ones are served" {
    needs_strace
    start_all -c 1 127.0.0.1:0+8
    break_calls connect "$FORK" error=EAGAIN:when=1..6
    for i in 1 2 3; do
        dial "$PUBLIC"
        wait_said connect '^refuse service=web client=127\.0\.0\.1:[0-9]+ reason=limit error=' "$i"
        [ "$(rest "$FD")" = "= reset" ]
    done
    broken connect 6
    load_client "$PUBLIC" both --sessions 3
    mend_calls connect
    load_client "$PUBLIC" both --sessions 3
    # The local server hears nothing of the clients that are refused.
    load_served 6
    not said connect '^lost '
}

@test "the nursery cannot be forked: the parent forks the children" {
    needs_strace
    start_relayd
    serve_by_hand web
    break_calls relayd "$FORK" error=EAGAIN:when=1
    served_client
    broken relayd 1
    [ -z "$(nurseries relayd)" ]
    mend_calls relayd
    served_client
    [ -n "$(nurseries relayd)" ]
}

@test "the nursery cannot fork: that client is refused, the next ones are served" {
    needs_strace
    without_filter
    start_relayd
    serve_by_hand web
    served_client
    nursery=$(nurseries relayd)
    break_calls relayd "$FORK" error=EAGAIN:when=1..3
    for i in 1 2 3; do
        announced_client
        claim "$ID"
        [ "$(rest "$CLIENT_FD")" = "= reset" ]
        [ "$(rest "$DATA_FD")" = "= reset" ]
        wait_said relayd '^refuse service=web client=127\.0\.0\.1:[0-9]+ reason=limit$' "$i"
        hang_up_client
    done
    [ "$(grep -c "^$nursery .*INJECTED" "$D/trace.relayd")" -eq 3 ]
    served_client
    mend_calls relayd
    served_client
    [ "$(nurseries relayd)" = "$nursery" ]
}

# As where one that waits was killed, and that is not known yet.
@test "a process that waits does not take a session: another one does" {
    needs_strace
    start_relayd
    serve_by_hand web
    served_client
    first=$(value relayd '^pair ' pid)
    hang_up_client
    wait_said relayd '^end '
    break_calls relayd sendmsg error=EPIPE:when=1
    served_client
    broken relayd 1
    [ "$(value relayd '^pair ' pid)" != "$first" ]
    mend_calls relayd
    served_client
    not said relayd '^refuse '
}

@test "relay-connect cannot fork to reach its relay: it tries again" {
    needs_strace
    find_ports 4
    control=$CONTROL
    start_load
    start connect "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$control" "$LOAD"
    wait_said connect '^lost '
    break_calls connect "$FORK,socketpair" error=EAGAIN:when=1..3
    start_relayd "127.0.0.1:$control+4"
    wait_at_most 60 read_public connect
    broken connect 3
    mend_calls connect
    load_client "$PUBLIC" both --sessions 3
    load_served 3
}

# What accept() may say of a connection, of the machine, or of nothing.
@test "accept fails in every way: no spin, and the next client is served" {
    needs_strace
    start_relayd
    serve_by_hand web
    for error in ECONNABORTED EMFILE ENFILE ENOBUFS ENOMEM EPROTO EPERM EINTR EAGAIN EHOSTUNREACH; do
        echo "$error"
        break_calls relayd accept,accept4 "error=$error"
        dial "127.0.0.1:$SERVICE_PORT"
        CLIENT_FD=$FD
        wait_for broken relayd 1
        before=$(cpu_ms "${PID[relayd]}")
        calls=$(grep -c INJECTED "$D/trace.relayd")
        sleep 0.3
        used=$(($(cpu_ms "${PID[relayd]}") - before))
        calls=$(($(grep -c INJECTED "$D/trace.relayd") - calls))
        echo "in 0.3 s $calls calls, $used ms of the processor"
        [ "$calls" -lt 600 ]
        [ "$used" -lt $((150 * TIME_FACTOR)) ]
        mend_calls relayd
        expect "$CONTROL_FD" '\[NEW\][0-9]+ id=([0-9a-f]{32}) from=127\.0\.0\.1:[0-9]+'
        claim "${BASH_REMATCH[1]}"
        talks "$CLIENT_FD" "$DATA_FD"
        hang_up_client
    done
    # Once in 10 s, of these at most 20.
    [ "$(grep -c '^pause ' "$D/relayd.err")" -le $((2 + 2 * TIME_FACTOR)) ]
}

@test "the system has no random bytes: no id goes out, that client alone is refused" {
    needs_strace
    start_relayd
    serve_by_hand web
    served_client
    break_calls relayd getrandom error=EIO
    for i in 1 2 3; do
        dial "127.0.0.1:$SERVICE_PORT"
        [ "$(rest "$FD")" = "= reset" ]
        wait_said relayd '^refuse service=web client=127\.0\.0\.1:[0-9]+ reason=random$' "$i"
    done
    broken relayd 3
    mend_calls relayd
    # The next line is of the next client: nothing was said of the others.
    served_client
    [[ $ID =~ [1-9a-f] ]]
    not said relayd '^close '
}

@test "no random bytes where keys are in use: nobody is let in, then it goes on" {
    needs_strace
    write_keys "web $KEY"
    key_of "web $KEY"
    start_relayd -k "$D/keys" 127.0.0.1:0+8
    break_calls relayd getrandom error=ENOSYS
    dial_control
    say "$FD" "[HELLO] v=1 name=web nonce=$(nonce)"
    expect "$FD" '\[ERROR\] full .*'
    start_load
    start connect "${CONNECT_WORDS[@]}" -k "$D/key" "127.0.0.1:$CONTROL" "$LOAD"
    wait_said connect '^lost .* reason=full'
    mend_calls relayd
    wait_for read_public connect
    load_client "$PUBLIC" both --sessions 3
    load_served 3
}

@test "no random bytes in relay-connect: it waits longer instead of spinning" {
    needs_strace
    find_ports 4
    control=$CONTROL
    start connect "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$control" localhost:1
    wait_said connect '^lost '
    break_calls connect getrandom error=EIO
    wait_for broken connect 2
    wait_said connect '^retry .* in_ms=1000$' 2
    mend_calls connect
    start_relayd "127.0.0.1:$control+4"
    wait_for read_public connect
}

@test "the loop's own wait fails: it goes on" {
    needs_strace
    without_filter
    start_all
    # Some, not for ever: a call that strace leaves in the middle fails for another reason.
    for error in EINTR:when=1..41+2 ENOMEM:when=1..9; do
        break_calls relayd pselect6,ppoll,poll "error=$error"
        break_calls connect pselect6,ppoll,poll "error=$error"
        dial "$PUBLIC"
        wait_for broken relayd 1
        wait_for broken connect 1
        [[ $error = EINTR* ]] || { wait_for broken relayd 9; wait_for broken connect 9; }
        [[ $error != EINTR* ]] || { load_client "$PUBLIC" both --sessions 40; wait_for broken relayd 20; wait_for broken connect 20; }
        mend_calls relayd
        mend_calls connect
        hang_up "$FD"
        alive relayd
        alive connect
        load_client "$PUBLIC" both --sessions 5
    done
    not said relayd '^close '
}

@test "standard error is full from the start: everything is served" {
    find_ports 4
    control=$CONTROL
    start relayd bash -c 'exec "$@" 2>/dev/full' relayd "${RELAYD_WORDS[@]}" "127.0.0.1:$control+4"
    wait_for listening "$control"
    start_load
    start connect bash -c 'exec "$@" 2>/dev/full' connect "${CONNECT_WORDS[@]}" -n web "127.0.0.1:$control" "$LOAD"
    wait_for read_public connect
    load_client "$PUBLIC" both --sessions 30 --at-once 10 --bytes 100000
    load_served 30
    PORTS+=("$control" "${POOL[@]}")
}

@test "standard error fails for a while: nothing stops, and it says how many lines are missing" {
    needs_strace
    start_all
    for error in ENOSPC EIO EAGAIN EINTR; do
        echo "$error"
        # Writes to the log alone, by its path.
        break_calls relayd write "error=$error" -P "$(readlink -f "$D/relayd.err")"
        break_calls connect write "error=$error" -P "$(readlink -f "$D/connect.err")"
        before=$(grep -c . "$D/relayd.err")
        load_client "$PUBLIC" both --sessions 5
        wait_for broken relayd 10
        wait_for broken connect 10
        wait_for no_offspring_but_strace
        [ "$(grep -c . "$D/relayd.err")" -eq "$before" ]
        mend_calls relayd
        mend_calls connect
        load_client "$PUBLIC" both --sessions 1
        wait_said relayd '^end '
    done
    load_served 24
    said relayd '^dropped lines=[1-9][0-9]*$' 4
    said connect '^dropped lines=[1-9][0-9]*$' 4
    [ "$(grep -oE '^dropped lines=[0-9]+' "$D/relayd.err" | head -n 1)" = "dropped lines=10" ]
}

no_offspring_but_strace() {
    no_offspring relayd && no_offspring connect
}

# What a connection is set up with. The load server may see connections that were given up.
# relayd makes a process for each session, relay-connect uses them again.
@test "setsockopt, getsockname, fcntl and others fail: that connection at most" {
    needs_strace
    start_all -c 1 --spare-children 0 127.0.0.1:0+8
    for calls in setsockopt getsockopt,getsockname,getpeername fcntl,ioctl,prctl shutdown socket,connect recvfrom read,poll; do
        echo "$calls"
        break_calls relayd "$calls" error=ENOBUFS:when=1..5
        break_calls connect "$calls" error=ENOBUFS:when=1..5
        load_client "$PUBLIC" both --sessions 4 --at-once 4 --bytes 1000 --timeout 3 || :
        broken relayd 1 || broken connect 1
        mend_calls relayd
        mend_calls connect
        alive relayd
        alive connect
        wait_for served_again
    done
}

served_again() {
    load_client "$PUBLIC" both --sessions 1 --bytes 1000 --timeout 3
}

@test "EAGAIN and EINTR in the middle of a transfer lose no byte" {
    needs_strace
    without_filter
    start_all
    n=$(scaled 10000000) served=0
    for error in EAGAIN EINTR; do
        # The first 60 calls of a process are as ever: the programs themselves make fewer.
        for name in relayd connect; do
            break_calls "$name" read,write,poll,ppoll "error=$error:when=60+3"
        done
        load_client "$PUBLIC" both --sessions 1 --bytes "$n"
        # Who is let go in the middle of a call that was to fail is told that there is no such call.
        wait_said connect '^end ' $((++served))
        wait_said relayd '^end ' "$served"
        for name in relayd connect; do
            broken "$name" 30
            mend_calls "$name"
        done
    done
    load_served 2
    said relayd "^end service=web .* up=$((n + 40)) down=$n .* reason=eof$" 2
}

@test "short reads and writes lose no byte" {
    # strace cannot make a call do less than it was asked to and nevertheless do that.
    other_programs lib/copy.c -Dread=short_read -Dwrite=short_write
    nm -u "$D/other/copy.o" | grep -q short_write
    start_all
    n=$(scaled 10000000)
    load_client "$PUBLIC" both --sessions 5 --at-once 5 --bytes "$n"
    load_client "$PUBLIC" both --sessions 50 --at-once 10 --bytes 1000
    load_served 55
    said relayd "^end service=web .* up=$((n + 40)) down=$n .* reason=eof$" 5
}

@test "a thousand signals a second to every process: a gigabyte is exact" {
    start_all
    n=$(scaled 536870912)
    start giant "$TOOLS/load" client "$PUBLIC" --mode both --bytes "$n" --timeout 60
    wait_said relayd '^pair '
    wait_said connect '^pair '
    "$TOOLS/storm" $((60 * TIME_FACTOR)) $(offspring relayd) $(offspring connect) >"$D/storm.children" &
    children=$!
    start storm "$TOOLS/storm" $((60 * TIME_FACTOR)) "${PID[relayd]}" "${PID[connect]}"
    wait_at_most 60 gone giant
    wait_end giant
    [ "$status" -eq 0 ]
    wait "$children"
    echo "$(cat "$D/storm.children") signals to session processes"
    [ "$(cat "$D/storm.children")" -gt 200 ]
    # The programs are in it still.
    load_client "$PUBLIC" both --sessions 20 --at-once 5
    stop storm KILL
    load_served 21
    said relayd "^end service=web .* up=$((n + 40)) down=$n .* reason=eof$"
}

@test "hostpool: a command that cannot be written costs that command connection, and no client its server" {
    needs_strace
    start_pool
    command_connection
    other=$COMMAND_FD
    command_connection
    spares 3
    # The youngest is told first.
    break_calls relayd write error=EAGAIN:when=1
    client
    opened "$other" 1
    [ "$(rest "$COMMAND_FD")" = "= eof" ]
    mend_calls relayd
    wait_said relayd "^close service=hostpool-$CONTROL reason=slow from="
    talks "$CLIENT_FD" "${SPARES[0]}"
    # The last one: nobody would know of the client, which waits for the next.
    break_calls relayd write error=EAGAIN:when=1
    client
    [ "$(rest "$other")" = "= eof" ]
    mend_calls relayd
    [ "$(rest "${SPARES[1]}")" = "= reset" ]
    silent "${SPARES[2]}"
    silent "$CLIENT_FD"
    command_connection
    opened "$COMMAND_FD" 3
    talks "$CLIENT_FD" "${SPARES[2]}"
}
