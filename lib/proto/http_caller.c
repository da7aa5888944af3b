/*
 * http_caller: connections on which HTTP requests come to relayd. See http_caller.h.
 */
#include "http_caller.h"

#include "../http_reader.h"
#include "../lograte.h"
#include "../preamble.h"
#include "../slab.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A caller who is answered before he has sent all is read away for so long, and so much, lest a reset overtake the answer. */
#define LEAVE_MS 2000
#define LEAVE_BYTES 1048576

/* Head and text of an answer. */
#define ANSWER_SIZE 1024

static const struct service_rules *rules;
static const struct http_caller_hooks *hooks;
static struct slab callers, readers;

int http_callers_setup(const struct service_rules *the_rules, int held, const struct http_caller_hooks *the_hooks)
{
    rules = the_rules;
    hooks = the_hooks;
    if (slab_init(&readers, sizeof(struct http_reader), (size_t)rules->max_unknown + 1) != 0)
        return -1;
    return slab_init(&callers, sizeof(struct http_caller), (size_t)(rules->max_unknown + 1 + held));
}

/* There may be a key in it: what is given back is zeroes. */
static void put_reader(struct http_reader *r)
{
    if (r != NULL)
        slab_put(&readers, r);
}

int http_caller_release(struct http_caller *c)
{
    int fd = c->watch.fd;

    loop_remove(&c->watch);
    timer_stop(&c->deadline);
    newcomers_drop(&c->place);
    put_reader(c->reader);
    slab_put(&callers, c);
    return fd;
}

void http_caller_reset(struct http_caller *c)
{
    sock_reset(http_caller_release(c));
}

static void close_gently(struct http_caller *c)
{
    int fd = http_caller_release(c);

    sock_close_gently(fd);
    close(fd);
}

