/*
 * new_session: a client that was announced becomes a session. See new_session.h.
 */
#include "new_session.h"

#include "new_claim.h"
#include "../command.h"
#include "../sandbox.h"
#include "../sock.h"
#include "../text.h"
#include "../via.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* How long the relay may take to accept a data connection, in seconds. */
#define DATA_SECONDS 10

/* Made before the fork: children know no keys. */
static void make_claim(const struct new_session *s, struct job_leg *leg)
{
    struct text line;

    text_init(&line, leg->first, sizeof leg->first);
    if (s->line->has_id)
        new_claim_line(&line, s->offering->name, s->line->id);
    leg->first_len = (unsigned)line.len;
}

static struct command_peers peers_of(const struct new_session *s)
{
    return (struct command_peers){
        .client = &s->line->from,
        .relay = s->relay,
        .public_host = s->public_host,
        .public_port = s->public_port,
    };
}

/* The local server is told who the client is, if it is to be. */
static void make_header(const struct new_session *s, struct job_leg *leg)
{
    struct command_peers peers = peers_of(s);

    leg->first_len = 0;
    if (s->offering->proxy_version != 0)
        leg->first_len = (unsigned)target_header(s->offering->proxy_version, &peers, leg->first);
}

/*
 * Where the data connection goes: to the control port, or where the [NEW] of a
 * plain relay says. -1: to a host that has to be looked up.
 */
static int data_addr(const struct new_session *s, struct addr *to)
{
    *to = *s->relay;
    if (s->line->has_id)
        return 0;
    addr_set_port(to, (unsigned)s->line->port);
    return s->line->host[0] == '\0' ? 0 : addr_numeric(to, s->line->host, (unsigned)s->line->port);
}

/* Without a process of its own: both connections are begun here, and a child that is used again waits for them. */

/* Writes what goes at once. The rest, also of a connection that has failed, is the child's. */
static void write_first(struct job_leg *leg, int fd)
{
    ssize_t put = fd >= 0 && leg->connect_ms == 0 && leg->first_len > 0 ? sock_write(fd, leg->first, leg->first_len) : 0;

    if (put <= 0)
        return;
    leg->first_len -= (unsigned)put;
    memmove(leg->first, leg->first + put, leg->first_len);
}

static int begin(const struct addr *to, int seconds, struct job_leg *leg)
{
    bool connected;
    int fd = sock_connect_start(to, &connected);

    if (fd < 0)
        return -1;
    leg->connect_ms = connected ? 0 : seconds * 1000;
    sock_session_options(fd);
    return fd;
}

/* The first address that takes it; where none does, errno is what the first one said. */
static int begin_local(const struct new_session *s, struct job_leg *leg)
{
    struct addr to;
    int fd = -1, first_error = 0;

    for (int i = 0; fd < 0 && target_addr(s->offering->target, i, &to) == 0; i++) {
        fd = begin(&to, s->offering->connect_seconds, leg);
        if (i == 0)
            first_error = errno;
    }
    errno = first_error;
    return fd;
}

/* There is no server, and a process of its own would not find one either. */
static bool is_final(int error)
{
    return error != EAGAIN && error != EMFILE && error != ENFILE;
}

static bool can_begin(const struct new_session *s, struct addr *relay)
{
    struct addr unused;

    return s->offering->via == NULL && target_addr(s->offering->target, 0, &unused) == 0 &&
           (s->data_fd >= 0 || data_addr(s, relay) == 0);
}

