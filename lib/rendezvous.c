/*
 * rendezvous: brings a service's clients and server legs together. See rendezvous.h.
 */
#include "rendezvous.h"

#include "clock.h"
#include "listener.h"
#include "lograte.h"
#include "session.h"
#include "slab.h"

#include <errno.h>
#include <string.h>

/*
 * How often waiting clients are looked at for a reset. Not sooner where places
 * are short: who connects and resets in turn would have all of them announced.
 */
#define SWEEP_MS 1000

static struct slab all_waiters;
static long long claim_ms;
static struct job session_job;      /* what is the same for all sessions */
static int standing, most_standing; /* server legs that stand by, of all services */

int rendezvous_setup(int waiters, int standbys, long long claim, int idle_ms, int peer_seconds)
{
    claim_ms = claim;
    most_standing = standbys;
    session_job.idle_ms = idle_ms;
    session_job.peer_seconds = peer_seconds;
    return slab_init(&all_waiters, sizeof(struct waiter), (size_t)waiters);
}

static void append(struct waiters *list, struct waiter *w)
{
    w->link = list->end;
    *list->end = w;
    list->end = &w->next;
    list->count++;
}

static void take_out(struct waiters *list, struct waiter *w)
{
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    else
        list->end = w->link;
    list->count--;
}

/* The waiter is forgotten; its leg is the caller's again. */
static struct leg forget(struct waiters *list, struct waiter *w)
{
    struct leg leg = w->leg;

    take_out(list, w);
    timer_stop(&w->deadline);
    claim_revoke(&w->claim);
    slab_put(&all_waiters, w);
    return leg;
}

static void log_refuse(const struct rendezvous *r, const struct addr *client, const char *reason)
{
    char text[ADDR_TEXT];

    lograte_event(LOGRATE_REFUSE, "refuse service=%s client=%s reason=%s", r->service, addr_text(client, text), reason);
}

static void refuse_leg(struct rendezvous *r, struct leg leg, const struct addr *from, void *party, const char *reason)
{
    log_refuse(r, from, reason);
    if (party != NULL)
        r->hooks->turned_away(r->owner, party, reason);
    else
        leg_reset(&leg);
    r->hooks->gone(r->owner, from);
}

static void over(struct rendezvous *r, uint32_t mark)
{
    if (mark != 0)
        r->hooks->ended(r->owner, mark);
}

void rendezvous_refuse(struct waiter *client, const char *reason)
{
    struct rendezvous *r = client->at;
    struct addr from = client->from;
    void *party = client->party;
    uint32_t mark = client->mark;
    struct leg leg = forget(&r->clients, client);

    over(r, mark);
    refuse_leg(r, leg, &from, party, reason);
}

static void deadline_passed(void *owner)
{
    rendezvous_refuse(owner, "timeout");
}

static void session_ended(void *owner, const struct addr *client, enum copy_end end, uint32_t mark)
{
    struct rendezvous *r = owner;

    (void)end;
    over(r, mark);
    r->hooks->gone(r->owner, client);
}

static struct session_plan plan_of(struct rendezvous *r, const struct addr *from, uint32_t mark, long long since)
{
    return (struct session_plan){
        .service = r->service,
        .client = from,
        .waited_ms = clock_ms() - since,
        .ended = session_ended,
        .owner = r,
        .mark = mark,
    };
}

/* Returns 0, or -1: there was no process for it, and both are reset. */
static int pair(struct rendezvous *r, struct leg client, const struct addr *from, struct leg server, uint32_t mark,
                long long since)
{
    struct session_plan plan = plan_of(r, from, mark, since);
    struct job job = session_job;

    if (session_start(&plan, &job, &client, &server) < 0) {
        listener_pause_all(strerror(errno));
        leg_reset(&server);
        over(r, mark);
        refuse_leg(r, client, from, NULL, "limit");
        return -1;
    }
    leg_drop(&client);
    leg_drop(&server);
    return 0;
}

/* Drops waiting clients whose connection has failed. Returns how many wait. */
static int sweep(struct rendezvous *r)
{
    struct waiter *next;

    for (struct waiter *w = r->clients.first; w != NULL; w = next) {
        next = w->next;
        if (leg_broken(&w->leg))
            rendezvous_refuse(w, "gone");
    }
    return r->clients.count;
}

static void sweep_again(void *owner)
{
    struct rendezvous *r = owner;

    if (sweep(r) > 0)
        timer_set(&r->sweep, SWEEP_MS);
}

void rendezvous_init(struct rendezvous *r)
{
    r->clients.end = &r->clients.first;
    r->servers.end = &r->servers.first;
    r->sweep.fire = sweep_again;
    r->sweep.owner = r;
}

static struct waiter *wait_at(struct rendezvous *r, struct waiters *list, struct leg leg, const struct addr *from)
{
    struct waiter *w = slab_get(&all_waiters);

    if (w == NULL)
        return NULL;
    w->at = r;
    w->leg = leg;
    w->from = *from;
    w->since = clock_ms();
    w->claim.owner = w;
    w->claim.kind = CLAIM_WAITER;
    append(list, w);
    return w;
}

