# The network's faults: cables pulled without a word, addresses that change, a
# relay's machine that is cut off. Three machines, which are network namespaces
# of this test: `relay` between `server` and `client`, a cable to each.
# long: 45 s

load helper
load auth

SERVER_NET=10.213.1 CLIENT_NET=10.213.2

setup_file() {
    local ns="cable-$$-try"

    if ! ip netns add "$ns" 2>/dev/null; then
        export NO_NAMESPACES="no network namespace can be made here (ip netns add), or there is no ip"
        return 0
    fi
    ip netns exec "$ns" ip link add try0 type veth peer name try1 2>/dev/null ||
        export NO_NAMESPACES="no veth can be made here"
    ip netns del "$ns"
}

setup() {
    D=$BATS_TEST_TMPDIR
    cd "$ROOT" || return
    [ -x "$TOOLS/load" ] || { echo "the test tools are not built: make test-tools"; return 1; }
    [ -z "${NO_NAMESPACES-}" ] || skip "$NO_NAMESPACES"
    NET=cable-$$-$BATS_TEST_NUMBER
    for machine in relay server client; do
        ip netns add "$NET-$machine"
        at $machine ip link set lo up
    done
    cable server eth1 "$SERVER_NET"
    cable client eth2 "$CLIENT_NET"
    RELAYD_WORDS=(ip netns exec "$NET-relay" "${RELAYD_WORDS[@]}")
    CONNECT_WORDS=(ip netns exec "$NET-server" "${CONNECT_WORDS[@]}")
}

# The programs first, so that they end as ever.
teardown() {
    local status=0 machine

    if [ -n "${NET-}" ]; then
        if [ "${BATS_TEST_COMPLETED-}" = 1 ]; then
            leave_nothing || status=1
        else
            status=1
        fi
        end_everything
        for machine in relay server client; do
            ip netns del "$NET-$machine" || :
        done
        [ "$status" -eq 0 ] || show_logs
    fi
    return "$status"
}

at() {
    ip netns exec "$NET-$1" "${@:2}"
}

# cable MACHINE LINK NET: MACHINE's eth0 is NET.2, the relay's LINK is NET.1. An
# old kernel's times for a SYN that is lost, which are the longest.
cable() {
    ip -n "$NET-relay" link add "$2" type veth peer name eth0 netns "$NET-$1"
    ip -n "$NET-relay" addr add "$3.1/24" dev "$2"
    ip -n "$NET-$1" addr add "$3.2/24" dev eth0
    ip -n "$NET-relay" link set "$2" up
    ip -n "$NET-$1" link set eth0 up
    at "$1" sysctl -qw net.ipv4.tcp_syn_linear_timeouts=0 2>/dev/null || :
}

# The relay's end of a cable: the machine at the other sees no carrier.
pull() {
    ip -n "$NET-relay" link set "$1" down
}

plug() {
    ip -n "$NET-relay" link set "$1" up
}

# Far away: all links are up and the neighbours known, but what one sends goes
# to nobody (a wrong hardware address), without a word. on, off.
losses() {
    local how=(replace lladdr 02:00:00:00:00:99 nud permanent)

    [ "$1" = on ] || how=(del)
    ip -n "$NET-relay" neigh "${how[0]}" "$SERVER_NET.2" dev eth1 "${how[@]:1}"
    ip -n "$NET-server" neigh "${how[0]}" "$SERVER_NET.1" dev eth0 "${how[@]:1}"
}

# The machine's own cable: it has no way to anywhere.
own_cable() {
    ip -n "$NET-server" link set eth0 "$1"
}

# The public port of the service is open or not, in the relay's namespace.
port_open() {
    at relay ss -Hltn "sport = :$PUBLIC_PORT" | grep -q .
}

port_closed() {
    not port_open >/dev/null
}

start_server() {
    start load ip netns exec "$NET-server" "$TOOLS/load" server 127.0.0.1:0 --reset-ms $((2000 * TIME_FACTOR))
    wait_for test -s "$D/load.out"
    LOAD=$(head -n 1 "$D/load.out")
}

