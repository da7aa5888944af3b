/*
 * hostpool_relay: the relay's side of the protocol of RelayServer.
 *
 * Three ports: host processes make data connections to the first, which stand
 * by for clients, and are told on connections to the second which of them have
 * one; clients come to the third. See "hostpool" in protocols.md.
 */
#include "endpoint.h"
#include "hostpool_reader.h"

#include "../log.h"
#include "../lograte.h"
#include "../newcomers.h"
#include "../preamble.h"
#include "../slab.h"
#include "../sock.h"
#include "../tally.h"
#include "../text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the data connections that may stand by, the part that may be command connections: a host process has ten to one. */
#define HOSTS_PART 8

/* And of those the part that may come from one source, lest it have all of them. */
#define SOURCE_PART 4

/* One LISTEN. */
struct hostpool {
    struct endpoint *data;          /* its pool is the clients' port alone */
    int commands_fd;
    struct addr commands_addr;
    struct listener commands;
    char name[NAME_SIZE];
    struct service *service;
    struct host *hosts;
};

/* A command connection. */
struct host {
    struct watch watch;
    struct hostpool *of;            /* NULL: not in use */
    struct addr from;
    struct host *next, **link;
};

/* A data connection that has not said Hello. */
struct guest {
    struct watch watch;
    struct hostpool *of;            /* NULL: not in use */
    struct addr from, reached;
    struct timer deadline;
    struct newcomer place;
    bool begun;                     /* the time of its message runs */
    struct hostpool_reader in;
};

/* A data connection that has, and waits for a client. */
struct ready {
    struct watch watch;
    struct hostpool *of;
    struct addr from;
    struct standby standby;         /* its mark is the session's id */
};

static const struct service_rules *rules;
static struct endpoints endpoints;
static struct hostpool *pools;
static struct slab hosts, guests, readies;
static struct tally host_sources, ready_sources;
static int32_t last_session;        /* ids are never used twice */

static int setup(const struct service_rules *the_rules, int listens, int ports)
{
    size_t most_hosts = (size_t)the_rules->max_ready / HOSTS_PART + 1;

    (void)ports;
    rules = the_rules;
    pools = calloc((size_t)listens, sizeof *pools);
    if (pools == NULL || endpoints_setup(&endpoints, listens) != 0 || hostpool_reader_setup() != 0 ||
        slab_init(&hosts, sizeof(struct host), most_hosts) != 0 || tally_init(&host_sources, most_hosts) != 0 ||
        tally_init(&ready_sources, (size_t)rules->max_ready) != 0 ||
        slab_init(&guests, sizeof(struct guest), (size_t)rules->max_unknown + 1) != 0)
        return -1;
    return slab_init(&readies, sizeof(struct ready), (size_t)rules->max_ready);
}

/* Command connections. */

static void host_gone(struct host *h, const char *reason)
{
    struct hostpool *p = h->of;
    int fd = h->watch.fd;
    char from[ADDR_TEXT];

    log_event("close service=%s reason=%s from=%s", p->name, reason, addr_text(&h->from, from));
    loop_remove(&h->watch);
    tally_drop(&host_sources, &h->from);
    *h->link = h->next;
    if (h->next != NULL)
        h->next->link = h->link;
    slab_put(&hosts, h);
    sock_close_gently(fd);
    close(fd);
    /* Nobody would be told: clients wait, and so does what was made for them. */
    if (p->hosts == NULL)
        p->service->meeting.held = true;
}

static void tell_all(struct hostpool *p, int32_t type, int32_t session)
{
    struct hostpool_command command = {.version = HOSTPOOL_VERSION, .type = type, .session = session};
    unsigned char frame[HOSTPOOL_WRITTEN];
    size_t len = hostpool_command_put(&command, frame);
    struct host *next;

    for (struct host *h = p->hosts; h != NULL; h = next) {
        next = h->next;
        if (sock_send(h->watch.fd, (const char *)frame, len) != 0)
            host_gone(h, "slow");
    }
}

/* What it says is nothing to us. */
static void host_readable(void *owner, unsigned events)
{
    struct host *h = owner;
    char waste[1024];
    ssize_t got = read(h->watch.fd, waste, sizeof waste);

    (void)events;
    if (got == 0)
        host_gone(h, "eof");
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        host_gone(h, errno == ETIMEDOUT ? "timeout" : "reset");
}

static bool has_host(const struct hostpool *p, const struct addr *source)
{
    for (const struct host *h = p->hosts; h != NULL; h = h->next)
        if (addr_same_host(&h->from, source))
            return true;
    return false;
}

static bool many_hosts(const struct addr *source)
{
    unsigned count = tally_count(&host_sources, source), most = (unsigned)rules->max_ready / HOSTS_PART + 1;

    return count >= (unsigned)rules->max_per_source || (count > 0 && count >= most / SOURCE_PART);
}

static void log_open(const struct host *h, const struct addr *reached)
{
    char public[ADDR_HOST + 8], from[ADDR_TEXT];

    log_event("open service=%s proto=hostpool public=%s from=%s", h->of->name,
              service_address(reached, h->of->service->port->number, public), addr_text(&h->from, from));
}

