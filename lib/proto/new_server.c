/*
 * new_server: the server's side of the protocol `new`.
 *
 * Keeps one control connection, says [HELLO], and starts a session child for
 * every [NEW]. A relay that does not know [HELLO] sends bare [NEW] lines and is
 * served as the original's own servers served it.
 */
#include "server_proto.h"

#include "control.h"
#include "new_claim.h"
#include "new_proof.h"
#include "new_ready.h"
#include "../keys.h"
#include "../os.h"
#include "../text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct link {
    struct control control;         /* first, so that it finds its link */
    char nonce[NEW_NONCE];          /* what was sent with [HELLO] where there is a key */
    bool proved;                    /* the relay has shown that it has that key */
    struct new_ready ready;
};

static struct control *links;

/* Sessions. */

static const struct offering *offering(const struct link *l)
{
    return l->control.attacher.offering;
}

static const struct server_hooks *hooks(const struct link *l)
{
    return l->control.attacher.hooks;
}

/*
 * Where the data connection goes: to the control port, or where the [NEW] of a
 * plain relay says, which may be a host that has to be looked up.
 */
static void data_address(const struct link *l, const struct new_line *line, struct attach *a)
{
    a->to = l->control.relay;
    a->host = *uplink_host(&l->control.uplink);
    if (line->has_id)
        return;
    a->host.port = (unsigned)line->port;
    if (line->host[0] == '\0') {
        addr_set_port(&a->to, a->host.port);
        return;
    }
    text_copy(a->host.host, sizeof a->host.host, line->host);
    if (addr_numeric(&a->to, line->host, a->host.port) != 0)
        a->to.len = 0;
}

/* data_fd: the connection that the client is on already, the caller's; -1: one is to be made. */
static void start_session(struct link *l, const struct new_line *line, int data_fd)
{
    char claim[NEW_CLAIM];
    struct text t;
    struct attach a = control_client(&l->control);

    a.client = &line->from;
    a.data_fd = data_fd;
    if (data_fd < 0)
        data_address(l, line, &a);
    text_init(&t, claim, sizeof claim);
    if (line->has_id)
        new_claim_line(&t, offering(l)->name, line->id);
    a.claim = t.data;
    a.claim_len = t.len;
    attach_start(&l->control.attacher, &a);
}

/* A client has come on a ready connection. Where nobody is there to serve it, closing resets it. */
static void ready_started(void *owner, int fd, const struct new_line *line)
{
    start_session(owner, line, fd);
    close(fd);
}

/* The control connection. */

static void refuse_relay(struct link *l, const char *why)
{
    hooks(l)->refused(offering(l), "auth", why);
}

/* Another one for each connection, so that no relay's answer is good twice. */
static int make_nonce(struct link *l)
{
    unsigned char bytes[CLAIM_BYTES];
    struct text t;

    if (os_random(bytes, sizeof bytes) != 0)
        return -1;
    text_init(&t, l->nonce, sizeof l->nonce);
    text_hex(&t, bytes, sizeof bytes);
    return 0;
}

static void say_hello(struct link *l)
{
    char buffer[LINE_LONGEST];
    struct text t;

    l->proved = !keys_in_use();
    if (keys_in_use() && make_nonce(l) != 0) {
        control_lose(&l->control, strerror(errno));
        return;
    }
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[HELLO] v=%d name=%s", NEW_VERSION, offering(l)->name);
    if (offering(l)->target->public_port != 0)
        text_add(&t, " port=%u", offering(l)->target->public_port);
    else if (l->control.public_port != 0)
        text_add(&t, " want=%u", l->control.public_port);
    if (l->ready.most > 0)
        text_add(&t, " ready=%d", l->ready.most);
    if (keys_in_use())
        text_add(&t, " nonce=%s", l->nonce);
    text_add(&t, "\n");
    control_say(&l->control, t.data, t.len);
}

