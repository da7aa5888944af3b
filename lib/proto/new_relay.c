/*
 * new_relay: the relay's side of the protocol `new`.
 *
 * One port takes control and data connections. A connection is asked nothing:
 * its first line says what it is ([HELLO], [DATA]), and silence makes it a
 * plain server. See "new" in protocols.md.
 */
#include "relay_proto.h"

#include "new_line.h"
#include "../clock.h"
#include "../line.h"
#include "../log.h"
#include "../newcomers.h"
#include "../slab.h"
#include "../sock.h"
#include "../sticky.h"
#include "../text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Times of protocols.md, in milliseconds. */
#define LINE_MS 10000       /* to begin a line, and from its first byte to its last */
#define PLAIN_MS 500        /* silence that makes a plain server */
#define PING_MS 15000
#define SILENCE_MS 45000

/* How long a connection that was told [ERROR] may take to read it. */
#define LEAVE_MS 2000

#define PLAIN_PER_SOURCE 16

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
    struct watch watch;
    struct endpoint *at;
    struct addr from, reached;
    enum state state;
    struct line line;
    struct timer deadline;      /* of the line, or of leaving */
    struct timer plain;         /* ASKING: silence until then makes it a plain server */
    struct timer ping;
    long long heard;            /* clock_ms of its last line */
    bool hello;                 /* has said [HELLO]: it can be told [ERROR] */
    struct offer *offer;        /* SERVING */
};

/* A service and its control connection. */
struct offer {
    struct service *service;
    struct conn *control;
    bool plain;                 /* gets bare [NEW] lines */
    struct port *reverse;       /* where its answers to those come; may outlive plain */
    struct listener reverse_listener;
    bool out;                   /* one such [NEW] is not answered yet */
    struct timer answer;
};

static const struct service_rules *rules;
static struct slab conns, offers;
static struct endpoint *endpoints;
static int endpoint_count;

static int plain_announce_next(struct offer *o);

/* Connections: their life. */

/* The log's word for an error code where it has one of its own. */
static const char *word_for(const char *code)
{
    return strcmp(code, "timeout") == 0 ? "slow" : code;
}

static void log_reject(const struct addr *from, const char *reason)
{
    char text[ADDR_TEXT];

    log_event("reject from=%s reason=%s", addr_text(from, text), reason);
}

/* Forgets the connection; its descriptor is the caller's. */
static int conn_release(struct conn *c)
{
    int fd = c->watch.fd;

    loop_remove(&c->watch);
    timer_stop(&c->deadline);
    timer_stop(&c->plain);
    timer_stop(&c->ping);
    if (c->state != SERVING)
        newcomers_drop(&c->from);
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
    if (sock_send(c->watch.fd, t.data, t.len) != 0 || shutdown(c->watch.fd, SHUT_WR) != 0 ||
        (c->state == SERVING && newcomers_add(&c->from) != 0)) {
        conn_close(c);
        return;
    }
    c->state = LEAVING;
    timer_stop(&c->plain);
    timer_stop(&c->ping);
    timer_set(&c->deadline, LEAVE_MS);
}

/* Offers: services and their control connections. */

static struct offer *offer_of(const struct service *s)
{
    return s->owner;
}

static void stop_reverse(struct offer *o)
{
    timer_stop(&o->answer);
    o->out = false;
    if (o->reverse == NULL)
        return;
    listener_stop(&o->reverse_listener);
    portpool_take_back(o->reverse);
    o->reverse = NULL;
}

/* The service is closed; the control connection is the caller's. */
static void offer_close(struct offer *o, const char *reason)
{
    o->control->offer = NULL;
    stop_reverse(o);
    service_close(o->service, reason);
    slab_put(&offers, o);
}

/* The server has vanished, or has done what it must not. */
static void server_gone(struct conn *c, const char *reason)
{
    offer_close(c->offer, reason);
    conn_close(c);
}

static void log_open(const struct offer *o)
{
    char public[ADDR_HOST + 8], reverse[ADDR_HOST + 8], from[ADDR_TEXT];
    const struct conn *c = o->control;

    service_address(&c->reached, o->service->port->number, public);
    addr_text(&c->from, from);
    if (o->plain)
        log_event("open service=%e proto=new public=%s from=%s reverse=%s", o->service->name, public, from,
                  service_address(&c->reached, o->reverse->number, reverse));
    else
        log_event("open service=%e proto=new public=%s from=%s", o->service->name, public, from);
}

