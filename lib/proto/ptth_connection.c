/*
 * ptth_connection: PTTH's connections: an id, and the four requests of one client. See ptth_connection.h.
 */
#include "ptth_connection.h"

#include "../slab.h"
#include "../tally.h"
#include "../text.h"

#include <string.h>

/* Behind these comes a body. nginx is told not to gather it (its X-Accel-Buffering). */
#define STREAM "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n" \
               "Content-Type: application/octet-stream\r\nConnection: close\r\n"
#define HEAD_SIZE 320

static struct slab connections;
static struct tally sources;
static void (*left)(struct ptth_place *p);

int ptth_connections_setup(int most, void (*the_left)(struct ptth_place *p))
{
    left = the_left;
    if (tally_init(&sources, (size_t)most) != 0)
        return -1;
    return slab_init(&connections, sizeof(struct ptth_connection), (size_t)most);
}

bool ptth_connections_of(const struct addr *source)
{
    return tally_count(&sources, source) > 0;
}

static void forget(struct ptth_connection *n)
{
    claim_revoke(&n->claim);
    tally_drop(&sources, &n->from);
    slab_put(&connections, n);
}

/* One of its callers has left; all others are told, and it is forgotten, on the way. */
static void leg_gone(void *owner)
{
    struct ptth_leg *leg = owner;

    leg->caller = NULL;
    rendezvous_refuse(leg->of->waiter, "gone");
}

struct ptth_connection *ptth_connection_new(struct ptth_place *place, const char *server, struct http_caller *client,
                                            unsigned key)
{
    struct ptth_connection *n = slab_get(&connections);

    if (n == NULL)
        return NULL;
    if (tally_add(&sources, &client->from) != 0) {
        slab_put(&connections, n);
        return NULL;
    }
    n->place = place;
    n->from = client->from;
    n->key = key;
    n->claim.owner = n;
    n->claim.kind = CLAIM_REQUESTS;
    text_copy(n->server, sizeof n->server, server);
    for (int i = 0; i < PTTH_ENDPOINTS; i++)
        n->legs[i].of = n;
    n->legs[PTTH_CONNECT].caller = client;
    n->legs[PTTH_CONNECT].taken = true;
    http_caller_hold(client, true, leg_gone, &n->legs[PTTH_CONNECT]);
    return n;
}

struct http_caller *ptth_connection_undo(struct ptth_connection *n)
{
    struct http_caller *client = n->legs[PTTH_CONNECT].caller;

    forget(n);
    return client;
}

/* The id. */

bool ptth_connection_announced(const struct ptth_connection *n)
{
    return n->claim.link != NULL;
}

static const char *id_text(const struct ptth_connection *n, char out[CLAIM_TEXT])
{
    struct text t;

    text_init(&t, out, CLAIM_TEXT);
    text_hex(&t, n->claim.id, CLAIM_BYTES);
    return out;
}

int ptth_connection_announce(struct ptth_connection *n, struct http_caller *server)
{
    char id[CLAIM_TEXT], field[HEAD_SIZE];
    struct text t;

    if (claim_issue(&n->claim) != 0) {
        http_caller_answer(server, 503, "", "503 no random bytes\n");
        return -1;
    }
    text_init(&t, field, sizeof field);
    text_add(&t, PTTH_ID_FIELD ": %s\r\n", id_text(n, id));
    if (http_caller_answer(server, 200, field, id) != 0) {
        claim_revoke(&n->claim);
        return -1;
    }
    rendezvous_renew(n->waiter);
    return 0;
}

struct ptth_connection *ptth_connection_find(const unsigned char id[CLAIM_BYTES])
{
    struct claim *c = claim_find(id, CLAIM_REQUESTS);

    return c != NULL ? c->owner : NULL;
}

/* The four requests. */

static bool accepted(const struct ptth_connection *n)
{
    return n->legs[PTTH_ACCEPT].taken;
}

static bool complete(const struct ptth_connection *n)
{
    return n->legs[PTTH_ACCEPT].taken && n->legs[PTTH_UPSTREAM].taken && n->legs[PTTH_DOWNSTREAM].taken;
}

