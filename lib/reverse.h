/*
 * reverse: a port where a server answers the clients that it was told of: one
 * connection for each, first come, first served.
 *
 * Only from the address that its control connection comes from, unless it was
 * told that any will do. It knows no protocol.
 */
#ifndef REVERSE_H
#define REVERSE_H

#include "listener.h"
#include "portpool.h"
#include "rendezvous.h"

struct reverse {
    struct port *port;              /* NULL: it is not open */
    const struct addr *from;        /* whose connections are taken; NULL: anybody's */
    struct rendezvous *meeting;     /* where they go; one too many is closed there */
    void (*answered)(void *owner);  /* one has come; may be NULL */
    void *owner;
    struct listener listener;
};

/* Opens a port that is free. The caller has set from, meeting, answered and owner. -1 with errno. */
int reverse_start(struct reverse *r, struct port *port);

/* Gives the port back. Harmless if it is not open. */
void reverse_stop(struct reverse *r);

#endif
