/*
 * dial: connects to a name and a port.
 *
 * Names are looked up where waiting harms nobody: in a child. dial_now is for
 * code that runs in one already; dial_start makes one, which hands the
 * connection to its parent.
 */
#ifndef DIAL_H
#define DIAL_H

#include "child.h"
#include "dial_host.h"
#include "forward_proxy.h"

#include <stdbool.h>

/*
 * Connects, within so many seconds for each address the name has. Returns a
 * non-blocking socket, or -1 with the reason in why. Blocks.
 */
int dial_now(const struct dial_host *to, int seconds, char why[DIAL_WHY]);

/* The same for one address. */
int dial_addr(const struct addr *to, int seconds, char why[DIAL_WHY]);

/* The same through a proxy, which looks the name up and has as many seconds to answer. */
int dial_through(const struct forward_proxy *proxy, const struct dial_host *to, int seconds, char why[DIAL_WHY]);

struct dial {
    struct child child;     /* first */
    int from_child;
    const struct forward_proxy *proxy;  /* dial through it; NULL: directly. The caller sets it */
    int at;                 /* of a connection: which of the hosts it goes to */
    bool unanswered;        /* of a failure: the host could not be reached, so nobody said no */
    /* fd is the connection, the callee's, or -1 and why says the reason. The caller sets it, and owner. */
    void (*done)(void *owner, int fd, const char *why);
    void *owner;
};

/*
 * Tries the hosts one after the other, each address as dial_now does, and again
 * within the first so many seconds while none can be reached. It connects
 * within a second of the moment at which the way to an address is back: an
 * attempt is begun every second beside those that are under way, and whichever
 * is answered first counts. With a proxy all that is about the way to it; what it
 * then says is no reason to try again. Returns -1 with errno if no child can be made.
 */
int dial_start(struct dial *d, const struct dial_host *hosts, int count, int seconds);

#endif
