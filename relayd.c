/*
 * relayd: the relay on the public host. Options, start-up and wiring.
 *
 * What it does stands in lib/: a loop, services with public ports, a forked
 * child per session; each wire protocol is a file in lib/proto/.
 */
#include "lib/child.h"
#include "lib/cidr.h"
#include "lib/keys.h"
#include "lib/leave.h"
#include "lib/listener.h"
#include "lib/log.h"
#include "lib/lograte.h"
#include "lib/loop.h"
#include "lib/newcomers.h"
#include "lib/nursery.h"
#include "lib/options.h"
#include "lib/os.h"
#include "lib/preamble.h"
#include "lib/proto/relay_proto.h"
#include "lib/rights.h"
#include "lib/sandbox.h"
#include "lib/service.h"
#include "lib/session.h"
#include "lib/sock.h"
#include "lib/text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN "new:62514+200"
#define MOST_LISTENS 32

/* Open files beside the ports: standard ones, a pipe, and some for the first clients. */
#define OWN_FILES 16

static struct service_rules rules = {
    .claim_seconds = 10,
    .max_sessions = 256,
    .max_per_service = 256,
    .max_per_source = 100,
    .max_waiting = 64,
    .max_unknown = 128,
    .max_ready = 512,
    .line_seconds = 10,
    .poll_seconds = 30,
    .ping_seconds = 15,
    .silence_seconds = 45,
};

static struct session_rules session_rules = {.child_uses = 100, .spare_children = 32};

static const char *key_file;
static int peer_seconds = 300, log_rate = 20;
static const char *user, *chroot_directory;
static struct rights rights;
static const char *proxy_from, *pool_addr;

static const struct option options[] = {
    {'k', "keys", "FILE", "who may serve, a line each: NAME KEY [ports=...]", .text = &key_file},
    {0, "plain", NULL, "serve the protocol's plain servers too, which have no key", .flag = &rules.plain},
    {'H', "public-host", "HOST", "the host that servers are told (default: the one they reached)",
     .text = &rules.public_host},
    {'c', "claim-timeout", "SECONDS", "how long a client waits for the server (10)",
     .number = &rules.claim_seconds, .min = 1, .max = 86400},
    {'i', "idle-timeout", "SECONDS", "end a session in which nothing moved (0: never)",
     .number = &rules.idle_seconds, .min = 0, .max = 2000000},
    {0, "peer-timeout", "SECONDS", "end a session whose peer does not acknowledge what was sent (300)",
     .number = &peer_seconds, .min = 1, .max = 86400},
    {0, "line-timeout", "SECONDS", "for a line or PROXY header, from its first byte to its last (10)",
     .number = &rules.line_seconds, .min = 1, .max = 86400},
    {0, "poll-timeout", "SECONDS", "how long a server's HTTP request waits for a client (30)",
     .number = &rules.poll_seconds, .min = 1, .max = 86400},
    {0, "ping-interval", "SECONDS", "how often a server is asked whether it is there (15)",
     .number = &rules.ping_seconds, .min = 1, .max = 86400},
    {0, "silence-timeout", "SECONDS", "how long one may be silent until it is given up (45)",
     .number = &rules.silence_seconds, .min = 2, .max = 86400},
    {'u', "user", "USER", "the USER or USER:GROUP to be, once the ports are bound", .text = &user},
    {0, "chroot", "DIR", "the directory that is all it sees then", .text = &chroot_directory},
    {0, "max-sessions", "N", "sessions at once (256)", .number = &rules.max_sessions, .min = 1, .max = 1000000},
    {0, "max-per-service", "N", "... of one service (256)",
     .number = &rules.max_per_service, .min = 1, .max = 1000000},
    {0, "max-per-source", "N", "... from one address (100)",
     .number = &rules.max_per_source, .min = 1, .max = 1000000},
    {0, "max-waiting", "N", "clients of one service that wait for its server (64)",
     .number = &rules.max_waiting, .min = 1, .max = 1000000},
    {0, "max-unknown", "N", "connections that have not said who they are (128)",
     .number = &rules.max_unknown, .min = 1, .max = 1000000},
    {0, "max-ready", "N", "connections that servers make ahead of clients, of all services (512)",
     .number = &rules.max_ready, .min = 1, .max = 1000000},
    {0, "child-uses", "N", "sessions that one process serves, one after the other (100)",
     .number = &session_rules.child_uses, .min = 1, .max = 1000000},
    {0, "spare-children", "N", "processes kept for 5 s while they have no session (32)",
     .number = &session_rules.spare_children, .min = 0, .max = 1000000},
    {0, "max-log-rate", "N", "lines a second of each of the log's words refuse, reject, unready (20)",
     .number = &log_rate, .min = 1, .max = 1000000},
    {0, "proxy-from", "CIDR[,CIDR...]", "who must begin connections with a PROXY header", .text = &proxy_from},
    {0, "any-reverse", NULL, "plain servers answer from any address", .flag = &rules.any_reverse},
    {0, "pool-addr", "ADDR", "the public ports are on this address, not on the control port's", .text = &pool_addr},
    {0},
};

