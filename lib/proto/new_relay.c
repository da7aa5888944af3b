/*
 * new_relay: the relay's side of the protocol `new`.
 *
 * One port takes control and data connections. A connection is asked nothing:
 * its first line says what it is ([HELLO], [DATA]), and silence makes it a
 * plain server. See "new" in protocols.md.
 */
#include "relay_proto.h"

#include "new_auth.h"
#include "new_line.h"
#include "new_offer.h"
#include "new_port.h"
#include "../clock.h"
#include "../keys.h"
#include "../line.h"
#include "../log.h"
#include "../newcomers.h"
#include "../preamble.h"
#include "../slab.h"
#include "../sock.h"
#include "../sticky.h"
#include "../text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Times of protocols.md, in milliseconds. */
#define PLAIN_MS 500        /* silence that makes a plain server */

/* How long a connection that was told [ERROR] may take to read it. */
#define LEAVE_MS 2000

/* How long one that has not said who it is has its place for sure. */
#define PLACE_MS 1000

struct endpoint {
    struct listener listener;
    int fd;
    struct portpool pool;
};

enum state {
    ASKING,     /* has not said who it is */
    SERVING,    /* the control connection of an offer */
    LEAVING     /* was told [ERROR]; what it still sends is thrown away */
};

struct conn {
    struct new_control control; /* first, so that an offer's control finds its connection */
    struct watch watch;
    struct endpoint *at;
    enum state state;
    struct line line;
    struct timer deadline;      /* of the line, or of leaving */
    struct timer plain;         /* ASKING: silence until then makes it a plain server */
    struct timer ping;
    long long since;            /* clock_ms of its arrival */
    long long heard;            /* clock_ms of its last line */
    bool begun;                 /* has said something */
    bool hello;                 /* has said [HELLO]: it can be told [ERROR] */
    bool proving;               /* was told [AUTH], and has not answered yet */
    struct new_wish wish;       /* of its [HELLO] */
    struct new_auth auth;
};

static const struct service_rules *rules;
static struct slab conns;
static struct endpoint *endpoints;
static int endpoint_count;

/* The log's word for an error code where it has one of its own. */
static const char *word_for(const char *code)
{
    return strcmp(code, "timeout") == 0 ? "slow" : code;
}

/* Forgets the connection; its descriptor is the caller's. */
static int conn_release(struct conn *c)
{
    int fd = c->control.fd;

    loop_remove(&c->watch);
    timer_stop(&c->deadline);
    timer_stop(&c->plain);
    timer_stop(&c->ping);
    if (c->state != SERVING)
        newcomers_drop(&c->control.from);
    slab_put(&conns, c);
    return fd;
}

static void conn_close(struct conn *c)
{
    close(conn_release(c));
}