/* Answers. */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } known[] = {
        {200, "OK"}, {204, "No Content"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
        {404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"},
        {431, "Request Header Fields Too Large"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].reason;
    return "";
}

static void make_answer(const struct http_caller *c, struct text *t, int status, const char *fields, const char *text)
{
    text_add(t, "HTTP/1.1 %d %s\r\nCache-Control: no-store\r\n%s", status, reason_of(status), fields);
    if (!c->keep_alive)
        text_add(t, "Connection: close\r\n");
    if (status != 204)
        text_add(t, "Content-Type: text/plain\r\nContent-Length: %u\r\n", (unsigned)strlen(text));
    text_add(t, "\r\n");
    if (status != 204 && !c->head_alone)
        text_add(t, "%s", text);
}

/* What it still sends is read away until it has seen the answer and closes. */
static void leave(struct http_caller *c)
{
    c->state = HTTP_CALLER_LEAVES;
    c->waste = 0;
    shutdown(c->watch.fd, SHUT_WR);
    loop_want(&c->watch, LOOP_READ);
    timer_set(&c->deadline, LEAVE_MS);
}

static void ask_again(struct http_caller *c)
{
    c->state = HTTP_CALLER_ASKS;
    c->served = true;
    loop_want(&c->watch, LOOP_READ);
    timer_set(&c->deadline, rules->line_seconds * 1000LL);
}

int http_caller_answer(struct http_caller *c, int status, const char *fields, const char *text)
{
    char answer[ANSWER_SIZE];
    struct text t;
    bool counted = c->place.counted || newcomers_add(&c->place, &c->from) == 0;

    c->keep_alive = c->keep_alive && counted && !c->unread;
    text_init(&t, answer, sizeof answer);
    make_answer(c, &t, status, fields, text);
    if (sock_send(c->watch.fd, t.data, t.len) != 0) {
        http_caller_reset(c);
        return -1;
    }
    if (c->keep_alive)
        ask_again(c);
    else if (c->unread && counted)
        leave(c);
    else
        close_gently(c);
    return 0;
}

void http_caller_reject(struct http_caller *c, int status, const char *fields, const char *text, const char *reason)
{
    lograte_reject(&c->from, reason);
    http_caller_answer(c, status, fields, text);
}

int http_caller_say(struct http_caller *c, const char *head)
{
    return sock_send(c->watch.fd, head, strlen(head));
}

/* Requests. */

/* No request can be told from what comes behind. */
static void reject_head(struct http_caller *c, int status, const char *text, const char *reason)
{
    c->keep_alive = false;
    c->unread = true;
    http_caller_reject(c, status, "", text, reason);
}

static void ask(struct http_caller *c, struct http_reader *reader)
{
    struct http_request r;

    timer_stop(&c->deadline);
    if (http_request_parse(&r, reader->bytes, reader->len) != 0) {
        reject_head(c, 400, "400 this is no HTTP request that can be understood in one way only\n", "line");
        return;
    }
    c->minor = r.minor;
    c->keep_alive = r.keep_alive && r.minor > 0;
    c->head_alone = strcmp(r.method, "HEAD") == 0;
    c->unread = r.has_body && !r.body.over;
    hooks->asks(c, &r);
}

static void take_head(struct http_caller *c)
{
    struct http_reader *reader = c->reader != NULL ? c->reader : slab_get(&readers);
    bool begun;

    if (reader == NULL) {
        lograte_reject(&c->from, "full");
        http_caller_reset(c);
        return;
    }
    begun = reader->len > 0;
    c->reader = NULL;
    switch (http_reader_take(reader, c->watch.fd)) {
    case HTTP_READER_WHOLE:
        ask(c, reader);
        break;
    case HTTP_READER_MORE:
        if (reader->len == 0)
            break;
        c->reader = reader;
        if (!begun)
            timer_set(&c->deadline, rules->line_seconds * 1000LL);
        return;
    case HTTP_READER_BAD:
        reject_head(c, 400, "400 this is no HTTP request\n", "line");
        break;
    case HTTP_READER_LONG:
        reject_head(c, 431, "431 the request's head is longer than 8192 bytes\n", "line");
        break;
    case HTTP_READER_END:
        close_gently(c);
        break;
    case HTTP_READER_ERROR:
        http_caller_reset(c);
        break;
    }
    put_reader(reader);
}

static void read_away(struct http_caller *c)
{
    char waste[8192];
    ssize_t got = read(c->watch.fd, waste, sizeof waste);

    if (got > 0)
        c->waste += (size_t)got;
    if (got == 0 || c->waste > LEAVE_BYTES)
        close_gently(c);
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        http_caller_reset(c);
}

static void call_gone(struct http_caller *c)
{
    void (*gone)(void *owner) = c->gone;
    void *owner = c->owner;

    http_caller_reset(c);
    gone(owner);
}

enum held { NOTHING_NEW, HAS_LEFT, SAYS_MORE };

/* Of one that is held: bytes are the next request's, or a body's. */
static enum held look_at(const struct http_caller *c)
{
    char byte;
    ssize_t got = recv(c->watch.fd, &byte, 1, MSG_PEEK);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return NOTHING_NEW;
    return got < 0 || (got == 0 && c->until_fin) ? HAS_LEFT : SAYS_MORE;
}

bool http_caller_left(const struct http_caller *c)
{
    return look_at(c) == HAS_LEFT;
}

static void look_for_end(struct http_caller *c)
{
    enum held now = look_at(c);

    if (now == HAS_LEFT)
        call_gone(c);
    else if (now == SAYS_MORE)
        loop_want(&c->watch, 0);
}

static void readable(void *owner, unsigned events)
{
    struct http_caller *c = owner;

    (void)events;
    switch (c->state) {
    case HTTP_CALLER_FREE:
        break;
    case HTTP_CALLER_ASKS:
        take_head(c);
        break;
    case HTTP_CALLER_HELD:
        look_for_end(c);
        break;
    case HTTP_CALLER_LEAVES:
        read_away(c);
        break;
    }
}

static void too_slow(void *owner)
{
    struct http_caller *c = owner;

    if (c->state == HTTP_CALLER_LEAVES || (c->served && c->reader == NULL))
        close_gently(c);
    else
        reject_head(c, 408, "408 no whole request has come in time\n", "slow");
}

static void make_room(void *owner)
{
    struct http_caller *c = owner;

    if (c->state == HTTP_CALLER_ASKS && !c->served)
        lograte_reject(&c->from, "full");
    http_caller_reset(c);
}

void http_caller_hold(struct http_caller *c, bool until_fin, void (*gone)(void *owner), void *owner)
{
    c->state = HTTP_CALLER_HELD;
    c->until_fin = until_fin;
    c->gone = gone;
    c->owner = owner;
    newcomers_drop(&c->place);
    loop_want(&c->watch, LOOP_READ);
}

/* NULL: there is no room. */
static struct http_caller *let_in(const struct addr *from)
{
    struct http_caller *c;

    if ((newcomers_many(from) && !hooks->expected(from)) || (c = slab_get(&callers)) == NULL)
        return NULL;
    c->place = (struct newcomer){.evict = make_room, .owner = c};
    if (newcomers_add(&c->place, from) == 0)
        return c;
    slab_put(&callers, c);
    return NULL;
}

void http_caller_accept(int fd, const struct addr *from)
{
    struct http_caller *c = let_in(from);

    if (c == NULL) {
        lograte_reject(from, "full");
        sock_reset(fd);
        return;
    }
    c->watch = (struct watch){.fd = fd, .ready = readable, .owner = c};
    c->deadline = (struct timer){.fire = too_slow, .owner = c};
    c->state = HTTP_CALLER_ASKS;
    c->from = *from;
    if (preamble_locate(&c->reached, fd) != 0 || loop_add(&c->watch, LOOP_READ) != 0) {
        lograte_reject(from, "full");
        http_caller_reset(c);
        return;
    }
    timer_set(&c->deadline, rules->line_seconds * 1000LL);
    take_head(c);
}

void http_callers_stop(void)
{
    struct http_caller *c;

    for (size_t i = 0; (c = slab_at(&callers, i)) != NULL; i++)
        if (c->state == HTTP_CALLER_ASKS || c->state == HTTP_CALLER_LEAVES)
            close_gently(c);
}
