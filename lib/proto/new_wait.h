/*
 * new_wait: the relay's ready connections of the protocol `new`: ids that a
 * server was told, [READY], and the connections that it made for them, which
 * stand by for clients and are given them by [START].
 *
 * It knows of the control connection only how to write to it.
 */
#ifndef NEW_WAIT_H
#define NEW_WAIT_H

#include "../service.h"
#include "../text.h"

/* The most that one service has (protocols.md). */
#define NEW_WAIT_MOST 64

struct new_wait;

/* Those of one service. All zeroes is one that asked for none. */
struct new_waits {
    struct service *service;
    const struct addr *server;  /* the control connection's, for the log */
    /* Writes lines to it: 0, or -1 when it is gone, and these with it. */
    int (*tell)(void *owner, const struct text *lines);
    void *owner;
    int wanted;                 /* asked for by [HELLO], at most NEW_WAIT_MOST */
    int count;                  /* ids that are out, and connections */
    int claimed;                /* connections, ever */
    bool too_few;               /* that there are fewer than wanted was logged */
    struct new_wait *first;
    struct timer refill;
};

/* Once; rules stay the caller's. -1 (ENOMEM). */
int new_wait_setup(const struct service_rules *rules);

/*
 * The server asked for so many; it is told their ids by new_wait_fill. The
 * caller has set service, server, tell and owner, and has dropped earlier ones.
 */
void new_wait_want(struct new_waits *ws, long wanted);

/* Tells the server as many ids as are missing: 0, or -1 when it is gone, and these with it. */
int new_wait_fill(struct new_waits *ws);

/* Drops them all: ids are dead, connections are reset, no more is told. */
void new_wait_drop(struct new_waits *ws);

/* The service that this one is for. */
const char *new_wait_service(const struct new_wait *w);

/* A data connection has claimed its id, and stands by from now on. The descriptor is the callee's. */
void new_wait_claimed(struct new_wait *w, int fd, const struct addr *from);

#endif
