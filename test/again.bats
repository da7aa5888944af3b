# Again: processes that serve sessions one after the other, and the nursery that
# makes them.
# long: 60 s

load helper
load auth
load limits

# A session by hand: sets CLIENT_FD, DATA_FD, and SESSION_PID, its process in relayd.
served_client() {
    announced_client
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    SESSION_PID=$(value relayd '^pair ' pid)
}

# ends_well [COUNT]: so many have ended, that one among them.
ends_well() {
    hang_up "$CLIENT_FD"
    hang_up "$DATA_FD"
    wait_said relayd '^end .* reason=eof$' "${1:-1}"
}

# One session through both programs, seen to its end; the third is that of all.
one_session() {
    load_client "$PUBLIC" "${2:-both}" --sessions 1 --bytes "${3:-10000}"
    wait_said relayd '^end ' "$1"
    wait_said connect '^end ' "$1"
}

# Whose sessions a program has logged: a pid for each.
served_by() {
    sed -n 's/^pair .* pid=\([0-9]*\) .*/\1/p' "$D/$1.err"
}

distinct() {
    sort -u | wc -l
}

idle_count() {
    [ "$(idle_children "$1" | wc -l)" -eq "$2" ]
}

nobody_waits() {
    [ -z "$(idle_children "$1")$(nurseries "$1")" ]
}

has_descriptors() {
    [ "$(descriptors "$1")" -eq "$2" ]
}

# So many milliseconds have gone since $began.
took_at_least() {
    local took=$(($(now_ms) - began))

    echo "it took $took ms"
    [ "$took" -ge "$1" ]
}

is_root() {
    [ "$(id -u)" -eq 0 ] || skip "only root can"
}

# --- who serves what

@test "one process serves sessions one after the other, in both programs" {
    start_all
    for i in 1 2 3 4 5; do
        one_session "$i"
    done
    [ "$(served_by relayd | distinct)" -eq 1 ]
    [ "$(served_by connect | distinct)" -eq 1 ]
    load_served 5
}

# As the log has it, where one session's end comes before the next one's pair.
never_two_in_one() {
    sed -n 's/^\(pair\|end\) .* pid=\([0-9]*\) .*/\1 \2/p' "$D/$1.err" |
        awk '$1 == "pair" {if (busy[$2]++) exit 1} $1 == "end" {busy[$2]--}'
}

@test "no process has two sessions at a time" {
    start_all "${MANY[@]}" 127.0.0.1:0+8
    n=$(scaled 300)
    load_client "$PUBLIC" both --sessions "$n" --at-once 10 --bytes 20000
    wait_said relayd '^end ' "$n"
    wait_said connect '^end ' "$n"
    for name in relayd connect; do
        never_two_in_one "$name"
        echo "$n sessions of $name in $(served_by "$name" | distinct) processes"
        [ "$(served_by "$name" | distinct)" -le $((n / 2)) ]
        [ "$(served_by "$name" | distinct)" -ge 2 ]
    done
    load_served "$n"
}

@test "--child-uses 1: each session has a process of its own" {
    start_relayd --child-uses 1 127.0.0.1:0+2
    start_load
    start_connect --child-uses 1 "127.0.0.1:$CONTROL" "$LOAD"
    for i in 1 2 3; do
        one_session "$i"
        wait_at_most 3 idle_count relayd 0
        wait_at_most 3 idle_count connect 0
    done
    [ "$(served_by relayd | distinct)" -eq 3 ]
    [ "$(served_by connect | distinct)" -eq 3 ]
    load_served 3
}

@test "--child-uses 3: a process serves three sessions" {
    start_relayd --child-uses 3 127.0.0.1:0+2
    start_load
    start_connect --child-uses 3 "127.0.0.1:$CONTROL" "$LOAD"
    for i in {1..7}; do
        one_session "$i"
    done
    for name in relayd connect; do
        [ "$(served_by "$name" | uniq -c | awk '{print $1}' | tr '\n' ' ')" = "3 3 1 " ]
    done
    load_served 7
}

@test "the child after the next one is made while the last session of this one runs" {
    start_relayd --child-uses 2 127.0.0.1:0+2
    serve_by_hand web
    served_client
    ends_well
    served_client
    wait_at_most 3 idle_count relayd 1
    first=$SESSION_PID next=$(idle_children relayd)
    served_client
    [ "$SESSION_PID" != "$first" ]
    [ "$SESSION_PID" = "$next" ]
}

