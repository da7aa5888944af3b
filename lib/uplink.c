/*
 * uplink: the connection to the relay, kept up for ever. See uplink.h.
 */
#include "uplink.h"

#include "log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* How long the relay may take to answer, for each of its addresses. */
#define CONNECT_SECONDS 10

/* Where nobody was reached, nobody is to be spared: the network may be back at any moment. */
static void lost(struct uplink *u, const char *reason, bool unanswered)
{
    long long wait;

    if (u->stopped)
        return;
    log_event("lost service=%e relay=%e:%u reason=%e", u->service, u->hosts[0].host, u->hosts[0].port, reason);
    if (u->once) {
        u->ended(u->owner);
        return;
    }
    wait = unanswered ? 0 : backoff_next(&u->backoff);
    log_event("retry service=%e in_ms=%l", u->service, wait);
    timer_set(&u->again, wait);
}

static void dial_again(void *owner)
{
    struct uplink *u = owner;

    if (dial_start(&u->dial, u->hosts, u->host_count, CONNECT_SECONDS) != 0)
        uplink_lost(u, strerror(errno));
}

static void dialled(void *owner, int fd, const char *why)
{
    struct uplink *u = owner;

    if (u->stopped) {
        if (fd >= 0)
            close(fd);
    } else if (fd < 0) {
        lost(u, why, u->dial.unanswered);
    } else {
        u->connected(u->owner, fd);
    }
}

void uplink_stop(struct uplink *u)
{
    u->stopped = true;
    timer_stop(&u->again);
}

void uplink_start(struct uplink *u)
{
    u->dial.done = dialled;
    u->dial.owner = u;
    u->again.fire = dial_again;
    u->again.owner = u;
    dial_again(u);
}

void uplink_reached(struct uplink *u)
{
    u->reached = true;
    backoff_reset(&u->backoff);
}

void uplink_lost(struct uplink *u, const char *reason)
{
    lost(u, reason, false);
}
