/*
 * rendezvous: brings a service's clients and server legs together.
 *
 * Either side may wait: clients for a server leg, or server legs that were
 * made ahead for a client. They are paired first come, first served, or by
 * the claim id that a waiting client was announced with. Only this file starts
 * relayd's session children. It knows no protocol.
 */
#ifndef RENDEZVOUS_H
#define RENDEZVOUS_H

#include "addr.h"
#include "claim.h"
#include "leg.h"
#include "loop.h"

struct rendezvous;

struct waiter {
    struct rendezvous *at;
    struct leg leg;
    struct addr from;
    struct claim claim;     /* for the protocols that have ids */
    struct timer deadline;
    long long since;        /* clock_ms at its arrival */
    struct waiter *next, **link;
};

struct waiters {
    struct waiter *first, **end;
    int count;
};

struct rendezvous_hooks {
    /* A client waits: tell the server. -1: the server is gone, and all who waited with it. */
    int (*announce)(void *owner, struct waiter *client);
    /* A client is gone, unserved or after its session. */
    void (*gone)(void *owner, const struct addr *client);
};

struct rendezvous {
    const char *service;                    /* for the log */
    const struct rendezvous_hooks *hooks;
    void *owner;
    bool servers_wait;                      /* a server leg with no client there may wait */
    struct waiters clients, servers;
    struct timer sweep;
};

/*
 * Once: room for so many waiters in all, their deadline, and what sessions are
 * told (as in struct copy_rules). -1 with errno.
 */
int rendezvous_setup(int waiters, long long claim_ms, int idle_ms, int peer_seconds);

/* The caller has set service, hooks, owner and servers_wait. */
void rendezvous_init(struct rendezvous *r);

/* Takes a client's leg: paired at once, or it waits and is announced. */
void rendezvous_client(struct rendezvous *r, struct leg leg, const struct addr *from);

/*
 * Takes a server's leg: paired with the client that has waited longest, or it
 * waits where servers_wait, else it is closed. Returns whether it was of use.
 */
bool rendezvous_server(struct rendezvous *r, struct leg leg, const struct addr *from);

/* Refuses a client that waits, as from announce: its leg is reset, and gone is called. The reason is for the log. */
void rendezvous_refuse(struct waiter *client, const char *reason);

/* Takes a server's leg for this client, by its id. The id is used up. */
void rendezvous_claimed(struct waiter *client, struct leg server);

/* Announces every waiting client (again), the longest waiting first. */
void rendezvous_announce_all(struct rendezvous *r);

/* Refuses all clients that wait and closes all server legs. */
void rendezvous_close(struct rendezvous *r, const char *reason);

#endif
