/*
 * new_conn: the connections to a port of the protocol `new`. See new_conn.h.
 */
#include "new_conn.h"

#include "endpoint.h"
#include "../clock.h"
#include "../keys.h"
#include "../lograte.h"
#include "../preamble.h"
#include "../slab.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Silence that makes a plain server (protocols.md), in milliseconds. */
#define PLAIN_MS 500

/* How long a connection that was told [ERROR] may take to read it. */
#define LEAVE_MS 2000

static const struct service_rules *rules;
static const struct new_conn_hooks *hooks;
static struct slab conns;

int new_conn_setup(const struct service_rules *the_rules, const struct new_conn_hooks *the_hooks, int most)
{
    rules = the_rules;
    hooks = the_hooks;
    return slab_init(&conns, sizeof(struct new_conn), (size_t)most + 1);
}

struct new_conn *new_conn_at(size_t i)
{
    return slab_at(&conns, i);
}

const char *new_conn_word(const char *code)
{
    return strcmp(code, "timeout") == 0 ? "slow" : code;
}

int new_conn_release(struct new_conn *c)
{
    int fd = c->control.fd;

    loop_remove(&c->watch);
    timer_stop(&c->deadline);
    timer_stop(&c->plain);
    timer_stop(&c->ping);
    newcomers_drop(&c->place);
    slab_put(&conns, c);
    return fd;
}

/* Until it serves, it is set as a session's connection is. */
void new_conn_close(struct new_conn *c)
{
    int fd = new_conn_release(c);

    sock_close_gently(fd);
    close(fd);
}

void new_conn_leave(struct new_conn *c, const char *code, const char *explanation)
{
    char buffer[LINE_LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[ERROR] %s %s\n", code, explanation);
    if (sock_send(c->control.fd, t.data, t.len) != 0 || shutdown(c->control.fd, SHUT_WR) != 0 ||
        (c->state == NEW_SERVING && newcomers_add(&c->place, &c->control.from) != 0)) {
        new_conn_close(c);
        return;
    }
    sock_close_gently(c->control.fd);
    c->state = NEW_LEAVING;
    timer_stop(&c->plain);
    timer_stop(&c->ping);
    timer_set(&c->deadline, LEAVE_MS);
}

void new_conn_gone(struct new_conn *c, const char *reason)
{
    new_offer_close(c->control.offer, reason);
    new_conn_close(c);
}

static void control_gone(struct new_control *control, const char *reason)
{
    new_conn_gone((struct new_conn *)control, reason);
}

void new_conn_reject(struct new_conn *c, const char *code, const char *explanation)
{
    bool plain = c->control.offer != NULL && !c->hello;

    lograte_reject(&c->control.from, new_conn_word(code));
    if (c->control.offer != NULL)
        new_offer_close(c->control.offer, new_conn_word(code));
    if (plain)
        new_conn_close(c);
    else
        new_conn_leave(c, code, explanation);
}

int new_conn_locate(struct new_conn *c)
{
    return c->control.reached.len != 0 ? 0 : addr_local(&c->control.reached, c->control.fd);
}

void new_conn_serves(struct new_conn *c)
{
    newcomers_drop(&c->place);
    sock_control_options(c->control.fd, rules->silence_seconds);
    c->state = NEW_SERVING;
    c->heard = clock_ms();
    timer_stop(&c->deadline);
    timer_stop(&c->plain);
}

void new_conn_line_due(struct new_conn *c)
{
    timer_set(&c->deadline, rules->line_seconds * 1000LL);
}

static void ping(void *owner)
{
    struct new_conn *c = owner;
    long long left = c->heard + rules->silence_seconds * 1000LL - clock_ms();
    long long next = rules->ping_seconds * 1000LL;

    if (left <= 0)
        new_conn_gone(c, "timeout");
    else if (sock_send(c->control.fd, "[PING]\n", 7) != 0)
        new_conn_gone(c, "slow");
    else
        timer_set(&c->ping, left < next ? left : next);
}

void new_conn_ping(struct new_conn *c)
{
    timer_set(&c->ping, rules->ping_seconds * 1000LL);
}

/* Lines. */

static void whole_line(struct new_conn *c)
{
    struct new_line line;

    c->heard = clock_ms();
    if (c->state == NEW_SERVING)
        timer_stop(&c->deadline);
    if (new_line_parse(c->line.bytes, c->line.len, &line) != 0) {
        hooks->bad(c, "line");
        return;
    }
    line_reset(&c->line);
    hooks->line(c, &line);
}

static void deadline_passed(void *owner)
{
    struct new_conn *c = owner;

    if (c->state == NEW_LEAVING)
        new_conn_close(c);
    else
        hooks->bad(c, "timeout");
}

/* The first byte has come: no plain server, and the line's time runs. */
static void line_begun(struct new_conn *c)
{
    timer_stop(&c->plain);
    if (!c->begun || (c->state == NEW_SERVING && !timer_is_set(&c->deadline)))
        new_conn_line_due(c);
    c->begun = true;
}

static void vanished(struct new_conn *c)
{
    if (c->proving)
        lograte_reject(&c->control.from, "auth");
    if (c->state == NEW_SERVING)
        new_conn_gone(c, "eof");
    else
        new_conn_close(c);
}

static void throw_away(struct new_conn *c)
{
    char waste[1024];
    ssize_t got = read(c->control.fd, waste, sizeof waste);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        new_conn_close(c);
}

static void readable(void *owner, unsigned events)
{
    struct new_conn *c = owner;

    (void)events;
    if (c->state == NEW_LEAVING) {
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
        hooks->bad(c, "line");
        break;
    case LINE_END:
    case LINE_ERROR:
        vanished(c);
        break;
    }
}

/* Coming in. */

static void make_room(void *owner)
{
    struct new_conn *c = owner;

    if (c->state == NEW_ASKING)
        lograte_reject(&c->control.from, "full");
    sock_reset(new_conn_release(c));
}

/* It is unknown as yet. NULL: it is not let in. */
static struct new_conn *let_in(const struct addr *from)
{
    struct new_conn *c;

    if ((newcomers_many(from) && !new_offer_from(from)) || (c = slab_get(&conns)) == NULL)
        return NULL;
    c->place = (struct newcomer){.evict = make_room, .owner = c};
    if (newcomers_add(&c->place, from) == 0)
        return c;
    slab_put(&conns, c);
    return NULL;
}

void new_conn_accepted(void *endpoint, int fd, const struct addr *from)
{
    struct endpoint *e = endpoint;
    struct new_conn *c = let_in(from);

    if (c == NULL) {
        lograte_reject(from, "full");
        sock_reset(fd);
        return;
    }
    if (preamble_reached() != NULL)
        c->control.reached = *preamble_reached();
    c->pool = &e->pool;
    c->control.fd = fd;
    c->control.from = *from;
    c->control.gone = control_gone;
    c->watch = (struct watch){.fd = fd, .ready = readable, .owner = c};
    c->deadline = (struct timer){.fire = deadline_passed, .owner = c};
    c->plain = (struct timer){.fire = hooks->silence, .owner = c};
    c->ping = (struct timer){.fire = ping, .owner = c};
    loop_add(&c->watch, LOOP_READ);
    if (keys_in_use() && !rules->plain)
        new_conn_line_due(c);
    else
        timer_set(&c->plain, PLAIN_MS);
    /* On a busy relay what it says has come by now. */
    readable(c, LOOP_READ);
}