# start_service [OPTION OF RELAYD...] -- [OPTION OF RELAY-CONNECT...]
start_service() {
    local of_relayd=()

    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        of_relayd+=("$1")
        shift
    done
    shift || :
    find_ports 4
    start_relayd --ping-interval 1 --silence-timeout 2 "${of_relayd[@]}" "0.0.0.0:$CONTROL+4"
    start_server
    start_connect --silence-timeout 2 -n web "$@" "$SERVER_NET.1:$CONTROL" "$LOAD"
    FROM_CLIENT=$CLIENT_NET.1:$PUBLIC_PORT
}

client() {
    at client timeout $((20 * TIME_FACTOR)) "$TOOLS/load" client "$FROM_CLIENT" --mode both "$@"
}


# out_and_back OUT BACK SECONDS: of the server's network, so long after both
# sides have found out. A second is what the addresses' lookup (ARP) takes at worst.
out_and_back() {
    local opened closed lost began

    opened=$(grep -c '^open ' "$D/relayd.err")
    closed=$(grep -c '^close ' "$D/relayd.err") || :
    lost=$(grep -c '^lost .*reason=timeout' "$D/connect.err") || :
    eval "$1"
    began=$(now_ms)
    wait_at_most 6 said relayd '^close service=web reason=timeout$' $((closed + 1))
    wait_at_most 6 said connect '^lost service=web relay=[0-9.:]+ reason=timeout$' $((lost + 1))
    echo "found out after $(($(now_ms) - began)) ms"
    wait_for port_closed
    sleep "$3"
    began=$(now_ms)
    eval "$2"
    wait_for said relayd "^open service=web proto=new public=[0-9.]+:$PUBLIC_PORT " $((opened + 1))
    began=$(($(now_ms) - began))
    echo "$3 s later it was back, $began ms after its network"
    [ "$began" -lt $((1500 * TIME_FACTOR)) ]
}

@test "no carrier: both find out, and the port is back within a second of the cable" {
    start_service --
    client --sessions 3
    for seconds in 0 2.4; do
        out_and_back "pull eth1" "plug eth1" "$seconds"
    done
    client --sessions 3
}

@test "frames are lost far away: back within a second" {
    start_service --
    out_and_back "losses on" "losses off" 4.2
    client --sessions 3
}

@test "its own cable: back within a second" {
    start_service --
    out_and_back "own_cable down" "own_cable up" 5
    client --sessions 3
}

@test "behind an HTTP proxy, to which there is no way: back within a second" {
    mkdir "$D/proxy"
    echo through >"$D/proxy/answer"
    start proxy ip netns exec "$NET-relay" socat -d -d "TCP-LISTEN:0,bind=$SERVER_NET.1,fork,nodelay" "EXEC:$TOOLS/fake-proxy $D/proxy,nofork"
    wait_said proxy 'listening on'
    start_service -- --proxy "http://$(grep -o 'listening on .*' "$D/proxy.err" | grep -oE "$SERVER_NET.1:[0-9]+")"
    out_and_back "pull eth1" "plug eth1" 2.4
    out_and_back "losses on" "losses off" 4.2
    client --sessions 3
}

# A client on the relay's own machine, whose cable nobody pulls.
neighbour() {
    at relay timeout $((20 * TIME_FACTOR)) "$TOOLS/load" client "$FROM_CLIENT" --mode both "$@"
}

# start_sessions COUNT MODE [OPTION...]: of the client, under way when it returns; they may fail.
start_sessions() {
    local count=$1

    start sessions ip netns exec "$NET-client" "$TOOLS/load" client "$FROM_CLIENT" --mode "$2" --sessions "$count" \
        --at-once "$count" --timeout 60 "${@:3}"
    wait_for under_way "$count"
}

# As hold_sessions, but of the client; the input goes on until ORDERS is hung up.
hold_from_client() {
    mkfifo "$D/orders"
    exec {ORDERS}<>"$D/orders"
    DIALLED+=("$ORDERS")
    INPUT=$D/orders start_sessions "$1" hold --bytes 1000
    wait_for grep -q "^held $1" "$D/sessions.out"
}

under_way() {
    offspring_count relayd "$1" && offspring_count connect "$1"
}

