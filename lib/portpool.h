/*
 * portpool: ports bound at start-up, given out and taken back.
 *
 * Each port has one socket, bound once and kept. A port that is not given out
 * does not listen, so that whoever asks sees the truth, and nobody else can
 * bind it meanwhile.
 */
#ifndef PORTPOOL_H
#define PORTPOOL_H

#include "addr.h"
#include "text.h"

struct port {
    struct portpool *pool;
    int fd;
    unsigned short number;
    bool given;
};

struct portpool {
    struct port *ports;
    struct addr addr;       /* of all, but for the port */
    int count;
    int given;
};

/*
 * Binds count ports from a's on; where a's port is 0, ports of the system's
 * choice, in ascending order. Returns -1 with errno; *failed is then the port
 * that could not be had.
 */
int portpool_init(struct portpool *pool, const struct addr *a, int count, unsigned *failed);

/* The port of this number, or NULL if it is not of the pool. */
struct port *portpool_find(const struct portpool *pool, unsigned number);

/* The lowest port that is free, or NULL. */
struct port *portpool_lowest(const struct portpool *pool);

/* Gives a free port out: it listens. Returns -1 with errno. */
int portpool_give(struct port *port);

/* Takes it back: clients in its backlog are reset, new ones are refused. */
void portpool_take_back(struct port *port);

/* Gives all ports up for others to bind. None is given out any more. */
void portpool_close(struct portpool *pool);

/* Adds the numbers, as 62515-62714 or, with gaps, 40001,40005-40007. */
void portpool_text(const struct portpool *pool, struct text *t);

#endif
