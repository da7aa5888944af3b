# helper: what all tests share. It starts programs on ports of the system's
# choice, each in a session of its own (setsid), so that every process that
# comes of them can be found; waits for conditions, with a deadline; and after
# each test ends what was started and fails the test if a process, a port or a
# descriptor was left behind, or if a sanitizer or valgrind had something to say.
# traffic.bash and talk.bash hold what goes through the programs.
#
# From the environment:
#   RELAYD, RELAY_CONNECT   the programs, arguments allowed: RELAYD='valgrind ./relayd'
#   TIME_FACTOR             for slow builds: deadlines are that much longer (1),
#                           amounts that much smaller

load traffic
load talk

ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
TOOLS=$ROOT/test/tools
: "${RELAYD:=$ROOT/relayd}" "${RELAY_CONNECT:=$ROOT/relay-connect}" "${TIME_FACTOR:=1}"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH LC_ALL=C

# The words of RELAYD and RELAY_CONNECT, from the tree's top where they are relative.
read -ra RELAYD_WORDS <<<"$RELAYD"
read -ra CONNECT_WORDS <<<"$RELAY_CONNECT"

declare -gA PID         # by the name it was started under
declare -gA DESCRIPTORS # how many it had when nothing went on
declare -gA COMMANDS    # how many of --via it has then (0)
STARTED=()              # names, in order
PORTS=()                # that relayds had
DIALLED=()              # descriptors of this shell

setup() {
    D=$BATS_TEST_TMPDIR
    cd "$ROOT" || return
    export ASAN_OPTIONS="log_path=$D/asan:${ASAN_OPTIONS-}"
    export UBSAN_OPTIONS="log_path=$D/ubsan:print_stacktrace=1:${UBSAN_OPTIONS-}"
    export VALGRIND_OPTS="-q --log-file=$D/valgrind.%p --error-exitcode=99 ${VALGRIND_OPTS-}"
    # bats looks at each command, to say where a test failed, and at those of functions
    # too: that takes longer than the commands. The test's own line is enough.
    set +T
    [ -x "$TOOLS/load" ] || { echo "the test tools are not built: make test-tools"; return 1; }
}

teardown() {
    local status=0

    if [ "${BATS_TEST_COMPLETED-}" = 1 ]; then
        leave_nothing || status=1
    else
        status=1
    fi
    end_everything
    [ "$status" -eq 0 ] || show_logs
    return "$status"
}

# --- time

now_ms() {
    local t=${EPOCHREALTIME/./}

    echo "${t%???}"
}

# How much of an amount a slow build is asked to do.
scaled() {
    echo $(($1 / TIME_FACTOR > 0 ? $1 / TIME_FACTOR : 1))
}

# wait_at_most SECONDS COMMAND...: until the command succeeds.
wait_at_most() {
    local seconds=$1 until

    shift
    ! "$@" || return 0
    until=$(($(now_ms) + seconds * 1000 * TIME_FACTOR))
    until "$@"; do
        if [ "$(now_ms)" -gt "$until" ]; then
            echo "after $seconds s still not so: $*"
            return 1
        fi
        sleep 0.02
    done
}

wait_for() {
    wait_at_most 10 "$@"
}

# not COMMAND...: fails where it succeeds; a bare ! would not fail a test.
not() {
    if "$@"; then
        echo "should not be so: $*"
        return 1
    fi
}

# --- programs

# Nothing of this shell's may stay open in a program: it would hold connections open.
close_descriptors() {
    local fd

    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
}

# start NAME COMMAND...: in the background; its output goes to $D/NAME.out and
# $D/NAME.err, its input comes from $INPUT (/dev/null).
start() {
    local name=$1

    shift
    (
        exec <"${INPUT:-/dev/null}" >>"$D/$name.out" 2>>"$D/$name.err"
        close_descriptors
        exec setsid "$@"
    ) &
    PID[$name]=$!
    STARTED+=("$name")
}