@test "a client's cable is pulled in the middle: its sessions end, nobody else's" {
    start_service --peer-timeout 2 -- --peer-timeout 2
    start_sessions 3 both --bytes 8000000000
    pull eth2
    began=$(now_ms)
    neighbour --sessions 3
    wait_at_most 6 said relayd '^end service=web client=10\.213\.2\.2:[0-9]+ .* reason=timeout$' 3
    echo "ended after $(($(now_ms) - began)) ms"
    wait_for no_offspring relayd
    wait_for no_offspring connect
    neighbour --sessions 3
    plug eth2
    wait_for client --sessions 1
    not said relayd '^close '
}

@test "the server's cable is pulled in the middle: no process stays behind on either side" {
    start_service --peer-timeout 2 -- --peer-timeout 2
    start_sessions 3 both --bytes 8000000000
    pull eth1
    wait_at_most 6 said relayd '^end service=web .* reason=timeout$' 3
    wait_at_most 6 said connect '^end service=web .* reason=timeout$' 3
    wait_for no_offspring relayd
    wait_end sessions
    plug eth1
    wait_said relayd "^open service=web proto=new public=[0-9.]+:$PUBLIC_PORT " 2
    client --sessions 3
}

@test "the server's cable is pulled while nothing moves: the idle timeout ends it" {
    start_service -i 2 --
    hold_from_client 2
    pull eth1
    wait_at_most 6 said relayd '^end service=web .* reason=idle$' 2
    wait_for no_offspring relayd
    plug eth1
    wait_said relayd "^open service=web proto=new public=[0-9.]+:$PUBLIC_PORT " 2
    # What the server says next shows its side that the sessions are gone.
    kill_sessions load
    wait_for no_offspring connect
}

@test "an address that changes: the name is taken over with its key, the port stays open" {
    write_keys "web $KEY"
    key_of "web $KEY"
    start_service --silence-timeout 20 -k "$D/keys" -- -k "$D/key"
    ip -n "$NET-server" addr add "$SERVER_NET.3/24" dev eth0
    ip -n "$NET-server" addr del "$SERVER_NET.2/24" dev eth0
    # .3 was there for the second address of the net, and went with the first.
    ip -n "$NET-server" addr replace "$SERVER_NET.3/24" dev eth0
    began=$(now_ms)
    start early ip netns exec "$NET-client" "$TOOLS/load" client "$FROM_CLIENT" --mode both
    wait_at_most 8 taken_over
    echo "taken over after $(($(now_ms) - began)) ms"
    wait_end early
    [ "$status" -eq 0 ]
    client --sessions 3
    not said relayd '^close '
}

# And until then the port was open whenever it was looked at.
taken_over() {
    port_open || { echo "the port was closed" >"$D/closed.err"; return 1; }
    [ ! -e "$D/closed.err" ] && said relayd "^open service=web .* from=10\.213\.1\.3:"
}

@test "a new address beside the old one: sessions of the old connection go on" {
    write_keys "web $KEY"
    key_of "web $KEY"
    start_service -k "$D/keys" -- -k "$D/key"
    hold_from_client 3
    ip -n "$NET-server" addr add "$SERVER_NET.3/24" dev eth0
    ip -n "$NET-server" route replace "$SERVER_NET.0/24" dev eth0 src "$SERVER_NET.3"
    connect_as connect2 -k "$D/key" -n web "$SERVER_NET.1:$CONTROL" "$LOAD"
    said relayd "^open service=web .* from=10\.213\.1\.3:"
    wait_end connect
    [ "$status" -eq 3 ]
    client --sessions 3
    echo >&"$ORDERS"
    wait_for grep -q '^alive 3' "$D/sessions.out"
    hang_up "$ORDERS"
    wait_end sessions
    [ "$status" -eq 0 ]
    not said relayd '^close '
}

@test "the relay's machine goes down and up: back on the same port" {
    start_service --
    start_sessions 3 both --bytes 8000000000
    kill_sessions relayd
    pull eth1
    wait_end sessions
    plug eth1
    began=$(now_ms)
    relayd_as relayd2 --ping-interval 1 --silence-timeout 2 "0.0.0.0:$CONTROL+4"
    wait_for said relayd2 '^open service=web '
    echo "open $(($(now_ms) - began)) ms after the start"
    [ "$(value relayd2 '^open ' public)" = "$(head -n 1 "$D/connect.out")" ]
    wait_for no_offspring connect
    client --sessions 3
}