static const struct program program = {
    .name = "relayd",
    .synopsis = "  relayd [options] [LISTEN...]\n"
                "  LISTEN: [PROTO:][ADDR:]PORT[+COUNT], default " DEFAULT_LISTEN "\n"
                "  PROTO: new, tlsrelay, hostpool, muxado, ptth\n",
    .closing = "Without --keys a bare PORT listens on the loopback address alone; 0.0.0.0:PORT\n"
               "serves everybody. COUNT ports above PORT are given to those who offer a server.\n"
               "Signals: TERM leaves the sessions running, USR1 waits for them, INT ends them,\n"
               "HUP reads the key file again.\n",
    .options = options,
};

static struct relay_listen listens[MOST_LISTENS];
static int listen_count, ports_in_all;

/* The protocols that have a LISTEN; ends with NULL. */
static const struct relay_proto *spoken[MOST_LISTENS + 1];

static void bad_listen(const char *text, const char *why)
{
    options_mistake(&program, "'%e' is not a LISTEN ([PROTO:][ADDR:]PORT[+COUNT]): %s", text, why);
}

static void check_public_host(void)
{
    struct addr numeric;

    if (rules.public_host != NULL && (!addr_host_valid(rules.public_host) ||
        (strchr(rules.public_host, ':') != NULL && addr_numeric(&numeric, rules.public_host, 0) != 0)))
        options_mistake(&program, "--public-host '%e' is neither a host name nor an address; it has no port",
                        rules.public_host);
}

static void check_rights(void)
{
    const char *why;

    if (user == NULL && chroot_directory != NULL)
        options_mistake(&program, "--chroot protects nothing without --user: root can leave it");
    if (user == NULL)
        return;
    why = rights_find(&rights, user);
    if (why != NULL)
        log_die(EXIT_FAILED, "cannot be the user '%e': %s", user, why);
    if (geteuid() != 0)
        log_die(EXIT_FAILED, "only root can become another user: start it as root, or leave --user out");
}

/* The ports are bound: nothing after this needs root. */
static void give_up_rights(void)
{
    const char *failed;

    if (user == NULL)
        return;
    failed = rights_give_up(&rights, chroot_directory);
    if (failed != NULL)
        log_die(EXIT_FAILED, "cannot give up root for '%e' in '%e': %s: %s", user,
                chroot_directory != NULL ? chroot_directory : "/", failed, strerror(errno));
    log_event("rights user=%e uid=%u gid=%u chroot=%e", user, (unsigned)rights.uid, (unsigned)rights.gid,
              chroot_directory != NULL ? chroot_directory : "-");
}

