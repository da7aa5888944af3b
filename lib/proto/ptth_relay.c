/*
 * ptth_relay: the relay's side of PTTH: who calls what, and may he.
 *
 * Servers and clients make HTTP requests: see "ptth" in protocols.md. Of each
 * this file finds the endpoint, checks the key and answers what is wrong; what
 * becomes of a good one is ptth_place's and ptth_connection's.
 */
#include "endpoint.h"
#include "http_caller.h"
#include "ptth_connection.h"
#include "ptth_path.h"
#include "ptth_place.h"

#include "../keys.h"
#include "../log.h"
#include "../sha256.h"
#include "../text.h"
#include "../wipe.h"

#include <string.h>
#include <strings.h>

/* The longest Bearer token: NAME:KEY. */
#define TOKEN_LONGEST (NAME_SIZE + KEY_LONGEST)

static struct endpoints endpoints;

/* Keys. */

/* Whether two secrets are equal; how long it takes does not tell where they differ. */
static bool same_secret(const char *a, const char *b)
{
    unsigned char digest[2][SHA256_BYTES];

    hmac_sha256("", 0, a, strlen(a), digest[0]);
    hmac_sha256("", 0, b, strlen(b), digest[1]);
    return sha256_equal(digest[0], digest[1]);
}

/* The key that an Authorization field shows, or NULL. */
static const struct key *key_shown(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    char token[TOKEN_LONGEST + 1], *colon;
    const struct key *k;

    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    authorization += sizeof scheme - 1;
    colon = text_copy(token, sizeof token, authorization + strspn(authorization, " ")) ? strchr(token, ':') : NULL;
    if (colon == NULL)
        return NULL;
    *colon = '\0';
    k = keys_of_name(token);
    if (k != NULL && !same_secret(k->secret, colon + 1))
        k = NULL;
    wipe(token, sizeof token);
    return k;
}

/* Whether a client's key is for this service's server. */
static bool allows_to(const struct key *k, const char *server)
{
    const char *at = k->to;
    size_t len = strlen(server);

    while (at != NULL) {
        size_t span = name_span(at);

        if (span == len && strncmp(at, server, len) == 0)
            return true;
        at = at[span] == ',' ? at + span + 1 : NULL;
    }
    return k->to == NULL;
}

/* Whether the caller may use this endpoint of that server. */
static bool covers(const struct key *k, enum ptth_endpoint endpoint, const char *server)
{
    if (k->client != (endpoint == PTTH_CONNECT || endpoint == PTTH_UPSTREAM))
        return false;
    return k->client ? allows_to(k, server) : keys_of_service(server) == k;
}

static void reject_key(struct http_caller *c)
{
    http_caller_reject(c, 401, "WWW-Authenticate: Bearer\r\n",
                       "401 no key, or a wrong one: Authorization: Bearer NAME:KEY\n", "auth");
}

static void reject_scope(struct http_caller *c)
{
    http_caller_reject(c, 403, "", "403 this key is not for that\n", "scope");
}

/* Requests. */

static const char *wrong_method(const struct http_request *r, const struct ptth_path *p)
{
    bool has_body = ptth_streams(p->endpoint);

    if (strcmp(r->method, "POST") == 0 || (!has_body && strcmp(r->method, "GET") == 0))
        return NULL;
    return has_body ? "Allow: POST\r\n" : "Allow: GET, POST\r\n";
}

static void take_leg(struct http_caller *c, const struct http_request *r, const struct ptth_path *p,
                     const struct key *k)
{
    struct ptth_connection *connection = ptth_connection_find(p->id);

    if (connection == NULL)
        http_caller_reject(c, 404, "", "404 there is no connection of this id\n", "id");
    else if (k != NULL && !(covers(k, p->endpoint, connection->server) &&
                            (p->endpoint != PTTH_UPSTREAM || k->version == connection->key)))
        reject_scope(c);
    else
        ptth_connection_take(connection, c, r, p->endpoint);
}

static void take_name(struct http_caller *c, const struct ptth_path *p, const struct key *k)
{
    if (k != NULL && !covers(k, p->endpoint, p->server))
        reject_scope(c);
    else if (p->endpoint == PTTH_LISTEN)
        ptth_listen(c, p, k);
    else
        ptth_connect(c, p, k);
}

static void asks(struct http_caller *c, const struct http_request *r)
{
    struct ptth_path path;
    bool known = ptth_path_parse(&path, r->target) == 0;
    const char *allowed = known ? wrong_method(r, &path) : NULL;
    const struct key *k = keys_in_use() ? key_shown(http_field(r->fields, "Authorization")) : NULL;
    bool streams = known && ptth_streams(path.endpoint);

    if (keys_in_use() && k == NULL)
        reject_key(c);
    else if (k != NULL && !key_allows_from(k, &c->from))
        reject_scope(c);
    else if (!known)
        http_caller_reject(c, 404, "", "404 there is nothing of this path\n", "path");
    else if (allowed != NULL)
        http_caller_reject(c, 405, allowed, "405 not by this method\n", "method");
    else if (streams && !r->has_body)
        http_caller_reject(c, 400, "", "400 a body is due: in chunks, or with a Content-Length\n", "line");
    else if (!streams && c->unread)
        http_caller_reject(c, 400, "", "400 no body is due\n", "line");
    else if (path.by_id)
        take_leg(c, r, &path, k);
    else
        take_name(c, &path, k);
}

static const struct http_caller_hooks caller_hooks = {.asks = asks, .expected = ptth_expects};

/* Ports. */

static int setup(const struct service_rules *rules, int listens, int ports)
{
    (void)ports;
    if (endpoints_setup(&endpoints, listens) != 0 || ptth_places_setup(rules) != 0)
        return -1;
    return http_callers_setup(rules, rules->max_ready + PTTH_LEGS * rules->max_sessions, &caller_hooks);
}

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    const struct endpoint *e = endpoint_bind(&endpoints, l, failed);
    char at[ADDR_TEXT];

    if (e == NULL)
        return -1;
    log_event("listen proto=ptth addr=%s", addr_text(&e->addr, at));
    return 0;
}

static void accepted(void *endpoint, int fd, const struct addr *from)
{
    (void)endpoint;
    http_caller_accept(fd, from);
}

static int start(void)
{
    return endpoints_start(&endpoints, accepted);
}

static bool may_listen(const char *server, unsigned version)
{
    const struct key *k = keys_of_service(server);

    return k != NULL && k->version == version && !k->client;
}

static void keys_changed(void)
{
    ptth_places_check(may_listen, reject_key);
}

static void stop(void)
{
    endpoints_stop(&endpoints);
    ptth_places_stop();
    http_callers_stop();
}

const struct relay_proto ptth_relay = {
    .name = "ptth",
    .pool_fixed = true,
    .own_ports = 1,
    .by_name = true,
    .proves = true,
    .setup = setup,
    .bind = bind_listen,
    .start = start,
    .keys_changed = keys_changed,
    .stop = stop,
};
