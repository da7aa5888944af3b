/*
 * hostpool_server: the server's side of the protocol of RelayServer: a host
 * process.
 *
 * Its control connection is the one for commands, which tells which of the
 * data connections that it made ahead has a client now. See "hostpool" in
 * protocols.md.
 */
#include "server_proto.h"

#include "control.h"
#include "hostpool_reader.h"
#include "../backoff.h"
#include "../clock.h"
#include "../lograte.h"
#include "../os.h"
#include "../sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long the relay may take to accept a data connection, and to answer its Hello. */
#define CONNECT_MS 10000
#define WELCOME_MS 10000

/* A client that has nothing to say may be at its end before we are told that it is there. */
#define END_MS 1000

/*
 * A relay that was away has all its host processes back at once: all but one of
 * their connections come later, over so long a time.
 */
#define SETTLE_MS 500
#define SPREAD_MS 2000

/* How many clients we may be told of before we know which connection is theirs. */
#define EARLY 64

/* How many commands are read before others have their turn. */
#define COMMANDS 64

enum state { CONNECTING, GREETING, WAITING, ENDED };

/* A data connection that is made ahead of its client. */
struct spare {
    struct link *of;
    struct watch watch;             /* fd -1: there is none */
    enum state state;
    int32_t session;                /* WAITING, ENDED: the id that the relay gave it */
    struct timer deadline;
    struct hostpool_reader in;
    long long due;                  /* clock_ms: when to make one, where there is none */
};

struct link {
    struct control control;         /* first, so that it finds its link */
    struct dial_host hosts[UPLINK_HOSTS];
    struct hostpool_reader in;      /* from the command connection */
    bool told;                      /* the relay has told the public address on this connection */
    struct addr data;               /* where data connections go */
    struct spare *spares;
    int most;
    struct timer next;              /* when one is due */
    struct backoff backoff;
    int32_t early[EARLY];           /* OPEN without a connection yet, or another host process's */
    unsigned early_at;
};

static struct control *links;

static const struct offering *offering(const struct link *l)
{
    return l->control.attacher.offering;
}

/* Data connections. */

/* The descriptor is the caller's; another connection is made when its time has come. */
static int release(struct spare *s, long long wait_ms)
{
    int fd = s->watch.fd;

    loop_remove(&s->watch);
    timer_stop(&s->deadline);
    hostpool_forget(&s->in);
    s->watch.fd = -1;
    s->due = clock_ms() + wait_ms;
    timer_set(&s->of->next, 0);
    return fd;
}

static void log_lost(const struct link *l, const char *reason)
{
    lograte_event(LOGRATE_UNREADY, "unready service=%s reason=%e", offering(l)->name, reason);
}

static void lose(struct spare *s, const char *reason)
{
    log_lost(s->of, reason);
    sock_reset(release(s, backoff_next(&s->of->backoff)));
}

static void deadline_passed(void *owner)
{
    struct spare *s = owner;

    lose(s, s->state == ENDED ? "eof" : s->state == GREETING ? "slow" : strerror(ETIMEDOUT));
}

/* Its client is there. Where nobody can be made to serve it, closing resets it. */
static void serve(struct spare *s)
{
    struct link *l = s->of;
    struct attach a = control_client(&l->control);

    a.data_fd = release(s, 0);
    attach_start(&l->control.attacher, &a);
    close(a.data_fd);
}

static void remember_early(struct link *l, int32_t session)
{
    l->early[l->early_at++ % EARLY] = session;
}

static bool take_early(struct link *l, int32_t session)
{
    for (int i = 0; i < EARLY; i++)
        if (l->early[i] == session && session != 0) {
            l->early[i] = 0;
            return true;
        }
    return false;
}

static void say_public(struct link *l, const struct hostpool_welcome *w)
{
    if (l->told && l->control.public_port == w->port && strcmp(l->control.public_host, w->host) == 0)
        return;
    l->told = true;
    control_public(&l->control, w->host, w->port);
}

