/*
 * relay-connect: beside the server that nobody can reach. Options, start-up
 * and wiring.
 */
#include "lib/child.h"
#include "lib/keys.h"
#include "lib/leave.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/nursery.h"
#include "lib/options.h"
#include "lib/name.h"
#include "lib/os.h"
#include "lib/proto/client_proto.h"
#include "lib/proto/server_proto.h"
#include "lib/session.h"
#include "lib/text.h"
#include "lib/uplink.h"
#include "lib/via.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MOST_TARGETS 32

/* How many clients may be on their way out beside the sessions. */
#define TURNED_AWAY 16

/* A public address, which may be a URL with a service's name. */
#define PUBLIC_LONGEST (ADDR_HOST + SERVICE_NAME_SIZE + 16)

/* Open files beside the connections to the relay: standard ones, a pipe, and what a session is started with. */
#define OWN_FILES 16

static const char *base_name;
static const char *via, *proxy_url, *proxy_auth;
static const char *listen_at;
static bool once;
static const char *key_file;
static int connect_seconds = 10, silence_seconds = 45, peer_seconds = 300;
static int max_sessions = 256;
static int ready = -1;              /* not given */
static struct session_rules session_rules = {.child_uses = 100, .spare_children = 32};
static int proxy_version;

static const struct option options[] = {
    {'k', "key", "FILE", "its own line of the relay's key file", .text = &key_file},
    {'n', "name", "NAME", "the service's name (default: the key's, else the machine's)", .text = &base_name},
    {'1', "once", NULL, "end when the relay connection ends, do not reconnect", .flag = &once},
    {'r', "ready", "N", "connections of each TARGET made ahead, to 64 (0; hostpool 10, ptth 1)",
     .number = &ready, .min = 0, .max = 64},
    {0, "listen", "[ADDR:]PORT", "be a local port for clients of ptth://HOST[:PORT]/SERVER/PORT",
     .text = &listen_at},
    {'V', "via", "COMMAND", "reach the relay, %h port %p, through a command", .text = &via},
    {0, "proxy", "URL", "reach the relay through an HTTP proxy, http://HOST[:PORT]", .text = &proxy_url},
    {0, "proxy-auth", "FILE", "what the proxy asks for: one line USER:PASSWORD", .text = &proxy_auth},
    {'c', "connect-timeout", "SECONDS", "for the local server (10)",
     .number = &connect_seconds, .min = 1, .max = 86400},
    {0, "peer-timeout", "SECONDS", "end a session whose peer does not acknowledge what was sent (300)",
     .number = &peer_seconds, .min = 1, .max = 86400},
    {0, "silence-timeout", "SECONDS", "how long the relay may be silent until it is given up (45)",
     .number = &silence_seconds, .min = 2, .max = 86400},
    {'P', "proxy-protocol", "1|2", "tell the local server who the client is, by a PROXY header",
     .number = &proxy_version, .min = 1, .max = 2},
    {0, "max-sessions", "N", "sessions at once (256)", .number = &max_sessions, .min = 1, .max = 1000000},
    {0, "child-uses", "N", "sessions that one process serves, one after the other (100)",
     .number = &session_rules.child_uses, .min = 1, .max = 1000000},
    {0, "spare-children", "N", "processes kept for 5 s while they have no session (32)",
     .number = &session_rules.spare_children, .min = 0, .max = 1000000},
    {0},
};

static const struct program program = {
    .name = "relay-connect",
    .synopsis = "  relay-connect [options] RELAY TARGET...\n"
                "  relay-connect [options] RELAY -- COMMAND [ARG...]\n"
                "  relay-connect [options] --listen [ADDR:]PORT ptth://HOST[:PORT]/SERVER/PORT\n"
                "  RELAY: [PROTO://]HOST[:PORT][,HOST[:PORT]...]\n"
                "  PROTO: new, tlsrelay, hostpool, muxado, muxado2, ptth\n"
                "  TARGET: [NAME=][PUBLIC:]HOST:PORT or [NAME=][PUBLIC:]/path/of/socket or -\n",
    .closing = "Prints the public address of each TARGET. A COMMAND serves each client, as\n"
               "under inetd; - serves one from standard input and output.\n"
               "Exit: 0 done, 1 failed, 2 usage, 3 refused by the relay.\n",
    .options = options,
};

