/*
 * new_offer: a service of the protocol `new`. See new_offer.h.
 */
#include "new_offer.h"

#include "../log.h"
#include "../lograte.h"
#include "../slab.h"
#include "../sock.h"

#include <string.h>

#define PLAIN_PER_SOURCE 16

static const struct service_rules *rules;
static struct slab offers;

static int plain_announce_next(struct new_offer *o);

static void stop_reverse(struct new_offer *o)
{
    timer_stop(&o->answer);
    o->out = false;
    reverse_stop(&o->reverse);
}

static void forget_unsent(struct new_offer *o)
{
    timer_stop(&o->send);
    o->unsent_len = 0;
}

/* The service is closed; the control connection is the caller's. */
void new_offer_close(struct new_offer *o, const char *reason)
{
    o->control->offer = NULL;
    stop_reverse(o);
    forget_unsent(o);
    new_wait_drop(&o->waits);
    service_close(o->service, reason);
    slab_put(&offers, o);
}

void new_offer_log_open(const struct new_offer *o)
{
    char public[ADDR_HOST + 8], reverse[ADDR_HOST + 8], from[ADDR_TEXT];
    const struct new_control *c = o->control;

    service_address(&c->reached, o->service->port->number, public);
    addr_text(&c->from, from);
    if (o->plain)
        log_event("open service=%s proto=new public=%s from=%s reverse=%s", o->service->name, public, from,
                  service_address(&c->reached, o->reverse.port->number, reverse));
    else if (o->waits.wanted > 0)
        log_event("open service=%s proto=new public=%s from=%s ready=%d", o->service->name, public, from,
                  o->waits.wanted);
    else
        log_event("open service=%s proto=new public=%s from=%s", o->service->name, public, from);
}

/* Announcing clients: 0, or -1 when the server was found gone. */

static int send_lines(struct new_offer *o, const char *lines, size_t len)
{
    if (sock_send(o->control->fd, lines, len) == 0)
        return 0;
    o->control->gone(o->control, "slow");
    return -1;
}

static int send_unsent(struct new_offer *o)
{
    size_t len = o->unsent_len;

    forget_unsent(o);
    return len == 0 ? 0 : send_lines(o, o->unsent, len);
}

static void send_due(void *owner)
{
    send_unsent(owner);
}

/* Clients that come together are announced together. */
int new_offer_tell(struct new_offer *o, const struct text *line)
{
    if (o->unsent_len + line->len > sizeof o->unsent && send_unsent(o) != 0)
        return -1;
    if (line->len > sizeof o->unsent)
        return send_lines(o, line->data, line->len);
    memcpy(o->unsent + o->unsent_len, line->data, line->len);
    o->unsent_len += line->len;
    timer_set(&o->send, 0);
    return 0;
}

static int send_new(struct new_offer *o, struct waiter *client)
{
    char buffer[LINE_LONGEST], from[ADDR_TEXT];
    struct text t;

    if (claim_issue(&client->claim) != 0) {
        rendezvous_refuse(client, "random");
        return 0;
    }
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[NEW]%u id=", addr_port(&o->control->reached));
    text_hex(&t, client->claim.id, CLAIM_BYTES);
    text_add(&t, " from=%s\n", addr_text(&client->from, from));
    return new_offer_tell(o, &t);
}

