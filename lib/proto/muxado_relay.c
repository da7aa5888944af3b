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
#include "../preamble.h"
#include "../slab.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* How soon a client is handed over where the process did not keep up, in milliseconds. */
#define AGAIN_MS 20

/* Bytes that tell the format. */
#define HEAD 4

struct server {
    struct watch watch;             /* until its process has the connection */
    struct portpool *pool;          /* NULL: not in use */
    struct addr from, reached;
    struct newcomer place;          /* until it has a port */
    struct timer deadline;
    unsigned char head[HEAD];
    size_t head_len;
    long long since;                /* clock_ms when it said who it is */
    struct service *service;        /* NULL: on hold, or no more */
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

/* Its descriptor, if it is ours yet, is the caller's. */
static int release(struct server *s)
{
    int fd = s->watch.fd;

    loop_remove(&s->watch);
    timer_stop(&s->deadline);
    newcomers_drop(&s->place);
    return fd;
}

static void forget(struct server *s)
{
    slab_put(&servers, s);
}

static void reject(struct server *s, const char *reason)
{
    lograte_reject(&s->from, reason);
    sock_reset(release(s));
    forget(s);
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

    if (r->kind == REPORT_LEAVING) {
        s->leaving = true;
    } else if (r->kind == REPORT_OVER) {
        newcomers_drop(&s->place);
        close_service(s, r->text);
    }
}

static void ended(void *owner)
{
    struct server *s = owner;

    newcomers_drop(&s->place);
    close_service(s, "killed");
    forget(s);
}

static void log_open(const struct server *s, const char *public)
{
    char from[ADDR_TEXT];

    log_event("open service=%s proto=muxado public=%s from=%s", s->service->name, public, addr_text(&s->from, from));
}

/* There is a port for it. */
static void serve(struct server *s, struct port *port)
{
    char public[ADDR_HOST + 8];
    struct job job = {.number = port->number};

    newcomers_drop(&s->place);
    s->service = service_open(NULL, port);
    if (s->service == NULL) {
        lograte_reject(&s->from, "full");
        transport_leave(&s->transport);
        return;
    }
    s->service->announce = announce;
    s->service->owner = s;
    log_open(s, service_address(&s->reached, port->number, public));
    if (transport_give(&s->transport, &job, -1) != 0)
        close_service(s, "killed");
}

/* It is known by its place among those who are not known yet, which is what it has. */
static bool on_hold(const struct server *s)
{
    return s->pool != NULL && s->place.counted && s->head_len == HEAD;
}

static void serve_those_on_hold(void *unused)
{
    (void)unused;
    for (;;) {
        struct server *s, *longest = NULL;

        for (size_t i = 0; (s = slab_at(&servers, i)) != NULL; i++)
            if (on_hold(s) && portpool_lowest(s->pool) != NULL && (longest == NULL || s->since < longest->since))
                longest = s;
        if (longest == NULL)
            return;
        serve(longest, portpool_lowest(longest->pool));
    }
}

/* A server that comes. */

static void start_process(struct server *s, enum mux_format format)
{
    struct mux_task task = {
        .format = format,
        .most = rules->max_per_service < rules->max_sessions ? rules->max_per_service : rules->max_sessions,
    };
    char from[ADDR_TEXT];
    int fd = s->watch.fd;

    service_address(&s->reached, 0, task.host);
    *(strrchr(task.host, ':') + 1) = '\0';
    memcpy(task.head, s->head, HEAD);
    sock_control_options(fd, rules->silence_seconds);
    s->again = (struct timer){.fire = announce_again, .owner = s};
    s->transport = (struct transport){.said = said, .ended = ended, .owner = s};
    if (transport_start(&s->transport, fd, addr_text(&s->from, from), mux_child_run, &task) != 0) {
        reject(s, "processes");
        return;
    }
    loop_remove(&s->watch);
    timer_stop(&s->deadline);
    s->watch.fd = -1;
    close(fd);
    serve_those_on_hold(NULL);
}

static void known(struct server *s)
{
    enum mux_format format;

    s->since = clock_ms();
    if (mux_format_of(s->head, &format) == 0)
        start_process(s, format);
    else
        reject(s, "line");
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
        forget(s);
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

/* One on hold has a process, which leaves when nothing more can come from here. */
static void make_room(void *owner)
{
    struct server *s = owner;

    if (!on_hold(s)) {
        reject(s, "full");
        return;
    }
    lograte_reject(&s->from, "full");
    newcomers_drop(&s->place);
    transport_leave(&s->transport);
}

static struct server *let_in(const struct addr *from)
{
    struct server *s = newcomers_many(from) ? NULL : slab_get(&servers);

    if (s == NULL)
        return NULL;
    s->place = (struct newcomer){.evict = make_room, .owner = s};
    if (newcomers_add(&s->place, from) == 0)
        return s;
    forget(s);
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
    if (preamble_locate(&s->reached, fd) != 0 || loop_add(&s->watch, LOOP_READ) != 0)
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
        if (s->watch.fd >= 0) {
            sock_reset(release(s));
            forget(s);
            continue;
        }
        newcomers_drop(&s->place);
        transport_leave(&s->transport);
        close_service(s, "drain");
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