static void host_accepted(void *owner, int fd, const struct addr *from)
{
    struct hostpool *p = owner;
    struct host *h = many_hosts(from) ? NULL : slab_get(&hosts);
    struct addr reached;

    if (h == NULL) {
        lograte_reject(from, "full");
        sock_reset(fd);
        return;
    }
    h->watch = (struct watch){.fd = fd, .ready = host_readable, .owner = h};
    if (preamble_locate(&reached, fd) != 0 || loop_add(&h->watch, LOOP_READ) != 0) {
        slab_put(&hosts, h);
        sock_reset(fd);
        return;
    }
    h->of = p;
    h->from = *from;
    tally_add(&host_sources, from);
    h->next = p->hosts;
    h->link = &p->hosts;
    if (h->next != NULL)
        h->next->link = &h->next;
    p->hosts = h;
    sock_control_options(fd, rules->silence_seconds);
    log_open(h, &reached);
    p->service->meeting.held = false;
    rendezvous_match(&p->service->meeting);
}

/* Data connections that stand by. */

static int assign(void *owner, const struct addr *client)
{
    struct ready *r = owner;

    (void)client;
    loop_remove(&r->watch);
    tell_all(r->of, HOSTPOOL_OPEN, (int32_t)r->standby.mark);
    return r->of->hosts != NULL ? 0 : -1;       /* it may be that nobody took it */
}

static void stands_by_no_more(void *owner, const char *reason)
{
    struct ready *r = owner;
    char from[ADDR_TEXT];

    if (reason != NULL && r->of->service->open)
        lograte_event(LOGRATE_UNREADY, "unready service=%s from=%s reason=%s", r->of->name, addr_text(&r->from, from),
                      reason);
    loop_remove(&r->watch);
    tally_drop(&ready_sources, &r->from);
    slab_put(&readies, r);
}

static const struct standby_hooks standby_hooks = {.prepare = assign, .gone = stands_by_no_more};

/* Nothing may come before there is a client, not even an end. */
static void ready_readable(void *owner, unsigned events)
{
    struct ready *r = owner;
    const char *reason = leg_not_quiet(&r->standby.leg);

    (void)events;
    if (reason != NULL)
        rendezvous_stand_down(&r->standby, reason);
}

/* In the service's hooks: clients are not announced before they are assigned. */
static int announce(void *owner, struct waiter *client)
{
    (void)owner, (void)client;
    return 0;
}

static void session_ended(void *owner, uint32_t mark)
{
    if (owner != NULL)
        tell_all(owner, HOSTPOOL_DROP, (int32_t)mark);
}

/* Data connections that come. */

static int guest_release(struct guest *g)
{
    int fd = g->watch.fd;

    loop_remove(&g->watch);
    timer_stop(&g->deadline);
    hostpool_forget(&g->in);
    newcomers_drop(&g->place);
    slab_put(&guests, g);
    return fd;
}

static void reject(struct guest *g, const char *reason)
{
    lograte_reject(&g->from, reason);
    sock_reset(guest_release(g));
}

static int say_welcome(const struct guest *g, int32_t session)
{
    struct hostpool_welcome welcome = {.session = session, .port = g->of->service->port->number};
    unsigned char frame[HOSTPOOL_WRITTEN];
    char reached[ADDR_TEXT];

    text_copy(welcome.host, sizeof welcome.host, service_host(&g->reached, reached));
    return sock_send(g->watch.fd, (const char *)frame, hostpool_welcome_put(&welcome, frame));
}

static void stand_by(struct guest *g)
{
    struct hostpool *p = g->of;
    struct rendezvous *meeting = &p->service->meeting;
    bool many = last_session == INT32_MAX || tally_count(&ready_sources, &g->from) >= (unsigned)rules->max_per_source;
    struct ready *r = many ? NULL : slab_get(&readies);
    const char *refused;
    bool welcomed;

    if (r == NULL) {
        reject(g, "full");
        return;
    }
    r->standby = (struct standby){
        .leg = leg_of_socket(g->watch.fd),
        .mark = (uint32_t)++last_session,
        .hooks = &standby_hooks,
        .owner = r,
    };
    refused = rendezvous_stand_by(meeting, &r->standby);
    if (refused != NULL) {
        slab_put(&readies, r);
        reject(g, refused);
        return;
    }
    welcomed = say_welcome(g, last_session) == 0;
    r->of = p;
    r->from = g->from;
    tally_add(&ready_sources, &r->from);
    r->watch = (struct watch){.fd = guest_release(g), .ready = ready_readable, .owner = r};
    sock_probe(r->watch.fd);
    if (!welcomed || loop_add(&r->watch, LOOP_READ) != 0)
        rendezvous_stand_down(&r->standby, welcomed ? "descriptors" : "slow");
    rendezvous_match(meeting);
}