# Asked so often that it had better not start a program.
alive() {
    local stat

    { read -r -d '' stat <"/proc/${PID[$1]}/stat" || [ -n "$stat" ]; } 2>/dev/null && [[ ${stat##*) } != Z* ]]
}

# Ends a program with a signal and waits; $status is its exit status then.
# signal NAME [SIGNAL]; SIGTERM is the default.
stop() {
    kill "-${2:-TERM}" "${PID[$1]}"
    wait_end "$1"
}

gone() {
    not alive "$1" >/dev/null
}

wait_end() {
    wait_for gone "$1"
    status=0
    wait "${PID[$1]}" 2>/dev/null || status=$?
}

# The processes that came of a program, itself not among them, nor those that
# wait for a session or make processes. A dead one counts where it is the
# program's to reap; others are init's, which may take its time.
offspring() {
    ps -o pid=,ppid=,stat=,args= -s "${PID[$1]}" |
        awk -v of="${PID[$1]}" '$1 != of && ($3 !~ /^Z/ || $2 == of) && $5 !~ /^(idle|nursery)$/ {print $1}'
}

# Those of a program that wait for a session.
idle_children() {
    ps -o pid=,args= -s "${PID[$1]}" | awk '$3 == "idle" {print $1}'
}

# Those that make its processes.
nurseries() {
    ps -o pid=,args= -s "${PID[$1]}" | awk '$3 == "nursery" {print $1}'
}

no_offspring() {
    [ -z "$(offspring "$1")" ]
}

offspring_count() {
    local count

    count=$(offspring "$1" | wc -l)
    echo "$1 has $count"
    [ "$count" -eq "$2" ]
}

offspring_at_most() {
    [ "$(offspring "$1" | wc -l)" -le "$2" ]
}

# It has one for each process that waits.
channels() {
    ps -o args= -s "${PID[$1]}" | grep -cE ': (idle|nursery) *$'
}

descriptors() {
    local all=("/proc/${PID[$1]}/fd/"*)

    echo "${#all[@]}"
}

at_most_descriptors() {
    [ "$(descriptors "$1")" -le $(($2 + $(channels "$1"))) ]
}

# --- logs

# said NAME PATTERN [COUNT]: a line of its log matches; at least COUNT do.
said() {
    [ "$(grep -cE -- "$2" "$D/$1.err")" -ge "${3:-1}" ]
}

wait_said() {
    wait_for said "$@"
}

# A value of the last log line that matches: value NAME PATTERN KEY.
value() {
    grep -E -- "$2" "$D/$1.err" | tail -n 1 | tr ' ' '\n' | sed -n "s/^$3=//p"
}

show_logs() {
    local file

    for file in "$D"/*.err "$D"/*.out "$D"/asan* "$D"/ubsan* "$D"/valgrind*; do
        [ -s "$file" ] || continue
        echo "--- ${file##*/}"
        tail -n 25 "$file" | cut -c 1-300
    done
}

# --- relayd and relay-connect

# relayd_as NAME [OPTION...] LISTEN: sets CONTROL (its port) and POOL (an array).
relayd_as() {
    local name=$1 had=0

    shift
    [ ! -f "$D/$name.err" ] || had=$(grep -c '^ready' "$D/$name.err") || :
    start "$name" "${RELAYD_WORDS[@]}" "$@"
    wait_for up_or_gone "$name" $((had + 1))
    said "$name" '^ready' $((had + 1))
    read_ports "$name"
    DESCRIPTORS[$name]=$(descriptors "$name")
}

up_or_gone() {
    said "$1" '^ready' "$2" || gone "$1"
}

start_relayd() {
    [ $# -gt 0 ] || set -- 127.0.0.1:0+8
    relayd_as relayd "$@"
}

# From its `listen` line: addr=127.0.0.1:PORT pool=P1-P2,P3.
read_ports() {
    local address ranges range

    address=$(value "$1" '^listen ' addr)
    CONTROL=${address##*:}
    POOL=()
    IFS=, read -ra ranges <<<"$(value "$1" '^listen ' pool)"
    for range in "${ranges[@]}"; do
        [ "$range" = - ] || mapfile -t -O "${#POOL[@]}" POOL < <(seq "${range%-*}" "${range#*-}")
    done
    PORTS+=("$CONTROL" "${POOL[@]}")
}

# Ports for a relayd that is to be started again on them: CONTROL and POOL,
# COUNT ports above. They are below those that the system gives out itself.
find_ports() {
    local count=$1 base

    for _ in {1..50}; do
        base=$((20000 + RANDOM % 12000))
        any_in_use "$base" $((base + count)) || break
    done
    CONTROL=$base
    mapfile -t POOL < <(seq $((base + 1)) $((base + count)))
}

# A port for a server that wants to be told one.
free_port() {
    local port

    for _ in {1..50}; do
        port=$((20000 + RANDOM % 12000))
        any_in_use "$port" "$port" || break
    done
    echo "$port"
}

any_in_use() {
    ss -Htan "sport >= :$1 and sport <= :$2" | grep -q .
}

# connect_as NAME [OPTION...] RELAY TARGET: waits for its public address; sets
# PUBLIC (HOST:PORT) and PUBLIC_PORT.
connect_as() {
    local name=$1

    shift
    start "$name" "${CONNECT_WORDS[@]}" "$@"
    wait_for printed_or_gone "$name"
    read_public "$name"
    DESCRIPTORS[$name]=$(descriptors "$name")
}

start_connect() {
    connect_as connect "$@"
}

printed_or_gone() {
    [ -s "$D/$1.out" ] || gone "$1"
}

# printed NAME COUNT: so many different lines, on standard output.
printed() {
    [ "$(sort -u "$D/$1.out" | wc -l)" -eq "$2" ]
}

read_public() {
    PUBLIC=$(tail -n 1 "$D/$1.out")
    PUBLIC_PORT=${PUBLIC##*:}
    [ -n "$PUBLIC" ]
}

# A service on a relay: relayd, relay-connect, and behind it a server of `load`.
start_all() {
    start_relayd "$@"
    start_load
    start_connect -n web "127.0.0.1:$CONTROL" "$LOAD"
}

# --- the end of a test

sessions_of() {
    local name list=

    for name in "${STARTED[@]}"; do
        list+=${list:+,}${PID[$name]}
    done
    echo "$list"
}

# Those of all programs that are not dead.
processes() {
    ps -o pid=,stat=,args= -s "$(sessions_of)" | awk '$2 !~ /^Z/'
}

no_processes() {
    [ -z "$(processes)" ]
}

# KILL to all that came of the programs with these names.
kill_sessions() {
    local name pid

    for name in "$@"; do
        for pid in "${PID[$name]}" $(offspring "$name"); do
            kill -KILL "$pid" 2>/dev/null || :
        done
        wait "${PID[$name]}" 2>/dev/null || :
    done
}

end_everything() {
    local fd

    for fd in "${DIALLED[@]}"; do
        hang_up "$fd" 2>/dev/null
    done
    DIALLED=()
    [ ${#STARTED[@]} -eq 0 ] || kill_sessions "${STARTED[@]}"
}

# What neither relayd nor relay-connect is ends first, so that they are idle then.
end_others() {
    local name fd

    for fd in "${DIALLED[@]}"; do
        hang_up "$fd" 2>/dev/null || :
    done
    for name in "${STARTED[@]}"; do
        [[ $name = relayd* || $name = connect* ]] || kill_sessions "$name"
    done
}

# It is as it was when it had nothing to do, and leaves when it is told to.
# $1: connect or relayd.
end_idle() {
    local name

    for name in "${STARTED[@]}"; do
        [[ $name = "$1"* ]] || continue
        alive "$name" || continue
        wait_for offspring_at_most "$name" "${COMMANDS[$name]-0}" || { processes; return 1; }
        if [ -n "${DESCRIPTORS[$name]-}" ]; then
            wait_for at_most_descriptors "$name" "${DESCRIPTORS[$name]}" || { ls -l "/proc/${PID[$name]}/fd"; return 1; }
        fi
        stop "$name"
        [ "$status" -eq 0 ] || { echo "$name ended with $status"; return 1; }
    done
}

no_listeners() {
    not grep -E ":($(IFS='|'; echo "${PORTS[*]:-none}"))\$" <(ss -Hltn | awk '{print $4}')
}

no_complaints() {
    ! cat "$D"/asan* "$D"/ubsan* "$D"/valgrind* 2>/dev/null | grep . &&
        ! grep -E 'ERROR: [A-Za-z]*Sanitizer|runtime error:|^==[0-9]+==' "$D"/*.err
}

leave_nothing() {
    # bats looks at each command, to say where a test failed; that takes longer than the commands.
    trap - DEBUG
    [ ${#STARTED[@]} -gt 0 ] || return 0
    end_others
    end_idle connect && end_idle relayd || return 1
    wait_for no_processes || { processes; return 1; }
    no_listeners || { echo "a port was left behind"; return 1; }
    no_complaints
}

# connect_mistake WORDS ARGUMENT...: relay-connect calls it a usage error, in a line that has these words.
connect_mistake() {
    run timeout 10 "${CONNECT_WORDS[@]}" "${@:2}"
    echo "$output"
    [ "$status" -eq 2 ]
    [[ "${lines[0]}" == "relay-connect: "*"$1"* ]]
}