static int send_plain_new(struct new_offer *o)
{
    char buffer[LINE_LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[NEW]%u\n", (unsigned)o->reverse.port->number);
    o->out = true;
    timer_set(&o->answer, rules->claim_seconds * 1000LL);
    return new_offer_tell(o, &t);
}

static int announce(void *owner, struct waiter *client)
{
    struct new_offer *o = owner;

    return o->plain ? plain_announce_next(o) : send_new(o, client);
}

/* Plain servers. */

/* Of two lines that arrive in one read a plain server loses the second: one at a time. */
static int plain_announce_next(struct new_offer *o)
{
    return o->out || o->control->quiet || o->service->meeting.clients.count == 0 ? 0 : send_plain_new(o);
}

/* The [NEW] that was out is answered or given up. */
static void plain_next(void *owner)
{
    struct new_offer *o = owner;

    timer_stop(&o->answer);
    o->out = false;
    if (o->plain)
        plain_announce_next(o);
    else
        stop_reverse(o);
}

struct new_offer *new_offer_open(struct new_control *c, const char *name, struct port *port)
{
    struct new_offer *o = slab_get(&offers);

    if (o == NULL)
        return NULL;
    o->service = service_open(name, port);
    if (o->service == NULL) {
        slab_put(&offers, o);
        return NULL;
    }
    o->service->announce = announce;
    o->service->owner = o;
    o->control = c;
    o->answer.fire = plain_next;
    o->answer.owner = o;
    o->send.fire = send_due;
    o->send.owner = o;
    c->offer = o;
    return o;
}

static int start_reverse(struct new_offer *o)
{
    struct port *port = portpool_lowest(o->service->port->pool);

    o->reverse.from = rules->any_reverse ? NULL : &o->control->from;
    o->reverse.meeting = &o->service->meeting;
    o->reverse.answered = plain_next;
    o->reverse.owner = o;
    return port != NULL ? reverse_start(&o->reverse, port) : -1;
}

/* A plain server says hello after all: it keeps its port, and its last [NEW] may still be answered. */
void new_offer_upgrade(struct new_offer *o, const char *name)
{
    log_event("close service=%s reason=hello", o->service->name);
    service_rename(o->service, name);
    o->plain = false;
    if (!o->out)
        stop_reverse(o);
}

int new_offer_setup(const struct service_rules *the_rules, int count)
{
    rules = the_rules;
    if (new_wait_setup(rules) != 0)
        return -1;
    return slab_init(&offers, sizeof(struct new_offer), (size_t)count);
}

static int plain_offers_from(const struct addr *source)
{
    struct new_offer *o;
    int count = 0;

    for (size_t i = 0; (o = slab_at(&offers, i)) != NULL; i++)
        count += o->control != NULL && o->plain && addr_same_host(&o->control->from, source);
    return count;
}

struct new_offer *new_offer_open_plain(struct new_control *c, struct portpool *pool)
{
    struct new_offer *o;

    if (pool->count - pool->given < 2 || plain_offers_from(&c->from) >= PLAIN_PER_SOURCE)
        return NULL;
    o = new_offer_open(c, NULL, portpool_lowest(pool));
    if (o == NULL)
        return NULL;
    o->plain = true;
    if (start_reverse(o) == 0)
        return o;
    new_offer_close(o, "error");
    return NULL;
}

void new_offer_hand_over(struct new_offer *o, struct new_control *to)
{
    new_wait_drop(&o->waits);
    forget_unsent(o);
    o->control->offer = NULL;
    o->control = to;
    o->reverse.from = rules->any_reverse ? NULL : &to->from;
    to->offer = o;
}

static int tell_ids(void *owner, const struct text *lines)
{
    return new_offer_tell(owner, lines);
}

void new_offer_want_ready(struct new_offer *o, long wanted)
{
    o->waits.service = o->service;
    o->waits.server = &o->control->from;
    o->waits.tell = tell_ids;
    o->waits.owner = o;
    new_wait_want(&o->waits, wanted);
}

struct new_offer *new_offer_find(const char *name)
{
    struct new_offer *o;

    for (size_t i = 0; (o = slab_at(&offers, i)) != NULL; i++)
        if (o->control != NULL && o->service->named && strcmp(o->service->name, name) == 0)
            return o;
    return NULL;
}

bool new_offer_from(const struct addr *source)
{
    struct new_offer *o;

    for (size_t i = 0; (o = slab_at(&offers, i)) != NULL; i++)
        if (o->control != NULL && !o->plain && addr_same_host(&o->control->from, source))
            return true;
    return false;
}