/* Where that address is one that can be reached, it is what servers are told by default. */
static void check_pool_addr(void)
{
    struct addr numeric;

    if (pool_addr == NULL)
        return;
    if (addr_numeric(&numeric, pool_addr, 0) != 0)
        options_mistake(&program, "--pool-addr '%e' is not a numeric address such as 203.0.113.5, 0.0.0.0 or ::",
                        pool_addr);
    if (rules.public_host == NULL && !addr_is_any(&numeric))
        rules.public_host = pool_addr;
}

static void check_proxy_from(void)
{
    if (proxy_from != NULL && !cidr_list_valid(proxy_from))
        options_mistake(&program, "--proxy-from '%e' is not a list of addresses such as 127.0.0.1,10.1.0.0/16,::1",
                        proxy_from);
}

/* Takes PROTO: off, where it is one. */
static const struct relay_proto *parse_proto(const char **text)
{
    for (int i = 0; relay_protos[i] != NULL; i++) {
        size_t len = strlen(relay_protos[i]->name);

        if (strncmp(*text, relay_protos[i]->name, len) == 0 && (*text)[len] == ':') {
            *text += len + 1;
            return relay_protos[i];
        }
    }
    return relay_protos[0];
}

static void parse_pool(struct relay_listen *l, const char *whole, char *rest)
{
    char *plus = strrchr(rest, '+');
    long count;

    l->pool = -1;
    if (plus == NULL)
        return;
    count = text_number(plus + 1, 65535);
    if (count < 0)
        bad_listen(whole, "COUNT is a number");
    l->pool = (int)count;
    *plus = '\0';
}

/* Whether who serves there has to prove who he is. */
static bool guarded(const struct relay_listen *l)
{
    return key_file != NULL && l->proto->proves;
}

static void parse_address(struct relay_listen *l, const char *whole, const char *rest)
{
    char host[ADDR_HOST];
    long port;

    l->open_to_all = strchr(rest, ':') != NULL;
    if (l->open_to_all) {
        port = addr_split(rest, host);
    } else {
        text_copy(host, sizeof host, !guarded(l) ? "127.0.0.1" : sock_has_ipv6() ? "::" : "0.0.0.0");
        port = text_number(rest, 65535);
    }
    if (port < 0)
        bad_listen(whole, "PORT is a number from 0 to 65535");
    if (addr_numeric(&l->addr, host, (unsigned)port) != 0)
        bad_listen(whole, "ADDR is a numeric address such as 0.0.0.0 or [::], and PROTO one that --help names");
}

static void place_pool(struct relay_listen *l)
{
    unsigned port = addr_port(&l->addr);

    l->pool_addr = l->addr;
    l->pool_elsewhere = pool_addr != NULL;
    if (pool_addr != NULL)
        addr_numeric(&l->pool_addr, pool_addr, 0);
    addr_set_port(&l->pool_addr, port == 0 ? 0 : port + (unsigned)l->proto->own_ports);
}

static void parse_listen(struct relay_listen *l, const char *whole)
{
    const char *text = whole;
    char rest[ADDR_HOST + 16];
    unsigned port;

    l->proto = parse_proto(&text);
    if (!text_copy(rest, sizeof rest, text))
        bad_listen(whole, "it is too long");
    parse_pool(l, whole, rest);
    parse_address(l, whole, rest);
    port = addr_port(&l->addr);
    if (l->pool >= 0 && l->proto->pool_fixed)
        bad_listen(whole, "that protocol has no pool of ports: leave +COUNT out");
    if (l->pool < 0)
        l->pool = port == 0 && !l->proto->pool_fixed ? 0 : l->proto->pool;
    if (l->proto->pool_parts > 0 && l->pool % l->proto->pool_parts != 0)
        bad_listen(whole, "half of the ports are for servers and half for clients: COUNT is even");
    if (port != 0 && port + (unsigned)(l->proto->own_ports + l->pool) - 1 > 65535)
        bad_listen(whole, "its ports end above 65535");
    place_pool(l);
}

