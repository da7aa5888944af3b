/*
 * muxado_server: the server's side of tcp-relay's protocol, in both formats.
 *
 * The connection to the relay goes to a process of its own (mux_child), which
 * asks for a connection to the local server for each stream that the relay
 * opens. See "muxado" in protocols.md.
 */
#include "server_proto.h"

#include "control.h"
#include "mux_child.h"
#include "../slab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Targets, of which each has a connection. */
#define MOST_LINKS 32

/* The process of one connection. It may outlive it, with what it carries. */
struct carrier {
    struct transport transport;
    struct link *of;
};

struct link {
    struct control control;         /* first, so that it finds its link */
    enum mux_format format;
    struct carrier *carrier;        /* of the connection that there is; NULL: none */
};

static struct control *links;
static struct slab carriers;

static void lose(struct link *l, const char *reason)
{
    if (l->control.watch.fd >= 0)
        control_lose(&l->control, reason);
}

static void public(struct link *l, const char *address)
{
    char host[ADDR_HOST];
    long port = addr_split(address, host);

    if (port > 0)
        control_public(&l->control, host, (unsigned)port);
    else
        lose(l, "line");
}

static void said(void *owner, const struct report *r)
{
    struct carrier *c = owner;
    struct link *l = c->of;

    if (l->carrier != c)
        return;
    if (r->kind == REPORT_PUBLIC) {
        public(l, r->text);
    } else if (r->kind == REPORT_CLIENT) {
        struct attach a = control_client(&l->control);

        attach_carry(&l->control.attacher, &a, &c->transport, r->number);
    } else if (r->kind == REPORT_OVER) {
        lose(l, r->text);
    }
}

static void ended(void *owner)
{
    struct carrier *c = owner;

    if (c->of->carrier == c)
        lose(c->of, "killed");
    slab_put(&carriers, c);
}

/* In its process. */
static void carry(const struct transport_seat *seat, void *arg)
{
    forward_proxy_forget();
    mux_child_run(seat, arg);
}

static void begun(struct control *control)
{
    struct link *l = (struct link *)control;
    const struct offering *o = control->attacher.offering;
    struct mux_task task = {.format = l->format, .dialler = true, .most = o->max_sessions};
    struct carrier *c = slab_get(&carriers);

    if (c == NULL) {
        control_lose(control, "processes");
        return;
    }
    c->of = l;
    c->transport = (struct transport){.said = said, .ended = ended, .owner = c};
    loop_want(&control->watch, 0);
    if (transport_start(&c->transport, control->watch.fd, o->name, carry, &task) == 0) {
        l->carrier = c;
        return;
    }
    slab_put(&carriers, c);
    control_lose(control, strerror(errno));
}

/* The process goes on with what it carries. */
static void dropped(struct control *control)
{
    struct link *l = (struct link *)control;

    if (l->carrier != NULL)
        transport_leave(&l->carrier->transport);
    l->carrier = NULL;
}

static void nothing(struct control *control)
{
    (void)control;
}

static int offer(const struct offering *o, const struct server_hooks *hooks, enum mux_format format)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return -1;
    /* One for each connection, and those that carry what is left of earlier ones. */
    if (links == NULL && slab_init(&carriers, sizeof(struct carrier), (size_t)o->max_sessions + MOST_LINKS) != 0)
        return -1;
    l->format = format;
    l->control = (struct control){
        .proto = "muxado",
        .begun = begun,
        .readable = nothing,
        .dropped = dropped,
        .hosts = o->relays,
        .next = links,
    };
    links = &l->control;
    control_start(&l->control, o, hooks);
    return 0;
}

static int offer_v1(const struct offering *o, const struct server_hooks *hooks)
{
    return offer(o, hooks, MUX_V1);
}

static int offer_v2(const struct offering *o, const struct server_hooks *hooks)
{
    return offer(o, hooks, MUX_V2);
}

static void stop(void)
{
    control_stop(links);
}

const struct server_proto muxado_server = {
    .scheme = "muxado",
    .port = 8080,
    .direct = true,
    .offer = offer_v1,
    .stop = stop,
};

const struct server_proto muxado2_server = {
    .scheme = "muxado2",
    .port = 8080,
    .direct = true,
    .offer = offer_v2,
    .stop = stop,
};
