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

#include <stdbool.h>
#include <stdint.h>

struct rendezvous;
struct transport;

struct waiter {
    struct rendezvous *at;
    struct leg leg;
    struct addr from;
    struct claim claim;     /* for the protocols that have ids */
    void *party;            /* who waits, as the protocol knows him; NULL: his socket is all there is of him */
    uint32_t mark;          /* what ended is told with; 0: it is not told */
    struct timer deadline;
    long long since;        /* clock_ms at its arrival */
    struct waiter *next, **link;
};

struct waiters {
    struct waiter *first, **end;
    int count;
};

/* What becomes of a server's leg that stands by. Neither may touch another one. */
struct standby_hooks {
    /* It is taken for this client: tells the server so, and watches the leg no more. -1: it is no good. */
    int (*prepare)(void *owner, const struct addr *client);
    /* It stands by no more, and its leg is closed: NULL, it was taken; else a word that says why not. */
    void (*gone)(void *owner, const char *reason);
};

/*
 * A server's leg that was made ahead of its client. Its owner keeps it in place
 * while it stands by, and watches it: whatever comes from it before it is taken
 * is the owner's, and where that is against the protocol, stands it down.
 */
struct standby {
    struct leg leg;
    bool busy;              /* not to be taken just now: it may still have something to say */
    uint32_t mark;          /* what its session's end is told with; 0: it is not told */
    const struct standby_hooks *hooks;
    void *owner;
    struct rendezvous *at;  /* the rendezvous's, like what follows */
    struct standby *next, **link;
};

struct standbys {
    struct standby *first, **end;
};

struct rendezvous_hooks {
    /* A client waits: tell the server. -1: the server is gone, and all who waited with it. */
    int (*announce)(void *owner, struct waiter *client);
    /* A client is gone, unserved or after its session. */
    void (*gone)(void *owner, const struct addr *client);
    /* The session of a leg with this mark has ended, or could not begin. */
    void (*ended)(void *owner, uint32_t mark);
    /* A client with a party is refused, and waits no more: its leg is the callee's to close. */
    void (*turned_away)(void *owner, void *party, const char *reason);
};

struct rendezvous {
    const char *service;                    /* for the log */
    const struct rendezvous_hooks *hooks;
    void *owner;
    struct waiters clients;
    struct standbys servers;
    struct timer sweep;
    bool held;                              /* set by its owner: no leg that stands by is given to a client */
};

/*
 * Once: so many clients that wait, and server legs that stand by, in all, the
 * clients' deadline, and what sessions are told (as in struct copy_rules). -1
 * with errno.
 */
int rendezvous_setup(int waiters, int standbys, long long claim_ms, int idle_ms, int peer_seconds);

/* The caller has set service, hooks and owner. */
void rendezvous_init(struct rendezvous *r);

/*
 * Takes a client's leg: paired at once with the server's leg that has stood by
 * longest, or it waits and is announced. party as in struct waiter.
 */
void rendezvous_client(struct rendezvous *r, struct leg leg, const struct addr *from, void *party);

/* The deadline of a client that waits begins again. */
void rendezvous_renew(struct waiter *client);

/*
 * Takes a server's leg: paired with the client that has waited longest, or
 * closed if none waits. Returns whether it was of use.
 */
bool rendezvous_server(struct rendezvous *r, struct leg leg);

/*
 * A server's leg stands by for the next client; its leg, hooks and owner are
 * set. Those that wait already are left to whom they were announced to, or to
 * rendezvous_match. Returns NULL, or why it cannot: limit (too many stand by) or
 * descriptors (they are short); the leg is still the caller's then.
 */
const char *rendezvous_stand_by(struct rendezvous *r, struct standby *s);

/* Gives clients that wait, whoever they were announced to, the legs that stand by. */
void rendezvous_match(struct rendezvous *r);

/* It stands by no more: its leg is reset, and gone is called with this reason. */
void rendezvous_stand_down(struct standby *s, const char *reason);

/*
 * Refuses a client that waits, as from announce: its leg is reset, or its party turned
 * away, and gone is called. The reason is for the log.
 */
void rendezvous_refuse(struct waiter *client, const char *reason);

/*
 * Takes a server's leg for this client, by its id. The id is used up. A client
 * with a party has none any more: its leg is the rendezvous's.
 */
void rendezvous_claimed(struct waiter *client, struct leg server);

/*
 * Hands a client that waits to the process that carries its server's sessions,
 * as from announce. -1: that does not keep up just now, and the client still waits.
 */
int rendezvous_carry(struct waiter *client, struct transport *by);

/* Announces every waiting client (again), the longest waiting first. */
void rendezvous_announce_all(struct rendezvous *r);

/* Refuses all clients that wait and stands all server legs down. */
void rendezvous_close(struct rendezvous *r, const char *reason);

#endif
