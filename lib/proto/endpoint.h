/*
 * endpoint: a LISTEN's first port and the pool above it, bound and logged, for
 * any protocol that has these.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "relay_proto.h"
#include "../listener.h"
#include "../portpool.h"

struct endpoint {
    struct listener listener;
    int fd;
    struct addr addr;           /* as bound */
    struct portpool pool;
};

/* All LISTENs of one protocol. All zeroes: none. */
struct endpoints {
    struct endpoint *first;
    int count;
};

/* Once: room for so many. -1 (ENOMEM). */
int endpoints_setup(struct endpoints *all, int listens);

/* Binds the first port and the pool. NULL with errno and *failed, the port. */
struct endpoint *endpoint_bind(struct endpoints *all, const struct relay_listen *l, unsigned *failed);

/* The same, and logs `listen` with the pool: 0, or -1. */
int endpoint_bind_pool(struct endpoints *all, const struct relay_listen *l, unsigned *failed);

/* Takes connections on all first ports; the callee's owner is the endpoint. -1 with errno. */
int endpoints_start(struct endpoints *all, void (*accepted)(void *endpoint, int fd, const struct addr *from));

/* Takes no more, and gives all ports up. */
void endpoints_stop(struct endpoints *all);

#endif