/* Tells it why and gives it time to read that before the connection is closed. */
static void conn_leave(struct conn *c, const char *code, const char *explanation)
{
    char buffer[LINE_LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[ERROR] %s %s\n", code, explanation);
    if (sock_send(c->control.fd, t.data, t.len) != 0 || shutdown(c->control.fd, SHUT_WR) != 0 ||
        (c->state == SERVING && newcomers_add(&c->control.from) != 0)) {
        conn_close(c);
        return;
    }
    c->state = LEAVING;
    timer_stop(&c->plain);
    timer_stop(&c->ping);
    timer_set(&c->deadline, LEAVE_MS);
}

/* The server has vanished, or has done what it must not. */
static void server_gone(struct conn *c, const char *reason)
{
    new_offer_close(c->control.offer, reason);
    conn_close(c);
}

static void control_gone(struct new_control *control, const char *reason)
{
    server_gone((struct conn *)control, reason);
}

static void serving(struct conn *c)
{
    newcomers_drop(&c->control.from);
    c->state = SERVING;
    c->heard = clock_ms();
    timer_stop(&c->deadline);
    timer_stop(&c->plain);
}

/* Nothing was said: a plain server. It is told nothing, whatever happens. */
static void be_plain(void *owner)
{
    struct conn *c = owner;
    struct new_offer *o = new_offer_open_plain(&c->control, &c->at->pool);

    if (o == NULL) {
        new_log_reject(&c->control.from, "full");
        conn_close(c);
        return;
    }
    serving(c);
    new_offer_log_open(o);
}

/* Servers that say hello. */

static void ping(void *owner)
{
    struct conn *c = owner;
    long long left = c->heard + rules->silence_seconds * 1000LL - clock_ms();
    long long next = rules->ping_seconds * 1000LL;

    if (left <= 0)
        server_gone(c, "timeout");
    else if (sock_send(c->control.fd, "[PING]\n", 7) != 0)
        server_gone(c, "slow");
    else
        timer_set(&c->ping, left < next ? left : next);
}

/* A connection that is not let in. One that offers a service loses it; plain servers are told nothing. */
static void reject(struct conn *c, const char *code, const char *explanation)
{
    bool plain = c->control.offer != NULL && !c->hello;

    new_log_reject(&c->control.from, word_for(code));
    if (c->control.offer != NULL)
        new_offer_close(c->control.offer, word_for(code));
    if (plain)
        conn_close(c);
    else
        conn_leave(c, code, explanation);
}

/* The new control connection of a service takes the old one's place. */
static void take_over(struct new_offer *o, struct conn *c)
{
    struct conn *old = (struct conn *)o->control;

    if (c->control.offer != NULL)
        new_offer_close(c->control.offer, "hello");
    new_offer_hand_over(o, &c->control);
    conn_leave(old, "replaced", "another connection serves this name now");
}

static void send_public(struct conn *c)
{
    char buffer[LINE_LONGEST], public[ADDR_HOST + 8];
    struct new_offer *o = c->control.offer;
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[PUBLIC] %s\n", service_address(&c->control.reached, o->service->port->number, public));
    timer_set(&c->ping, rules->ping_seconds * 1000LL);
    if (new_offer_tell(o, &t) == 0)
        rendezvous_announce_all(&o->service->meeting);
}

/* What its [HELLO] asks for is done; where keys are in use, it has proved this one. */
static void hello(struct conn *c, const struct key *key)
{
    struct new_offer *same = new_offer_find(c->wish.name);
    struct new_offer *o = same != NULL ? same : c->control.offer;
    const char *code;
    struct port *port;

    if (key == NULL && same != NULL && !addr_same_host(&o->control->from, &c->control.from)) {
        reject(c, "auth", "that name is served from another address");
        return;
    }
    port = new_port_choose(&c->at->pool, &c->wish, key, o != NULL ? o->service->port : NULL, &code);
    if (port == NULL) {
        reject(c, code, new_port_explain(code));
        return;
    }
    if ((o == NULL && (o = new_offer_open(&c->control, c->wish.name, port)) == NULL) ||
        (port != o->service->port && service_move(o->service, port) != 0)) {
        reject(c, "full", strerror(errno));
        return;
    }
    if (o->control != &c->control)
        take_over(o, c);
    if (c->state == ASKING)
        serving(c);
    if (o->plain)
        new_offer_upgrade(o, c->wish.name);
    o->service->max = key != NULL ? key->max : 0;
    sticky_remember(c->wish.name, port->number);
    new_offer_log_open(o);
    send_public(c);
}

static void challenge(struct conn *c, const struct new_line *line)
{
    char buffer[LINE_LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    if (line->nonce[0] == '\0')
        reject(c, "auth", "this relay asks for a key");
    else if (new_auth_challenge(&c->auth, line, &c->control.from, &t) != 0)
        reject(c, "full", strerror(errno));
    else if (sock_send(c->control.fd, t.data, t.len) != 0)
        reject(c, "timeout", "too slow");
    else {
        c->proving = c->control.quiet = true;
        timer_set(&c->deadline, rules->line_seconds * 1000LL);
    }
}

static void proof_line(struct conn *c, const struct new_line *line)
{
    const struct key *key = new_auth_prove(&c->auth, line, &c->control.from);

    c->proving = c->control.quiet = false;
    if (key != NULL)
        hello(c, key);
    else
        reject(c, "auth", "that name does not go with that key");
}

static void hello_line(struct conn *c, const struct new_line *line)
{
    c->hello = true;
    text_copy(c->wish.name, sizeof c->wish.name, line->name);
    c->wish.port = line->port;
    c->wish.want = line->want;
    if (line->version != NEW_VERSION)
        reject(c, "version", "this relay speaks v=1");
    else if (line->name[0] == '\0')
        reject(c, "line", "a [HELLO] needs name=");
    else if (keys_in_use())
        challenge(c, line);
    else
        hello(c, NULL);
}

/* Data connections. A claim that is no good is reset without a line: a local server may be behind it. */

static bool is_claim(const struct conn *c)
{
    return strncmp(c->line.bytes, "[DATA]", 6) == 0;
}

/* It is no server, then: what its silence opened is undone. Its descriptor is the caller's. */
static int data_release(struct conn *c)
{
    if (c->control.offer != NULL)
        new_offer_close(c->control.offer, "data");
    return conn_release(c);
}

static void refuse_claim(struct conn *c, const char *reason)
{
    new_log_reject(&c->control.from, reason);
    sock_reset(data_release(c));
}

static void data_line(struct conn *c, const struct new_line *line)
{
    struct claim *claim = line->has_id ? claim_find(line->id) : NULL;
    struct waiter *client = claim != NULL ? claim->owner : NULL;

    if (client == NULL)
        refuse_claim(c, line->has_id ? "id" : "line");
    else if (keys_in_use() && !new_auth_data(client->at->service, line))
        refuse_claim(c, "auth");
    else
        rendezvous_claimed(client, leg_of_socket(data_release(c)));
}

/* Lines. */

static void bad_line(struct conn *c, const char *code)
{
    if (is_claim(c))
        refuse_claim(c, word_for(code));
    else
        reject(c, code, "this relay wants whole lines as in the protocol, and soon");
}

static void first_line(struct conn *c, const struct new_line *line)
{
    if (c->proving && line->word == NEW_PROOF)
        proof_line(c, line);
    else if (c->proving && line->word != NEW_UNKNOWN)
        bad_line(c, "line");
    else if (line->word == NEW_HELLO)
        hello_line(c, line);
    else if (line->word == NEW_DATA)
        data_line(c, line);
    else if (line->word != NEW_UNKNOWN)
        bad_line(c, "line");
}

static void server_line(struct conn *c, const struct new_line *line)
{
    if (line->word == NEW_ERROR)
        server_gone(c, "error");
    else if (line->word != NEW_PONG && line->word != NEW_UNKNOWN)
        bad_line(c, "line");
}

static void whole_line(struct conn *c)
{
    struct new_line line;

    c->heard = clock_ms();
    if (c->state == SERVING)
        timer_stop(&c->deadline);
    if (new_line_parse(c->line.bytes, c->line.len, &line) != 0) {
        bad_line(c, "line");
        return;
    }
    line_reset(&c->line);
    if (c->state == SERVING && !c->control.offer->plain)
        server_line(c, &line);
    else
        first_line(c, &line);
}

static void deadline_passed(void *owner)
{
    struct conn *c = owner;

    if (c->state == LEAVING)
        conn_close(c);
    else
        bad_line(c, "timeout");
}

/* The first byte has come: no plain server, and the line's time runs. */
static void line_begun(struct conn *c)
{
    timer_stop(&c->plain);
    if (!c->begun || (c->state == SERVING && !timer_is_set(&c->deadline)))
        timer_set(&c->deadline, rules->line_seconds * 1000LL);
    c->begun = true;
}

static void vanished(struct conn *c)
{
    if (c->proving)
        new_log_reject(&c->control.from, "auth");
    if (c->state == SERVING)
        server_gone(c, "eof");
    else
        conn_close(c);
}

static void throw_away(struct conn *c)
{
    char waste[1024];
    ssize_t got = read(c->control.fd, waste, sizeof waste);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        conn_close(c);
}

static void readable(void *owner, unsigned events)
{
    struct conn *c = owner;

    (void)events;
    if (c->state == LEAVING) {
        throw_away(c);
        return;
    }
    switch (line_take(&c->line, c->control.fd)) {
    case LINE_WHOLE:
        line_begun(c);
        whole_line(c);
        break;
    case LINE_MORE:
        if (c->line.len > 0)
            line_begun(c);
        break;
    case LINE_LONG:
        bad_line(c, "line");
        break;
    case LINE_END:
    case LINE_ERROR:
        vanished(c);
        break;
    }
}

/* Where too many are unknown, the one that has been so longest makes room: good servers are not slow. */
static int make_room(void)
{
    struct conn *c, *oldest = NULL;

    for (size_t i = 0; (c = slab_at(&conns, i)) != NULL; i++)
        if (c->at != NULL && c->state != SERVING && (oldest == NULL || c->since < oldest->since))
            oldest = c;
    if (oldest == NULL || clock_ms() - oldest->since < PLACE_MS)
        return -1;
    if (oldest->state == ASKING)
        new_log_reject(&oldest->control.from, "full");
    sock_reset(conn_release(oldest));
    return 0;
}

static bool let_in(const struct addr *from)
{
    if (newcomers_many(from) && !new_offer_from(from))
        return false;
    return newcomers_add(from) == 0 || (make_room() == 0 && newcomers_add(from) == 0);
}

static void accepted(void *owner, int fd, const struct addr *from)
{
    struct conn *c;

    if (!let_in(from)) {
        new_log_reject(from, "full");
        sock_reset(fd);
        return;
    }
    c = slab_get(&conns);
    if (c == NULL || preamble_reached(&c->control.reached, fd) != 0) {
        if (c != NULL)
            slab_put(&conns, c);
        newcomers_drop(from);
        sock_reset(fd);
        return;
    }
    sock_control_options(fd, rules->silence_seconds);
    c->at = owner;
    c->since = clock_ms();
    c->control.fd = fd;
    c->control.from = *from;
    c->control.gone = control_gone;
    c->watch = (struct watch){.fd = fd, .ready = readable, .owner = c};
    c->deadline = (struct timer){.fire = deadline_passed, .owner = c};
    c->plain = (struct timer){.fire = be_plain, .owner = c};
    c->ping = (struct timer){.fire = ping, .owner = c};
    loop_add(&c->watch, LOOP_READ);
    if (keys_in_use() && !rules->plain)
        timer_set(&c->deadline, rules->line_seconds * 1000LL);
    else
        timer_set(&c->plain, PLAIN_MS);
}

/* The key of a service is gone, is another, or does not allow what it did. */
static void check_key(struct conn *c)
{
    struct service *s = c->control.offer->service;
    const struct key *k = new_auth_key(&c->auth, &c->control.from);
    const char *code = k == NULL ? "auth" : key_allows_port(k, s->port->number) ? NULL : "port-denied";

    if (code != NULL)
        reject(c, code, "the relay's keys have changed");
    else
        s->max = k->max;
}

static void keys_changed(void)
{
    struct conn *c;

    for (size_t i = 0; (c = slab_at(&conns, i)) != NULL; i++)
        if (c->state == SERVING && c->control.offer != NULL && !c->control.offer->plain)
            check_key(c);
}

/* Start and stop. */

static int setup(const struct service_rules *the_rules, int listens, int ports)
{
    rules = the_rules;
    endpoints = calloc((size_t)listens, sizeof *endpoints);
    if (endpoints == NULL || new_offer_setup(rules, ports) != 0)
        return -1;
    return slab_init(&conns, sizeof(struct conn), (size_t)(ports + rules->max_unknown));
}

static void log_listen(const struct endpoint *e, const struct addr *addr, const struct relay_listen *l)
{
    char at[ADDR_TEXT], pool_at[ADDR_TEXT], pool[1536];
    struct text t;

    text_init(&t, pool, sizeof pool);
    portpool_text(&e->pool, &t);
    if (l->pool_elsewhere)
        text_add(&t, " pool_addr=%s", addr_host_text(&l->pool_addr, pool_at));
    log_event("listen proto=new addr=%s pool=%s", addr_text(addr, at), pool);
}

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    struct endpoint *e = &endpoints[endpoint_count++];
    struct addr bound;

    *failed = addr_port(&l->addr);
    e->fd = sock_bind(&l->addr);
    if (e->fd < 0 || sock_listen(e->fd) != 0)
        return -1;
    if (portpool_init(&e->pool, &l->pool_addr, l->pool, failed) != 0)
        return -1;
    bound.len = sizeof bound.u;
    if (getsockname(e->fd, &bound.u.any, &bound.len) != 0)
        return -1;
    log_listen(e, &bound, l);
    return 0;
}

static int start(void)
{
    for (struct endpoint *e = endpoints; e < endpoints + endpoint_count; e++) {
        e->listener = (struct listener){.accepted = accepted, .owner = e, .reserved = true};
        if (listener_start(&e->listener, e->fd) != 0)
            return -1;
    }
    return 0;
}

static void stop(void)
{
    struct conn *c;

    for (size_t i = 0; (c = slab_at(&conns, i)) != NULL; i++) {
        if (c->control.offer != NULL)
            new_offer_close(c->control.offer, "drain");
        if (c->at != NULL)
            conn_close(c);
    }
    for (struct endpoint *e = endpoints; e < endpoints + endpoint_count; e++) {
        listener_stop(&e->listener);
        close(e->fd);
        portpool_close(&e->pool);
    }
}

const struct relay_proto new_relay = {
    .name = "new",
    .pool = 200,
    .own_ports = 1,
    .setup = setup,
    .bind = bind_listen,
    .start = start,
    .keys_changed = keys_changed,
    .stop = stop,
};