one_is_idle() {
    [ -n "$(idle_children relayd)" ]
}

# It is waited for before the relay knows that it is its own.
@test "a child that is killed before its nursery has said that it is there is missed by nobody" {
    command -v strace >/dev/null && strace -e trace=none true 2>/dev/null || skip "strace is not permitted here"
    start_relayd --child-uses 2 127.0.0.1:0+2
    serve_by_hand web
    served_client
    ends_well
    nursery=$(nurseries relayd)
    start delay strace -o "$D/trace" -e trace=clone -e inject=clone:delay_exit=1000000 -p "$nursery"
    wait_said delay "Process $nursery attached"
    served_client
    ends_well 2
    wait_for one_is_idle
    killed=$(idle_children relayd)
    kill -KILL "$killed"
    wait_for not test -e "/proc/$killed"
    wait_for grep -q clone "$D/trace"
    stop delay
    served_client
    [ "$SESSION_PID" != "$killed" ]
    ends_well 3
    not said relayd '^refuse '
}

@test "--spare-children 0: none is kept" {
    start_relayd --spare-children 0 127.0.0.1:0+2
    start_load
    start_connect --spare-children 0 "127.0.0.1:$CONTROL" "$LOAD"
    for i in 1 2; do
        one_session "$i"
        wait_at_most 3 idle_count relayd 0
        wait_at_most 3 idle_count connect 0
    done
    [ "$(served_by relayd | distinct)" -eq 2 ]
    [ "$(served_by connect | distinct)" -eq 2 ]
    load_served 2
}

@test "--spare-children 2: of five two are kept" {
    start_relayd --spare-children 2 127.0.0.1:0+2
    serve_by_hand web
    for i in 1 2 3 4 5; do
        served_client
        clients[i]=$CLIENT_FD servers[i]=$DATA_FD
    done
    for i in 1 2 3 4 5; do
        CLIENT_FD=${clients[i]} DATA_FD=${servers[i]}
        ends_well "$i"
    done
    wait_at_most 3 idle_count relayd 2
}

@test "idle children leave after 5 s, then the nursery; parents have the descriptors that they had" {
    start_all
    relayd=$(descriptors relayd) connect=$(descriptors connect)
    load_client "$PUBLIC" both --sessions 20 --at-once 5
    wait_said relayd '^end ' 20
    wait_said connect '^end ' 20
    began=$(now_ms)
    for name in relayd connect; do
        [ -n "$(idle_children "$name")" ]
        [ -n "$(nurseries "$name")" ]
    done
    wait_for idle_count relayd 0
    took_at_least 4000
    wait_for idle_count connect 0
    [ -n "$(nurseries relayd)" ]
    wait_for nobody_waits relayd
    wait_for nobody_waits connect
    wait_for has_descriptors relayd "$relayd"
    wait_for has_descriptors connect "$connect"
    load_served 20
}

# --- deaths

@test "kill -9 of an idle child: the next client is served by another one, and the log has nothing of it" {
    start_relayd
    serve_by_hand web
    served_client
    ends_well 1
    killed=$SESSION_PID
    kill -KILL "$killed"
    served_client
    [ "$SESSION_PID" != "$killed" ]
    ends_well 2
    not said relayd killed
}

@test "kill -9 of a process that is used again: that session is reset, the others go on" {
    start_relayd
    serve_by_hand web
    served_client
    ends_well 1
    killed=$SESSION_PID
    served_client
    [ "$SESSION_PID" = "$killed" ]
    killed_client=$CLIENT_FD killed_server=$DATA_FD
    served_client
    kill -KILL "$killed"
    [ "$(rest "$killed_client")" = "= reset" ]
    [ "$(rest "$killed_server")" = "= reset" ]
    wait_said relayd "^end .* pid=$killed up=0 down=0 .* reason=killed$"
    talks "$CLIENT_FD" "$DATA_FD"
    ends_well 2
    served_client
    [ "$SESSION_PID" != "$killed" ]
    ends_well 3
}

new_nursery() {
    served_client
    kept+=("$CLIENT_FD")
    [ -n "$(nurseries relayd)" ] && [ "$(nurseries relayd)" != "$1" ]
}