static const struct server_proto *proto;
static const struct client_proto *client;   /* with --listen, in place of that */
static struct calling calling;
static struct forward_proxy proxy;
static struct dial_host relays[UPLINK_HOSTS + 1];
static int relay_count;
static struct offered {
    struct offering offering;       /* first, so that it finds the rest */
    struct target target;
    char name[NAME_SIZE];
    char printed[PUBLIC_LONGEST];    /* the public address as it was printed last */
} offers[MOST_TARGETS];
static int target_count;
static int exit_code = EXIT_TOLD;
static int ended_count;

/* The command line. */

/* Takes SCHEME:// off, where it is there. */
static bool take_scheme(const char **text, const char *scheme)
{
    size_t len = strlen(scheme);

    if (strncmp(*text, scheme, len) != 0 || strncmp(*text + len, "://", 3) != 0)
        return false;
    *text += len + 3;
    return true;
}

static const struct server_proto *parse_scheme(const char **text)
{
    /* No host has a slash. */
    if (strchr(*text, '/') == NULL)
        return server_protos[0];
    for (int i = 0; server_protos[i] != NULL; i++)
        if (take_scheme(text, server_protos[i]->scheme))
            return server_protos[i];
    options_mistake(&program, "'%e' names no protocol spoken here", *text);
    return NULL;
}

static void parse_relay(const char *text)
{
    const char *whole = text;

    do {
        struct dial_host *r = &relays[relay_count];
        const char *comma = strchr(text, ',');
        size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);
        char one[ADDR_HOST + 16];
        long port = -1;

        if (relay_count < UPLINK_HOSTS && len > 0 && len < sizeof one) {
            memcpy(one, text, len);
            one[len - (one[len - 1] == '/')] = '\0';       /* as URLs may end */
            port = addr_split_or(one, r->host, proto->port);
        }
        if (port < 1)
            options_mistake(&program, "'%e' is not a RELAY: write HOST, HOST:PORT or [IPv6]:PORT, at most %d of them",
                            whole, UPLINK_HOSTS);
        if (port + proto->ports_above > 65535)
            options_mistake(&program, "'%e' is not a RELAY: PORT is at most %u, as %s:// uses the port above, too", whole,
                            65535 - proto->ports_above, proto->scheme);
        r->port = (unsigned)port;
        relay_count++;
        text += len;
    } while (*text++ == ',');
}

/* How the relay is reached. */
static void check_way(void)
{
    const char *wrong;

    if (via != NULL && (wrong = via_wrong(via)) != NULL)
        options_mistake(&program, "'%e' is not a COMMAND for --via: %s", via, wrong);
    if (via != NULL && proxy_url != NULL)
        options_mistake(&program, "--via and --proxy are two ways to the relay: leave one out");
    if (proxy_url != NULL && (wrong = forward_proxy_parse(&proxy, proxy_url)) != NULL)
        options_mistake(&program, "that is not a URL for --proxy: %s", wrong);
    if (proxy_auth != NULL && proxy_url == NULL)
        options_mistake(&program, "--proxy-auth is for a proxy: give --proxy URL, or leave it out");
}

static void parse_targets(int argc, char **argv)
{
    if (argc == 0)
        options_mistake(&program, "no TARGET: give one such as localhost:80");
    if (strcmp(argv[0], "--") == 0) {
        if (argc == 1)
            options_mistake(&program, "-- needs a COMMAND");
        offers[0].target = (struct target){.kind = TARGET_COMMAND, .command = argv + 1};
        target_count = 1;
        return;
    }
    if (argc > MOST_TARGETS)
        options_mistake(&program, "more than %d TARGETs", MOST_TARGETS);
    for (target_count = 0; target_count < argc; target_count++) {
        const char *wrong = target_parse(&offers[target_count].target, argv[target_count]);

        if (wrong != NULL)
            options_mistake(&program, "'%e' is not a TARGET: %s", argv[target_count], wrong);
        if (offers[target_count].target.kind == TARGET_STDIO && argc > 1)
            options_mistake(&program, "- has standard input to itself: give no other TARGET");
    }
}

