/*
 * listener: takes connections from a listening socket, and pauses rather than
 * spins when the machine has no room for them.
 *
 * Listeners of strangers leave some descriptors in reserve for those who are
 * expected: what waits stays in the backlog and is taken when there is room.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "addr.h"
#include "loop.h"

struct listener {
    struct watch watch;
    /* The connection is the callee's; from is the other end. */
    void (*accepted)(void *owner, int fd, const struct addr *from);
    void *owner;
    bool reserved;      /* may use the reserve */
    int burst;          /* how many it takes in one round, as the last ones went */
    struct listener *next, **link;
};

/* Starts to take connections from fd, which stays the caller's. -1 with EMFILE. */
int listener_start(struct listener *l, int fd);

/* Harmless if it was not started. */
void listener_stop(struct listener *l);

/*
 * What looks at each new connection before accepted() does. screen returns
 * false to let it pass; true: it is the screen's now, which may hand it to
 * l->accepted() itself, then or later, but not after stopped(l).
 */
struct listener_screen {
    bool (*screen)(struct listener *l, int fd, const struct addr *from);
    void (*stopped)(struct listener *l);
};

/* For all listeners, before the first starts; it stays the caller's. */
void listener_set_screen(const struct listener_screen *screen);

/* What gives descriptors up that are only kept for convenience: called where they are short. */
void listener_when_short(void (*give_up)(void));

/* How many descriptors strangers leave free. */
int listener_reserve(void);

/* There is no room just now (processes, memory): strangers wait a while in the backlog. */
void listener_pause_all(const char *reason);

#endif
