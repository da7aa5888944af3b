/*
 * portpool: ports bound at start-up, given out and taken back. See portpool.h.
 */
#include "portpool.h"

#include "log.h"
#include "sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_number(const void *a, const void *b)
{
    const struct port *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static int bind_port(struct port *port, unsigned number)
{
    struct addr a = port->pool->addr;

    addr_set_port(&a, number);
    port->fd = sock_bind(&a);
    if (port->fd < 0 || addr_local(&a, port->fd) != 0)
        return -1;
    port->number = (unsigned short)addr_port(&a);
    return 0;
}

int portpool_init(struct portpool *pool, const struct addr *a, int count, unsigned *failed)
{
    memset(pool, 0, sizeof *pool);
    pool->ports = calloc((size_t)count + 1, sizeof *pool->ports);
    if (pool->ports == NULL)
        return -1;
    pool->addr = *a;
    for (int i = 0; i < count; i++) {
        unsigned number = addr_port(a) == 0 ? 0 : addr_port(a) + (unsigned)i;

        pool->ports[i].pool = pool;
        if (bind_port(&pool->ports[i], number) != 0) {
            *failed = number;
            return -1;
        }
        pool->count++;
    }
    qsort(pool->ports, (size_t)count, sizeof *pool->ports, by_number);
    return 0;
}

struct port *portpool_find(const struct portpool *pool, unsigned number)
{
    struct port key = {.number = (unsigned short)number};

    return bsearch(&key, pool->ports, (size_t)pool->count, sizeof key, by_number);
}

struct port *portpool_lowest(const struct portpool *pool)
{
    if (pool->given == pool->count)
        return NULL;
    for (int i = 0; i < pool->count; i++)
        if (!pool->ports[i].given)
            return &pool->ports[i];
    return NULL;
}

/* Where the system does not listen again after a shutdown, the port is bound anew, late. */
static int listen_anew(struct port *port)
{
    if (sock_listen(port->fd) == 0)
        return 0;
    log_event("rebind port=%u error=%e", (unsigned)port->number, strerror(errno));
    close(port->fd);
    return bind_port(port, port->number) != 0 ? -1 : sock_listen(port->fd);
}

int portpool_give(struct port *port)
{
    if (port->given) {
        errno = EADDRINUSE;
        return -1;
    }
    if (listen_anew(port) != 0)
        return -1;
    port->given = true;
    port->pool->given++;
    return 0;
}

void portpool_take_back(struct port *port)
{
    if (!port->given)
        return;
    if (sock_unlisten(port->fd) != 0) {
        close(port->fd);
        bind_port(port, port->number);
    }
    port->given = false;
    port->pool->given--;
}

void portpool_close(struct portpool *pool)
{
    for (int i = 0; i < pool->count; i++)
        close(pool->ports[i].fd);
    pool->count = 0;
}

void portpool_text(const struct portpool *pool, struct text *t)
{
    if (pool->count == 0)
        text_add(t, "-");
    for (int i = 0; i < pool->count; i++) {
        int last = i;

        while (last + 1 < pool->count && pool->ports[last + 1].number == pool->ports[last].number + 1)
            last++;
        text_add(t, "%s%u", i > 0 ? "," : "", (unsigned)pool->ports[i].number);
        if (last > i)
            text_add(t, "-%u", (unsigned)pool->ports[last].number);
        i = last;
    }
}
