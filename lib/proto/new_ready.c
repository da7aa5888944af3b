/*
 * new_ready: the server's ready connections of the protocol `new`. See new_ready.h.
 */
#include "new_ready.h"

#include "new_claim.h"
#include "../clock.h"
#include "../line.h"
#include "../lograte.h"
#include "../os.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long the relay may take to accept one, and to end a line (protocols.md). */
#define CONNECT_MS 10000
#define LINE_MS 10000

/*
 * A relay that was away has all its servers back at once. Their ready
 * connections come later, over so long a time; the ids are good for longer
 * than that, by default.
 */
#define SETTLE_MS 1000
#define SPREAD_MS 2000

struct new_ready_conn {
    struct new_ready *of;
    struct watch watch;             /* fd -1: there is none */
    bool connected;
    unsigned char id[CLAIM_BYTES];
    struct line line;
    struct timer deadline;          /* of connecting, then of a line that has begun */
    struct timer silence;
};

struct new_ready_id {
    unsigned char id[CLAIM_BYTES];
    long long due;                  /* clock_ms */
};

static void connect_due(void *owner);

static void forget(struct new_ready_conn *c)
{
    loop_remove(&c->watch);
    timer_stop(&c->deadline);
    timer_stop(&c->silence);
    c->watch.fd = -1;
    c->connected = false;
    timer_set(&c->of->next, 0);
}

static void drop(struct new_ready_conn *c)
{
    int fd = c->watch.fd;

    forget(c);
    sock_reset(fd);
}

/* One loss is no reason to hurry, and several at once are one. */
static void lost(struct new_ready_conn *c, const char *reason)
{
    struct new_ready *r = c->of;

    lograte_event(LOGRATE_UNREADY, "unready service=%s reason=%e", r->service, reason);
    drop(c);
    if (r->not_before <= clock_ms())
        r->not_before = clock_ms() + backoff_next(&r->backoff);
}

static void not_connected(void *owner)
{
    struct new_ready_conn *c = owner;

    lost(c, c->connected ? "slow" : strerror(ETIMEDOUT));
}

static void silent(void *owner)
{
    lost(owner, "timeout");
}

/* Lines. */

static void start(struct new_ready_conn *c, const struct new_line *line)
{
    struct new_ready *r = c->of;

    int fd = c->watch.fd;

    backoff_reset(&r->backoff);
    forget(c);
    r->started(r->owner, fd, line);
}

static void pong(struct new_ready_conn *c)
{
    backoff_reset(&c->of->backoff);
    if (sock_send(c->watch.fd, "[PONG]\n", 7) != 0)
        lost(c, strerror(errno));
}

static void whole_line(struct new_ready_conn *c)
{
    struct new_line line;
    bool is_line = new_line_parse(c->line.bytes, c->line.len, &line) == 0;

    line_reset(&c->line);
    timer_stop(&c->deadline);
    timer_set(&c->silence, c->of->silence_seconds * 1000LL);
    if (is_line && line.word == NEW_START)
        start(c, &line);
    else if (is_line && line.word == NEW_PING)
        pong(c);
    else if (!is_line || line.word != NEW_UNKNOWN)
        lost(c, "line");
}

static void readable(struct new_ready_conn *c)
{
    switch (line_take(&c->line, c->watch.fd)) {
    case LINE_WHOLE:
        whole_line(c);
        break;
    case LINE_MORE:
        if (c->line.len > 0 && !timer_is_set(&c->deadline))
            timer_set(&c->deadline, LINE_MS);
        break;
    case LINE_LONG:
        lost(c, "line");
        break;
    case LINE_END:
        lost(c, "eof");
        break;
    case LINE_ERROR:
        lost(c, strerror(errno));
        break;
    }
}

/* Connecting. */

static int claim(struct new_ready_conn *c)
{
    char buffer[NEW_CLAIM];
    struct text line;

    text_init(&line, buffer, sizeof buffer);
    new_claim_line(&line, c->of->service, c->id);
    return sock_send(c->watch.fd, line.data, line.len);
}

static void connected(struct new_ready_conn *c)
{
    int error = sock_error(c->watch.fd);

    if (error != 0) {
        lost(c, strerror(error));
        return;
    }
    c->connected = true;
    sock_session_options(c->watch.fd);
    line_reset(&c->line);
    timer_stop(&c->deadline);
    timer_set(&c->silence, c->of->silence_seconds * 1000LL);
    loop_want(&c->watch, LOOP_READ);
    if (claim(c) != 0)
        lost(c, strerror(errno));
}

