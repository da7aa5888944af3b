/*
 * newcomers: connections that have not yet said who they are, in all and from
 * each source, held to a limit.
 *
 * Where there are too many, the one that has been unknown for longest makes
 * room, whatever port it came to: those that are good are not slow.
 */
#ifndef NEWCOMERS_H
#define NEWCOMERS_H

#include "addr.h"

/* Its owner keeps it in place until newcomers_drop. */
struct newcomer {
    /* It has to make room: the owner drops it and closes the connection. */
    void (*evict)(void *owner);
    void *owner;
    struct addr source;             /* what follows is newcomers' */
    bool counted;                   /* it is one */
    long long since;                /* clock_ms */
    struct newcomer *next, **link;  /* in the order in which they came */
};

/* At most so many in all, a quarter of them (at least 1) from one source. -1 (ENOMEM). */
int newcomers_setup(int most);

/* Whether this source has its quarter. */
bool newcomers_many(const struct addr *source);

/*
 * One more; evict and owner are set. source NULL: not known yet, so that it
 * counts in all alone. Returns -1 when there are too many in all, and none has
 * been there long enough to make room.
 */
int newcomers_add(struct newcomer *n, const struct addr *source);

/* One less: it has said who it is, or is gone. Harmless if it is none. */
void newcomers_drop(struct newcomer *n);

#endif