/* 0.0.0.0 is every IPv4 address, [::] every address. */
static bool covers(const struct addr *a, const struct addr *b)
{
    if (addr_is_any(a) && (a->u.any.sa_family == AF_INET6 || b->u.any.sa_family == AF_INET))
        return true;
    return addr_same_host(a, b);
}

/* Whether a_count ports from a on and b_count ports from b on have one in common. */
static bool ranges_overlap(const struct addr *a, int a_count, const struct addr *b, int b_count)
{
    int first_a = (int)addr_port(a), first_b = (int)addr_port(b);

    if (a_count == 0 || b_count == 0 || (!covers(a, b) && !covers(b, a)))
        return false;
    return first_a < first_b + b_count && first_b < first_a + a_count;
}

/* Ports of the system's choice never do. */
static bool overlap(const struct relay_listen *a, const struct relay_listen *b)
{
    int a_own = a->proto->own_ports, b_own = b->proto->own_ports;

    if (addr_port(&a->addr) == 0 || addr_port(&b->addr) == 0)
        return false;
    return ranges_overlap(&a->addr, a_own, &b->addr, b_own) ||
           ranges_overlap(&a->addr, a_own, &b->pool_addr, b->pool) ||
           ranges_overlap(&a->pool_addr, a->pool, &b->addr, b_own) ||
           ranges_overlap(&a->pool_addr, a->pool, &b->pool_addr, b->pool);
}

static void parse_listens(int argc, char **argv)
{
    static char *by_default[] = {DEFAULT_LISTEN};

    if (argc == 0) {
        argc = 1;
        argv = by_default;
    }
    if (argc > MOST_LISTENS)
        options_mistake(&program, "%d LISTENs are too many: %d is the most", argc, MOST_LISTENS);
    for (listen_count = 0; listen_count < argc; listen_count++)
        parse_listen(&listens[listen_count], argv[listen_count]);
    for (int i = 0; i < argc; i++)
        for (int j = 0; j < i; j++)
            if (overlap(&listens[i], &listens[j]))
                log_die(EXIT_FAILED, "the ports of '%e' and '%e' overlap: choose others", argv[j], argv[i]);
}

/* How many LISTENs a protocol has, and how many ports they have. */
static int listens_of(const struct relay_proto *proto, int *ports)
{
    int count = 0;

    *ports = 0;
    for (int i = 0; i < listen_count; i++)
        if (listens[i].proto == proto) {
            count++;
            *ports += listens[i].pool + listens[i].proto->own_ports;
        }
    return count;
}

static void find_spoken(void)
{
    int count = 0, ports;

    for (int i = 0; relay_protos[i] != NULL; i++)
        if (listens_of(relay_protos[i], &ports) > 0) {
            spoken[count++] = relay_protos[i];
            ports_in_all += ports;
        }
}

/* How many services may be open at once. */
static int most_services(void)
{
    int count = ports_in_all;

    for (int i = 0; spoken[i] != NULL; i++)
        if (spoken[i]->by_name)
            count += rules.max_ready + rules.max_sessions;
    return count;
}

/* Connections that wait for clients leave half of the descriptors to the clients. */
static void fit_ready(int free_files)
{
    if (rules.max_ready > free_files / 2)
        rules.max_ready = free_files < 2 ? 1 : free_files / 2;
}

static void check_descriptors(void)
{
    int needed = ports_in_all + listener_reserve() + OWN_FILES;

    if (loop_limit() < needed)
        log_die(EXIT_FAILED, "%d open files are too few for %d ports: raise 'ulimit -n' to %d or give a smaller +COUNT",
                loop_limit(), ports_in_all, needed);
    fit_ready(loop_limit() - needed);
}

