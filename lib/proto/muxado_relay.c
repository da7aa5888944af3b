/*
 * muxado_relay: the relay's side of tcp-relay's protocol: its ports and servers.
 *
 * A server's connection is told by its first four bytes which format it speaks,
 * is given a public port, and goes to a process of its own (mux_child), which
 * is handed every client. See "muxado" in protocols.md.
 */
#include "endpoint.h"
#include "mux_child.h"

#include "../clock.h"
#include "../log.h"
#include "../lograte.h"
#include "../newcomers.h"
#include "../os.h"
#include "../preamble.h"
#include "../slab.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* How soon a client is handed over where the process did not keep up, in milliseconds. */
#define AGAIN_MS 20

/* How often it is looked whether those on hold have left, in milliseconds. */
#define LOOK_MS 1000

/* Bytes that tell the format. */
#define HEAD 4

struct server {
    struct watch watch;             /* fd -1: its process has the connection */
    struct portpool *pool;          /* NULL: not in use */
    struct addr from, reached;
    struct newcomer place;          /* until it has a port */
    struct timer deadline;
    unsigned char head[HEAD];
    size_t head_len;
    long long since;                /* clock_ms when it said who it is */
    enum mux_format format;
    struct service *service;
    struct transport transport;
    struct timer again;             /* for clients that it did not keep up with */
    bool leaving;                   /* it takes no more clients */
};

static const struct service_rules *rules;
static struct endpoints endpoints;
static struct slab servers;
static struct timer retry;          /* those on hold, when a port may be free */

static int setup(const struct service_rules *the_rules, int listens, int ports)
{
    rules = the_rules;
    if (endpoints_setup(&endpoints, listens) != 0)
        return -1;
    /* One whose port is free again has a process as long as it has clients. */
    return slab_init(&servers, sizeof(struct server), (size_t)(ports + rules->max_sessions + rules->max_unknown + 1));
}

static int release(struct server *s)
{
    int fd = s->watch.fd;

    loop_remove(&s->watch);
    timer_stop(&s->deadline);
    newcomers_drop(&s->place);
    return fd;
}

static void reject(struct server *s, const char *reason)
{
    lograte_reject(&s->from, reason);
    sock_reset(release(s));
    slab_put(&servers, s);
}

/* A server that has a port. */

static void close_service(struct server *s, const char *reason)
{
    if (s->service == NULL)
        return;
    timer_stop(&s->again);
    transport_leave(&s->transport);
    service_close(s->service, reason);
    s->service = NULL;
    timer_set(&retry, 0);
}

static int announce(void *owner, struct waiter *client)
{
    struct server *s = owner;

    if (s->leaving)
        rendezvous_refuse(client, "gone");
    else if (rendezvous_carry(client, &s->transport) != 0 && !timer_is_set(&s->again))
        timer_set(&s->again, AGAIN_MS);
    return 0;
}

static void announce_again(void *owner)
{
    struct server *s = owner;

    rendezvous_announce_all(&s->service->meeting);
}

static void said(void *owner, const struct report *r)
{
    struct server *s = owner;

    if (r->kind == REPORT_LEAVING)
        s->leaving = true;
    else if (r->kind == REPORT_OVER)
        close_service(s, r->text);
}

static void ended(void *owner)
{
    struct server *s = owner;

    close_service(s, "killed");
    slab_put(&servers, s);
}

static void log_open(const struct server *s, const char *public)
{
    char from[ADDR_TEXT];

    log_event("open service=%e proto=muxado public=%s from=%s", s->service->name, public, addr_text(&s->from, from));
}

/* It has said who it is, and there is a port. */
static void serve(struct server *s, struct port *port)
{
    struct mux_task task = {
        .format = s->format,
        .most = rules->max_per_service < rules->max_sessions ? rules->max_per_service : rules->max_sessions,
    };
    int fd = s->watch.fd;

    s->service = service_open(NULL, port);
    if (s->service == NULL) {
        reject(s, "full");
        return;
    }
    s->service->announce = announce;
    s->service->owner = s;
    service_address(&s->reached, port->number, task.address);
    memcpy(task.head, s->head, HEAD);
    s->again = (struct timer){.fire = announce_again, .owner = s};
    s->transport = (struct transport){.said = said, .ended = ended, .owner = s};
    sock_control_options(fd, rules->silence_seconds);
    release(s);
    if (transport_start(&s->transport, fd, s->service->name, mux_child_run, &task) != 0) {
        log_event("close service=%e reason=error error=%e", s->service->name, strerror(errno));
        service_close(s->service, "error");
        slab_put(&servers, s);
    } else {
        log_open(s, task.address);
        s->watch.fd = -1;
    }
    close(fd);
}

