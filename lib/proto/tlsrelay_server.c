/*
 * tlsrelay_server: the server's side of the protocol of tx_tlsrelay.
 *
 * It says nothing: the relay tells the addresses, and of each client. See
 * "tlsrelay" in protocols.md.
 */
#include "server_proto.h"

#include "control.h"
#include "tlsrelay_line.h"
#include "../text.h"

#include <stdlib.h>

struct link {
    struct control control;         /* first, so that it finds its link */
    struct dial_host reverse;       /* where clients are answered; port 0: not told yet */
};

static struct control *links;

static void serve(struct link *l)
{
    struct attach a = control_client(&l->control);

    a.host = l->reverse;
    if (addr_numeric(&a.to, l->reverse.host, l->reverse.port) != 0)
        a.to.len = 0;
    attach_start(&l->control.attacher, &a);
}

static void whole_line(struct control *c, struct line *bytes)
{
    struct link *l = (struct link *)c;
    struct tlsrelay_line line;

    if (tlsrelay_line_parse(bytes->bytes, bytes->len, &line) != 0) {
        control_lose(c, "line");
        return;
    }
    switch (line.word) {
    case TLSRELAY_PUBLIC:
        control_public(c, line.host, line.port);
        break;
    case TLSRELAY_REVERSE:
        text_copy(l->reverse.host, sizeof l->reverse.host, line.host);
        l->reverse.port = line.port;
        break;
    case TLSRELAY_CLIENT:
        if (l->reverse.port != 0)
            serve(l);
        else
            control_lose(c, "line");
        break;
    case TLSRELAY_FULL:
        control_lose(c, "full");
        break;
    }
}

static void begun(struct control *c)
{
    ((struct link *)c)->reverse.port = 0;
}

static int offer(const struct offering *o, const struct server_hooks *hooks)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return -1;
    l->control = (struct control){
        .proto = "tlsrelay",
        .begun = begun,
        .readable = control_read_lines,
        .line = whole_line,
        .hosts = o->relays,
        .next = links,
    };
    links = &l->control;
    control_start(&l->control, o, hooks);
    return 0;
}

static void stop(void)
{
    control_drain(links);
}

const struct server_proto tlsrelay_server = {
    .scheme = "tlsrelay",
    .port = 12000,
    .offer = offer,
    .stop = stop,
};
