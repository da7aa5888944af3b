/*
 * new_words: what the lines of the protocol `new` do at the relay. See new_words.h.
 */
#include "new_words.h"

#include "../keys.h"
#include "../lograte.h"
#include "../sock.h"
#include "../sticky.h"
#include "../text.h"

#include <errno.h>
#include <string.h>

/* Nothing was said: a plain server. It is told nothing, whatever happens. */
static void silence(void *conn)
{
    struct new_conn *c = conn;
    struct new_offer *o = new_conn_locate(c) == 0 ? new_offer_open_plain(&c->control, c->pool) : NULL;

    if (o == NULL) {
        lograte_reject(&c->control.from, "full");
        new_conn_close(c);
        return;
    }
    new_conn_serves(c);
    new_offer_log_open(o);
}

/* Servers that say hello. */

/* The new control connection of a service takes the old one's place. */
static void take_over(struct new_offer *o, struct new_conn *c)
{
    struct new_conn *old = (struct new_conn *)o->control;

    if (c->control.offer != NULL)
        new_offer_close(c->control.offer, "hello");
    new_offer_hand_over(o, &c->control);
    new_conn_leave(old, "replaced", "another connection serves this name now");
}

static void send_public(struct new_conn *c)
{
    char buffer[LINE_LONGEST], public[ADDR_HOST + 8];
    struct new_offer *o = c->control.offer;
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[PUBLIC] %s\n", service_address(&c->control.reached, o->service->port->number, public));
    new_conn_ping(c);
    if (new_offer_tell(o, &t) == 0 && new_wait_fill(&o->waits) == 0)
        rendezvous_announce_all(&o->service->meeting);
}

/* What its [HELLO] asks for is done; where keys are in use, it has proved this one. */
static void hello(struct new_conn *c, const struct key *key)
{
    struct new_offer *same = new_offer_find(c->wish.name);
    struct new_offer *o = same != NULL ? same : c->control.offer;
    const char *code;
    struct port *port;

    if (key == NULL && same != NULL && !addr_same_host(&o->control->from, &c->control.from)) {
        new_conn_reject(c, "auth", "that name is served from another address");
        return;
    }
    port = new_port_choose(c->pool, &c->wish, key, o != NULL ? o->service->port : NULL, &code);
    if (port == NULL) {
        new_conn_reject(c, code, new_port_explain(code));
        return;
    }
    if ((o == NULL && (o = new_offer_open(&c->control, c->wish.name, port)) == NULL) ||
        (port != o->service->port && service_move(o->service, port) != 0)) {
        new_conn_reject(c, "full", strerror(errno));
        return;
    }
    /* First, so that the one whose place it takes finds one among those that leave. */
    if (c->state == NEW_ASKING)
        new_conn_serves(c);
    if (o->control != &c->control)
        take_over(o, c);
    if (o->plain)
        new_offer_upgrade(o, c->wish.name);
    o->service->max = key != NULL ? key->max : 0;
    sticky_remember(c->wish.name, port->number);
    new_offer_want_ready(o, c->wish.ready);
    new_offer_log_open(o);
    send_public(c);
}

