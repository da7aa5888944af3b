/*
 * ptth_call: PTTH's requests, as both of its terminators make them. See ptth_call.h.
 */
#include "ptth_call.h"

#include "../clock.h"
#include "../forward_proxy.h"
#include "../http_reader.h"
#include "../keys.h"
#include "../options.h"
#include "../sock.h"
#include "../text.h"
#include "../via.h"
#include "../wipe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* How long it may take to be connected, in seconds. */
#define CONNECT_SECONDS 10

/* No relay answers so: Proxy Authentication Required. */
#define PROXY_ASKS 407

/* Heads. */

/* HTTP's own port goes without saying. */
static void add_authority(struct text *t, const struct dial_host *host)
{
    text_add(t, strchr(host->host, ':') != NULL ? "[%s]" : "%s", host->host);
    if (host->port != HTTP_PORT)
        text_add(t, ":%u", host->port);
}

/* relay-connect has one key. */
static void add_key(struct text *t)
{
    const struct key *k = keys_only();

    if (keys_in_use() && k != NULL)
        text_add(t, "Authorization: Bearer %s:%s\r\n", k->name, k->secret);
}

void ptth_head(char out[PTTH_HEAD], const struct ptth_way *way, enum ptth_endpoint endpoint, const char *what)
{
    struct text t;

    text_init(&t, out, PTTH_HEAD);
    text_add(&t, "POST ");
    if (way->proxy != NULL) {
        text_add(&t, "http://");
        add_authority(&t, way->relay);
    }
    text_add(&t, "/%s/%s HTTP/1.1\r\nHost: ", ptth_endpoints[endpoint], what);
    add_authority(&t, way->relay);
    text_add(&t, "\r\nUser-Agent: relay-connect/" RELAY_VERSION "\r\n");
    add_key(&t);
    if (way->proxy != NULL)
        text_add(&t, "%s", way->proxy->authorization);
    if (endpoint != PTTH_LISTEN)
        text_add(&t, "Connection: close\r\n");
    text_add(&t, ptth_streams(endpoint) ? "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                                        : "Content-Length: 0\r\n\r\n");
}

const char *ptth_url(char out[PTTH_URL], const struct dial_host *relay, const char *service)
{
    struct text t;

    text_init(&t, out, PTTH_URL);
    text_add(&t, "ptth://");
    add_authority(&t, relay);
    text_add(&t, "/%s", service);
    return out;
}

void ptth_explain(char why[DIAL_WHY], const struct http_answer *a)
{
    struct text t;

    text_init(&t, why, DIAL_WHY);
    text_add(&t, "the %s says %d %s", a->status == PROXY_ASKS ? "proxy" : "relay", a->status, a->reason);
}

/* Calls. */

static int reach(const struct ptth_way *w, char why[DIAL_WHY])
{
    int fd;

    if (w->via != NULL) {
        fd = via_open_socket(w->via, w->relay);
        if (fd < 0)
            text_copy(why, DIAL_WHY, strerror(errno));
        return fd;
    }
    if (w->proxy != NULL)
        fd = dial_now(&w->proxy->at, CONNECT_SECONDS, why);
    else
        fd = w->to != NULL ? dial_addr(w->to, CONNECT_SECONDS, why) : dial_now(w->relay, CONNECT_SECONDS, why);
    if (fd >= 0)
        sock_session_options(fd);
    return fd;
}

/* Connects and asks. Returns the connection, or -1 with the reason in why. */
static int call(const struct ptth_way *w, char *head, char why[DIAL_WHY])
{
    int fd = reach(w, why), sent = fd < 0 ? -1 : sock_send(fd, head, strlen(head));

    wipe(head, PTTH_HEAD);
    if (fd < 0 || sent == 0)
        return fd;
    text_copy(why, DIAL_WHY, strerror(errno));
    close(fd);
    return -1;
}

static const char *no_answer(enum http_reader_status status)
{
    switch (status) {
    case HTTP_READER_MORE:
        return errno == ETIMEDOUT ? "the relay does not answer" : "the client has left";
    case HTTP_READER_END:
        return "the relay closed the connection";
    case HTTP_READER_ERROR:
        return strerror(errno);
    default:
        return "the relay does not speak HTTP";
    }
}

/* The answer that begins a stream, behind those that only say that it is coming. -1 with the reason in why. */
static int take_answer(const struct ptth_way *w, int fd, int other, struct http_reader *in, struct http_answer *a,
                       char why[DIAL_WHY])
{
    enum http_reader_status status;

    do {
        status = http_reader_wait(in, fd, other, clock_ms() + w->seconds * 1000LL);
        if (status != HTTP_READER_WHOLE || http_answer_parse(a, in->bytes, in->len) != 0) {
            text_copy(why, DIAL_WHY, no_answer(status));
            return -1;
        }
    } while (a->status < 200);
    if (a->status == 200 && a->body.kind == HTTP_BODY_CHUNKED)
        return 0;
    if (a->status == 200)
        text_copy(why, DIAL_WHY, "what stands before the relay does not pass chunks on");
    else
        ptth_explain(why, a);
    return -1;
}

static int close_two(int a, int b)
{
    sock_reset(a);
    if (b >= 0)
        sock_reset(b);
    return -1;
}

static void make_leg(const struct ptth_way *w, struct leg *leg, int in, int out, const struct http_answer *a)
{
    struct framing framing = {.http = true, .in = a->body, .chunked = true, .answer = LEG_AWAITS};

    *leg = leg_of_bodies(in, out, &framing);
    leg->by_commands = w->via != NULL;
}

int ptth_call_server(const struct ptth_way *way, char *accept, char *downstream, struct leg *leg, char why[DIAL_WHY])
{
    struct http_reader in;
    struct http_answer answer;
    int out, back = call(way, accept, why);

    if (back < 0)
        return -1;
    out = call(way, downstream, why);
    if (out < 0 || take_answer(way, back, -1, &in, &answer, why) != 0)
        return close_two(back, out);
    make_leg(way, leg, back, out, &answer);
    return 0;
}

/* Puts the id where zeroes stand. Returns 0, or -1: it is none. */
static int fill_in(char *head, const char *id)
{
    unsigned char bytes[CLAIM_BYTES];
    char *zeroes = strstr(head, PTTH_NO_ID);

    if (id == NULL || zeroes == NULL || ptth_id_parse(bytes, id) != 0)
        return -1;
    memcpy(zeroes, id, sizeof PTTH_NO_ID - 1);
    return 0;
}

int ptth_call_client(const struct ptth_way *way, char *connect, char *upstream, int local, struct leg *leg,
                     char why[DIAL_WHY])
{
    struct http_reader in;
    struct http_answer answer;
    int out, back = call(way, connect, why);

    if (back < 0)
        return -1;
    if (take_answer(way, back, local, &in, &answer, why) != 0)
        return close_two(back, -1);
    if (fill_in(upstream, http_field(answer.fields, PTTH_ID_FIELD)) != 0) {
        text_copy(why, DIAL_WHY, "the relay names no connection");
        return close_two(back, -1);
    }
    out = call(way, upstream, why);
    if (out < 0)
        return close_two(back, -1);
    make_leg(way, leg, back, out, &answer);
    return 0;
}