/* --listen [ADDR:]PORT PROTO://HOST[:PORT]/SERVICE. */

static const struct client_proto *parse_client_scheme(const char **text)
{
    for (int i = 0; client_protos[i] != NULL; i++)
        if (take_scheme(text, client_protos[i]->scheme))
            return client_protos[i];
    options_mistake(&program, "'%e' is no service for --listen: give one such as ptth://HOST/SERVER/PORT", *text);
    return NULL;
}

static void parse_listen(void)
{
    char host[ADDR_HOST];
    long port = strchr(listen_at, ':') != NULL ? addr_split(listen_at, host) : text_number(listen_at, 65535);

    if (strchr(listen_at, ':') == NULL)
        text_copy(host, sizeof host, "127.0.0.1");
    if (port < 0 || addr_numeric(&calling.listen, host, (unsigned)port) != 0)
        options_mistake(&program, "'%e' is not [ADDR:]PORT for --listen: ADDR is numeric, such as 0.0.0.0 or [::]",
                        listen_at);
}

static void parse_service(const char *text)
{
    const char *whole = text, *slash;
    char one[ADDR_HOST + 16];
    long port = -1;

    client = parse_client_scheme(&text);
    slash = strchr(text, '/');
    if (slash != NULL && (size_t)(slash - text) < sizeof one) {
        memcpy(one, text, (size_t)(slash - text));
        one[slash - text] = '\0';
        port = addr_split_or(one, relays[0].host, client->port);
    }
    if (port < 1 || !client->service_valid(slash + 1))
        options_mistake(&program, "'%e' names no service: write %s://HOST/SERVER/PORT", whole, client->scheme);
    relays[0].port = (unsigned)port;
    calling.service = slash + 1;
}

/* What is for servers alone. */
static void check_client(int operands)
{
    if (operands != 1)
        options_mistake(&program, "--listen takes one service, such as ptth://HOST/SERVER/PORT, and no TARGET");
    if (base_name != NULL || ready >= 0 || proxy_version != 0 || once)
        options_mistake(&program, "--listen serves clients: leave --name, --ready, --proxy-protocol and --once out");
}

static void load_key(void)
{
    char why[KEYS_WHY];

    if (key_file == NULL)
        return;
    if (keys_load(key_file, why) != 0)
        log_die(EXIT_FAILED, "cannot use the key file '%e': %s", key_file, why);
    if (keys_only() == NULL)
        log_die(EXIT_FAILED, "cannot use the key file '%e': it has %u keys: give it this server's line alone",
                key_file, (unsigned)keys_count());
    child_forgets(keys_forget);
}

/* For the next connection. A file with a mistake changes nothing. */
static void reload_key(int signo)
{
    char why[KEYS_WHY];

    (void)signo;
    if (keys_load(key_file, why) != 0)
        log_event("keys file=%e error=%e", key_file, why);
    else
        log_event("keys file=%e names=%u", key_file, (unsigned)keys_count());
}

static void load_proxy_auth(void)
{
    const char *wrong = proxy_auth != NULL ? forward_proxy_load(&proxy, proxy_auth) : NULL;

    if (wrong != NULL)
        log_die(EXIT_FAILED, "cannot use the file of --proxy-auth '%e': %s", proxy_auth, wrong);
}

/* A header is for a server that asks for one. */
static void check_header(void)
{
    enum target_kind kind = offers[0].target.kind;

    if (proxy_version != 0 && (kind == TARGET_COMMAND || kind == TARGET_STDIO))
        options_mistake(&program, "--proxy-protocol is for a TARGET that is a server: neither - nor -- COMMAND");
}

