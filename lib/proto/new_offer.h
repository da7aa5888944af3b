/*
 * new_offer: a service of the protocol `new`: how its clients are announced,
 * to a server that says hello and to a plain one.
 *
 * It knows of the control connection only where it goes and how to write to
 * it; who says what there is new_relay's.
 */
#ifndef NEW_OFFER_H
#define NEW_OFFER_H

#include "new_wait.h"
#include "../line.h"
#include "../reverse.h"

/* A control connection, as an offer sees it. */
struct new_control {
    int fd;
    struct addr from, reached;
    struct new_offer *offer;    /* NULL: none */
    bool quiet;                 /* it is being asked for its proof: no [NEW] meanwhile */
    /* It did not take a line: the callee closes the offer and the connection. */
    void (*gone)(struct new_control *c, const char *reason);
};

struct new_offer {
    struct service *service;
    struct new_control *control;
    bool plain;                 /* gets bare [NEW] lines */
    struct reverse reverse;     /* where its answers to those come; may outlive plain */
    bool out;                   /* one such [NEW] is not answered yet */
    struct timer answer;
    char unsent[LINE_LONGEST];  /* lines that go out together at the end of the loop's round */
    size_t unsent_len;
    struct timer send;
    struct new_waits waits;     /* its ready connections */
};

/* Once. So many offers at the same time. -1 (ENOMEM). */
int new_offer_setup(const struct service_rules *rules, int offers);

/* Opens a service on a free port for a server that says hello. NULL with errno. */
struct new_offer *new_offer_open(struct new_control *c, const char *name, struct port *port);

/* The same for a plain server, on the two lowest free ports of the pool. NULL: it cannot be. */
struct new_offer *new_offer_open_plain(struct new_control *c, struct portpool *pool);

/*
 * A plain server says hello after all: it keeps its port, and the [NEW] that
 * is out may still be answered.
 */
void new_offer_upgrade(struct new_offer *o, const char *name);

/* Another control connection serves it from now on. Ready connections are dropped. */
void new_offer_hand_over(struct new_offer *o, struct new_control *to);

/* Closes the service and logs why. The control connection is the caller's. */
void new_offer_close(struct new_offer *o, const char *reason);

/* The offer that has this name, or NULL. */
struct new_offer *new_offer_find(const char *name);

/* Whether an offer that said hello comes from this address: data connections will, too. */
bool new_offer_from(const struct addr *source);

/* Its server says how many ready connections it wants; new_wait_fill tells it their ids. */
void new_offer_want_ready(struct new_offer *o, long wanted);

void new_offer_log_open(const struct new_offer *o);

/*
 * Sends a line to its control connection, soon: 0, or -1 when that is gone, and
 * the offer with it. It may be gone later, too.
 */
int new_offer_tell(struct new_offer *o, const struct text *line);

#endif
