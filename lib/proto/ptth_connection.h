/*
 * ptth_connection: PTTH's connections: an id, and the four requests that carry
 * one client's bytes.
 *
 * A connection begins with its client's request, gets its id when a server is
 * told of it, and becomes a session when all four are there; until then whichever
 * leaves takes the others along.
 */
#ifndef PTTH_CONNECTION_H
#define PTTH_CONNECTION_H

#include "http_caller.h"
#include "ptth_path.h"

#include "../claim.h"
#include "../rendezvous.h"

/* How many requests carry a connection. */
#define PTTH_LEGS 4

struct ptth_place;

struct ptth_leg {
    struct ptth_connection *of;
    struct http_caller *caller;     /* NULL: not there, or handed over */
    struct http_body body;          /* of its request */
    bool taken;
};

struct ptth_connection {
    struct claim claim;             /* issued once a server has been told */
    struct ptth_place *place;
    struct waiter *waiter;          /* NULL: its session has begun */
    char server[NAME_SIZE];
    struct addr from;               /* the client */
    unsigned key;                   /* the version of its key */
    struct ptth_leg legs[PTTH_ENDPOINTS];   /* of PTTH_LISTEN there is none */
};

/* What a 503 has beside its text. */
#define PTTH_RETRY "Retry-After: 5\r\n"

/*
 * Once; so many at once. left is told where a client waits no more, before
 * the rendezvous has done with him. -1 (ENOMEM).
 */
int ptth_connections_setup(int most, void (*left)(struct ptth_place *p));

/* Its client's request has come, and is held. NULL: there is no room, and it is not. */
struct ptth_connection *ptth_connection_new(struct ptth_place *place, const char *server, struct http_caller *client,
                                            unsigned key);

/* Forgets one that has no waiter yet. Its client is the caller's again. */
struct http_caller *ptth_connection_undo(struct ptth_connection *n);

/* Whether a server has been told of it. */
bool ptth_connection_announced(const struct ptth_connection *n);

/* Tells this server, whose request is answered by that. -1: he has left. */
int ptth_connection_announce(struct ptth_connection *n, struct http_caller *server);

/* The one of this id, or NULL. */
struct ptth_connection *ptth_connection_find(const unsigned char id[CLAIM_BYTES]);

/* A request for this leg of it: it is held, or answered where it cannot be. */
void ptth_connection_take(struct ptth_connection *n, struct http_caller *c, const struct http_request *r,
                          enum ptth_endpoint leg);

/* For struct service. */
void ptth_connection_turned_away(void *connection, const char *reason);
void ptth_connection_ended(void *unused, uint32_t mark);

/* Whether this source has any. */
bool ptth_connections_of(const struct addr *source);

#endif
