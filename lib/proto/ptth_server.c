/*
 * ptth_server: PTTH's terminator beside a server: it asks the relay for clients,
 * one request held after the other, and has each served by two more.
 */
#include "control.h"
#include "ptth_call.h"

#include "../forward_proxy.h"
#include "../http_reader.h"
#include "../log.h"
#include "../sock.h"
#include "../text.h"
#include "../wipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A relay that will not have it says so at once: who is silent for so long holds the request. */
#define HELD_MS 500

/* And who has answered sooner that nobody came is not asked again at once. */
#define PACE_MS 1000

struct ptth_server {
    struct control control;             /* first, so that it finds the rest */
    char service[SERVICE_NAME_SIZE];
    struct timer held;
    const struct dial_host *open;       /* where the public address has been told; NULL: not yet */
    bool again;                         /* this connection has had an answer already */
    struct http_reader in;
    bool in_body;                       /* the head of the answer has been read: */
    int status;
    bool keep_alive;
    struct http_body body;
    size_t id_len;
    char id[CLAIM_TEXT];
};

/* What the process of a session has to call. */
struct calls {
    struct ptth_way way;
    char accept[PTTH_HEAD], downstream[PTTH_HEAD];
};

static struct control *first;

/* Of all requests of an offering but one: it alone tells the public address, and ends with --once. */
static struct server_hooks further_hooks;

static struct ptth_way way_of(const struct ptth_server *s)
{
    const struct offering *o = s->control.attacher.offering;

    return (struct ptth_way){
        .relay = o->proxy == NULL ? uplink_host(&s->control.uplink) : o->relays,
        .to = o->via == NULL && o->proxy == NULL ? &s->control.relay : NULL,
        .via = o->via,
        .proxy = o->proxy,
        .seconds = o->silence_seconds,
    };
}

/* Asking. */

static void ask(struct ptth_server *s)
{
    struct ptth_way way = way_of(s);
    char head[PTTH_HEAD];

    http_reader_reset(&s->in);
    s->in_body = false;
    timer_set(&s->held, HELD_MS);
    ptth_head(head, &way, PTTH_LISTEN, s->service);
    control_heard(&s->control);
    control_say(&s->control, head, strlen(head));
    wipe(head, sizeof head);
}

static void begun(struct control *c)
{
    struct ptth_server *s = (struct ptth_server *)c;

    if (!s->control.uplink.renewed)
        s->open = NULL;
    s->again = false;
    ask(s);
}

static void dropped(struct control *c)
{
    struct ptth_server *s = (struct ptth_server *)c;

    timer_stop(&s->held);
}

/* The relay holds the request, or has answered it well. One of several tells it. */
static void serves(struct ptth_server *s)
{
    struct ptth_way way = way_of(s);
    char url[PTTH_URL];

    timer_stop(&s->held);
    uplink_reached(&s->control.uplink);
    if (s->open == way.relay)
        return;
    s->open = way.relay;
    if (s->control.attacher.hooks != &further_hooks)
        control_served(&s->control, ptth_url(url, way.relay, s->service));
}

/* Nothing was said for so long; who has begun to answer does not hold it. */
static void holds(void *owner)
{
    struct ptth_server *s = owner;

    if (s->in.len > 0 || s->in_body)
        timer_set(&s->held, HELD_MS);
    else
        serves(s);
}

/* Clients. */

static int call(void *arg, struct leg *leg, char why[DIAL_WHY])
{
    struct calls *c = arg;

    return ptth_call_server(&c->way, c->accept, c->downstream, leg, why);
}

static void serve(struct ptth_server *s, const struct ptth_way *way, const char *id)
{
    struct calls calls = {.way = *way};
    struct attach client = control_client(&s->control);

    ptth_head(calls.accept, &calls.way, PTTH_ACCEPT, id);
    ptth_head(calls.downstream, &calls.way, PTTH_DOWNSTREAM, id);
    client.open = call;
    client.arg = &calls;
    attach_start(&s->control.attacher, &client);
    wipe(&calls, sizeof calls);
}

/* Answers. */

static void refused(struct ptth_server *s, const struct http_answer *a)
{
    struct control *c = &s->control;
    char why[DIAL_WHY];

    timer_stop(&s->held);
    ptth_explain(why, a);
    if (a->status == 401 || a->status == 403)
        c->attacher.hooks->refused(c->attacher.offering, a->status == 401 ? "auth" : "scope", why);
    else
        control_lose(c, why);
}

