/*
 * endpoint: a LISTEN's first port and the pool above it. See endpoint.h.
 */
#include "endpoint.h"

#include "../log.h"
#include "../sock.h"
#include "../text.h"

#include <stdlib.h>
#include <unistd.h>

int endpoints_setup(struct endpoints *all, int listens)
{
    all->first = calloc((size_t)listens, sizeof *all->first);
    return all->first != NULL ? 0 : -1;
}

struct endpoint *endpoint_bind(struct endpoints *all, const struct relay_listen *l, unsigned *failed)
{
    struct endpoint *e = &all->first[all->count++];

    *failed = addr_port(&l->addr);
    e->fd = sock_bind(&l->addr);
    if (e->fd < 0 || sock_listen(e->fd) != 0)
        return NULL;
    if (portpool_init(&e->pool, &l->pool_addr, l->pool, failed) != 0)
        return NULL;
    return addr_local(&e->addr, e->fd) == 0 ? e : NULL;
}

static void log_listen(const struct endpoint *e, const struct relay_listen *l)
{
    char at[ADDR_TEXT], pool_at[ADDR_TEXT], pool[1536];
    struct text t;

    text_init(&t, pool, sizeof pool);
    portpool_text(&e->pool, &t);
    if (l->pool_elsewhere)
        text_add(&t, " pool_addr=%s", addr_host_text(&l->pool_addr, pool_at));
    log_event("listen proto=%s addr=%s pool=%s", l->proto->name, addr_text(&e->addr, at), pool);
}

int endpoint_bind_pool(struct endpoints *all, const struct relay_listen *l, unsigned *failed)
{
    const struct endpoint *e = endpoint_bind(all, l, failed);

    if (e == NULL)
        return -1;
    log_listen(e, l);
    return 0;
}

int endpoints_start(struct endpoints *all, void (*accepted)(void *endpoint, int fd, const struct addr *from))
{
    for (struct endpoint *e = all->first; e < all->first + all->count; e++) {
        e->listener = (struct listener){.accepted = accepted, .owner = e, .reserved = true};
        if (listener_start(&e->listener, e->fd) != 0)
            return -1;
    }
    return 0;
}

void endpoints_stop(struct endpoints *all)
{
    for (struct endpoint *e = all->first; e < all->first + all->count; e++) {
        listener_stop(&e->listener);
        close(e->fd);
        portpool_close(&e->pool);
    }
}