/* What the protocol has no word for. */
static void check_proto(void)
{
    if (key_file != NULL && !proto->proves)
        options_mistake(&program, "%s:// has no keys: leave --key out", proto->scheme);
    if (via != NULL && proto->direct)
        options_mistake(&program, "%s:// makes its connections directly: leave --via out", proto->scheme);
    if (proxy_url != NULL && proto->dials)
        options_mistake(&program, "%s:// makes its connections directly: leave --proxy out", proto->scheme);
    for (int i = 0; i < target_count; i++)
        if (offers[i].target.public_port != 0 && !proto->chooses)
            options_mistake(&program, "with %s:// the relay chooses the port: leave PUBLIC, %u, out", proto->scheme,
                            offers[i].target.public_port);
}

/* They wait in this process, so it has to be one that makes connections itself, and for more than one client. */
static void check_ready(void)
{
    if (ready < 0)
        ready = offers[0].target.kind == TARGET_STDIO ? proto->ready_least : proto->ready;
    else if (ready > 0 && proto->ready_most == 0)
        options_mistake(&program, "%s:// makes no connections ahead of clients: leave --ready out", proto->scheme);
    else if (ready < proto->ready_least || ready > proto->ready_most)
        options_mistake(&program, "--ready with %s:// is %d to %d", proto->scheme, proto->ready_least, proto->ready_most);
    if (ready > 0 && !proto->ready_anyhow && (via != NULL || proxy_url != NULL))
        options_mistake(&program, "--ready is for connections made directly: leave it or --%s out",
                        via != NULL ? "via" : "proxy");
    if (ready > proto->ready_least && offers[0].target.kind == TARGET_STDIO)
        options_mistake(&program, "--ready is for many clients, and - serves one: leave --ready out");
}

/* Each takes a descriptor. */
static void check_descriptors(void)
{
    int needed = target_count * (ready + 1) + OWN_FILES;

    if (ready > 0 && loop_limit() < needed)
        log_die(EXIT_FAILED, "%d open files are too few for --ready %d: raise 'ulimit -n' to %d or lower --ready",
                loop_limit(), ready, needed);
}

/* Names: NAME is BASE.NAME; of those without one the first is BASE, then BASE.2, BASE.3. */

static const char *machine_name(void)
{
    static char host[NAME_SIZE];
    struct utsname machine;

    if (uname(&machine) != 0 || machine.nodename[0] == '\0')
        return program.name;
    text_copy(host, sizeof host, machine.nodename);
    for (char *c = host + name_span(host); *c != '\0'; c += name_span(c))
        *c = '-';
    return host;
}

static const char *default_name(void)
{
    return key_file != NULL ? keys_only()->name : machine_name();
}

static void name_targets(void)
{
    const char *base = base_name != NULL ? base_name : default_name();
    int unnamed = 0;

    for (int i = 0; i < target_count; i++) {
        struct text t;

        text_init(&t, offers[i].name, sizeof offers[i].name);
        text_add(&t, "%s", base);
        if (offers[i].target.name[0] != '\0')
            text_add(&t, ".%s", offers[i].target.name);
        else if (++unnamed > 1)
            text_add(&t, ".%d", unnamed);
        if (t.cut || !name_valid(offers[i].name))
            options_mistake(&program, "the name '%e' is not 1 to 64 letters, digits, dots, dashes, underscores",
                            offers[i].name);
        if (key_file != NULL && keys_of_service(offers[i].name) == NULL)
            options_mistake(&program, "the key is that of '%s', not of '%s': give -n %s", keys_only()->name,
                            offers[i].name, keys_only()->name);
        for (int j = 0; j < i; j++)
            if (strcmp(offers[i].name, offers[j].name) == 0)
                options_mistake(&program, "two TARGETs named '%e'", offers[i].name);
    }
}

/* What the protocol tells. */

static void print_public(const struct offering *o, const char *address)
{
    char *last = offers[(const struct offered *)o - offers].printed;
    char line[PUBLIC_LONGEST + 2];
    struct text t;
    int out = o->target->kind == TARGET_STDIO ? STDERR_FILENO : STDOUT_FILENO;
    struct pollfd room = {.fd = out, .events = POLLOUT};

    if (strcmp(last, address) == 0)
        return;
    text_copy(last, sizeof offers[0].printed, address);
    text_init(&t, line, sizeof line);
    text_add(&t, "%s\n", address);
    /* Nobody who does not read it may stop the sessions. */
    if (poll(&room, 1, 0) == 0 || write(out, t.data, t.len) < 0)
        *last = '\0';
}

