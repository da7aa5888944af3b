/*
 * new_wait: the relay's ready connections of the protocol `new`. See new_wait.h.
 */
#include "new_wait.h"

#include "new_line.h"
#include "../clock.h"
#include "../line.h"
#include "../lograte.h"
#include "../slab.h"
#include "../sock.h"

#include <string.h>

/* When one that was lost, and not used, is made up for: nobody is to be kept busy by losing them. */
#define LOST_MS 1000

/* When more are asked for than there may be: how soon that is tried again. */
#define TOO_FEW_MS 5000

/* "[READY] id=", the id and a newline. */
#define READY_LINE (11 + CLAIM_TEXT)

struct new_wait {
    struct new_waits *of;
    struct claim claim;
    struct standby standby;     /* once it is claimed, like what follows */
    struct addr from;
    struct watch watch;
    struct line line;
    struct timer ping;
    struct timer deadline;      /* of the claim; then, of a line that has begun */
    long long heard;            /* clock_ms of its last line */
    int unanswered;             /* how many [PING] */
    struct new_wait *next, **link;
};

static const struct service_rules *rules;
static struct slab all;

int new_wait_setup(const struct service_rules *the_rules)
{
    rules = the_rules;
    return slab_init(&all, sizeof(struct new_wait), (size_t)rules->max_ready);
}

static void forget(struct new_wait *w)
{
    loop_remove(&w->watch);
    timer_stop(&w->ping);
    timer_stop(&w->deadline);
    claim_revoke(&w->claim);
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    w->of->count--;
    slab_put(&all, w);
}

/* Soon, but not now: whoever is being served comes first, and those that are used at once are made up for at once. */
static void refill_in(struct new_waits *ws, long long milliseconds)
{
    if (!timer_is_set(&ws->refill) || ws->refill.due > clock_ms() + milliseconds)
        timer_set(&ws->refill, milliseconds);
}

static void log_lost(const struct new_waits *ws, const struct addr *from, const char *reason)
{
    char text[ADDR_TEXT];

    lograte_event(LOGRATE_UNREADY, "unready service=%s from=%s reason=%s", ws->service->name, addr_text(from, text),
                  reason);
}

/* Nobody has claimed it in time. */
static void unclaimed(void *owner)
{
    struct new_wait *w = owner;
    struct new_waits *ws = w->of;

    log_lost(ws, ws->server, "unclaimed");
    forget(w);
    refill_in(ws, 0);
}

static int promise(struct new_waits *ws, struct text *lines)
{
    struct new_wait *w = slab_get(&all);

    if (w == NULL || claim_issue(&w->claim) != 0) {
        if (w != NULL)
            slab_put(&all, w);
        return -1;
    }
    w->of = ws;
    w->claim.owner = w;
    w->claim.kind = CLAIM_READY;
    w->watch.fd = -1;
    w->deadline = (struct timer){.fire = unclaimed, .owner = w};
    timer_set(&w->deadline, rules->claim_seconds * 1000LL);
    w->next = ws->first;
    w->link = &ws->first;
    if (w->next != NULL)
        w->next->link = &w->next;
    ws->first = w;
    ws->count++;
    text_add(lines, "[READY] id=");
    text_hex(lines, w->claim.id, CLAIM_BYTES);
    text_add(lines, "\n");
    return 0;
}

/* Those of other services may leave room later. */
static void say_too_few(struct new_waits *ws)
{
    char from[ADDR_TEXT];

    if (!ws->too_few)
        lograte_event(LOGRATE_UNREADY, "unready service=%s from=%s reason=limit missing=%d", ws->service->name,
                      addr_text(ws->server, from), ws->wanted - ws->count);
    ws->too_few = true;
    refill_in(ws, TOO_FEW_MS);
}

int new_wait_fill(struct new_waits *ws)
{
    char buffer[NEW_WAIT_MOST * READY_LINE + 1];
    struct text lines;

    text_init(&lines, buffer, sizeof buffer);
    while (ws->count < ws->wanted && promise(ws, &lines) == 0)
        ;
    if (ws->count < ws->wanted)
        say_too_few(ws);
    else
        ws->too_few = false;
    return lines.len == 0 ? 0 : ws->tell(ws->owner, &lines);
}

static void refill(void *owner)
{
    new_wait_fill(owner);
}

void new_wait_want(struct new_waits *ws, long wanted)
{
    ws->wanted = wanted < 0 ? 0 : wanted > NEW_WAIT_MOST ? NEW_WAIT_MOST : (int)wanted;
    ws->refill = (struct timer){.fire = refill, .owner = ws};
}