static void welcomed(struct spare *s)
{
    struct link *l = s->of;
    struct hostpool_welcome welcome;
    size_t len;
    const unsigned char *message = hostpool_message(&s->in, &len);

    if (hostpool_welcome_parse(message, len, &welcome) != 0) {
        lose(s, "line");
        return;
    }
    hostpool_forget(&s->in);
    timer_stop(&s->deadline);
    backoff_reset(&l->backoff);
    s->state = WAITING;
    s->session = welcome.session;
    sock_probe(s->watch.fd);
    say_public(l, &welcome);
    if (take_early(l, s->session))
        serve(s);
}

static void greeted(struct spare *s)
{
    switch (hostpool_read(&s->in, s->watch.fd)) {
    case HOSTPOOL_READ:
        welcomed(s);
        break;
    case HOSTPOOL_WAIT:
        break;
    case HOSTPOOL_LONG:
        lose(s, "line");
        break;
    case HOSTPOOL_END:
        lose(s, "eof");
        break;
    case HOSTPOOL_ERROR:
        lose(s, strerror(errno));
        break;
    }
}

/* Bytes are a client's: it is there, whether we have been told so by now or not. */
static void stirred(struct spare *s)
{
    const struct leg leg = leg_of_socket(s->watch.fd);
    const char *what = leg_not_quiet(&leg);

    if (what == NULL)
        return;
    if (strcmp(what, "line") == 0) {
        serve(s);
    } else if (strcmp(what, "eof") == 0) {
        s->state = ENDED;
        loop_want(&s->watch, 0);
        timer_set(&s->deadline, END_MS);
    } else {
        lose(s, what);
    }
}

static void connected(struct spare *s)
{
    unsigned char frame[HOSTPOOL_WRITTEN];
    int error = sock_error(s->watch.fd);

    if (error == 0 && sock_send(s->watch.fd, (const char *)frame, hostpool_hello_put(HOSTPOOL_VERSION, frame)) != 0)
        error = errno;
    if (error != 0) {
        lose(s, strerror(error));
        return;
    }
    sock_session_options(s->watch.fd);
    s->state = GREETING;
    timer_set(&s->deadline, WELCOME_MS);
    loop_want(&s->watch, LOOP_READ);
}

static void ready(void *owner, unsigned events)
{
    struct spare *s = owner;

    (void)events;
    if (s->state == CONNECTING)
        connected(s);
    else if (s->state == GREETING)
        greeted(s);
    else if (s->state == WAITING)
        stirred(s);
}

static void make(struct spare *s)
{
    bool at_once;       /* where it is, the loop says so at once too */

    s->state = CONNECTING;
    s->watch.fd = sock_connect_start(&s->of->data, &at_once);
    if (s->watch.fd < 0) {
        log_lost(s->of, strerror(errno));
        s->due = clock_ms() + backoff_next(&s->of->backoff);
    } else if (loop_add(&s->watch, LOOP_WRITE) != 0) {
        lose(s, strerror(errno));
    } else {
        timer_set(&s->deadline, CONNECT_MS);
    }
}

/* Makes those whose time has come, while the relay is there. */
static void make_due(void *owner)
{
    struct link *l = owner;
    long long soonest = -1;

    timer_stop(&l->next);
    if (l->control.watch.fd < 0 || l->control.attacher.busy)
        return;
    for (struct spare *s = l->spares; s < l->spares + l->most; s++) {
        if (s->watch.fd < 0 && s->due <= clock_ms())
            make(s);
        if (s->watch.fd < 0 && (soonest < 0 || s->due < soonest))
            soonest = s->due;
    }
    if (soonest >= 0)
        timer_set(&l->next, soonest - clock_ms());
}

static void drop_all(struct link *l)
{
    for (struct spare *s = l->spares; s < l->spares + l->most; s++)
        if (s->watch.fd >= 0)
            sock_reset(release(s, 0));
}

/* The command connection. */

