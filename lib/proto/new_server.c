/*
 * new_server: the server's side of the protocol `new`.
 *
 * Keeps one control connection, says [HELLO], and starts a session child for
 * every [NEW]. A relay that does not know [HELLO] sends bare [NEW] lines and is
 * served as the original's own servers served it.
 */
#include "server_proto.h"

#include "new_proof.h"
#include "new_ready.h"
#include "new_session.h"
#include "../keys.h"
#include "../line.h"
#include "../log.h"
#include "../lograte.h"
#include "../os.h"
#include "../sock.h"
#include "../text.h"
#include "../uplink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Times of protocols.md. */
#define LINE_MS 10000

struct link {
    const struct offering *offering;
    const struct server_hooks *hooks;
    struct uplink uplink;
    struct watch watch;             /* fd -1: not connected */
    struct addr relay;              /* where the control connection goes */
    struct line_buffer read;
    struct line line;
    struct timer deadline;          /* of a line that has begun */
    struct timer silence;           /* only where the relay answered [HELLO] */
    char public_host[ADDR_HOST];
    unsigned public_port;           /* the one it had last; 0: none */
    char nonce[NEW_NONCE];          /* what was sent with [HELLO] where there is a key */
    bool proved;                    /* the relay has shown that it has that key */
    bool busy;                      /* the one client of a TARGET_STDIO is served */
    struct new_ready ready;
    struct link *next;
};

static struct link *links;

/* Sessions. */

static void stdio_served(void *owner, const struct addr *client, enum copy_end end, uint32_t unused)
{
    struct link *l = owner;

    (void)client, (void)unused;
    l->hooks->served(l->offering, end == COPY_EOF);
}

static const char *why_not(const struct link *l)
{
    if (l->busy)
        return "another is served";
    if (session_count() >= l->offering->max_sessions)
        session_catch_up();
    return session_count() >= l->offering->max_sessions ? "too many sessions" : NULL;
}

/* data_fd: the connection that the client is on already, the caller's; -1: one is to be made. */
static void start_session(struct link *l, const struct new_line *line, int data_fd)
{
    struct new_session session = {
        .offering = l->offering,
        .relay = &l->relay,
        .host = uplink_host(&l->uplink),
        .public_host = l->public_host,
        .public_port = l->public_port,
        .line = line,
        .data_fd = data_fd,
        .turn_away = why_not(l),
        .owner = l,
    };
    bool only_one = l->offering->target->kind == TARGET_STDIO && session.turn_away == NULL;
    char client[ADDR_TEXT];

    if (only_one)
        session.ended = stdio_served;
    if (new_session_start(&session) < 0) {
        lograte_event(LOGRATE_REFUSE, "refuse service=%e client=%s reason=limit error=%e", l->offering->name,
                      addr_text(&line->from, client), strerror(errno));
        return;
    }
    if (only_one) {
        l->busy = true;
        child_has_stdio();
    }
}

/* A client has come on a ready connection. Where nobody is there to serve it, closing resets it. */
static void ready_started(void *owner, int fd, const struct new_line *line)
{
    start_session(owner, line, fd);
    close(fd);
}

/* The control connection. */

static void disconnect(struct link *l, const char *reason)
{
    loop_remove(&l->watch);
    uplink_close(&l->uplink, l->watch.fd);
    new_ready_drop(&l->ready);
    l->watch.fd = -1;
    timer_stop(&l->deadline);
    timer_stop(&l->silence);
    if (!l->busy)
        uplink_lost(&l->uplink, reason);
}

static void say(struct link *l, const char *text, size_t len)
{
    if (sock_send(l->watch.fd, text, len) != 0)
        disconnect(l, strerror(errno));
}

static void refuse_relay(struct link *l, const char *why)
{
    l->hooks->refused(l->offering, "auth", why);
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
        disconnect(l, strerror(errno));
        return;
    }
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[HELLO] v=%d name=%s", NEW_VERSION, l->offering->name);
    if (l->offering->target->public_port != 0)
        text_add(&t, " port=%u", l->offering->target->public_port);
    else if (l->public_port != 0)
        text_add(&t, " want=%u", l->public_port);
    if (l->ready.most > 0)
        text_add(&t, " ready=%d", l->ready.most);
    if (keys_in_use())
        text_add(&t, " nonce=%s", l->nonce);
    text_add(&t, "\n");
    say(l, t.data, t.len);
}