/* The relay asks for a proof, and gives its own: without it this is not the relay that has the key. */
static void auth(struct link *l, const struct new_line *line)
{
    const struct key *k = keys_of_service(offering(l)->name);
    unsigned char wanted[SHA256_BYTES];
    char buffer[LINE_LONGEST], port[8];
    struct text t;

    if (k == NULL) {
        refuse_relay(l, "the relay asks for a key: give --key FILE");
        return;
    }
    new_proof_relay(k->secret, l->nonce, line->nonce, wanted);
    if (!line->has_proof || !sha256_equal(wanted, line->proof)) {
        refuse_relay(l, "the relay does not have this name's key");
        return;
    }
    l->proved = true;
    text_init(&t, port, sizeof port);
    text_add(&t, "%u", offering(l)->target->public_port);
    new_proof_server(k->secret, line->nonce, l->nonce, offering(l)->name, port, wanted);
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[PROOF] ");
    text_hex(&t, wanted, sizeof wanted);
    text_add(&t, "\n");
    control_say(&l->control, t.data, t.len);
}

static void error(struct link *l, const struct new_line *line)
{
    static const char *const final[] = {"version", "line", "auth", "port-denied", "replaced"};

    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        if (strcmp(line->code, final[i]) == 0) {
            hooks(l)->refused(offering(l), line->code, line->text);
            return;
        }
    control_lose(&l->control, line->code);
}

static void act(struct link *l, const struct new_line *line)
{
    bool plain = keys_in_use() && line->word == NEW_NEW && !line->has_id;
    bool serves = line->word == NEW_PUBLIC || line->word == NEW_NEW || line->word == NEW_READY;

    if (plain || (!l->proved && serves)) {
        refuse_relay(l, "the relay does not ask for the key");
        return;
    }
    switch (line->word) {
    case NEW_PUBLIC:
        control_public(&l->control, line->host, (unsigned)line->port);
        break;
    case NEW_NEW:
        if (!line->has_id)
            uplink_reached(&l->control.uplink);
        start_session(l, line, -1);
        break;
    case NEW_READY:
        if (line->has_id)
            new_ready_told(&l->ready, line->id);
        else
            control_lose(&l->control, "line");
        break;
    case NEW_PING:
        control_say(&l->control, "[PONG]\n", 7);
        break;
    case NEW_ERROR:
        error(l, line);
        break;
    case NEW_AUTH:
        auth(l, line);
        break;
    case NEW_UNKNOWN:
        break;
    default:
        control_lose(&l->control, "line");
    }
}

static void whole_line(struct control *c, struct line *bytes)
{
    struct link *l = (struct link *)c;
    struct new_line line;

    if (new_line_parse(bytes->bytes, bytes->len, &line) != 0) {
        control_lose(c, "line");
        return;
    }
    if (line.word == NEW_PUBLIC || line.word == NEW_AUTH || timer_is_set(&c->silence))
        control_heard(c);
    act(l, &line);
}

static void begun(struct control *c)
{
    struct link *l = (struct link *)c;

    new_ready_begin(&l->ready, &c->relay);
    say_hello(l);
}

static void dropped(struct control *c)
{
    new_ready_drop(&((struct link *)c)->ready);
}

static int offer(const struct offering *o, const struct server_hooks *the_hooks)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return -1;
    l->control = (struct control){
        .proto = "new",
        .begun = begun,
        .readable = control_read_lines,
        .line = whole_line,
        .dropped = dropped,
        .hosts = o->relays,
        .next = links,
    };
    l->ready = (struct new_ready){
        .service = o->name,
        .most = o->ready,
        .silence_seconds = o->silence_seconds,
        .started = ready_started,
        .owner = l,
    };
    if (new_ready_init(&l->ready) != 0)
        return -1;
    links = &l->control;
    control_start(&l->control, o, the_hooks);
    return 0;
}

static void stop(void)
{
    control_stop(links);
}

const struct server_proto new_server = {
    .scheme = "new",
    .port = 62514,
    .proves = true,
    .chooses = true,
    .ready_most = 64,
    .offer = offer,
    .stop = stop,
};