@test "kill -9 of the nursery: sessions go on, the next ones are served, and another nursery comes" {
    start_relayd
    serve_by_hand web
    served_client
    client=$CLIENT_FD server=$DATA_FD
    killed=$(nurseries relayd)
    kill -KILL "$killed"
    served_client
    wait_for new_nursery "$killed"
    talks "$client" "$server"
    not said relayd '^refuse '
}

@test "SIGSTOP of the nursery: the next client is served within 5 s, and another nursery comes" {
    start_relayd
    serve_by_hand web
    served_client
    stopped=$(nurseries relayd)
    kill -STOP "$stopped"
    announced_client
    began=$(now_ms)
    claim "$ID"
    talks "$CLIENT_FD" "$DATA_FD"
    not took_at_least $((5000 * TIME_FACTOR))
    wait_for new_nursery "$stopped"
}

# It makes the child, but is held up before it says so.
@test "a nursery that answers too late leaves no second process for that session" {
    command -v strace >/dev/null && strace -e trace=none true 2>/dev/null || skip "strace is not permitted here"
    start_relayd
    serve_by_hand web
    served_client
    nursery=$(nurseries relayd)
    start delay strace -f -o "$D/trace" -e trace=clone -e inject=clone:delay_exit=4000000 -p "$nursery"
    wait_said delay "Process $nursery attached"
    served_client
    stop delay
    wait_at_most 3 talks_and_nobody_waits
    offspring_count relayd 2
}

# It is never quiet.
talks_and_nobody_waits() {
    talks "$CLIENT_FD" "$DATA_FD"
    idle_count relayd 0
}

@test "kill -9 of relayd and relay-connect: busy processes finish, those that wait leave" {
    start_all
    hold_sessions "$PUBLIC" 3
    load_client "$PUBLIC" both --sessions 5 --at-once 5
    stop relayd KILL
    stop connect KILL
    wait_at_most 3 nobody_waits relayd
    wait_at_most 3 nobody_waits connect
    offspring_count relayd 3
    offspring_count connect 3
    all_alive 3
    finish_held
    wait_for no_offspring relayd
    wait_for no_offspring connect
    load_served 8
}

@test "USR1 with idle children: it leaves at once, and so do they" {
    start_all
    one_session 1
    [ -n "$(idle_children relayd)" ]
    began=$(now_ms)
    stop connect USR1
    [ "$status" -eq 0 ]
    stop relayd USR1
    [ "$status" -eq 0 ]
    not took_at_least $((4000 * TIME_FACTOR))
    wait_at_most 3 nobody_waits relayd
    wait_at_most 3 nobody_waits connect
}

@test "INT with idle children: the sessions are reset, it leaves, and nobody waits" {
    start_relayd
    serve_by_hand web
    served_client
    client=$CLIENT_FD
    served_client
    ends_well 1
    [ -n "$(idle_children relayd)" ]
    stop relayd INT
    [ "$status" -eq 0 ]
    [ "$(rest "$client")" = "= reset" ]
    wait_for nobody_waits relayd
    said relayd '^end .* reason=killed$'
}

# --- what is left of a session

# What descriptors a process has, but for sockets' and pipes' numbers.
descriptors_of() {
    readlink "/proc/$1/fd/"* | sed 's/:.*//' | sort | uniq -c | awk '{print $2 "=" $1}' | tr '\n' ' '
}

@test "a child that waits has three times /dev/null, its channel and the socket for reports" {
    start_all
    one_session 1 both 1048576
    one_session 2 both 1048576
    for name in relayd connect; do
        [ "$(descriptors_of "$(idle_children "$name")")" = "/dev/null=3 socket=2 " ]
    done
    [ "$(descriptors_of "$(nurseries relayd)")" = "/dev/null=3 socket=2 " ]
    load_served 2
}

@test "a child that is used again has the two connections more" {
    start_relayd
    serve_by_hand web
    served_client
    ends_well 1
    first=$SESSION_PID
    served_client
    [ "$SESSION_PID" = "$first" ]
    [ "$(descriptors_of "$SESSION_PID")" = "/dev/null=3 socket=4 " ]
}

quiet() {
    [ "$(descriptors_of "$1")" = "/dev/null=3 socket=3 " ]
}

@test "a quiet session's child has no channel, and is not used again" {
    start_relayd
    serve_by_hand web
    served_client
    wait_for quiet "$SESSION_PID"
    first=$SESSION_PID
    talks "$CLIENT_FD" "$DATA_FD"
    ends_well 1
    wait_at_most 3 test ! -e "/proc/$first"
    served_client
    [ "$SESSION_PID" != "$first" ]
    ends_well 2
}

