/*
 * control: relay-connect's control connection for one offering. See control.h.
 */
#include "control.h"

#include "../log.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <string.h>

/* From a line's first byte to its last (protocols.md). */
#define LINE_MS 10000

static void close_it(struct control *c)
{
    loop_remove(&c->watch);
    uplink_close(&c->uplink, c->watch.fd);
    c->watch.fd = -1;
    timer_stop(&c->deadline);
    timer_stop(&c->silence);
    if (c->dropped != NULL)
        c->dropped(c);
}

void control_lose(struct control *c, const char *reason)
{
    close_it(c);
    if (!c->attacher.busy)
        uplink_lost(&c->uplink, reason);
}

void control_renew(struct control *c, long long wait_ms)
{
    close_it(c);
    uplink_renew(&c->uplink, wait_ms);
}

void control_say(struct control *c, const char *text, size_t len)
{
    if (sock_send(c->watch.fd, text, len) != 0)
        control_lose(c, strerror(errno));
}

void control_heard(struct control *c)
{
    timer_set(&c->silence, c->attacher.offering->silence_seconds * 1000LL);
}

void control_served(struct control *c, const char *address)
{
    const struct offering *o = c->attacher.offering;

    uplink_reached(&c->uplink);
    log_event("open service=%s proto=%s public=%e", o->name, c->proto, address);
    c->attacher.hooks->public(o, address);
}

void control_public(struct control *c, const char *host, unsigned port)
{
    char address[ADDR_HOST + 8];
    struct text t;

    text_copy(c->public_host, sizeof c->public_host, host);
    c->public_port = port;
    text_init(&t, address, sizeof address);
    text_add(&t, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
    control_served(c, address);
}

struct attach control_client(const struct control *c)
{
    static const struct addr nobody;

    return (struct attach){
        .client = &nobody,
        .relay = &c->relay,
        .public_host = c->public_host,
        .public_port = c->public_port,
        .data_fd = -1,
    };
}

static void one_line(struct control *c)
{
    switch (line_next(&c->read, &c->one, c->watch.fd)) {
    case LINE_WHOLE:
        timer_stop(&c->deadline);
        c->line(c, &c->one);
        break;
    case LINE_MORE:
        break;
    case LINE_LONG:
        control_lose(c, "line");
        break;
    case LINE_END:
        control_lose(c, "eof");
        break;
    case LINE_ERROR:
        control_lose(c, strerror(errno));
        break;
    }
}

void control_read_lines(struct control *c)
{
    do {
        one_line(c);
    } while (c->watch.fd >= 0 && line_waits(&c->read));
    if (c->watch.fd >= 0 && c->read.len > 0 && !timer_is_set(&c->deadline))
        timer_set(&c->deadline, LINE_MS);
}

static void ready(void *owner, unsigned events)
{
    struct control *c = owner;

    (void)events;
    c->readable(c);
}

static void too_slow(void *owner)
{
    control_lose(owner, "slow");
}

static void silent(void *owner)
{
    control_lose(owner, "timeout");
}

static void connected(void *owner, int fd)
{
    struct control *c = owner;
    const struct offering *o = c->attacher.offering;

    c->watch.fd = fd;
    c->read.len = 0;
    if ((o->via == NULL && o->proxy == NULL && addr_peer(&c->relay, fd) != 0) || loop_add(&c->watch, LOOP_READ) != 0) {
        control_lose(c, strerror(errno));
        return;
    }
    sock_control_options(fd, o->silence_seconds);
    c->begun(c);
}

static void ended(void *owner)
{
    struct control *c = owner;

    c->attacher.hooks->ended(c->attacher.offering, c->uplink.reached);
}

void control_start(struct control *c, const struct offering *o, const struct server_hooks *hooks)
{
    const struct forward_proxy *passes = c->forwarded ? o->proxy : NULL;

    c->attacher = (struct attacher){.offering = o, .hooks = hooks};
    c->watch = (struct watch){.fd = -1, .ready = ready, .owner = c};
    c->deadline = (struct timer){.fire = too_slow, .owner = c};
    c->silence = (struct timer){.fire = silent, .owner = c};
    c->uplink = (struct uplink){
        .service = o->name,
        .hosts = passes != NULL ? &passes->at : c->hosts,
        .host_count = passes != NULL ? 1 : o->relay_count,
        .via = o->via,
        .proxy = passes != NULL ? NULL : o->proxy,
        .once = o->once,
        .connected = connected,
        .ended = ended,
        .owner = c,
    };
    uplink_start(&c->uplink);
}

void control_stop(struct control *first)
{
    for (struct control *c = first; c != NULL; c = c->next) {
        uplink_stop(&c->uplink);
        if (c->watch.fd >= 0)
            control_lose(c, "drain");
    }
}

void control_drain(struct control *first)
{
    for (struct control *c = first; c != NULL; c = c->next) {
        uplink_stop(&c->uplink);
        c->attacher.leaving = true;
    }
}