/* What it has said since stands before its end, so reading would not find that. */
static bool has_left(const struct server *s)
{
    struct pollfd p = {.fd = s->watch.fd, .events = os_poll_ended};

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL | os_poll_ended)) != 0;
}

/* Those that have left are forgotten. Returns the one that has been on hold longest, or NULL; *any: some are. */
static struct server *longest_on_hold(bool *any)
{
    struct server *s, *longest = NULL;

    *any = false;
    for (size_t i = 0; (s = slab_at(&servers, i)) != NULL; i++) {
        if (s->pool == NULL || !s->place.counted || s->head_len < HEAD)
            continue;
        if (has_left(s)) {
            close(release(s));
            slab_put(&servers, s);
            continue;
        }
        *any = true;
        if (portpool_lowest(s->pool) != NULL && (longest == NULL || s->since < longest->since))
            longest = s;
    }
    return longest;
}

static void serve_those_on_hold(void *unused)
{
    struct server *longest;
    bool any;

    (void)unused;
    while ((longest = longest_on_hold(&any)) != NULL)
        serve(longest, portpool_lowest(longest->pool));
    if (any)
        timer_set(&retry, LOOK_MS);
}

/* A server that comes. */

static void hold(struct server *s)
{
    loop_want(&s->watch, 0);
    if (!timer_is_set(&retry))
        timer_set(&retry, LOOK_MS);
}

static void known(struct server *s)
{
    struct port *port = portpool_lowest(s->pool);

    timer_stop(&s->deadline);
    s->since = clock_ms();
    if (mux_format_of(s->head, &s->format) != 0)
        reject(s, "line");
    else if (port != NULL)
        serve(s, port);
    else
        hold(s);
}

static void readable(void *owner, unsigned events)
{
    struct server *s = owner;
    ssize_t got = read(s->watch.fd, s->head + s->head_len, HEAD - s->head_len);

    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        close(release(s));
        slab_put(&servers, s);
        return;
    }
    if (s->head_len == 0)
        timer_set(&s->deadline, rules->line_seconds * 1000LL);
    s->head_len += (size_t)got;
    if (s->head_len == HEAD)
        known(s);
}

static void too_slow(void *owner)
{
    reject(owner, "slow");
}

static void make_room(void *owner)
{
    reject(owner, "full");
}

static struct server *let_in(const struct addr *from)
{
    struct server *s = newcomers_many(from) ? NULL : slab_get(&servers);

    if (s == NULL)
        return NULL;
    s->place = (struct newcomer){.evict = make_room, .owner = s};
    if (newcomers_add(&s->place, from) == 0)
        return s;
    slab_put(&servers, s);
    return NULL;
}

static void accepted(void *endpoint, int fd, const struct addr *from)
{
    struct endpoint *e = endpoint;
    struct server *s = let_in(from);

    if (s == NULL) {
        lograte_reject(from, "full");
        sock_reset(fd);
        return;
    }
    s->pool = &e->pool;
    s->from = *from;
    s->watch = (struct watch){.fd = fd, .ready = readable, .owner = s};
    s->deadline = (struct timer){.fire = too_slow, .owner = s};
    if (preamble_reached() != NULL)
        s->reached = *preamble_reached();
    if ((preamble_reached() == NULL && addr_local(&s->reached, fd) != 0) || loop_add(&s->watch, LOOP_READ) != 0)
        reject(s, "full");
}

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    return endpoint_bind_pool(&endpoints, l, failed);
}

static int start(void)
{
    retry.fire = serve_those_on_hold;
    return endpoints_start(&endpoints, accepted);
}

static void stop(void)
{
    struct server *s;

    for (size_t i = 0; (s = slab_at(&servers, i)) != NULL; i++) {
        if (s->pool == NULL)
            continue;
        if (s->place.counted) {
            sock_reset(release(s));
            slab_put(&servers, s);
        } else {
            close_service(s, "drain");
        }
    }
    timer_stop(&retry);
    endpoints_stop(&endpoints);
}

const struct relay_proto muxado_relay = {
    .name = "muxado",
    .pool = 50,
    .own_ports = 1,
    .setup = setup,
    .bind = bind_listen,
    .start = start,
    .stop = stop,
};