static struct spare *find(struct link *l, int32_t session)
{
    for (struct spare *s = l->spares; s < l->spares + l->most; s++)
        if (s->watch.fd >= 0 && s->state >= WAITING && s->session == session)
            return s;
    return NULL;
}

static void act(struct link *l, const struct hostpool_command *c)
{
    struct spare *s = find(l, c->session);

    if (c->version != HOSTPOOL_VERSION)
        control_lose(&l->control, "version");
    else if (c->type == HOSTPOOL_OPEN && s != NULL)
        serve(s);
    else if (c->type == HOSTPOOL_OPEN)
        remember_early(l, c->session);
    else if (c->type == HOSTPOOL_DROP && s != NULL)
        lose(s, "dropped");
    else if (c->type == HOSTPOOL_DROP)
        take_early(l, c->session);
}

static void commanded(struct link *l)
{
    struct hostpool_command command;
    size_t len;
    const unsigned char *message = hostpool_message(&l->in, &len);
    int good = hostpool_command_parse(message, len, &command);

    hostpool_forget(&l->in);
    if (good == 0)
        act(l, &command);
    else
        control_lose(&l->control, "line");
}

static void readable(struct control *c)
{
    struct link *l = (struct link *)c;

    for (int i = 0; i < COMMANDS && c->watch.fd >= 0; i++)
        switch (hostpool_read(&l->in, c->watch.fd)) {
        case HOSTPOOL_READ:
            commanded(l);
            break;
        case HOSTPOOL_WAIT:
            return;
        case HOSTPOOL_LONG:
            control_lose(c, "line");
            break;
        case HOSTPOOL_END:
            control_lose(c, "eof");
            break;
        case HOSTPOOL_ERROR:
            control_lose(c, strerror(errno));
            break;
        }
}

static void begun(struct control *c)
{
    struct link *l = (struct link *)c;

    l->data = c->relay;
    addr_set_port(&l->data, addr_port(&c->relay) - 1);
    l->told = false;
    for (int i = 1; i < l->most; i++) {
        unsigned dice = 0;

        os_random(&dice, sizeof dice);
        l->spares[i].due = clock_ms() + SETTLE_MS + dice % SPREAD_MS;
    }
    l->spares[0].due = clock_ms();
    make_due(l);
}

/* What waits goes with it: nobody would tell us of its client. So do the ids that it told: the next relay's begin anew. */
static void dropped(struct control *c)
{
    struct link *l = (struct link *)c;

    hostpool_forget(&l->in);
    memset(l->early, 0, sizeof l->early);
    drop_all(l);
}

static int offer(const struct offering *o, const struct server_hooks *hooks)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL || (l->spares = calloc((size_t)o->ready, sizeof *l->spares)) == NULL)
        return -1;
    if (links == NULL && hostpool_reader_setup() != 0)
        return -1;
    l->control = (struct control){
        .proto = "hostpool",
        .begun = begun,
        .readable = readable,
        .dropped = dropped,
        .hosts = l->hosts,
        .next = links,
    };
    for (int i = 0; i < o->relay_count; i++) {
        l->hosts[i] = o->relays[i];
        l->hosts[i].port++;
    }
    l->most = o->ready;
    l->next = (struct timer){.fire = make_due, .owner = l};
    for (struct spare *s = l->spares; s < l->spares + l->most; s++) {
        s->of = l;
        s->watch = (struct watch){.fd = -1, .ready = ready, .owner = s};
        s->deadline = (struct timer){.fire = deadline_passed, .owner = s};
    }
    links = &l->control;
    control_start(&l->control, o, hooks);
    return 0;
}

static void stop(void)
{
    control_stop(links);
    for (struct control *c = links; c != NULL; c = c->next)
        drop_all((struct link *)c);
}

const struct server_proto hostpool_server = {
    .scheme = "hostpool",
    .port = 8000,
    .ports_above = 1,
    .direct = true,
    .dials = true,
    .ready = 10,
    .ready_least = 1,
    .ready_most = 64,
    .offer = offer,
    .stop = stop,
};
