# Layers: who may include whom; what knows a protocol's name.

load helper

# includes FILE...: "file header" for every header of the tree, without directories.
includes() {
    local file

    for file in "$@"; do
        sed -n 's|^#include "\(.*\)"$|\1|p' "$file" | sed "s|.*/||; s|^|${file##*/} |"
    done
}

@test "nothing in lib includes a protocol" {
    not grep -n '^#include.*proto' lib/*.c lib/*.h
}

@test "the programs include protocols by their tables alone" {
    not eval "grep -n '^#include \"lib/proto/' relayd.c relay-connect.c | grep -v '_proto\.h\"'"
    [ "$(grep -h '^#include "lib/proto/' relayd.c relay-connect.c | sort -u | wc -l)" -eq 3 ]
}

@test "the two sides of a protocol, and protocols, do not include each other" {
    not grep -nE '^#include ".*_(relay|server)\.h"' lib/proto/*.c lib/proto/*.h
    for file in lib/proto/*_relay.c lib/proto/*_server.c; do
        own=$(basename "$file" | sed 's/_.*//')
        not eval "grep -n '^#include \"[a-z]' $file | grep -vE '\"(${own}_[a-z]*|mux_child|relay_proto|server_proto|endpoint|control|http_caller)\\.h\"'"
    done
}

@test "relayd's side knows nothing of relay-connect's, and the other way round" {
    not grep -nE '^#include ".*(server_proto|uplink|dial|target|command|backoff)\.h"' relayd.c lib/proto/*_relay.c lib/proto/relay_proto.h
    not grep -nE '^#include ".*(relay_proto|rendezvous|portpool|listener|service|sticky)\.h"' relay-connect.c lib/proto/*_server.c lib/proto/server_proto.h
}

@test "no file in lib names a protocol" {
    not grep -nwE 'tlsrelay|hostpool|muxado|ptth|HELLO|new_relay|new_server' lib/*.c lib/*.h
    not grep -n '"new"' lib/*.c lib/*.h
}

@test "includes go one way: there is no circle" {
    includes lib/*.[ch] lib/proto/*.[ch] | sed 's/\.[ch]//g' | awk '$1 != $2' | sort -u >"$D/edges"
    run tsort "$D/edges"
    echo "$output" | grep -i loop || :
    [ "$status" -eq 0 ]
}

@test "nothing below the socket layer knows sockets" {
    not grep -nE '^#include <(sys/socket\.h|netinet/.*|arpa/.*)>' lib/text.c lib/slab.c lib/backoff.c lib/options.c lib/log.c lib/claim.c
    not grep -nE '^#include <(sys/socket|unistd)\.h>' lib/proto/mux.c lib/proto/mux.h
    not grep -nE '^#include <(sys/socket|unistd|sys/.*)\.h>' lib/proto/*_line.c lib/proto/*_message.c lib/proto/protobuf.c lib/proto/mux_frame.c
}

@test "what is of one system alone is in its file" {
    not grep -nE '^#include <(linux/.*|sys/(epoll|prctl|syscall|random|sendfile|signalfd|timerfd)\.h)>' relayd.c relay-connect.c \
        $(ls lib/*.c lib/proto/*.c | grep -vE '^lib/(os-|sandbox\.c)')
    not grep -nE '_GNU_SOURCE|__linux__' relayd.c relay-connect.c $(ls lib/*.[ch] lib/proto/*.[ch] | grep -vE '^lib/(os-|sandbox\.c)')
}

@test "a library prints only through the log, and exits only where it says so" {
    not grep -nE '\b(printf|fprintf|perror|puts|exit)\(' $(ls lib/*.c lib/proto/*.c | grep -vE '^lib/(options|log)\.c')
}

@test "every header is included by its own file first" {
    for header in lib/*.h lib/proto/*.h; do
        file=${header%.h}.c
        [ ! -f "$file" ] || [ "$(grep -m 1 '^#include "' "$file")" = "#include \"$(basename "$header")\"" ] || { echo "$file"; false; }
    done
}