static void leave_with(int code)
{
    exit_code = code;
    loop_stop();
}

static void refused(const struct offering *o, const char *code, const char *text)
{
    log_event("refused service=%s code=%e text=%e", o->name, code, text);
    leave_with(EXIT_REFUSED);
}

static void ended(const struct offering *o, bool reached)
{
    (void)o;
    if (!reached)
        exit_code = EXIT_FAILED;
    if (++ended_count == target_count)
        loop_stop();
}

static void served(const struct offering *o, bool well)
{
    (void)o;
    leave_with(well ? EXIT_TOLD : EXIT_FAILED);
}

static const struct server_hooks hooks = {
    .public = print_public,
    .refused = refused,
    .ended = ended,
    .served = served,
};

static void offer_all(void)
{
    for (int i = 0; i < target_count; i++) {
        offers[i].offering = (struct offering){
            .name = offers[i].name,
            .target = &offers[i].target,
            .relays = relays,
            .relay_count = relay_count,
            .via = via,
            .proxy = proxy_url != NULL ? &proxy : NULL,
            .once = once,
            .connect_seconds = connect_seconds,
            .silence_seconds = silence_seconds,
            .ready = ready,
            .peer_seconds = peer_seconds,
            .max_sessions = max_sessions,
            .proxy_version = proxy_version,
        };
        if (proto->offer(&offers[i].offering, &hooks) != 0)
            log_die(EXIT_FAILED, "cannot start: %s", strerror(errno));
    }
}

/* The command line of a server's side, and of a client's, behind the options. */

static void prepare_offers(int argc, char **argv)
{
    const char *relay = argv[0];

    proto = parse_scheme(&relay);
    parse_relay(relay);
    check_way();
    parse_targets(argc - 1, argv + 1);
    check_proto();
    load_key();
    load_proxy_auth();
    check_header();
    check_ready();
    name_targets();
}

static void prepare_calling(int argc, char **argv)
{
    check_client(argc);
    parse_listen();
    parse_service(argv[0]);
    check_way();
    load_key();
    load_proxy_auth();
}

static void call_service(void)
{
    char text[ADDR_TEXT + 1];
    struct addr at;
    size_t len;

    calling.relay = &relays[0];
    calling.via = via;
    calling.proxy = proxy_url != NULL ? &proxy : NULL;
    calling.silence_seconds = silence_seconds;
    calling.peer_seconds = peer_seconds;
    calling.max_sessions = max_sessions;
    if (client->start(&calling, &at) != 0)
        log_die(EXIT_FAILED, "cannot have the port %s: %s: choose another, or end who has it",
                addr_text(&calling.listen, text), strerror(errno));
    len = strlen(addr_text(&at, text));
    log_event("listen proto=%s addr=%s service=%s", client->scheme, text, calling.service);
    text[len++] = '\n';
    if (write(STDOUT_FILENO, text, len) < 0)
        log_die(EXIT_FAILED, "cannot print the address: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    int first;

    os_title_init(argv);
    nursery_if_asked(argv);
    log_init(program.name);
    first = options_parse(&program, argc, argv);
    if (first == argc)
        options_mistake(&program, "no RELAY: give its HOST and a TARGET");
    if (listen_at != NULL)
        prepare_calling(argc - first, argv + first);
    else
        prepare_offers(argc - first, argv + first);
    session_rules.most = max_sessions + TURNED_AWAY;
    if (loop_init() != 0 || child_init() != 0 || session_init(program.name, &session_rules) != 0)
        log_die(EXIT_FAILED, "cannot start: %s", strerror(errno));
    check_descriptors();
    leave_on_signals(client != NULL ? client->stop : proto->stop);
    if (key_file != NULL)
        loop_signal(SIGHUP, reload_key);
    if (client != NULL)
        call_service();
    else
        offer_all();
    if (loop_run() != 0)
        log_die(EXIT_FAILED, "pselect: %s", strerror(errno));
    log_flush();
    return exit_code;
}
