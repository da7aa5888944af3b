/*
 * opening: brings a session's two connections to where bytes can be copied. See opening.h.
 */
#include "opening.h"

#include "clock.h"
#include "sock.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

/* How long a connection that is there may take for its first bytes. */
#define WRITE_MS 10000

enum { CLIENT, SERVER, SIDES };

struct side {
    const struct job_leg *job;
    int fd;
    bool connected, open;
    unsigned at;            /* of the first bytes, written */
    long long end;          /* clock_ms by which it must be open */
};

/* Goes as far as it can now. Returns 0, or -1 with errno. */
static int advance(struct side *s)
{
    if (!s->connected) {
        errno = sock_error(s->fd);
        if (errno != 0)
            return -1;
        s->connected = true;
        s->end = clock_ms() + WRITE_MS;
    }
    while (s->at < s->job->first_len) {
        ssize_t put = sock_write(s->fd, s->job->first + s->at, s->job->first_len - s->at);

        if (put < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
        s->at += (unsigned)put;
    }
    s->open = true;
    return 0;
}

static void begin(struct side *s, const struct job_leg *job, const struct leg *leg)
{
    s->job = job;
    s->fd = leg->wfd;
    s->connected = job->connect_ms == 0;
    s->open = s->connected && job->first_len == 0;
    s->end = s->open ? 0 : clock_ms() + (s->connected ? WRITE_MS : job->connect_ms);
}

static int patience(const struct side side[SIDES])
{
    long long now = clock_ms(), end = 0;

    for (int i = 0; i < SIDES; i++)
        if (side[i].fd >= 0 && !side[i].open && (end == 0 || side[i].end < end))
            end = side[i].end;
    return end > now ? (int)(end - now) : 0;
}

/* What poll said of one side. Returns 0, or -1 with errno. */
static int react(struct side *s, short events)
{
    if (s->fd < 0 || s->open)
        return 0;
    if (events != 0)
        return advance(s);
    if (clock_ms() < s->end)
        return 0;
    errno = ETIMEDOUT;
    return -1;
}

/* One round over those that are not open yet. Returns 0, or -1 with errno and which side has failed. */
static int wait_once(struct side side[SIDES], int *failed)
{
    struct pollfd p[SIDES];

    for (int i = 0; i < SIDES; i++)
        p[i] = (struct pollfd){.fd = side[i].open ? -1 : side[i].fd, .events = POLLOUT};
    *failed = CLIENT;
    if (poll(p, SIDES, patience(side)) < 0)
        return errno == EINTR ? 0 : -1;
    for (*failed = 0; *failed < SIDES; ++*failed)
        if (react(&side[*failed], p[*failed].revents) != 0)
            return -1;
    return 0;
}

int opening_run(const struct job *job, struct leg *client, struct leg *server, char *why)
{
    struct side side[SIDES];
    int error = 0, failed;

    text_copy(why, sizeof job->why, job->why);
    begin(&side[CLIENT], &job->client, client);
    begin(&side[SERVER], &job->server, server);
    while (!side[CLIENT].open || (side[SERVER].fd >= 0 && !side[SERVER].open)) {
        if (wait_once(side, &failed) == 0)
            continue;
        error = errno;
        text_copy(why, sizeof job->why, strerror(error));
        if (failed == CLIENT)
            break;
        side[SERVER].fd = -1;
    }
    if (side[SERVER].fd >= 0 && error == 0)
        return 0;
    errno = error;
    return -1;
}
