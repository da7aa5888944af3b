/*
 * ptth_place: where PTTH's servers and clients find each other. See ptth_place.h.
 */
#include "ptth_place.h"

#include "ptth_connection.h"

#include "../keys.h"
#include "../log.h"
#include "../slab.h"
#include "../tally.h"
#include "../text.h"

#include <string.h>

/* Of the places, the part that one source may have opened. */
#define SOURCE_PART 4

/* How often it is looked whether the clients have left a place that nobody listens at. */
#define LOOK_MS 1000

/* A server's request that is held. */
struct listen {
    struct ptth_place *at;
    struct http_caller *caller;
    struct addr from;
    unsigned key;                   /* its version */
    struct timer over;
    struct listen *next, **link;
};

struct ptth_place {
    struct timer close;             /* it is empty, and stays open so long for the next request */
    struct service *service;        /* NULL: not in use */
    char server[NAME_SIZE];
    struct addr from;               /* who came first */
    bool opened;                    /* a server has listened there */
    struct listen *first, **end;
};

static const struct service_rules *rules;
static struct slab places, listens;
static struct tally openers, listeners;
static int most_places;

bool ptth_expects(const struct addr *source)
{
    return tally_count(&openers, source) > 0 || tally_count(&listeners, source) > 0 || ptth_connections_of(source);
}

/* Places. */

static int announce(void *owner, struct waiter *client);

static struct ptth_place *find(const char *service)
{
    struct ptth_place *p;

    for (size_t i = 0; (p = slab_at(&places, i)) != NULL; i++)
        if (p->service != NULL && strcmp(p->service->name, service) == 0)
            return p;
    return NULL;
}

static void close_place(struct ptth_place *p, const char *reason)
{
    service_close(p->service, p->opened ? reason : NULL);
    timer_stop(&p->close);              /* its last clients have set it */
    tally_drop(&openers, &p->from);
    slab_put(&places, p);
}

static bool empty(const struct ptth_place *p)
{
    return p->first == NULL && p->service->meeting.clients.count == 0;
}

/* It may not be empty, and nobody tell when it is: of a client who has left as his session began. */
static void close_empty(void *owner)
{
    struct ptth_place *p = owner;

    if (empty(p))
        close_place(p, "timeout");
    else
        timer_set(&p->close, LOOK_MS);
}

/* Whoever was to make use of it has left. Not at once: whoever tells has not finished with it. */
static void left(struct ptth_place *p)
{
    if (empty(p) && !timer_is_set(&p->close))
        timer_set(&p->close, 0);
}

static struct ptth_place *make(const struct ptth_path *path, const struct addr *from)
{
    struct ptth_place *p;

    if (tally_count(&openers, from) >= (unsigned)(most_places / SOURCE_PART + 1) || (p = slab_get(&places)) == NULL)
        return NULL;
    p->service = service_open(path->service, NULL);
    if (p->service == NULL || tally_add(&openers, from) != 0) {
        if (p->service != NULL)
            service_close(p->service, NULL);
        slab_put(&places, p);
        return NULL;
    }
    p->service->announce = announce;
    p->service->ended = ptth_connection_ended;
    p->service->turned_away = ptth_connection_turned_away;
    p->service->owner = p;
    p->close = (struct timer){.fire = close_empty, .owner = p};
    p->end = &p->first;
    p->from = *from;
    text_copy(p->server, sizeof p->server, path->server);
    return p;
}

/* The one that is meant. NULL: there is no room for another, and c was told so. */
static struct ptth_place *place_of(struct http_caller *c, const struct ptth_path *path)
{
    struct ptth_place *p = find(path->service);
    const struct key *k = keys_of_service(path->server);

    if (p == NULL)
        p = make(path, &c->from);
    if (p == NULL)
        http_caller_reject(c, 503, PTTH_RETRY, "503 there is no room for another server\n", "full");
    else
        p->service->max = k != NULL ? k->max : 0;   /* it holds for those who come before their server, too */
    return p;
}

/*
 * What strangers leave free is for the other requests of connections, and for all
 * that their sessions need. Returns whether c was told that there is no room.
 */
static bool short_of_descriptors(struct http_caller *c)
{
    if (c->watch.fd < loop_limit() - listener_reserve())
        return false;
    c->keep_alive = false;
    http_caller_reject(c, 503, PTTH_RETRY, "503 there are too many connections\n", "full");
    return true;
}

/* Servers. */

/* Its request is answered, or gone. */
static struct http_caller *take_listen(struct listen *l)
{
    struct ptth_place *p = l->at;
    struct http_caller *c = l->caller;

    *l->link = l->next;
    if (l->next != NULL)
        l->next->link = l->link;
    else
        p->end = l->link;
    timer_stop(&l->over);
    tally_drop(&listeners, &l->from);
    slab_put(&listens, l);
    if (p->first == NULL)
        timer_set(&p->close, rules->claim_seconds * 1000LL);
    return c;
}

static void listen_gone(void *owner)
{
    take_listen(owner);
}