static void ready(void *owner, unsigned events)
{
    struct new_ready_conn *c = owner;

    (void)events;
    if (c->connected)
        readable(c);
    else
        connected(c);
}

static void connect_for(struct new_ready_conn *c, const unsigned char id[CLAIM_BYTES])
{
    bool at_once;       /* where it is, the loop says so at once too */

    memcpy(c->id, id, CLAIM_BYTES);
    c->watch.fd = sock_connect_start(&c->of->relay, &at_once);
    if (c->watch.fd < 0) {
        int error = errno;

        forget(c);
        lograte_event(LOGRATE_UNREADY, "unready service=%s reason=%e", c->of->service, strerror(error));
        c->of->not_before = clock_ms() + backoff_next(&c->of->backoff);
    } else if (loop_add(&c->watch, LOOP_WRITE) != 0) {
        lost(c, strerror(errno));
    } else {
        timer_set(&c->deadline, CONNECT_MS);
    }
}

static struct new_ready_conn *unused(struct new_ready *r)
{
    for (int i = 0; i < r->most; i++)
        if (r->conns[i].watch.fd < 0)
            return &r->conns[i];
    return NULL;
}

static void take_out(struct new_ready *r, int i)
{
    r->told--;
    memmove(&r->ids[i], &r->ids[i + 1], (size_t)(r->told - i) * sizeof *r->ids);
}

/* Connects for the ids whose time has come. The newest first: that one is sure to be good still. */
static void connect_due(void *owner)
{
    struct new_ready *r = owner;
    long long now = clock_ms(), soonest = 0;

    timer_stop(&r->next);
    for (int i = r->told - 1; i >= 0; i--) {
        long long due = r->ids[i].due > r->not_before ? r->ids[i].due : r->not_before;
        struct new_ready_conn *c = unused(r);

        if (due <= now && c != NULL) {
            unsigned char id[CLAIM_BYTES];

            memcpy(id, r->ids[i].id, CLAIM_BYTES);
            take_out(r, i);
            connect_for(c, id);
        } else if (due > now && (soonest == 0 || due < soonest)) {
            soonest = due;
        }
    }
    if (soonest > 0)
        timer_set(&r->next, soonest - now);
}

/* At once, unless all servers may be about to do the same. */
static long long spread(const struct new_ready *r)
{
    long long now = clock_ms();
    unsigned dice;

    if (r->not_before <= now)
        return now;
    return r->not_before + (os_random(&dice, sizeof dice) == 0 ? dice % SPREAD_MS : 0);
}

void new_ready_told(struct new_ready *r, const unsigned char id[CLAIM_BYTES])
{
    if (r->most == 0)
        return;
    if (r->told == r->most)
        take_out(r, 0);
    memcpy(r->ids[r->told].id, id, CLAIM_BYTES);
    r->ids[r->told++].due = spread(r);
    connect_due(r);
}

void new_ready_begin(struct new_ready *r, const struct addr *relay)
{
    r->relay = *relay;
    r->not_before = clock_ms() + SETTLE_MS;
    backoff_reset(&r->backoff);
}

void new_ready_drop(struct new_ready *r)
{
    r->told = 0;
    for (int i = 0; i < r->most; i++)
        if (r->conns[i].watch.fd >= 0)
            drop(&r->conns[i]);
    timer_stop(&r->next);
}

int new_ready_init(struct new_ready *r)
{
    if (r->most == 0)
        return 0;
    r->conns = calloc((size_t)r->most, sizeof *r->conns);
    r->ids = calloc((size_t)r->most, sizeof *r->ids);
    if (r->conns == NULL || r->ids == NULL)
        return -1;
    for (int i = 0; i < r->most; i++) {
        struct new_ready_conn *c = &r->conns[i];

        c->of = r;
        c->watch = (struct watch){.fd = -1, .ready = ready, .owner = c};
        c->deadline = (struct timer){.fire = not_connected, .owner = c};
        c->silence = (struct timer){.fire = silent, .owner = c};
    }
    r->next = (struct timer){.fire = connect_due, .owner = r};
    return 0;
}