void new_wait_drop(struct new_waits *ws)
{
    ws->wanted = 0;
    ws->too_few = false;
    timer_stop(&ws->refill);
    while (ws->first != NULL) {
        if (ws->first->watch.fd >= 0)
            rendezvous_stand_down(&ws->first->standby, "dropped");
        else
            forget(ws->first);
    }
}

const char *new_wait_service(const struct new_wait *w)
{
    return w->of->service->name;
}

/* A connection that stands by. */

static int start(void *owner, const struct addr *client)
{
    struct new_wait *w = owner;
    char buffer[LINE_LONGEST], from[ADDR_TEXT];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[START] from=%s\n", addr_text(client, from));
    if (sock_send(w->watch.fd, t.data, t.len) != 0)
        return -1;
    loop_remove(&w->watch);
    return 0;
}

static void stands_by_no_more(void *owner, const char *reason)
{
    struct new_wait *w = owner;
    struct new_waits *ws = w->of;

    if (reason != NULL && ws->wanted > 0)
        log_lost(ws, &w->from, reason);
    forget(w);
    if (ws->wanted > 0)
        refill_in(ws, reason == NULL ? 0 : LOST_MS);
}

static const struct standby_hooks hooks = {.prepare = start, .gone = stands_by_no_more};

/* What it may still say would be taken for the session's. */
static void look_busy(struct new_wait *w)
{
    w->standby.busy = w->unanswered > 0 || w->line.len > 0;
}

static void whole_line(struct new_wait *w)
{
    struct new_line line;

    timer_stop(&w->deadline);
    if (new_line_parse(w->line.bytes, w->line.len, &line) != 0 || line.word != NEW_PONG) {
        rendezvous_stand_down(&w->standby, "line");
        return;
    }
    line_reset(&w->line);
    w->heard = clock_ms();
    if (w->unanswered > 0)
        w->unanswered--;
    look_busy(w);
}

static void too_slow(void *owner)
{
    struct new_wait *w = owner;

    rendezvous_stand_down(&w->standby, "slow");
}

static void readable(void *owner, unsigned events)
{
    struct new_wait *w = owner;

    (void)events;
    switch (line_take(&w->line, w->watch.fd)) {
    case LINE_WHOLE:
        whole_line(w);
        break;
    case LINE_MORE:
        if (w->line.len > 0 && !timer_is_set(&w->deadline))
            timer_set(&w->deadline, rules->line_seconds * 1000LL);
        look_busy(w);
        break;
    case LINE_LONG:
        rendezvous_stand_down(&w->standby, "line");
        break;
    case LINE_END:
        rendezvous_stand_down(&w->standby, "eof");
        break;
    case LINE_ERROR:
        rendezvous_stand_down(&w->standby, "reset");
        break;
    }
}

static void ping(void *owner)
{
    struct new_wait *w = owner;
    long long left = w->heard + rules->silence_seconds * 1000LL - clock_ms();
    long long next = rules->ping_seconds * 1000LL;

    if (left <= 0) {
        rendezvous_stand_down(&w->standby, "timeout");
    } else if (sock_send(w->watch.fd, "[PING]\n", 7) != 0) {
        rendezvous_stand_down(&w->standby, "slow");
    } else {
        w->unanswered++;
        look_busy(w);
        timer_set(&w->ping, left < next ? left : next);
    }
}

/* They are asked in turn, so that a client that comes does not find all of them about to answer. */
static long long first_ping(struct new_waits *ws)
{
    return rules->ping_seconds * 1000LL * (1 + ws->claimed++ % ws->wanted) / ws->wanted;
}

void new_wait_claimed(struct new_wait *w, int fd, const struct addr *from)
{
    const char *refused;

    claim_revoke(&w->claim);
    timer_stop(&w->deadline);
    w->from = *from;
    w->heard = clock_ms();
    w->watch = (struct watch){.fd = fd, .ready = readable, .owner = w};
    w->ping = (struct timer){.fire = ping, .owner = w};
    w->deadline = (struct timer){.fire = too_slow, .owner = w};
    w->standby.leg = leg_of_socket(fd);
    w->standby.hooks = &hooks;
    w->standby.owner = w;
    refused = rendezvous_stand_by(&w->of->service->meeting, &w->standby);
    if (refused != NULL) {
        stands_by_no_more(w, refused);
        sock_reset(fd);
    } else if (loop_add(&w->watch, LOOP_READ) != 0) {
        rendezvous_stand_down(&w->standby, "descriptors");
    } else {
        timer_set(&w->ping, first_ping(w->of));
    }
}
