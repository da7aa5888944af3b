/*
 * listener: takes connections, and pauses rather than spins. See listener.h.
 */
#include "listener.h"

#include "clock.h"
#include "log.h"
#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_A_ROUND 8
#define PAUSE_MS 200
#define PAUSE_LOG_MS 10000

/* So many rounds one after the other in which nothing came of "ready" are a pause too. */
#define FRUITLESS_ROUNDS 8

/* Descriptors kept for control and data connections: an eighth, at most this many. */
#define RESERVE_MOST 64

static struct listener *started;
static const struct listener_screen *screen;
static void (*when_short)(void);
static struct timer pause_over;
static bool pausing, pausing_reserved;
static long long logged;
static int fruitless;

void listener_when_short(void (*give_up)(void))
{
    when_short = give_up;
}

void listener_set_screen(const struct listener_screen *the_screen)
{
    screen = the_screen;
}

int listener_reserve(void)
{
    return loop_limit() / 8 < RESERVE_MOST ? loop_limit() / 8 : RESERVE_MOST;
}

static bool paused(const struct listener *l)
{
    return l->reserved ? pausing_reserved : pausing;
}

static void want_all(void)
{
    for (struct listener *l = started; l != NULL; l = l->next)
        loop_want(&l->watch, paused(l) ? 0 : LOOP_READ);
}

/* The system gives the lowest number that is free: a look at it tells how many are. */
static bool room_for_strangers(void)
{
    int lowest = fcntl(STDERR_FILENO, F_DUPFD, 0);

    if (lowest >= 0)
        close(lowest);
    return lowest >= 0 && lowest < loop_limit() - listener_reserve();
}

static void resume(void *owner)
{
    (void)owner;
    pausing_reserved = false;
    pausing = !room_for_strangers();
    want_all();
    if (pausing)
        timer_set(&pause_over, PAUSE_MS);
}

static void pause_for(const char *reason, bool even_reserved)
{
    if (logged == 0 || clock_ms() - logged > PAUSE_LOG_MS) {
        log_event("pause reason=%e", reason);
        logged = clock_ms();
    }
    fruitless = 0;
    pausing = true;
    pausing_reserved |= even_reserved;
    want_all();
    pause_over.fire = resume;
    if (!timer_is_set(&pause_over))
        timer_set(&pause_over, PAUSE_MS);
}

void listener_pause_all(const char *reason)
{
    pause_for(reason, false);
}

/* What accept() says of one connection only; the next may be well (accept(2), "Error handling"). */
static bool of_one_connection(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENOPROTOOPT:
    case EPERM:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EOPNOTSUPP:
        return true;
    default:
        return false;
    }
}

/* Returns whether to go on with this listener in this round. */
static bool accept_one(struct listener *l)
{
    struct addr from;
    int fd = sock_accept(l->watch.fd, &from);

    if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return false;
        if (!of_one_connection(errno))
            pause_for(strerror(errno), true);
        if (paused(l) && when_short != NULL)
            when_short();
        return !paused(l);
    }
    if (fd >= loop_limit()) {
        close(fd);
        pause_for("descriptors", true);
        return false;
    }
    if (!l->reserved && fd >= loop_limit() - listener_reserve())
        pause_for("descriptors", false);
    fruitless = 0;
    if (screen == NULL || !screen->screen(l, fd, &from))
        l->accepted(l->owner, fd, &from);
    return !paused(l) && l->link != NULL;
}

static void ready(void *owner, unsigned events)
{
    struct listener *l = owner;
    int attempts = l->burst < 1 ? 1 : l->burst, taken = 0;

    (void)events;
    fruitless++;
    while (taken < attempts && accept_one(l))
        taken++;
    if (l->link == NULL)
        return;
    /* Where one comes at a time, a look for a second is a call for nothing. */
    if (taken < attempts)
        l->burst = taken;
    else if (attempts < ACCEPTS_A_ROUND)
        l->burst = 2 * attempts;
    if (fruitless >= FRUITLESS_ROUNDS)
        pause_for("accept", true);
}

int listener_start(struct listener *l, int fd)
{
    l->watch.fd = fd;
    l->watch.ready = ready;
    l->watch.owner = l;
    if (loop_add(&l->watch, paused(l) ? 0 : LOOP_READ) != 0)
        return -1;
    l->next = started;
    l->link = &started;
    if (started != NULL)
        started->link = &l->next;
    started = l;
    return 0;
}

void listener_stop(struct listener *l)
{
    if (l->link == NULL)
        return;
    loop_remove(&l->watch);
    *l->link = l->next;
    if (l->next != NULL)
        l->next->link = l->link;
    l->link = NULL;
    if (screen != NULL)
        screen->stopped(l);
}
