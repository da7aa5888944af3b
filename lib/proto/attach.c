/*
 * attach: a client that was announced becomes a session. See attach.h.
 */
#include "attach.h"

#include "../command.h"
#include "../lograte.h"
#include "../sandbox.h"
#include "../sock.h"
#include "../text.h"
#include "../via.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long the relay may take to accept a data connection, in seconds. */
#define DATA_SECONDS 10

struct task {
    const struct offering *offering;
    const struct attach *attach;
    const char *turn_away;              /* why the client is only claimed and reset; NULL: it is served */
    struct job_leg claim, header;       /* of a process of its own: what is said first to either side */
};

/* Said before anything else; made before the fork, since children know no keys. */
static void make_claim(const struct attach *a, struct job_leg *leg)
{
    leg->first_len = (unsigned)a->claim_len;
    if (a->claim_len > 0)
        memcpy(leg->first, a->claim, a->claim_len);
}

static struct command_peers peers_of(const struct attach *a)
{
    return (struct command_peers){
        .client = a->client,
        .relay = a->relay,
        .public_host = a->public_host,
        .public_port = a->public_port,
    };
}

/* The local server is told who the client is, if it is to be. */
static void make_header(const struct task *t, struct job_leg *leg)
{
    struct command_peers peers = peers_of(t->attach);

    leg->first_len = 0;
    if (t->offering->proxy_version != 0)
        leg->first_len = (unsigned)target_header(t->offering->proxy_version, &peers, leg->first);
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
static int begin_local(const struct task *t, struct job_leg *leg)
{
    struct addr to;
    int fd = -1, first_error = 0;

    for (int i = 0; fd < 0 && target_addr(t->offering->target, i, &to) == 0; i++) {
        fd = begin(&to, t->offering->connect_seconds, leg);
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

/* Whether its address is known without asking anybody, and no command stands for it. */
static bool knows_local(const struct task *t)
{
    struct addr unused;

    return target_addr(t->offering->target, 0, &unused) == 0;
}

static bool can_begin(const struct task *t)
{
    const struct offering *o = t->offering;

    if (o->via != NULL || o->proxy != NULL || t->attach->open != NULL)
        return false;
    return knows_local(t) && (t->attach->data_fd >= 0 || t->attach->to.len > 0);
}

static void close_one(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* Returns its pid, -1 with errno, or 0: it needs a process of its own, and neither side has heard of it. */
static pid_t start_shared(const struct task *t, const struct session_plan *plan)
{
    const struct attach *a = t->attach;
    struct job job = {.peer_seconds = t->offering->peer_seconds};
    int relay = a->data_fd, local = -1;
    pid_t pid = 0;

    if (!can_begin(t))
        return 0;
    /* Before anybody has heard of it. Where descriptors are short a process of its own has them. */
    if (session_prepare() != 0)
        return errno == EMFILE || errno == ENFILE ? 0 : -1;
    if (relay < 0 && (relay = begin(&a->to, DATA_SECONDS, &job.client)) < 0)
        return 0;
    if (t->turn_away != NULL)
        text_copy(job.why, sizeof job.why, t->turn_away);
    else if ((local = begin_local(t, &job.server)) < 0 && is_final(errno))
        text_copy(job.why, sizeof job.why, strerror(errno));
    if (local >= 0 || job.why[0] != '\0') {
        struct leg relay_leg = leg_of_socket(relay), local_leg = leg_of_socket(local);

        if (a->data_fd < 0)
            make_claim(a, &job.client);
        make_header(t, &job.server);
        write_first(&job.client, relay);
        write_first(&job.server, local);
        pid = session_start(plan, &job, &relay_leg, local >= 0 ? &local_leg : NULL);
    }
    if (relay != a->data_fd)
        close_one(relay);
    close_one(local);
    return pid;
}

/* In a process of its own: what asks for names or a proxy, or runs commands. */

static int dial_relay(const struct task *t, char why[DIAL_WHY])
{
    const struct attach *a = t->attach;

    if (t->offering->proxy != NULL)
        return dial_through(t->offering->proxy, &a->host, DATA_SECONDS, why);
    return a->to.len > 0 ? dial_addr(&a->to, DATA_SECONDS, why) : dial_now(&a->host, DATA_SECONDS, why);
}

static int connect_relay(const struct task *t, struct leg *leg, char why[DIAL_WHY])
{
    const struct attach *a = t->attach;
    int fd = a->data_fd;

    if (a->open != NULL)
        return a->open(a->arg, leg, why);
    if (t->offering->via != NULL) {
        if (via_open(t->offering->via, &a->host, leg) > 0)
            return 0;
        text_copy(why, DIAL_WHY, strerror(errno));
        return -1;
    }
    if (fd < 0)
        fd = dial_relay(t, why);
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
static void serve_leg(const struct task *t, struct leg *relay, struct session_report *report)
{
    const struct offering *o = t->offering;
    struct copy_rules rules = {.peer_seconds = o->peer_seconds};
    struct command_peers peers = peers_of(t->attach);
    struct leg local;
    pid_t runner = 0;

    if (send_first(relay, &t->claim) != 0 || t->turn_away != NULL) {
        text_copy(report->why, sizeof report->why, t->turn_away != NULL ? t->turn_away : strerror(errno));
        leg_reset(relay);
        return;
    }
    if (o->target->kind == TARGET_COMMAND && !relay->framing.http) {
        command_run(o->target->command, relay, &peers, report);
        return;
    }
    if (o->target->kind == TARGET_COMMAND)
        runner = command_beside(o->target->command, relay, &peers, &local, report->why);
    else if (target_open(o->target, o->connect_seconds, &local, report->why) != 0)
        runner = -1;
    if (runner < 0) {
        leg_reset(relay);
        return;
    }
    if (send_first(&local, &t->header) != 0) {
        text_copy(report->why, sizeof report->why, strerror(errno));
        leg_reset(&local);
        leg_reset(relay);
        return;
    }
    /* A session that has a command to end, or to wait for, needs more than the filter leaves. */
    if (relay->command == 0 && runner == 0)
        sandbox_enter(o->target->kind == TARGET_STDIO);
    copy_run(relay, &local, &rules, &report->copy);
    if (report->copy.end == COPY_ERROR)
        leg_explain(relay, report->copy.error, report->why, sizeof report->why);
    if (runner > 0 && report->copy.end == COPY_EOF)
        waitpid(runner, NULL, 0);
}

static void serve(void *arg, struct session_report *report)
{
    const struct task *t = arg;
    struct leg relay;
    int failed = connect_relay(t, &relay, report->why);

    forward_proxy_forget();
    if (failed)
        return;
    serve_leg(t, &relay, report);
    if (relay.command > 0)
        via_wait(relay.command, report->copy.end == COPY_EOF);
}

static unsigned stdio_of(const struct task *t)
{
    unsigned stdio = t->offering->via != NULL ? CHILD_STDERR : 0;

    if (t->turn_away != NULL)
        return stdio;
    switch (t->offering->target->kind) {
    case TARGET_STDIO:
        return stdio | CHILD_STDIN | CHILD_STDOUT;
    case TARGET_COMMAND:
        return CHILD_STDERR;
    default:
        return stdio;
    }
}

static pid_t start_own(struct task *t, const struct session_plan *plan)
{
    struct session_task task = {
        .body = serve,
        .arg = t,
        .keep = {t->attach->data_fd, -1, -1, -1},
        .stdio = stdio_of(t),
        .leads_group = t->offering->target->kind == TARGET_COMMAND || t->offering->via != NULL,
    };

    if (t->attach->data_fd < 0)
        make_claim(t->attach, &t->claim);
    make_header(t, &t->header);
    return session_fork(plan, &task);
}

/* Why the next client is to be turned away, or NULL. */
static const char *why_not(const struct attacher *by)
{
    if (by->leaving)
        return "draining";
    if (by->busy)
        return "another is served";
    return session_full(by->offering->max_sessions) ? "too many sessions" : NULL;
}

static void log_refuse(const struct task *t, int error)
{
    char client[ADDR_TEXT];

    lograte_event(LOGRATE_REFUSE, "refuse service=%s client=%s reason=limit error=%e", t->offering->name,
                  addr_text(t->attach->client, client), strerror(error));
}

static void stdio_served(void *owner, const struct addr *client, enum copy_end end, uint32_t mark)
{
    const struct attacher *by = owner;

    (void)client, (void)mark;
    by->hooks->served(by->offering, end == COPY_EOF);
}

int attach_start(struct attacher *by, const struct attach *a)
{
    struct task task = {.offering = by->offering, .attach = a, .turn_away = why_not(by)};
    bool only_one = by->offering->target->kind == TARGET_STDIO && task.turn_away == NULL;
    struct session_plan plan = {
        .service = by->offering->name,
        .client = a->client,
        .ended = only_one ? stdio_served : NULL,
        .owner = by,
    };
    pid_t pid = start_shared(&task, &plan);

    if (pid == 0)
        pid = start_own(&task, &plan);
    if (pid < 0) {
        log_refuse(&task, errno);
        return -1;
    }
    if (only_one) {
        by->busy = true;
        child_has_stdio();
    }
    return 0;
}

/* Clients of a transport. */

/* A local server that can be reached from here. Returns 0, or -1: it needs a process of its own. */
static int carry_directly(const struct task *t, struct session_plan *plan, struct transport *carrier, struct job *job)
{
    int fd;

    if (t->turn_away == NULL && !knows_local(t))
        return -1;
    fd = t->turn_away == NULL ? begin_local(t, &job->server) : -1;
    if (fd < 0)
        text_copy(job->why, sizeof job->why, t->turn_away != NULL ? t->turn_away : strerror(errno));
    make_header(t, &job->server);
    if (session_carry(plan, carrier, job, fd) < 0) {
        log_refuse(t, errno);
        job->subject = (struct report_subject){0};
        transport_give(carrier, job, -1);
    }
    close_one(fd);
    return 0;
}

void attach_carry(struct attacher *by, const struct attach *a, struct transport *carrier, uint32_t number)
{
    struct task task = {.offering = by->offering, .attach = a, .turn_away = why_not(by)};
    struct session_plan plan = {.service = by->offering->name, .client = a->client};
    struct job job = {.number = number, .peer_seconds = by->offering->peer_seconds};
    struct attach joined = *a;
    int ends[2];

    if (carry_directly(&task, &plan, carrier, &job) == 0)
        return;
    /* Two sessions: one from the transport to here, which nobody hears of, and one from there on. */
    if (sock_pair(ends) != 0) {
        log_refuse(&task, errno);
        transport_give(carrier, &job, -1);
        return;
    }
    joined.data_fd = ends[0];
    attach_start(by, &joined);
    transport_give(carrier, &job, ends[1]);
    close(ends[0]);
    close(ends[1]);
}