static void set_up(void)
{
    if (loop_init() != 0 || child_init() != 0)
        log_die(EXIT_FAILED, "cannot start: %s", strerror(errno));
    check_descriptors();
    session_rules.most = rules.max_sessions;
    if (session_init(program.name, &session_rules) != 0 || newcomers_setup(rules.max_unknown) != 0 ||
        rendezvous_setup(rules.max_sessions, rules.max_ready, rules.claim_seconds * 1000LL, rules.idle_seconds * 1000,
                         peer_seconds) != 0 ||
        service_setup(&rules, most_services()) != 0)
        log_die(EXIT_FAILED, "cannot start: %s: lower the --max options", strerror(errno));
    if (proxy_from != NULL && preamble_setup(proxy_from, rules.max_unknown, rules.line_seconds) != 0)
        log_die(EXIT_FAILED, "cannot start: %s: lower --max-unknown", strerror(errno));
    for (int i = 0; spoken[i] != NULL; i++) {
        int ports, count = listens_of(spoken[i], &ports);

        if (spoken[i]->setup(&rules, count, ports) != 0)
            log_die(EXIT_FAILED, "cannot start: %s: lower the --max options", strerror(errno));
    }
}

/* What the command line means for who can come in, where nobody has to prove who he is. */
static void log_unguarded(const struct relay_listen *l)
{
    char text[ADDR_TEXT];

    if (guarded(l))
        return;
    if (!l->open_to_all)
        log_event("loopback addr=%s reason=no-keys", addr_text(&l->addr, text));
    else if (!cidr_list_has("127.0.0.0/8,::1", &l->addr))
        log_event("unguarded addr=%s reason=no-keys", addr_text(&l->addr, text));
}

static void bind_all(void)
{
    char text[ADDR_TEXT];
    unsigned failed;

    for (int i = 0; i < listen_count; i++) {
        struct relay_listen *l = &listens[i];

        if (l->proto->bind(l, &failed) != 0) {
            addr_set_port(&l->addr, failed);
            log_die(EXIT_FAILED, "cannot have the port %s: %s: choose other ports, or end who has it",
                    addr_text(&l->addr, text), strerror(errno));
        }
        log_unguarded(l);
    }
}

static void load_keys(void)
{
    char why[KEYS_WHY];

    if (key_file == NULL)
        return;
    if (keys_load(key_file, why) != 0)
        log_die(EXIT_FAILED, "cannot use the key file '%e': %s", key_file, why);
    child_forgets(keys_forget);
}

/* A file with a mistake changes nothing. */
static void reload_keys(int signo)
{
    char why[KEYS_WHY];

    (void)signo;
    if (keys_load(key_file, why) != 0) {
        log_event("keys file=%e error=%e", key_file, why);
        return;
    }
    log_event("keys file=%e names=%u", key_file, (unsigned)keys_count());
    for (int i = 0; spoken[i] != NULL; i++)
        if (spoken[i]->keys_changed != NULL)
            spoken[i]->keys_changed();
}

/* A session without its filter is as before; whoever counts on it is told once. */
static void say_sandbox(void)
{
    const char *missing = sandbox_missing();

    if (missing != NULL)
        log_event("sandbox state=off reason=%s", missing);
}

static void stop(void)
{
    for (int i = 0; spoken[i] != NULL; i++)
        spoken[i]->stop();
}

int main(int argc, char **argv)
{
    int first;

    os_title_init(argv);
    nursery_if_asked(argv);
    log_init(program.name);
    first = options_parse(&program, argc, argv);
    check_public_host();
    check_proxy_from();
    check_pool_addr();
    parse_listens(argc - first, argv + first);
    find_spoken();
    lograte_setup(log_rate);
    load_keys();
    check_rights();
    set_up();
    listener_when_short(session_spare_descriptors);
    leave_on_signals(stop);
    if (key_file != NULL)
        loop_signal(SIGHUP, reload_keys);
    bind_all();
    give_up_rights();
    say_sandbox();
    for (int i = 0; spoken[i] != NULL; i++)
        if (spoken[i]->start() != 0)
            log_die(EXIT_FAILED, "cannot watch the ports: %s", strerror(errno));
    log_event("ready");
    if (loop_run() != 0)
        log_die(EXIT_FAILED, "pselect: %s", strerror(errno));
    lograte_end();
    log_flush();
    return EXIT_TOLD;
}