static void poll_over(void *owner)
{
    http_caller_answer(take_listen(owner), 204, "", "");
}

/* -1: there is no room, and c was told so. */
static int hold(struct ptth_place *p, struct http_caller *c, unsigned key)
{
    struct listen *l = slab_get(&listens);

    if (l == NULL || tally_add(&listeners, &c->from) != 0) {
        if (l != NULL)
            slab_put(&listens, l);
        http_caller_reject(c, 503, PTTH_RETRY, "503 there is no room for another server\n", "full");
        return -1;
    }
    l->at = p;
    l->caller = c;
    l->from = c->from;
    l->key = key;
    l->link = p->end;
    *p->end = l;
    p->end = &l->next;
    l->over = (struct timer){.fire = poll_over, .owner = l};
    timer_set(&l->over, rules->poll_seconds * 1000LL);
    timer_stop(&p->close);
    http_caller_hold(c, true, listen_gone, l);
    return 0;
}

static void open_place(struct ptth_place *p, const struct http_caller *c)
{
    char at[ADDR_HOST + 8], from[ADDR_TEXT];

    if (p->opened)
        return;
    p->opened = true;
    log_event("open service=%s proto=ptth public=ptth://%s/%s from=%s", p->service->name,
              service_address(&c->reached, addr_port(&c->reached), at), p->service->name, addr_text(&c->from, from));
}

/* The client that has waited longest without a server who knows of him, or NULL. */
static struct ptth_connection *next_client(const struct ptth_place *p)
{
    for (struct waiter *w = p->service->meeting.clients.first; w != NULL; w = w->next)
        if (w->party != NULL && !ptth_connection_announced(w->party))
            return w->party;
    return NULL;
}

void ptth_listen(struct http_caller *c, const struct ptth_path *path, const struct key *k)
{
    struct ptth_place *p;
    struct ptth_connection *client;

    if (short_of_descriptors(c))
        return;
    if (tally_count(&listeners, &c->from) >= (unsigned)rules->max_per_source) {
        http_caller_reject(c, 503, PTTH_RETRY, "503 too many requests of this address are held\n", "full");
        return;
    }
    p = place_of(c, path);
    if (p == NULL)
        return;
    client = next_client(p);
    if (client == NULL && hold(p, c, k != NULL ? k->version : 0) != 0) {
        left(p);
        return;
    }
    open_place(p, c);
    if (client == NULL)
        return;
    if (p->first == NULL)
        timer_set(&p->close, rules->claim_seconds * 1000LL);
    ptth_connection_announce(client, c);
}

/* Clients. */

/* In the service's hooks. The server that has listened longest is told; where there is none, the next one that comes. */
static int announce(void *owner, struct waiter *client)
{
    struct ptth_place *p = owner;
    struct ptth_connection *n = client->party;

    n->waiter = client;
    while (p->first != NULL) {
        struct http_caller *server = take_listen(p->first);

        if (http_caller_left(server))
            http_caller_reset(server);
        else if (ptth_connection_announce(n, server) == 0)
            break;
    }
    return 0;
}

void ptth_connect(struct http_caller *c, const struct ptth_path *path, const struct key *k)
{
    struct ptth_place *p = short_of_descriptors(c) ? NULL : place_of(c, path);
    struct ptth_connection *n;

    if (p == NULL)
        return;
    n = ptth_connection_new(p, path->server, c, k != NULL ? k->version : 0);
    if (n == NULL) {
        http_caller_reject(c, 503, PTTH_RETRY, "503 there are too many connections\n", "full");
    } else if (service_client(p->service, leg_of_socket(c->watch.fd), &c->from, n) != NULL) {
        http_caller_answer(ptth_connection_undo(n), 503, PTTH_RETRY, "503 there are too many connections\n");
    }
    left(p);
}

/* All of them. */

int ptth_places_setup(const struct service_rules *the_rules)
{
    rules = the_rules;
    most_places = rules->max_ready + rules->max_sessions;
    if (slab_init(&places, sizeof(struct ptth_place), (size_t)most_places) != 0 ||
        slab_init(&listens, sizeof(struct listen), (size_t)rules->max_ready) != 0 ||
        tally_init(&openers, (size_t)most_places) != 0 || tally_init(&listeners, (size_t)rules->max_ready) != 0)
        return -1;
    return ptth_connections_setup(rules->max_sessions, left);
}

void ptth_places_check(bool (*may_listen)(const char *server, unsigned version), void (*reject)(struct http_caller *c))
{
    struct listen *l;

    for (size_t i = 0; (l = slab_at(&listens, i)) != NULL; i++)
        if (l->caller != NULL && !may_listen(l->at->server, l->key))
            reject(take_listen(l));
}

void ptth_places_stop(void)
{
    struct ptth_place *p;

    for (size_t i = 0; (p = slab_at(&places, i)) != NULL; i++) {
        if (p->service == NULL)
            continue;
        while (p->first != NULL)
            http_caller_answer(take_listen(p->first), 503, PTTH_RETRY, "503 the relay is leaving\n");
        close_place(p, "drain");
    }
}