/* The head of an answer whose body follows; with an id where *id is one. */
static int begin_answer(struct http_caller *c, const char *id)
{
    char head[HEAD_SIZE];
    struct text t;

    text_init(&t, head, sizeof head);
    text_add(&t, STREAM);
    if (id != NULL)
        text_add(&t, PTTH_ID_FIELD ": %s\r\n", id);
    if (c->minor > 0)
        text_add(&t, "Transfer-Encoding: chunked\r\n");
    text_add(&t, "\r\n");
    return http_caller_say(c, head);
}

/* The client's answer comes first. Returns 0, or -1. */
static int begin_answers(struct ptth_connection *n)
{
    struct ptth_leg *client = &n->legs[PTTH_CONNECT];
    char id[CLAIM_TEXT];

    http_caller_hold(client->caller, false, leg_gone, client);
    if (begin_answer(client->caller, id_text(n, id)) != 0)
        return -1;
    return begin_answer(n->legs[PTTH_ACCEPT].caller, NULL);
}

/* One side's two requests become its leg: the body of one, the answer to the other. */
static struct leg side(struct ptth_connection *n, enum ptth_endpoint in, enum ptth_endpoint out)
{
    struct framing framing = {
        .http = true,
        .in = n->legs[in].body,
        .chunked = n->legs[out].caller->minor > 0,
        .answer = LEG_GIVES,
    };
    int rfd = http_caller_release(n->legs[in].caller), wfd = http_caller_release(n->legs[out].caller);

    n->legs[in].caller = n->legs[out].caller = NULL;
    return leg_of_bodies(rfd, wfd, &framing);
}

static void begin_session(struct ptth_connection *n)
{
    struct leg server = side(n, PTTH_DOWNSTREAM, PTTH_ACCEPT);
    struct waiter *w = n->waiter;
    struct ptth_place *place = n->place;

    w->leg = side(n, PTTH_UPSTREAM, PTTH_CONNECT);
    w->mark = (uint32_t)slab_index(&connections, n) + 1;
    n->waiter = NULL;
    rendezvous_claimed(w, server);
    left(place);
}

void ptth_connection_take(struct ptth_connection *n, struct http_caller *c, const struct http_request *r,
                          enum ptth_endpoint which)
{
    struct ptth_leg *leg = &n->legs[which];
    int said = 0;

    if (leg->taken) {
        http_caller_reject(c, 409, "", "409 somebody has that part of the connection already\n", "taken");
        return;
    }
    leg->taken = true;
    leg->caller = c;
    leg->body = r->body;
    http_caller_hold(c, false, leg_gone, leg);
    if (which == PTTH_ACCEPT)
        said = begin_answers(n);
    else if (r->expects_continue)
        said = http_caller_say(c, "HTTP/1.1 100 Continue\r\n\r\n");
    if (said != 0)
        rendezvous_refuse(n->waiter, "gone");
    else if (complete(n))
        begin_session(n);
}

/* Ends. */

/* Whoever was promised a body is cut off; the others are told why. */
static void dismiss(struct ptth_connection *n, int status, const char *fields, const char *text)
{
    for (int i = 0; i < PTTH_ENDPOINTS; i++) {
        struct http_caller *c = n->legs[i].caller;

        if (c != NULL && accepted(n))
            http_caller_reset(c);
        else if (c != NULL)
            http_caller_answer(c, status, fields, text);
    }
}

void ptth_connection_turned_away(void *connection, const char *reason)
{
    struct ptth_connection *n = connection;
    struct ptth_place *place = n->place;

    if (strcmp(reason, "timeout") != 0)
        dismiss(n, 503, PTTH_RETRY, "503 the connection cannot be made now\n");
    else if (ptth_connection_announced(n))
        dismiss(n, 504, "", "504 the server was told, and did not come\n");
    else
        dismiss(n, 503, PTTH_RETRY, "503 there is no such server now\n");
    forget(n);
    left(place);
}

void ptth_connection_ended(void *unused, uint32_t mark)
{
    struct ptth_connection *n = slab_at(&connections, mark - 1);

    (void)unused;
    if (n != NULL)
        forget(n);
}