/* It asks again before the client is served, so that the next one need not wait. */
static void answered(struct ptth_server *s)
{
    struct control *c = &s->control;
    unsigned char id[CLAIM_BYTES];
    bool client = s->status == 200, soon = timer_is_set(&s->held);
    struct ptth_way way = way_of(s);
    char text[CLAIM_TEXT];

    serves(s);
    if (client && (s->id_len != sizeof text - 1 || ptth_id_parse(id, s->id) != 0)) {
        control_lose(c, "line");
        return;
    }
    text_copy(text, sizeof text, s->id);
    s->again = s->keep_alive;
    if (soon && !client)
        control_renew(c, PACE_MS);
    else if (s->keep_alive)
        ask(s);
    else
        control_renew(c, 0);
    if (client)
        serve(s, &way, text);
}

static void take_head(struct ptth_server *s)
{
    struct http_answer a;

    if (http_answer_parse(&a, s->in.bytes, s->in.len) != 0) {
        control_lose(&s->control, "line");
        return;
    }
    http_reader_reset(&s->in);
    if (a.status < 200)
        return;
    if (a.status != 200 && a.status != 204) {
        refused(s, &a);
        return;
    }
    s->in_body = true;
    s->status = a.status;
    s->keep_alive = a.keep_alive;
    s->body = a.body;
    s->id_len = 0;
    if (s->body.over)
        answered(s);
}

/* Exactly to its end: the next answer may follow. */
static void read_body(struct ptth_server *s)
{
    int fd = s->control.watch.fd;
    char bytes[256];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_PEEK), content;
    struct http_body body = s->body;
    size_t used;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got == 0 && body.kind == HTTP_BODY_RAW) {
        answered(s);
        return;
    }
    content = got > 0 ? http_body_take(&body, bytes, (size_t)got, &used) : -1;
    if (content < 0 || s->id_len + (size_t)content >= sizeof s->id) {
        control_lose(&s->control, got == 0 ? "eof" : got < 0 ? strerror(errno) : "line");
        return;
    }
    memcpy(s->id + s->id_len, bytes, (size_t)content);
    s->id_len += (size_t)content;
    s->id[s->id_len] = '\0';
    s->body = body;
    if (recv(fd, bytes, used, 0) != (ssize_t)used)
        control_lose(&s->control, "eof");
    else if (s->body.over)
        answered(s);
}

/* Before an answer. A proxy may end a connection behind any answer, without a word: then it is asked on another. */
static void closed(struct ptth_server *s, const char *reason)
{
    if (s->again && s->in.len == 0)
        control_renew(&s->control, 0);
    else
        control_lose(&s->control, reason);
}

static void readable(struct control *c)
{
    struct ptth_server *s = (struct ptth_server *)c;

    if (s->in_body) {
        read_body(s);
        return;
    }
    switch (http_reader_take(&s->in, c->watch.fd)) {
    case HTTP_READER_WHOLE:
        take_head(s);
        break;
    case HTTP_READER_MORE:
        break;
    case HTTP_READER_END:
        closed(s, "eof");
        break;
    case HTTP_READER_ERROR:
        closed(s, strerror(errno));
        break;
    default:
        control_lose(c, "line");
        break;
    }
}

/* What it is asked for: PUBLIC, else the local server's port. */
static void name_service(struct ptth_server *s, const struct offering *o)
{
    unsigned port = o->target->public_port != 0 ? o->target->public_port : o->target->server.port;
    struct text t;

    text_init(&t, s->service, sizeof s->service);
    text_add(&t, "%s/%u", o->name, port);
}

static void ended(const struct offering *o, bool reached)
{
    (void)o, (void)reached;
}

static void start_one(struct ptth_server *s, const struct offering *o, const struct server_hooks *hooks)
{
    name_service(s, o);
    s->held = (struct timer){.fire = holds, .owner = s};
    s->control = (struct control){
        .proto = "ptth",
        .begun = begun,
        .readable = readable,
        .dropped = dropped,
        .hosts = o->relays,
        .forwarded = true,
        .next = first,
    };
    first = &s->control;
    control_start(&s->control, o, hooks);
}

/* As many requests at once as connections are to be ready. */
static int offer(const struct offering *o, const struct server_hooks *hooks)
{
    struct ptth_server *s = calloc((size_t)o->ready, sizeof *s);

    if (s == NULL)
        return -1;
    further_hooks = *hooks;
    further_hooks.ended = ended;
    for (int i = 0; i < o->ready; i++)
        start_one(&s[i], o, i == 0 ? hooks : &further_hooks);
    return 0;
}

static void stop(void)
{
    control_stop(first);
}

const struct server_proto ptth_server = {
    .scheme = "ptth",
    .port = HTTP_PORT,
    .proves = true,
    .chooses = true,
    .ready = 1,
    .ready_least = 1,
    .ready_most = 64,
    .ready_anyhow = true,
    .offer = offer,
    .stop = stop,
};