static void challenge(struct new_conn *c, const struct new_line *line)
{
    char buffer[LINE_LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    if (line->nonce[0] == '\0')
        new_conn_reject(c, "auth", "this relay asks for a key");
    else if (new_auth_challenge(&c->auth, line, &c->control.from, &t) != 0)
        new_conn_reject(c, "full", strerror(errno));
    else if (sock_send(c->control.fd, t.data, t.len) != 0)
        new_conn_reject(c, "timeout", "too slow");
    else {
        c->proving = c->control.quiet = true;
        new_conn_line_due(c);
    }
}

static void proof_line(struct new_conn *c, const struct new_line *line)
{
    const struct key *key = new_auth_prove(&c->auth, line, &c->control.from);

    c->proving = c->control.quiet = false;
    if (key != NULL)
        hello(c, key);
    else
        new_conn_reject(c, "auth", "that name does not go with that key");
}

static void hello_line(struct new_conn *c, const struct new_line *line)
{
    c->hello = true;
    text_copy(c->wish.name, sizeof c->wish.name, line->name);
    c->wish.port = line->port;
    c->wish.want = line->want;
    c->wish.ready = line->ready;
    if (new_conn_locate(c) != 0)
        new_conn_reject(c, "full", strerror(errno));
    else if (line->version != NEW_VERSION)
        new_conn_reject(c, "version", "this relay speaks v=1");
    else if (line->name[0] == '\0')
        new_conn_reject(c, "line", "a [HELLO] needs name=");
    else if (keys_in_use())
        challenge(c, line);
    else
        hello(c, NULL);
}

/* Data connections. A claim that is no good is reset without a line: a local server may be behind it. */

static bool is_claim(const struct new_conn *c)
{
    return strncmp(c->line.bytes, "[DATA]", 6) == 0;
}

/* It is no server, then: what its silence opened is undone. Its descriptor is the caller's. */
static int data_release(struct new_conn *c)
{
    if (c->control.offer != NULL)
        new_offer_close(c->control.offer, "data");
    return new_conn_release(c);
}

static void refuse_claim(struct new_conn *c, const char *reason)
{
    lograte_reject(&c->control.from, reason);
    sock_reset(data_release(c));
}

static const char *service_of(const struct claim *claim)
{
    const struct waiter *client = claim->owner;

    return claim->kind == CLAIM_READY ? new_wait_service(claim->owner) : client->at->service;
}

static void claimed(struct new_conn *c, struct claim *claim)
{
    struct addr from = c->control.from;
    int fd = data_release(c);

    if (claim->kind == CLAIM_READY)
        new_wait_claimed(claim->owner, fd, &from);
    else
        rendezvous_claimed(claim->owner, leg_of_socket(fd));
}

static void data_line(struct new_conn *c, const struct new_line *line)
{
    struct claim *claim = line->has_id ? claim_find(line->id, CLAIM_WAITER | CLAIM_READY) : NULL;

    if (claim == NULL)
        refuse_claim(c, line->has_id ? "id" : "line");
    else if (keys_in_use() && !new_auth_data(service_of(claim), line))
        refuse_claim(c, "auth");
    else
        claimed(c, claim);
}

/* Lines. */

static void bad_line(struct new_conn *c, const char *code)
{
    if (is_claim(c))
        refuse_claim(c, new_conn_word(code));
    else
        new_conn_reject(c, code, "this relay wants whole lines as in the protocol, and soon");
}

static void first_line(struct new_conn *c, const struct new_line *line)
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

static void server_line(struct new_conn *c, const struct new_line *line)
{
    if (line->word == NEW_ERROR)
        new_conn_gone(c, "error");
    else if (line->word != NEW_PONG && line->word != NEW_UNKNOWN)
        bad_line(c, "line");
}

static void any_line(struct new_conn *c, const struct new_line *line)
{
    if (c->state == NEW_SERVING && !c->control.offer->plain)
        server_line(c, line);
    else
        first_line(c, line);
}

const struct new_conn_hooks new_words = {.line = any_line, .bad = bad_line, .silence = silence};

/* The key of a service is gone, is another, or does not allow what it did. */
static void check_key(struct new_conn *c)
{
    struct service *s = c->control.offer->service;
    const struct key *k = new_auth_key(&c->auth, &c->control.from);
    const char *code = k == NULL ? "auth" : key_allows_port(k, s->port->number) ? NULL : "port-denied";

    if (code != NULL)
        new_conn_reject(c, code, "the relay's keys have changed");
    else
        s->max = k->max;
}

void new_words_keys_changed(void)
{
    struct new_conn *c;

    for (size_t i = 0; (c = new_conn_at(i)) != NULL; i++)
        if (c->state == NEW_SERVING && c->control.offer != NULL && !c->control.offer->plain)
            check_key(c);
}