/* Announcing clients: 0, or -1 when the server was found gone. */

static int tell(struct offer *o, const struct text *t)
{
    if (sock_send(o->control->watch.fd, t->data, t->len) == 0)
        return 0;
    server_gone(o->control, "slow");
    return -1;
}

static int send_new(struct offer *o, struct waiter *client)
{
    char buffer[LINE_LONGEST], from[ADDR_TEXT];
    struct text t;

    if (claim_issue(&client->claim) != 0) {
        server_gone(o->control, "error");
        return -1;
    }
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[NEW]%u id=", addr_port(&o->control->reached));
    text_hex(&t, client->claim.id, CLAIM_BYTES);
    text_add(&t, " from=%s\n", addr_text(&client->from, from));
    return tell(o, &t);
}

static int send_plain_new(struct offer *o)
{
    char buffer[LINE_LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[NEW]%u\n", o->reverse->number);
    o->out = true;
    timer_set(&o->answer, rules->claim_seconds * 1000LL);
    return tell(o, &t);
}

static int announce(void *owner, struct waiter *client)
{
    struct offer *o = owner;

    return o->plain ? plain_announce_next(o) : send_new(o, client);
}

/* Plain servers. */

/* Of two lines that arrive in one read a plain server loses the second: one at a time. */
static int plain_announce_next(struct offer *o)
{
    return o->out || o->service->meeting.clients.count == 0 ? 0 : send_plain_new(o);
}

/* The [NEW] that was out is answered or given up. */
static void plain_next(struct offer *o)
{
    timer_stop(&o->answer);
    o->out = false;
    if (o->plain)
        plain_announce_next(o);
    else
        stop_reverse(o);
}

static void answer_late(void *owner)
{
    plain_next(owner);
}

static void reverse_accepted(void *owner, int fd, const struct addr *from)
{
    struct offer *o = owner;

    if (!addr_same_host(from, &o->control->from)) {
        log_reject(from, "address");
        sock_reset(fd);
        return;
    }
    rendezvous_server(&o->service->meeting, leg_of_socket(fd), from);
    plain_next(o);
}

static int plain_services_from(const struct addr *source)
{
    struct conn *c;
    int count = 0;

    for (size_t i = 0; (c = slab_at(&conns, i)) != NULL; i++)
        count += c->offer != NULL && c->offer->plain && addr_same_host(&c->from, source);
    return count;
}

static struct offer *offer_open(struct conn *c, const char *name, struct port *port)
{
    struct offer *o = slab_get(&offers);

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
    o->answer.fire = answer_late;
    o->answer.owner = o;
    c->offer = o;
    return o;
}

static int start_reverse(struct offer *o)
{
    struct port *port = portpool_lowest(o->service->port->pool);

    if (port == NULL || portpool_give(port) != 0)
        return -1;
    o->reverse_listener.accepted = reverse_accepted;
    o->reverse_listener.owner = o;
    o->reverse_listener.reserved = true;
    if (listener_start(&o->reverse_listener, port->fd) != 0) {
        portpool_take_back(port);
        return -1;
    }
    o->reverse = port;
    return 0;
}

static void serving(struct conn *c)
{
    newcomers_drop(&c->from);
    c->state = SERVING;
    c->heard = clock_ms();
    timer_stop(&c->deadline);
    timer_stop(&c->plain);
}

/* Nothing was said: a plain server. It is told nothing, whatever happens. */
static void be_plain(void *owner)
{
    struct conn *c = owner;
    struct portpool *pool = &c->at->pool;
    struct offer *o;

    if (pool->count - pool->given < 2 || plain_services_from(&c->from) >= PLAIN_PER_SOURCE ||
        (o = offer_open(c, NULL, portpool_lowest(pool))) == NULL) {
        log_reject(&c->from, "full");
        conn_close(c);
        return;
    }
    o->plain = true;
    serving(c);
    if (start_reverse(o) != 0) {
        server_gone(c, "error");
        return;
    }
    log_open(o);
}

/* Servers that say hello. */

static void ping(void *owner)
{
    struct conn *c = owner;

    long long left = c->heard + SILENCE_MS - clock_ms();

    if (left <= 0)
        server_gone(c, "timeout");
    else if (sock_send(c->watch.fd, "[PING]\n", 7) != 0)
        server_gone(c, "slow");
    else
        timer_set(&c->ping, left < PING_MS ? left : PING_MS);
}

/* A connection that is not let in. One that offers a service loses it; plain servers are told nothing. */
static void reject(struct conn *c, const char *code, const char *explanation)
{
    bool plain = c->offer != NULL && !c->hello;

    log_reject(&c->from, word_for(code));
    if (c->offer != NULL)
        offer_close(c->offer, word_for(code));
    if (plain)
        conn_close(c);
    else
        conn_leave(c, code, explanation);
}

/*
 * The port that this [HELLO] asks for, given the one it has now (NULL: none).
 * NULL with *code: it cannot have it.
 */
static struct port *choose_port(struct conn *c, const struct new_line *hello, struct port *now, const char **code)
{
    struct portpool *pool = &c->at->pool;
    struct port *port;

    if (hello->port > 0) {
        port = portpool_find(pool, (unsigned)hello->port);
        *code = port == NULL ? "port-denied" : "port-taken";
        return port == NULL || (port->given && port != now) ? NULL : port;
    }
    *code = "full";
    port = hello->want > 0 ? portpool_find(pool, (unsigned)hello->want) : NULL;
    if (port != NULL && (!port->given || port == now))
        return port;
    if (now != NULL)
        return now;
    port = portpool_find(pool, sticky_port(hello->name));
    return port != NULL && !port->given ? port : portpool_lowest(pool);
}

static const char *explain(const char *code)
{
    if (strcmp(code, "port-denied") == 0)
        return "that port is not one of this relay's";
    if (strcmp(code, "port-taken") == 0)
        return "that port is taken";
    return "no port is free";
}

/* The new control connection of a service takes the old one's place. */
static void take_over(struct offer *o, struct conn *c)
{
    struct conn *old = o->control;

    if (c->offer != NULL)
        offer_close(c->offer, "hello");
    old->offer = NULL;
    c->offer = o;
    o->control = c;
    conn_leave(old, "replaced", "another connection serves this name now");
}

/* A plain server says hello after all: it keeps its port, and its last [NEW] may still be answered. */
static void upgrade(struct offer *o, const char *name)
{
    log_event("close service=%e reason=hello", o->service->name);
    service_rename(o->service, name);
    o->plain = false;
    if (!o->out)
        stop_reverse(o);
}

static void send_public(struct conn *c)
{
    char buffer[LINE_LONGEST], public[ADDR_HOST + 8];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[PUBLIC] %s\n", service_address(&c->reached, c->offer->service->port->number, public));
    timer_set(&c->ping, PING_MS);
    if (tell(c->offer, &t) == 0)
        rendezvous_announce_all(&c->offer->service->meeting);
}

static void hello(struct conn *c, const struct new_line *line)
{
    struct service *same = service_find(line->name);
    struct offer *o = same != NULL ? offer_of(same) : c->offer;
    const char *code;
    struct port *port;

    if (same != NULL && !addr_same_host(&o->control->from, &c->from)) {
        reject(c, "auth", "that name is served from another address");
        return;
    }
    port = choose_port(c, line, o != NULL ? o->service->port : NULL, &code);
    if (port == NULL) {
        reject(c, code, explain(code));
        return;
    }
    if ((o == NULL && (o = offer_open(c, line->name, port)) == NULL) ||
        (port != o->service->port && service_move(o->service, port) != 0)) {
        reject(c, "full", strerror(errno));
        return;
    }
    if (o->control != c)
        take_over(o, c);
    if (c->state == ASKING)
        serving(c);
    if (o->plain)
        upgrade(o, line->name);
    sticky_remember(line->name, port->number);
    log_open(o);
    send_public(c);
}

static void hello_line(struct conn *c, const struct new_line *line)
{
    c->hello = true;
    if (line->version != NEW_VERSION)
        reject(c, "version", "this relay speaks v=1");
    else if (line->name[0] == '\0')
        reject(c, "line", "a [HELLO] needs name=");
    else
        hello(c, line);
}

/* Data connections. A claim that is no good is reset without a line: a local server may be behind it. */

static bool is_claim(const struct conn *c)
{
    return strncmp(c->line.bytes, "[DATA]", 6) == 0;
}

/* It is no server, then: what its silence opened is undone. Its descriptor is the caller's. */
static int data_release(struct conn *c)
{
    if (c->offer != NULL)
        offer_close(c->offer, "data");
    return conn_release(c);
}

static void refuse_claim(struct conn *c, const char *reason)
{
    log_reject(&c->from, reason);
    sock_reset(data_release(c));
}

static void data_line(struct conn *c, const struct new_line *line)
{
    struct claim *claim = line->has_id ? claim_find(line->id) : NULL;

    if (claim == NULL)
        refuse_claim(c, line->has_id ? "id" : "line");
    else
        rendezvous_claimed(claim->owner, leg_of_socket(data_release(c)));
}

/* Lines. */

static void bad_line(struct conn *c, const char *code)
{
    if (is_claim(c))
        refuse_claim(c, word_for(code));
    else
        reject(c, code, "this relay wants whole lines as in the protocol, within 10 seconds");
}

static void first_line(struct conn *c, const struct new_line *line)
{
    if (line->word == NEW_HELLO)
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
    if (c->state == SERVING && !c->offer->plain)
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
    bool begun = timer_is_set(&c->plain);

    timer_stop(&c->plain);
    if (begun || (c->state == SERVING && !timer_is_set(&c->deadline)))
        timer_set(&c->deadline, LINE_MS);
}

static void vanished(struct conn *c)
{
    if (c->state == SERVING)
        server_gone(c, "eof");
    else
        conn_close(c);
}

static void throw_away(struct conn *c)
{
    char waste[1024];
    ssize_t got = read(c->watch.fd, waste, sizeof waste);

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
    switch (line_take(&c->line, c->watch.fd)) {
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

/* Whether an open service's control connection comes from there. */
static bool is_server(const struct addr *source)
{
    struct conn *c;

    for (size_t i = 0; (c = slab_at(&conns, i)) != NULL; i++)
        if (c->offer != NULL && addr_same_host(&c->from, source))
            return true;
    return false;
}

static void accepted(void *owner, int fd, const struct addr *from)
{
    struct conn *c;

    if ((newcomers_many(from) && !is_server(from)) || newcomers_add(from) != 0) {
        log_reject(from, "full");
        sock_reset(fd);
        return;
    }
    c = slab_get(&conns);
    if (c == NULL || addr_local(&c->reached, fd) != 0) {
        if (c != NULL)
            slab_put(&conns, c);
        newcomers_drop(from);
        sock_reset(fd);
        return;
    }
    sock_control_options(fd, SILENCE_MS / 1000);
    c->at = owner;
    c->from = *from;
    c->watch = (struct watch){.fd = fd, .ready = readable, .owner = c};
    c->deadline = (struct timer){.fire = deadline_passed, .owner = c};
    c->plain = (struct timer){.fire = be_plain, .owner = c};
    c->ping = (struct timer){.fire = ping, .owner = c};
    loop_add(&c->watch, LOOP_READ);
    timer_set(&c->plain, PLAIN_MS);
}

/* Start and stop. */

static int setup(const struct service_rules *the_rules, int listens, int ports)
{
    
    rules = the_rules;
    endpoints = calloc((size_t)listens, sizeof *endpoints);
    if (endpoints == NULL || slab_init(&offers, sizeof(struct offer), (size_t)ports) != 0)
        return -1;
    return slab_init(&conns, sizeof(struct conn), (size_t)(ports + the_rules->max_unknown));
}

static void log_listen(const struct endpoint *e, const struct addr *addr)
{
    char at[ADDR_TEXT], pool[1536];
    struct text t;

    text_init(&t, pool, sizeof pool);
    portpool_text(&e->pool, &t);
    log_event("listen proto=new addr=%s pool=%s", addr_text(addr, at), pool);
}

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    struct endpoint *e = &endpoints[endpoint_count++];
    struct addr above = l->addr, bound;

    *failed = addr_port(&l->addr);
    e->fd = sock_bind(&l->addr);
    if (e->fd < 0 || sock_listen(e->fd) != 0)
        return -1;
    if (addr_port(&above) != 0)
        addr_set_port(&above, addr_port(&above) + 1);
    if (portpool_init(&e->pool, &above, l->pool, failed) != 0)
        return -1;
    bound.len = sizeof bound.u;
    if (getsockname(e->fd, &bound.u.any, &bound.len) != 0)
        return -1;
    log_listen(e, &bound);
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
        if (c->offer != NULL)
            offer_close(c->offer, "drain");
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
    .stop = stop,
};