/* The relay asks for a proof, and gives its own: without it this is not the relay that has the key. */
static void auth(struct link *l, const struct new_line *line)
{
    const struct key *k = keys_of_service(l->offering->name);
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
    text_add(&t, "%u", l->offering->target->public_port);
    new_proof_server(k->secret, line->nonce, l->nonce, l->offering->name, port, wanted);
    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "[PROOF] ");
    text_hex(&t, wanted, sizeof wanted);
    text_add(&t, "\n");
    say(l, t.data, t.len);
}

static void public(struct link *l, const struct new_line *line)
{
    char address[ADDR_HOST + 8];
    struct text t;

    uplink_reached(&l->uplink);
    text_copy(l->public_host, sizeof l->public_host, line->host);
    l->public_port = (unsigned)line->port;
    text_init(&t, address, sizeof address);
    text_add(&t, strchr(line->host, ':') != NULL ? "[%s]:%u" : "%s:%u", line->host, l->public_port);
    log_event("open service=%e proto=new public=%e", l->offering->name, address);
    l->hooks->public(l->offering, address);
}

static void error(struct link *l, const struct new_line *line)
{
    static const char *const final[] = {"version", "line", "auth", "port-denied", "replaced"};

    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        if (strcmp(line->code, final[i]) == 0) {
            l->hooks->refused(l->offering, line->code, line->text);
            return;
        }
    disconnect(l, line->code);
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
        public(l, line);
        break;
    case NEW_NEW:
        if (!line->has_id)
            uplink_reached(&l->uplink);
        start_session(l, line, -1);
        break;
    case NEW_READY:
        if (line->has_id)
            new_ready_told(&l->ready, line->id);
        else
            disconnect(l, "line");
        break;
    case NEW_PING:
        say(l, "[PONG]\n", 7);
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
        disconnect(l, "line");
    }
}

static void whole_line(struct link *l)
{
    struct new_line line;

    timer_stop(&l->deadline);
    if (new_line_parse(l->line.bytes, l->line.len, &line) != 0) {
        disconnect(l, "line");
        return;
    }
    if (line.word == NEW_PUBLIC || line.word == NEW_AUTH || timer_is_set(&l->silence))
        timer_set(&l->silence, l->offering->silence_seconds * 1000LL);
    act(l, &line);
}

static void one_line(struct link *l)
{
    switch (line_next(&l->read, &l->line, l->watch.fd)) {
    case LINE_WHOLE:
        whole_line(l);
        break;
    case LINE_MORE:
        break;
    case LINE_LONG:
        disconnect(l, "line");
        break;
    case LINE_END:
        disconnect(l, "eof");
        break;
    case LINE_ERROR:
        disconnect(l, strerror(errno));
        break;
    }
}

static void readable(void *owner, unsigned events)
{
    struct link *l = owner;

    (void)events;
    do {
        one_line(l);
    } while (l->watch.fd >= 0 && line_waits(&l->read));
    if (l->watch.fd >= 0 && l->read.len > 0 && !timer_is_set(&l->deadline))
        timer_set(&l->deadline, LINE_MS);
}

static void too_slow(void *owner)
{
    disconnect(owner, "slow");
}

static void silent(void *owner)
{
    disconnect(owner, "timeout");
}

static void connected(void *owner, int fd)
{
    struct link *l = owner;

    l->watch.fd = fd;
    if ((l->offering->via == NULL && addr_peer(&l->relay, fd) != 0) || loop_add(&l->watch, LOOP_READ) != 0) {
        disconnect(l, strerror(errno));
        return;
    }
    sock_control_options(fd, l->offering->silence_seconds);
    l->read.len = 0;
    new_ready_begin(&l->ready, &l->relay);
    say_hello(l);
}

static void ended(void *owner)
{
    struct link *l = owner;

    l->hooks->ended(l->offering, l->uplink.reached);
}

static int offer(const struct offering *o, const struct server_hooks *hooks)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return -1;
    l->offering = o;
    l->hooks = hooks;
    l->watch = (struct watch){.fd = -1, .ready = readable, .owner = l};
    l->deadline = (struct timer){.fire = too_slow, .owner = l};
    l->silence = (struct timer){.fire = silent, .owner = l};
    l->uplink = (struct uplink){
        .service = o->name,
        .hosts = o->relays,
        .host_count = o->relay_count,
        .via = o->via,
        .once = o->once,
        .connected = connected,
        .ended = ended,
        .owner = l,
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
    l->next = links;
    links = l;
    uplink_start(&l->uplink);
    return 0;
}

static void stop(void)
{
    for (struct link *l = links; l != NULL; l = l->next) {
        uplink_stop(&l->uplink);
        if (l->watch.fd >= 0)
            disconnect(l, "drain");
    }
}

const struct server_proto new_server = {
    .scheme = "new",
    .port = 62514,
    .offer = offer,
    .stop = stop,
};
