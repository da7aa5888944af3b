/*
 * service: what a server offers: a name, a public port, its clients. See service.h.
 */
#include "service.h"

#include "log.h"
#include "lograte.h"
#include "slab.h"
#include "sock.h"
#include "tally.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct service_rules *rules;
static struct slab services;
static struct tally sources;
static int clients_in_all;

int service_setup(const struct service_rules *the_rules, int count)
{
    rules = the_rules;
    /* A closed service keeps its place while it has sessions. */
    if (slab_init(&services, sizeof(struct service), (size_t)(count + rules->max_sessions)) != 0)
        return -1;
    return tally_init(&sources, (size_t)rules->max_sessions);
}

static void free_if_unused(struct service *s)
{
    if (!s->open && s->clients == 0)
        slab_put(&services, s);
}

static void client_gone(void *owner, const struct addr *client)
{
    struct service *s = owner;

    tally_drop(&sources, client);
    clients_in_all--;
    s->clients--;
    free_if_unused(s);
}

static int announce(void *owner, struct waiter *client)
{
    struct service *s = owner;

    return s->announce(s->owner, client);
}

static void session_ended(void *owner, uint32_t mark)
{
    struct service *s = owner;

    s->ended(s->owner, mark);
}

static void turned_away(void *owner, void *party, const char *reason)
{
    struct service *s = owner;

    s->turned_away(party, reason);
}

static const struct rendezvous_hooks hooks = {
    .announce = announce,
    .gone = client_gone,
    .ended = session_ended,
    .turned_away = turned_away,
};

/*
 * Whoever comes is given the place of the youngest waiter of the source that
 * has the most clients, where that has more than the newcomer's will: a flood
 * takes places from itself. Returns whether there was one.
 */
static bool take_place(struct service *s, const struct addr *newcomer)
{
    unsigned most = tally_count(&sources, newcomer) + 2;
    struct waiter *loser = NULL;

    for (struct waiter *w = s->meeting.clients.first; w != NULL; w = w->next) {
        unsigned count = tally_count(&sources, &w->from);

        if (count >= most) {
            most = count;
            loser = w;
        }
    }
    if (loser == NULL)
        return false;
    rendezvous_refuse(loser, "full");
    return true;
}

/* The one that is to be let in is among the service's clients, and not among the others. */
static bool at_limit(const struct service *s, const struct addr *client)
{
    return clients_in_all >= rules->max_sessions || s->clients > rules->max_per_service ||
           (s->max > 0 && s->clients > s->max) ||
           tally_count(&sources, client) >= (unsigned)rules->max_per_source;
}

/* Why this client is not let in, or NULL. */
static const char *refusal(struct service *s, const struct addr *client)
{
    if (s->meeting.clients.count >= rules->max_waiting && !take_place(s, client))
        return "full";
    if (!at_limit(s, client))
        return NULL;
    /* That may tell that its server has gone. */
    session_catch_up();
    if (!s->open)
        return "gone";
    return at_limit(s, client) ? "limit" : NULL;
}

const char *service_client(struct service *s, struct leg leg, const struct addr *from, void *party)
{
    char text[ADDR_TEXT];
    const char *reason;

    s->clients++;                       /* keeps the record, whatever is heard meanwhile */
    reason = leg_broken(&leg) ? "gone" : refusal(s, from);
    if (reason == NULL && tally_add(&sources, from) != 0)
        reason = "limit";
    if (reason != NULL) {
        lograte_event(LOGRATE_REFUSE, "refuse service=%s client=%s reason=%s", s->name, addr_text(from, text), reason);
        s->clients--;
        free_if_unused(s);
        return reason;
    }
    clients_in_all++;
    rendezvous_client(&s->meeting, leg, from, party);
    return NULL;
}

static void accepted(void *owner, int fd, const struct addr *from)
{
    if (service_client(owner, leg_of_socket(fd), from, NULL) != NULL)
        sock_reset(fd);
}

/* A closed one of this name that has sessions yet. */
static struct service *find_closed(const char *name)
{
    struct service *s;

    for (size_t i = 0; (s = slab_at(&services, i)) != NULL; i++)
        if (s->named && !s->open && strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

static int take_port(struct service *s, struct port *port)
{
    if (portpool_give(port) != 0)
        return -1;
    s->listener.accepted = accepted;
    s->listener.owner = s;
    if (listener_start(&s->listener, port->fd) != 0) {
        portpool_take_back(port);
        return -1;
    }
    s->port = port;
    return 0;
}

static void leave_port(struct service *s)
{
    if (s->port == NULL)
        return;
    listener_stop(&s->listener);
    portpool_take_back(s->port);
    s->port = NULL;
}

void service_rename(struct service *s, const char *name)
{
    struct text t;

    s->named = name != NULL;
    text_init(&t, s->name, sizeof s->name);
    if (name != NULL)
        text_add(&t, "%s", name);
    else
        text_add(&t, "%u", (unsigned)s->port->number);
}

/* A service that comes back while its last sessions run is the same one: they count. */
struct service *service_open(const char *name, struct port *port)
{
    struct service *s = name != NULL ? find_closed(name) : NULL;

    if (s == NULL) {
        s = slab_get(&services);
        if (s == NULL) {
            errno = ENOSPC;
            return NULL;
        }
        s->meeting.service = s->name;
        s->meeting.hooks = &hooks;
        s->meeting.owner = s;
        rendezvous_init(&s->meeting);
    }
    if (port != NULL && take_port(s, port) != 0) {
        free_if_unused(s);
        return NULL;
    }
    s->open = true;
    service_rename(s, name);
    return s;
}

int service_move(struct service *s, struct port *port)
{
    struct port *old = s->port;
    struct listener was = s->listener;

    listener_stop(&s->listener);
    if (take_port(s, port) != 0) {
        int saved = errno;

        listener_start(&s->listener, was.watch.fd);
        errno = saved;
        return -1;
    }
    portpool_take_back(old);
    return 0;
}

void service_end_sessions(struct service *s)
{
    session_kill(&s->meeting);
}

void service_close(struct service *s, const char *reason)
{
    s->clients++;                       /* keeps the record while clients leave */
    leave_port(s);
    s->open = false;
    s->owner = NULL;
    rendezvous_close(&s->meeting, "gone");
    if (reason != NULL)
        log_event("close service=%s reason=%s", s->name, reason);
    s->clients--;
    free_if_unused(s);
}

const char *service_host(const struct addr *reached, char out[ADDR_TEXT])
{
    return rules->public_host != NULL ? rules->public_host : addr_host_text(reached, out);
}

const char *service_address(const struct addr *reached, unsigned port, char out[ADDR_HOST + 8])
{
    char address[ADDR_TEXT];
    const char *host = service_host(reached, address);
    struct text t;

    text_init(&t, out, ADDR_HOST + 8);
    text_add(&t, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
    return out;
}
