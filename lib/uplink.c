/*
 * uplink: the connection to the relay, kept up for ever. See uplink.h.
 */
#include "uplink.h"

#include "log.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long the relay may take to answer, for each of its addresses. */
#define CONNECT_SECONDS 10

static const struct dial_host *next_host(struct uplink *u)
{
    const struct dial_host *host = uplink_host(u);

    u->at = u->via == NULL || u->answered ? 0 : (u->at + 1) % u->host_count;
    return host;
}

/* Where nobody was reached, nobody is to be spared: the network may be back at any moment. */
static void lost(struct uplink *u, const char *reason, bool unanswered)
{
    const struct dial_host *host = next_host(u);
    long long wait;

    u->renewed = false;
    if (u->stopped)
        return;
    log_event("lost service=%s relay=%e:%u reason=%e", u->service, host->host, host->port, reason);
    if (u->once) {
        u->lost_once = u->command.running;      /* what it ends with is worth a line */
        if (!u->lost_once)
            u->ended(u->owner);
        return;
    }
    wait = unanswered ? 0 : backoff_next(&u->backoff);
    log_event("retry service=%s in_ms=%l", u->service, wait);
    timer_set(&u->again, wait);
}

/* One command at a time: the last one, if it is still there, is being ended. */
static void start_command(struct uplink *u)
{
    int fd;

    u->waits = u->command.running;
    if (u->waits)
        return;
    fd = via_start(&u->command, u->via, uplink_host(u));
    if (fd < 0)
        uplink_lost(u, strerror(errno));
    else
        u->connected(u->owner, fd);
}

static void command_ended(void *owner, int status)
{
    struct uplink *u = owner;
    bool killed = WIFSIGNALED(status);

    if (!u->renewed || status != 0)
        log_event(killed ? "via service=%s pid=%d signal=%d" : "via service=%s pid=%d exit=%d", u->service,
                  (int)u->command.child.pid, killed ? WTERMSIG(status) : WEXITSTATUS(status));
    if (u->stopped)
        return;
    if (u->lost_once)
        u->ended(u->owner);
    else if (u->waits)
        start_command(u);
}

static void dial_again(void *owner)
{
    struct uplink *u = owner;

    u->answered = false;
    if (u->via != NULL)
        start_command(u);
    else if (dial_start(&u->dial, u->hosts, u->host_count, CONNECT_SECONDS) != 0)
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
        u->at = u->dial.at;
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
    u->dial.proxy = u->proxy;
    u->dial.done = dialled;
    u->dial.owner = u;
    u->command.ended = command_ended;
    u->command.owner = u;
    u->again.fire = dial_again;
    u->again.owner = u;
    dial_again(u);
}

void uplink_reached(struct uplink *u)
{
    u->reached = true;
    u->answered = true;
    backoff_reset(&u->backoff);
}

const struct dial_host *uplink_host(const struct uplink *u)
{
    return &u->hosts[u->at];
}

void uplink_close(struct uplink *u, int fd)
{
    close(fd);
    via_stop(&u->command);
}

void uplink_lost(struct uplink *u, const char *reason)
{
    lost(u, reason, false);
}

void uplink_renew(struct uplink *u, long long wait_ms)
{
    if (u->stopped)
        return;
    u->renewed = true;
    timer_set(&u->again, wait_ms);
}