/* Server legs that stand by. */

/* What strangers leave free is for all that servers do: no more than half of it is for connections that wait. */
static bool room_for(int fd)
{
    return fd < loop_limit() - listener_reserve() / 2;
}

const char *rendezvous_stand_by(struct rendezvous *r, struct standby *s)
{
    if (!room_for(s->leg.rfd))
        return "descriptors";
    if (standing >= most_standing)
        return "limit";
    standing++;
    s->at = r;
    s->next = NULL;
    s->link = r->servers.end;
    *r->servers.end = s;
    r->servers.end = &s->next;
    return NULL;
}

static void leave_line(struct standby *s)
{
    standing--;
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
    else
        s->at->servers.end = s->link;
}

void rendezvous_stand_down(struct standby *s, const char *reason)
{
    leave_line(s);
    leg_reset(&s->leg);
    s->hooks->gone(s->owner, reason);
}

/* The one that has stood by longest and is good, or NULL. */
static struct standby *take_standby(struct rendezvous *r, const struct addr *client)
{
    struct standby *next;

    for (struct standby *s = r->servers.first; s != NULL && !r->held; s = next) {
        const char *reason;

        next = s->next;
        if (s->busy)
            continue;
        reason = leg_not_quiet(&s->leg);   /* it would be taken for the session's */
        if (reason == NULL && s->hooks->prepare(s->owner, client) == 0) {
            leave_line(s);
            return s;
        }
        rendezvous_stand_down(s, reason != NULL ? reason : "slow");
    }
    return NULL;
}

/* Gives the client what take_standby took for it. As pair. */
static int pair_standby(struct rendezvous *r, struct leg client, const struct addr *from, struct standby *s,
                        long long since)
{
    int paired = pair(r, client, from, s->leg, s->mark, since);

    s->hooks->gone(s->owner, NULL);
    return paired;
}

void rendezvous_renew(struct waiter *client)
{
    timer_set(&client->deadline, claim_ms);
}

void rendezvous_client(struct rendezvous *r, struct leg leg, const struct addr *from, void *party)
{
    struct standby *s = take_standby(r, from);
    struct waiter *w;

    if (s != NULL) {
        pair_standby(r, leg, from, s, clock_ms());
        return;
    }
    w = wait_at(r, &r->clients, leg, from);
    if (w == NULL) {
        refuse_leg(r, leg, from, party, "full");
        return;
    }
    w->party = party;
    w->deadline.fire = deadline_passed;
    w->deadline.owner = w;
    rendezvous_renew(w);
    if (!timer_is_set(&r->sweep))
        timer_set(&r->sweep, SWEEP_MS);
    r->hooks->announce(r->owner, w);
}

void rendezvous_claimed(struct waiter *client, struct leg server)
{
    struct rendezvous *r = client->at;
    struct addr from = client->from;
    long long since = client->since;
    uint32_t mark = client->mark;

    client->party = NULL;
    /* It keeps its place until the sweep, see SWEEP_MS. */
    if (leg_broken(&client->leg)) {
        claim_revoke(&client->claim);
        leg_reset(&server);
        return;
    }
    pair(r, forget(&r->clients, client), &from, server, mark, since);
}

int rendezvous_carry(struct waiter *w, struct transport *by)
{
    struct rendezvous *r = w->at;
    struct session_plan plan = plan_of(r, &w->from, 0, w->since);
    struct job job = session_job;
    struct leg client;

    if (session_carry(&plan, by, &job, w->leg.rfd) < 0) {
        if (errno == EAGAIN)
            return -1;
        rendezvous_refuse(w, "gone");
        return 0;
    }
    client = forget(&r->clients, w);
    leg_drop(&client);
    return 0;
}

void rendezvous_match(struct rendezvous *r)
{
    struct standby *s;
    int paired = 0;

    sweep(r);
    while (paired == 0 && r->clients.first != NULL && (s = take_standby(r, &r->clients.first->from)) != NULL) {
        struct waiter *w = r->clients.first;
        struct addr from = w->from;
        long long since = w->since;

        paired = pair_standby(r, forget(&r->clients, w), &from, s, since);
    }
}

bool rendezvous_server(struct rendezvous *r, struct leg leg)
{
    sweep(r);
    if (r->clients.first != NULL) {
        rendezvous_claimed(r->clients.first, leg);
        return true;
    }
    leg_reset(&leg);
    return false;
}

void rendezvous_announce_all(struct rendezvous *r)
{
    struct waiter *next;

    for (struct waiter *w = r->clients.first; w != NULL; w = next) {
        next = w->next;
        if (r->hooks->announce(r->owner, w) != 0)
            return;
    }
}

void rendezvous_close(struct rendezvous *r, const char *reason)
{
    while (r->clients.first != NULL)
        rendezvous_refuse(r->clients.first, reason);
    while (r->servers.first != NULL)
        rendezvous_stand_down(r->servers.first, reason);
    timer_stop(&r->sweep);
}
