/*
 * tlsrelay_relay: the relay's side of the protocol of tx_tlsrelay.
 *
 * A control connection is a server: it says nothing, and is told a public port,
 * a reverse port and of each client. See "tlsrelay" in protocols.md.
 */
#include "endpoint.h"

#include "../log.h"
#include "../lograte.h"
#include "../preamble.h"
#include "../reverse.h"
#include "../slab.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The pool's first half are reverse ports, the second public ones; the n-th of each belong together. */
#define HALVES 2

struct server {
    struct watch watch;
    struct addr from, reached;
    struct service *service;
    struct reverse reverse;
};

static const struct service_rules *rules;
static struct endpoints endpoints;
static struct slab servers;

static int setup(const struct service_rules *the_rules, int listens, int ports)
{
    rules = the_rules;
    if (endpoints_setup(&endpoints, listens) != 0)
        return -1;
    return slab_init(&servers, sizeof(struct server), (size_t)(ports / HALVES + 1));
}

/* Its sessions are its own affair. */
static void leave(struct server *s, const char *reason)
{
    int fd = s->watch.fd;

    loop_remove(&s->watch);
    reverse_stop(&s->reverse);
    if (s->service != NULL)
        service_close(s->service, reason);
    slab_put(&servers, s);
    close(fd);
}

/* As in the original, a server that goes takes its sessions with it. */
static void gone(struct server *s, const char *reason)
{
    service_end_sessions(s->service);
    leave(s, reason);
}

static int tell(struct server *s, const char *lines, size_t len)
{
    if (sock_send(s->watch.fd, lines, len) == 0)
        return 0;
    gone(s, "slow");
    return -1;
}

static int announce(void *owner, struct waiter *client)
{
    (void)client;
    return tell(owner, "new_connection\r\n", 16);
}

static void readable(void *owner, unsigned events)
{
    struct server *s = owner;
    char byte;
    ssize_t got = read(s->watch.fd, &byte, 1);

    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        lograte_reject(&s->from, "line");
    gone(s, got > 0 ? "line" : got == 0 ? "eof" : errno == ETIMEDOUT ? "timeout" : "reset");
}

/* The lowest two that are free. They are only ever given out together. */
static int find_ports(const struct portpool *pool, struct port **reverse, struct port **public)
{
    int half = pool->count / HALVES;

    for (int i = 0; i < half; i++)
        if (!pool->ports[i].given) {
            *reverse = &pool->ports[i];
            *public = &pool->ports[half + i];
            return 0;
        }
    return -1;
}

static int open_service(struct server *s, struct portpool *pool)
{
    struct port *reverse, *public;

    if (find_ports(pool, &reverse, &public) != 0)
        return -1;
    s->service = service_open(NULL, public);
    if (s->service == NULL)
        return -1;
    s->service->announce = announce;
    s->service->owner = s;
    s->reverse.from = rules->any_reverse ? NULL : &s->from;
    s->reverse.meeting = &s->service->meeting;
    return reverse_start(&s->reverse, reverse);
}

static void welcome(struct server *s)
{
    char public[ADDR_HOST + 8], reverse[ADDR_HOST + 8], from[ADDR_TEXT], buffer[2 * ADDR_HOST + 64];
    struct text t;

    service_address(&s->reached, s->service->port->number, public);
    service_address(&s->reached, s->reverse.port->number, reverse);
    log_event("open service=%s proto=tlsrelay public=%s from=%s reverse=%s", s->service->name, public,
              addr_text(&s->from, from), reverse);
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "public_listener %s\r\nreverse_listener %s\r\n", public, reverse);
    tell(s, t.data, t.len);
}

static void turn_away(struct server *s)
{
    static const char line[] = "no_available_listeners\r\n";

    lograte_reject(&s->from, "full");
    sock_send(s->watch.fd, line, sizeof line - 1);
    sock_close_gently(s->watch.fd);
    leave(s, "full");
}

static void accepted(void *endpoint, int fd, const struct addr *from)
{
    struct endpoint *e = endpoint;
    struct server *s = slab_get(&servers);

    if (s == NULL) {
        lograte_reject(from, "full");
        sock_reset(fd);
        return;
    }
    s->from = *from;
    s->watch = (struct watch){.fd = fd, .ready = readable, .owner = s};
    if (preamble_locate(&s->reached, fd) != 0 || open_service(s, &e->pool) != 0 ||
        loop_add(&s->watch, LOOP_READ) != 0) {
        turn_away(s);
        return;
    }
    sock_control_options(fd, rules->silence_seconds);
    welcome(s);
}

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    return endpoint_bind_pool(&endpoints, l, failed);
}

static int start(void)
{
    return endpoints_start(&endpoints, accepted);
}

static void stop(void)
{
    struct server *s;

    for (size_t i = 0; (s = slab_at(&servers, i)) != NULL; i++)
        if (s->service != NULL)
            leave(s, "drain");
    endpoints_stop(&endpoints);
}

const struct relay_proto tlsrelay_relay = {
    .name = "tlsrelay",
    .pool = 200,
    .pool_parts = HALVES,
    .own_ports = 1,
    .setup = setup,
    .bind = bind_listen,
    .start = start,
    .stop = stop,
};
