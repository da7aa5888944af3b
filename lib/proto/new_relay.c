/*
 * new_relay: the relay's side of the protocol `new`: its ports.
 *
 * One port takes control and data connections. A connection is asked nothing:
 * its first line says what it is ([HELLO], [DATA]), and silence makes it a
 * plain server. See "new" in protocols.md.
 */
#include "relay_proto.h"

#include "new_conn.h"
#include "new_words.h"
#include "../log.h"
#include "../sock.h"
#include "../text.h"

#include <stdlib.h>
#include <unistd.h>

struct endpoint {
    struct listener listener;
    int fd;
    struct portpool pool;
};

static struct endpoint *endpoints;
static int endpoint_count;

static int setup(const struct service_rules *rules, int listens, int ports)
{
    endpoints = calloc((size_t)listens, sizeof *endpoints);
    if (endpoints == NULL || new_offer_setup(rules, ports) != 0)
        return -1;
    return new_conn_setup(rules, &new_words, ports + rules->max_unknown);
}

static void log_listen(const struct endpoint *e, const struct addr *addr, const struct relay_listen *l)
{
    char at[ADDR_TEXT], pool_at[ADDR_TEXT], pool[1536];
    struct text t;

    text_init(&t, pool, sizeof pool);
    portpool_text(&e->pool, &t);
    if (l->pool_elsewhere)
        text_add(&t, " pool_addr=%s", addr_host_text(&l->pool_addr, pool_at));
    log_event("listen proto=new addr=%s pool=%s", addr_text(addr, at), pool);
}

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    struct endpoint *e = &endpoints[endpoint_count++];
    struct addr bound;

    *failed = addr_port(&l->addr);
    e->fd = sock_bind(&l->addr);
    if (e->fd < 0 || sock_listen(e->fd) != 0)
        return -1;
    if (portpool_init(&e->pool, &l->pool_addr, l->pool, failed) != 0)
        return -1;
    bound.len = sizeof bound.u;
    if (getsockname(e->fd, &bound.u.any, &bound.len) != 0)
        return -1;
    log_listen(e, &bound, l);
    return 0;
}

static int start(void)
{
    for (struct endpoint *e = endpoints; e < endpoints + endpoint_count; e++) {
        e->listener = (struct listener){.accepted = new_conn_accepted, .owner = &e->pool, .reserved = true};
        if (listener_start(&e->listener, e->fd) != 0)
            return -1;
    }
    return 0;
}

static void stop(void)
{
    struct new_conn *c;

    for (size_t i = 0; (c = new_conn_at(i)) != NULL; i++) {
        if (c->control.offer != NULL)
            new_offer_close(c->control.offer, "drain");
        if (c->pool != NULL)
            new_conn_close(c);
    }
    for (struct endpoint *e = endpoints; e < endpoints + endpoint_count; e++) {
        listener_stop(&e->listener);
        close(e->fd);
        portpool_close(&e->pool);
    }
}

const struct relay_proto new_relay = {
    .name = "new",
    .pool = 200,
    .own_ports = 1,
    .setup = setup,
    .bind = bind_listen,
    .start = start,
    .keys_changed = new_words_keys_changed,
    .stop = stop,
};