# However one ended, the next has its own bytes and counts.
@test "sessions that are reset, cut or half closed leave nothing to the next one in that process" {
    start_all
    i=0
    for mode in client-resets server-resets client-cuts server-cuts half-client-resets half-server-resets; do
        echo "$mode"
        one_session $((i + 1)) "$mode" 300000
        one_session $((i + 2)) both 12345
        i=$((i + 2))
        for name in relayd connect; do
            [[ $(grep '^end ' "$D/$name.err" | tail -n 1) = *" up=12385 down=12345 "*" reason=eof" ]]
        done
    done
    [ "$(served_by relayd | distinct)" -eq 1 ]
    [ "$(served_by connect | distinct)" -eq 1 ]
    load_served 12
}

# It has written much, and cannot go on.
stuck() {
    local before=$written

    written=$(sed -n 's/^wchar: //p' "/proc/$1/io")
    [ "$written" -gt 100000 ] && [ "$written" = "$before" ]
}

@test "a client that never reads, and is gone, leaves its bytes to nobody" {
    start_relayd
    serve_by_hand web
    served_client
    first=$SESSION_PID
    (
        hang_up "$CLIENT_FD"
        exec yes >&"$DATA_FD" 2>/dev/null
    ) &
    writer=$! written=0
    wait_for stuck "$writer"
    hang_up "$CLIENT_FD"
    not wait "$writer"
    wait_said relayd '^end .* reason=reset$'
    announced_client
    claim "$ID"
    silent "$CLIENT_FD"
    silent "$DATA_FD"
    talks "$CLIENT_FD" "$DATA_FD"
    [ "$(value relayd '^pair ' pid)" = "$first" ]
    ends_well 1
}

# --- what they can do

sandboxed() {
    [ "$(status_of "$1" NoNewPrivs)" = 1 ]
    [ "$(status_of "$1" Seccomp)" = 2 ]
    [ "$(limits_of "$1" 'Max core file size')" = "0 0" ]
    [ "$(limits_of "$1" 'Max file size')" = "0 0" ]
}

@test "a process that is used again is held as a new one, and so is the nursery" {
    [ "$("$TOOLS/forbidden" on)" = on ] || skip "no filter here"
    start_all
    one_session 1
    hold_sessions "$PUBLIC" 1
    for name in relayd connect; do
        pid=$(value "$name" '^pair ' pid)
        [ "$(served_by "$name" | distinct)" -eq 1 ]
        sandboxed "$pid"
        [ "$(limits_of "$pid" 'Max processes')" = "0 0" ]
        sandboxed "$(nurseries "$name")"
        [ "$(status_of "${PID[$name]}" Seccomp)" = 0 ]
    done
    finish_held
    load_served 2
}

# start_with_keys [OPTION...]: both programs, and a session that has ended.
start_with_keys() {
    write_keys "web $KEY"
    key_of "web $KEY"
    start_relayd "$@" -k "$D/keys" 127.0.0.1:0+2
    start_load
    start_connect -k "$D/key" "127.0.0.1:$CONTROL" "$LOAD"
    one_session 1
}

# knows_no_key NAME: what came of it, while it has the key itself.
knows_no_key() {
    local pid

    "$TOOLS/remembers" "${PID[$1]}" "$KEY"
    for pid in $(idle_children "$1") $(nurseries "$1"); do
        not "$TOOLS/remembers" "$pid" "$KEY"
    done
}

@test "neither the nursery nor a child that waits has a key in its memory" {
    is_root
    start_with_keys
    # A slow build may take longer to be looked through than they wait.
    for name in relayd connect; do
        [ -n "$(idle_children "$name")" ]
        [ -n "$(nurseries "$name")" ]
    done
    knows_no_key relayd
    knows_no_key connect
}

# --- where there is less

# They have served so many and serve three more, all by one process each.
serves_again() {
    for i in 1 2 3; do
        one_session $(($1 + i))
    done
    [ "$(served_by relayd | distinct)" -eq 1 ]
    [ "$(served_by connect | distinct)" -eq 1 ]
}

