/*
 * new_port: which public port a [HELLO] gets. See new_port.h.
 */
#include "new_port.h"

#include "../sticky.h"

#include <string.h>

static bool allowed(const struct port *port, const struct key *key)
{
    return port != NULL && (key == NULL || key_allows_port(key, port->number));
}

static bool can_have(const struct port *port, const struct key *key, const struct port *now)
{
    return allowed(port, key) && (!port->given || port == now);
}

static struct port *lowest(const struct portpool *pool, const struct key *key)
{
    for (int i = 0; i < pool->count; i++)
        if (can_have(&pool->ports[i], key, NULL))
            return &pool->ports[i];
    return NULL;
}

struct port *new_port_choose(const struct portpool *pool, const struct new_wish *wish, const struct key *key,
                             struct port *now, const char **code)
{
    struct port *port;

    if (wish->port > 0) {
        port = portpool_find(pool, (unsigned)wish->port);
        *code = allowed(port, key) ? "port-taken" : "port-denied";
        return can_have(port, key, now) ? port : NULL;
    }
    *code = "full";
    port = wish->want > 0 ? portpool_find(pool, (unsigned)wish->want) : NULL;
    if (can_have(port, key, now))
        return port;
    if (allowed(now, key))
        return now;
    port = portpool_find(pool, sticky_port(wish->name));
    return can_have(port, key, NULL) ? port : lowest(pool, key);
}

const char *new_port_explain(const char *code)
{
    if (strcmp(code, "port-denied") == 0)
        return "that port is not one of this relay's, or not one of that key's";
    if (strcmp(code, "port-taken") == 0)
        return "that port is taken";
    return "no port is free";
}