static void close_one(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* Returns its pid, -1 with errno, or 0: it needs a process of its own, and neither side has heard of it. */
static pid_t start_shared(const struct new_session *s, const struct session_plan *plan)
{
    struct job job = {.peer_seconds = s->offering->peer_seconds};
    struct addr to;
    int relay = s->data_fd, local = -1;
    pid_t pid = 0;

    if (!can_begin(s, &to))
        return 0;
    /* Before anybody has heard of it. Where descriptors are short a process of its own has them. */
    if (session_prepare() != 0)
        return errno == EMFILE || errno == ENFILE ? 0 : -1;
    if (relay < 0 && (relay = begin(&to, DATA_SECONDS, &job.client)) < 0)
        return 0;
    if (s->turn_away != NULL)
        text_copy(job.why, sizeof job.why, s->turn_away);
    else if ((local = begin_local(s, &job.server)) < 0 && is_final(errno))
        text_copy(job.why, sizeof job.why, strerror(errno));
    if (local >= 0 || job.why[0] != '\0') {
        if (s->data_fd < 0)
            make_claim(s, &job.client);
        make_header(s, &job.server);
        write_first(&job.client, relay);
        write_first(&job.server, local);
        pid = session_start(plan, &job, relay, local);
    }
    if (relay != s->data_fd)
        close_one(relay);
    close_one(local);
    return pid;
}

/* In a process of its own: what asks for names, or runs commands. */

struct own {
    const struct new_session *session;
    struct job_leg claim, header;
};

static int connect_relay(const struct new_session *s, struct leg *leg, char why[DIAL_WHY])
{
    struct addr to;
    struct dial_host host;
    int fd = s->data_fd;

    if (s->offering->via != NULL) {
        host = *s->host;
        if (!s->line->has_id)
            host.port = (unsigned)s->line->port;
        if (!s->line->has_id && s->line->host[0] != '\0')
            text_copy(host.host, sizeof host.host, s->line->host);
        if (via_open(s->offering->via, &host, leg) > 0)
            return 0;
        text_copy(why, DIAL_WHY, strerror(errno));
        return -1;
    }
    if (fd < 0 && data_addr(s, &to) == 0) {
        fd = dial_addr(&to, DATA_SECONDS, why);
    } else if (fd < 0) {
        text_copy(host.host, sizeof host.host, s->line->host);
        host.port = (unsigned)s->line->port;
        fd = dial_now(&host, DATA_SECONDS, why);
    }
    if (fd < 0)
        return -1;
    sock_session_options(fd);
    *leg = leg_of_socket(fd);
    return 0;
}

static int send_first(const struct leg *leg, const struct job_leg *first)
{
    return first->first_len == 0 ? 0 : sock_send(leg->wfd, first->first, first->first_len);
}

/* A client whose server cannot be had is claimed too, and reset, so that it need not wait. */
static void serve_leg(const struct own *own, struct leg *relay, struct session_report *report)
{
    const struct new_session *s = own->session;
    const struct offering *o = s->offering;
    struct copy_rules rules = {.peer_seconds = o->peer_seconds};
    struct command_peers peers = peers_of(s);
    struct leg local;

    if (send_first(relay, &own->claim) != 0 || s->turn_away != NULL) {
        text_copy(report->why, sizeof report->why, s->turn_away != NULL ? s->turn_away : strerror(errno));
        leg_reset(relay);
        return;
    }
    if (o->target->kind == TARGET_COMMAND) {
        command_run(o->target->command, relay, &peers, report);
        return;
    }
    if (target_open(o->target, o->connect_seconds, &local, report->why) != 0) {
        leg_reset(relay);
        return;
    }
    if (send_first(&local, &own->header) != 0) {
        text_copy(report->why, sizeof report->why, strerror(errno));
        leg_reset(&local);
        leg_reset(relay);
        return;
    }
    /* A session that has a command to end, and to wait for, needs more than the filter leaves. */
    if (relay->command == 0)
        sandbox_enter(o->target->kind == TARGET_STDIO);
    copy_run(relay, &local, &rules, &report->copy);
    if (report->copy.end == COPY_ERROR)
        text_copy(report->why, sizeof report->why, strerror(report->copy.error));
}

static void serve(void *arg, struct session_report *report)
{
    const struct own *own = arg;
    struct leg relay;

    if (connect_relay(own->session, &relay, report->why) != 0)
        return;
    serve_leg(own, &relay, report);
    if (relay.command > 0)
        via_wait(relay.command, report->copy.end == COPY_EOF);
}

static unsigned stdio_of(const struct new_session *s)
{
    unsigned stdio = s->offering->via != NULL ? CHILD_STDERR : 0;

    if (s->turn_away != NULL)
        return stdio;
    switch (s->offering->target->kind) {
    case TARGET_STDIO:
        return stdio | CHILD_STDIN | CHILD_STDOUT;
    case TARGET_COMMAND:
        return CHILD_STDERR;
    default:
        return stdio;
    }
}

static pid_t start_own(const struct new_session *s, const struct session_plan *plan)
{
    struct own own = {.session = s};
    struct session_task task = {
        .body = serve,
        .arg = &own,
        .keep = {s->data_fd, -1, -1, -1},
        .stdio = stdio_of(s),
        .leads_group = s->offering->target->kind == TARGET_COMMAND || s->offering->via != NULL,
    };

    if (s->data_fd < 0)
        make_claim(s, &own.claim);
    make_header(s, &own.header);
    return session_fork(plan, &task);
}

pid_t new_session_start(const struct new_session *s)
{
    struct session_plan plan = {
        .service = s->offering->name,
        .client = &s->line->from,
        .ended = s->ended,
        .owner = s->owner,
    };
    pid_t pid = start_shared(s, &plan);

    if (pid == 0)
        pid = start_own(s, &plan);
    return pid;
}