@test "without /proc the nursery is a copy of the parent, without its keys" {
    is_root
    [ "$TIME_FACTOR" -eq 1 ] || skip "sanitizers need /proc"
    without=(unshare -m sh -c 'umount -l /proc && exec "$@"' sh)
    "${without[@]}" true 2>/dev/null || skip "there can be no mount namespace here"
    RELAYD_WORDS=("${without[@]}" "${RELAYD_WORDS[@]}")
    CONNECT_WORDS=("${without[@]}" "${CONNECT_WORDS[@]}")
    start_with_keys
    for name in relayd connect; do
        [ -n "$(nurseries "$name")" ]
        knows_no_key "$name"
    done
    serves_again 1
    load_served 4
}

@test "a program that may not execute its own file has a copy as its nursery, without its keys" {
    is_root
    [ ${#RELAYD_WORDS[@]} -eq 1 ] || skip "relayd runs under another program"
    cp "${RELAYD_WORDS[0]}" "$D/relayd"
    chmod 700 "$D/relayd"
    RELAYD_WORDS=("$D/relayd")
    start_with_keys -u nobody
    [ -n "$(nurseries relayd)" ]
    [ "$(ps -o user= -p "$(nurseries relayd)")" = nobody ]
    serves_again 1
    knows_no_key relayd
    load_served 4
}

@test "in a directory without the program's libraries its nursery is a copy" {
    is_root
    mkdir "$D/empty"
    start_all -u nobody --chroot "$D/empty" 127.0.0.1:0+2
    serves_again 0
    [ -n "$(nurseries relayd)" ]
    load_served 3
}

@test "a build without a nursery uses its children again" {
    mkdir "$D/tree"
    cp -r Makefile ./*.c lib "$D/tree"
    make -s -C "$D/tree" clean
    make -s -C "$D/tree" CFLAGS='-Os -DNO_NURSERY' relayd relay-connect
    RELAYD_WORDS=("$D/tree/relayd") CONNECT_WORDS=("$D/tree/relay-connect")
    start_with_keys
    serves_again 1
    for name in relayd connect; do
        [ -z "$(nurseries "$name")" ]
        knows_no_key "$name"
    done
    load_served 4
}

# --- a child that was taken over

# lies PID: from its descriptor for reports. Random bytes, nothing, what is longer
# than a report, and zeroes of many lengths, a report's among them.
lies() {
    "$TOOLS/liar" "$1" 4 1 777 0 30000 $(seq -304 8 -1)
}

@test "garbage among the reports harms no other session" {
    is_root
    start_relayd
    serve_by_hand web
    served_client
    liar=$SESSION_PID client=$CLIENT_FD server=$DATA_FD
    lies "$liar" || skip "a process's descriptor cannot be had here"
    for i in 1 2 3 4; do
        lies "$liar"
        served_client
        lies "$liar"
        say "$CLIENT_FD" "some more"
        expect "$DATA_FD" "some more"
        ends_well "$i"
        [[ $(grep '^end ' "$D/relayd.err" | tail -n 1) = *" pid=$SESSION_PID up=21 down=9 "* ]]
    done
    [ "$(grep -c '^end ' "$D/relayd.err")" -eq 4 ]
    talks "$client" "$server"
    hang_up "$client"
    hang_up "$server"
    wait_said relayd "^end .* pid=$liar up=22 down=18 .* reason=eof$"
}

# --- what relay-connect begins

@test "where the server refuses, the client is claimed and reset at once, and the process is used again" {
    start_relayd
    start_connect -n web "127.0.0.1:$CONTROL" "127.0.0.1:$(free_port)"
    for i in 1 2 3; do
        dial "$PUBLIC"
        began=$(now_ms)
        [ "$(rest "$FD")" = "= reset" ]
        not took_at_least $((3000 * TIME_FACTOR))
        # It has been claimed.
        wait_said relayd '^pair ' "$i"
        wait_said connect '^end .* reason=error error=Connection\\x20refused$' "$i"
    done
    [ "$(served_by connect | distinct)" -eq 1 ]
}

# unanswered NAME: sets ADDRESS, whose listener takes nothing. Where more
# connections wait than it wants, further ones are not answered.
unanswered() {
    start "$1" socat -d -d TCP-LISTEN:0,bind=127.0.0.1,backlog=1,fork "${2:-STDOUT}"
    wait_said "$1" 'listening on'
    ADDRESS=$(grep -o 'listening on .*' "$D/$1.err" | grep -oE '127\.0\.0\.1:[0-9]+')
}

stop_answering() {
    kill -STOP "${PID[$1]}"
    dial "$2"
    dial "$2"
}

# A relay that says what it is to, and then answers no new connection for a while.
@test "where the server refuses, or does not answer, before the relay does, the client is claimed all the same" {
    unanswered server
    gone=$ADDRESS
    stop_answering server "$gone"
    mkdir "$D/fake"
    cat >"$D/fake/control" <<'END'
say '[PUBLIC] 127.0.0.1:9'
until [ -e "$DIR/go" ]; do sleep 0.05; done
say "[NEW]$PORT id=$(printf '%032d' "$N") from=203.0.113.9:51522"
hear
END
    unanswered fake "EXEC:$TOOLS/fake-relay $D/fake"
    start connect "${CONNECT_WORDS[@]}" -c 1 -n web "$ADDRESS" "gone=$gone" "refuses=127.0.0.1:$(free_port)"
    wait_said connect '^open ' 2
    stop_answering fake "$ADDRESS"
    : >"$D/fake/go"
    wait_said connect '^pair ' 2
    # The server's time is up meanwhile.
    sleep 1.5
    not said connect '^end '
    kill -CONT "${PID[fake]}"
    for n in 1 2; do
        wait_for grep -qx "\[DATA\] id=0*$n" "$D/fake/data"
    done
    wait_said connect '^end service=web.refuses .* reason=error error=Connection\\x20refused$'
    wait_said connect '^end service=web.gone .* reason=error error=[A-Za-z]*\\x20timed\\x20out$'
}

@test "where the server does not answer, the client is reset after --connect-timeout, and others are served meanwhile" {
    start_relayd
    start_load
    unanswered server
    stop_answering server "$ADDRESS"
    start connect "${CONNECT_WORDS[@]}" -c 2 -n web "127.0.0.1:$CONTROL" "gone=${POOL[0]}:$ADDRESS" "here=${POOL[1]}:$LOAD"
    wait_for printed connect 2
    dial "127.0.0.1:${POOL[0]}"
    began=$(now_ms)
    wait_said connect '^pair '
    load_client "127.0.0.1:${POOL[1]}" both --sessions 5 --bytes 10000
    [ "$(rest "$FD" $((10 * TIME_FACTOR)))" = "= reset" ]
    took_at_least 1900
    wait_said connect '^end service=web\.gone .* reason=error error=[A-Za-z]*\\x20timed\\x20out$'
    load_served 5
}

# A server of this kind by hand, which waits for what comes first.
@test "a PROXY header is the first that the server gets, also from a process that is used again" {
    start_relayd
    start server socat -u TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr "SYSTEM:head -n 2 >>$D/heard"
    wait_for eval 'server=$(ss -Hltnp "src 127.0.0.1" | sed -n "s/.*127\.0\.0\.1:\([0-9]*\) .*pid=${PID[server]},.*/\1/p") && [ -n "$server" ]'
    start_connect -P 1 -n web "127.0.0.1:$CONTROL" "127.0.0.1:$server"
    for i in 1 2 3; do
        dial "$PUBLIC"
        say "$FD" "line $i"
        hang_up "$FD"
        wait_said connect '^end ' "$i"
        wait_for grep -q "^line $i" "$D/heard"
    done
    [ "$(grep -cE '^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 [0-9]+ [0-9]+.$' "$D/heard")" -eq 3 ]
    [ "$(sed -n 1p "$D/heard" | cut -c 1-6)" = "PROXY " ]
    [ "$(sed -n 2p "$D/heard")" = "line 1" ]
    [ "$(served_by connect | distinct)" -eq 1 ]
}

# localhost is two addresses, without asking anybody; the first one refuses.
@test "localhost:PORT reaches a server that listens on ::1 alone, from a process that is used again" {
    port=$(free_port)
    [ -e /proc/net/if_inet6 ] || skip "there is no IPv6 here"
    start_load "[::1]:$port"
    start_relayd
    start_connect -n web "127.0.0.1:$CONTROL" "localhost:$port"
    for i in 1 2; do
        one_session "$i"
    done
    [ "$(served_by connect | distinct)" -eq 1 ]
    load_served 2
}

@test "a unix socket is reached from a process that is used again" {
    start_relayd
    start_load "unix:$D/socket"
    start_connect -n web "127.0.0.1:$CONTROL" "$D/socket"
    for i in 1 2; do
        one_session "$i"
    done
    [ "$(served_by connect | distinct)" -eq 1 ]
    load_served 2
}
