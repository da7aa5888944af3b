/*
 * new_ready: the server's ready connections of the protocol `new`: made ahead
 * of the clients, one for each id that the relay tells, and waiting for one.
 *
 * They are this process's own until a client comes on one: a descriptor and a
 * line each, and no process. What is done for the client then is not known here.
 */
#ifndef NEW_READY_H
#define NEW_READY_H

#include "new_line.h"
#include "../backoff.h"
#include "../loop.h"

struct new_ready_conn;
struct new_ready_id;

/* Those of one service. */
struct new_ready {
    const char *service;
    int most;                       /* at once; 0: none are ever made */
    int silence_seconds;            /* after which one is given up */
    /* A client has come: the connection is its session's, and the callee's, from the next byte on. */
    void (*started)(void *owner, int fd, const struct new_line *start);
    void *owner;
    struct addr relay;              /* what follows is new_ready's */
    struct new_ready_conn *conns;
    struct new_ready_id *ids;       /* told and not connected for yet, the newest last */
    int told;
    long long not_before;           /* clock_ms until which no connection is made */
    struct backoff backoff;
    struct timer next;
};

/* Once; the caller has set everything above relay. -1 (ENOMEM). */
int new_ready_init(struct new_ready *r);

/* The control connection to this relay is there. The first connections follow a second or more later, spread. */
void new_ready_begin(struct new_ready *r, const struct addr *relay);

/* The relay told an id. Where all connections wait already it is kept for when one does not. */
void new_ready_told(struct new_ready *r, const unsigned char id[CLAIM_BYTES]);

/* The control connection has ended: all are dropped, and no id is good any more. */
void new_ready_drop(struct new_ready *r);

#endif