static void hello(struct guest *g)
{
    int32_t version;
    size_t len;
    const unsigned char *message = hostpool_message(&g->in, &len);

    if (hostpool_hello_parse(message, len, &version) != 0)
        reject(g, "line");
    else if (version != HOSTPOOL_VERSION)
        reject(g, "version");
    else
        stand_by(g);
}

static void hello_due(struct guest *g)
{
    timer_set(&g->deadline, rules->line_seconds * 1000LL);
}

static void guest_readable(void *owner, unsigned events)
{
    struct guest *g = owner;

    (void)events;
    switch (hostpool_read(&g->in, g->watch.fd)) {
    case HOSTPOOL_READ:
        hello(g);
        break;
    case HOSTPOOL_WAIT:
        if (g->in.len > 0 && !g->begun) {
            g->begun = true;
            hello_due(g);
        }
        break;
    case HOSTPOOL_LONG:
        reject(g, "line");
        break;
    case HOSTPOOL_END:
    case HOSTPOOL_ERROR:
        close(guest_release(g));
        break;
    }
}

static void too_slow(void *owner)
{
    reject(owner, "slow");
}

static void make_room(void *owner)
{
    reject(owner, "full");
}

/* NULL: it is not let in. */
static struct guest *let_in(const struct hostpool *p, const struct addr *from)
{
    struct guest *g;

    if ((newcomers_many(from) && !has_host(p, from)) || (g = slab_get(&guests)) == NULL)
        return NULL;
    g->place = (struct newcomer){.evict = make_room, .owner = g};
    if (newcomers_add(&g->place, from) == 0)
        return g;
    slab_put(&guests, g);
    return NULL;
}

static struct hostpool *pool_of(const struct endpoint *e)
{
    return &pools[e - endpoints.first];
}

static void data_accepted(void *endpoint, int fd, const struct addr *from)
{
    struct hostpool *p = pool_of(endpoint);
    struct guest *g = let_in(p, from);

    if (g == NULL) {
        lograte_reject(from, "full");
        sock_reset(fd);
        return;
    }
    g->of = p;
    g->from = *from;
    g->watch = (struct watch){.fd = fd, .ready = guest_readable, .owner = g};
    g->deadline = (struct timer){.fire = too_slow, .owner = g};
    if (preamble_locate(&g->reached, fd) != 0 || loop_add(&g->watch, LOOP_READ) != 0) {
        reject(g, "full");
        return;
    }
    hello_due(g);
    guest_readable(g, LOOP_READ);
}

/* Ports. */

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    struct endpoint *e = endpoint_bind(&endpoints, l, failed);
    struct addr commands = l->addr;
    char at[ADDR_TEXT], commands_at[ADDR_TEXT], clients_at[ADDR_TEXT];
    struct addr clients = l->pool_addr;
    struct hostpool *p;
    struct text t;

    if (e == NULL)
        return -1;
    p = pool_of(e);
    p->data = e;
    if (addr_port(&commands) != 0)
        addr_set_port(&commands, addr_port(&commands) + 1);
    *failed = addr_port(&commands);
    p->commands_fd = sock_bind(&commands);
    if (p->commands_fd < 0 || sock_listen(p->commands_fd) != 0 || addr_local(&p->commands_addr, p->commands_fd) != 0)
        return -1;
    text_init(&t, p->name, sizeof p->name);
    text_add(&t, "hostpool-%u", addr_port(&e->addr));
    addr_set_port(&clients, e->pool.ports[0].number);
    log_event("listen proto=hostpool addr=%s commands=%s clients=%s", addr_text(&e->addr, at),
              addr_text(&p->commands_addr, commands_at), addr_text(&clients, clients_at));
    return 0;
}

static int start_one(struct hostpool *p)
{
    p->service = service_open(p->name, &p->data->pool.ports[0]);
    if (p->service == NULL)
        return -1;
    p->service->announce = announce;
    p->service->ended = session_ended;
    p->service->owner = p;
    p->service->meeting.held = true;
    p->commands = (struct listener){.accepted = host_accepted, .owner = p, .reserved = true};
    return listener_start(&p->commands, p->commands_fd);
}

static int start(void)
{
    for (int i = 0; i < endpoints.count; i++)
        if (start_one(&pools[i]) != 0)
            return -1;
    return endpoints_start(&endpoints, data_accepted);
}

static void stop(void)
{
    struct guest *g;

    for (size_t i = 0; (g = slab_at(&guests, i)) != NULL; i++)
        if (g->of != NULL)
            sock_reset(guest_release(g));
    for (int i = 0; i < endpoints.count; i++) {
        struct hostpool *p = &pools[i];

        listener_stop(&p->commands);
        close(p->commands_fd);
        while (p->hosts != NULL)
            host_gone(p->hosts, "drain");
        service_close(p->service, "drain");
    }
    endpoints_stop(&endpoints);
}

const struct relay_proto hostpool_relay = {
    .name = "hostpool",
    .pool = 1,
    .pool_fixed = true,
    .own_ports = 2,
    .setup = setup,
    .bind = bind_listen,
    .start = start,
    .stop = stop,
};
