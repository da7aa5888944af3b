/*
 * session: one process per session, and what the parent knows of it. See session.h.
 */
#include "session.h"

#include "child.h"
#include "clock.h"
#include "handover.h"
#include "log.h"
#include "loop.h"
#include "os.h"
#include "slab.h"
#include "sock.h"
#include "text.h"
#include "transport.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* More than the socket holds at once. */
#define MOST_REPORTS 1024

/* How long ends may go unnoticed after some were seen, in milliseconds. */
#define LOOK_MS 5

struct session {
    struct child child;     /* of its own; first, so that the child's end finds its session */
    struct worker *worker;  /* or the one that serves it */
    struct transport *carrier;  /* or the one that carries it */
    pid_t pid;              /* 0: no session */
    uint64_t token;
    char service[SERVICE_NAME_SIZE];
    struct addr client;
    long long started;
    struct session_report report;
    bool reported;
    void (*ended)(void *owner, const struct addr *client, enum copy_end end, uint32_t mark);
    void *owner;
    uint32_t mark;
};

static const char *program_name;
static struct slab sessions;
static int living;
static void (*last_ended)(void);
static int report_ends[2] = {-1, -1};     /* the parent's, the children's */
static struct watch reports;
static struct timer look_again;

/* By enum copy_end. */
static const char *const reasons[] = {"eof", "reset", "timeout", "idle", "error"};

static void log_end(const struct session *s)
{
    const struct copy_result *copy = &s->report.copy;
    char client[ADDR_TEXT], line[512];
    long long ms = clock_ms() - s->started;
    struct text t;

    text_init(&t, line, sizeof line);
    text_add(&t, "end service=%s client=%s pid=%d up=%l down=%l seconds=%l.%l reason=%s",
             s->service, addr_text(&s->client, client), (int)s->pid, (long long)copy->up,
             (long long)copy->down, ms / 1000, ms % 1000 / 100, s->reported ? reasons[copy->end] : "killed");
    if (copy->end == COPY_ERROR && s->report.why[0] != '\0')
        text_add(&t, " error=%e", s->report.why);
    log_event("%s", line);
}

static void session_ended(struct session *s)
{
    log_end(s);
    living--;
    if (s->ended != NULL)
        s->ended(s->owner, &s->client, s->reported ? s->report.copy.end : COPY_ERROR, s->mark);
    slab_put(&sessions, s);
    if (living == 0 && last_ended != NULL)
        last_ended();
}

/* Reports. */

/* The session that this is about, or NULL: whoever wrote it was not told so. */
static struct session *session_of(const struct report *r)
{
    struct session *s = slab_at(&sessions, r->subject.session);

    return s != NULL && s->pid != 0 && s->token == r->subject.token ? s : NULL;
}

static void take_report(struct session *s, const struct report *r)
{
    struct worker *w = s->worker;

    if (r->kind == REPORT_QUIET) {
        if (w != NULL)
            worker_retire(w);
        return;
    }
    s->report = r->end;
    if (s->report.copy.end > COPY_ERROR)
        s->report.copy.end = COPY_ERROR;
    s->reported = true;
    if (w != NULL || s->carrier != NULL)
        session_ended(s);
    if (w != NULL)
        worker_done(w);
}

/* Returns whether there may be more. What is no report, or no session's, is from a child that has been taken over. */
static bool take_one(void)
{
    struct transport *t;
    struct session *s;
    struct report r;
    ssize_t got = read(report_ends[0], &r, sizeof r);

    if (got == (ssize_t)sizeof r) {
        r.end.why[sizeof r.end.why - 1] = '\0';
        r.text[sizeof r.text - 1] = '\0';
        t = r.kind > REPORT_QUIET ? transport_of(&r) : NULL;
        s = r.kind > REPORT_QUIET ? NULL : session_of(&r);
        if (t != NULL)
            t->said(t->owner, &r);
        else if (s != NULL)
            take_report(s, &r);
    }
    return got >= 0;
}

/*
 * All that are there. Who is told of one may ask for the others, and would have
 * them handled inside of it, each in the one before: they come in their turn.
 */
void session_catch_up(void)
{
    static bool taking;

    if (taking)
        return;
    taking = true;
    for (int i = 0; i < MOST_REPORTS && take_one(); i++)
        continue;
    taking = false;
}

/* Not each of many: who needs to know looks before. */
static void reports_ready(void *unused, unsigned events)
{
    (void)unused, (void)events;
    session_catch_up();
    loop_want(&reports, 0);
    timer_set(&look_again, LOOK_MS);
}

static void look(void *unused)
{
    (void)unused;
    loop_want(&reports, LOOP_READ);
}

static void worker_died(void *session)
{
    session_ended(session);
}

static void child_ended(struct child *c, int status)
{
    struct session *s = (struct session *)c;

    (void)status;
    session_catch_up();
    session_ended(s);
}

/* The sessions that it has said nothing of were killed with it. */
static void carrier_died(const struct transport *t)
{
    struct session *s;

    session_catch_up();
    for (size_t i = 0; (s = slab_at(&sessions, i)) != NULL; i++)
        if (s->pid > 0 && s->carrier == t)
            session_ended(s);
}

int session_init(const char *program, const struct session_rules *rules)
{
    static struct worker_rules worker_rules = {.reports = session_catch_up, .died = worker_died};

    program_name = program;
    worker_rules.uses = rules->child_uses;
    worker_rules.spare = rules->spare_children;
    if (slab_init(&sessions, sizeof(struct session), (size_t)rules->most) != 0 || handover_pair(report_ends) != 0)
        return -1;
    sock_set_blocking(report_ends[0], 0);
    reports.fd = report_ends[0];
    reports.ready = reports_ready;
    look_again.fire = look;
    transport_setup(program, report_ends[1], carrier_died);
    /* Workers may outlive their last session a little. */
    if (worker_setup(program, 2 * rules->most + rules->spare_children, report_ends[1], &worker_rules) != 0)
        return -1;
    return loop_add(&reports, LOOP_READ);
}

void session_kill(const void *owner)
{
    struct session *s;

    session_catch_up();
    for (size_t i = 0; (s = slab_at(&sessions, i)) != NULL; i++)
        if (s->pid > 0 && s->owner == owner)
            kill(s->pid, SIGKILL);
}

int session_count(void)
{
    return living;
}

bool session_full(int most)
{
    if (living >= most)
        session_catch_up();
    return living >= most;
}

void session_on_last_end(void (*then)(void))
{
    last_ended = then;
}

static struct session *new_session(const struct session_plan *plan)
{
    struct session *s = slab_get(&sessions);

    if (s == NULL) {
        session_catch_up();
        s = slab_get(&sessions);
    }
    if (s == NULL) {
        errno = EAGAIN;
        return NULL;
    }
    text_copy(s->service, sizeof s->service, plan->service);
    s->client = *plan->client;
    s->started = clock_ms();
    s->ended = plan->ended;
    s->owner = plan->owner;
    s->mark = plan->mark;
    return s;
}

static void make_title(const struct session *s, char title[JOB_TITLE])
{
    char client[ADDR_TEXT];
    struct text t;

    text_init(&t, title, JOB_TITLE);
    text_add(&t, "%s: %s %s", program_name, s->service, addr_text(&s->client, client));
}

/* Its process runs, or there is none (pid -1, with errno). */
static pid_t started(struct session *s, pid_t pid, const struct session_plan *plan)
{
    char client[ADDR_TEXT];

    if (pid < 0) {
        int saved = errno;

        slab_put(&sessions, s);
        errno = saved;
        return -1;
    }
    s->pid = pid;
    living++;
    log_event("pair service=%s client=%s pid=%d waited_ms=%l", s->service, addr_text(plan->client, client),
              (int)pid, plan->waited_ms);
    return pid;
}

void session_spare_descriptors(void)
{
    worker_retire_all();
}

int session_prepare(void)
{
    return worker_prepare();
}

pid_t session_start(const struct session_plan *plan, struct job *job, const struct leg *client, const struct leg *server)
{
    struct session *s = new_session(plan);

    if (s == NULL)
        return -1;
    job->subject.session = (uint32_t)slab_index(&sessions, s);
    make_title(s, job->title);
    s->worker = worker_start(job, client, server, s);
    s->token = job->subject.token;
    return started(s, s->worker != NULL ? s->worker->child.pid : -1, plan);
}

pid_t session_carry(const struct session_plan *plan, struct transport *by, struct job *job, int client_fd)
{
    struct session *s = new_session(plan);
    pid_t pid = by->child.pid;

    if (s == NULL)
        return -1;
    job->subject.session = (uint32_t)slab_index(&sessions, s);
    job->subject.token = s->token = by->token;
    s->carrier = by;
    if (transport_give(by, job, client_fd) != 0)
        pid = -1;
    return started(s, pid, plan);
}

static void run_child(struct session *s, const struct session_task *task)
{
    struct report r;
    int keep[5] = {report_ends[1]};
    char title[JOB_TITLE];

    memset(&r, 0, sizeof r);
    memcpy(keep + 1, task->keep, sizeof task->keep);
    child_keep(keep, 5, task->stdio);
    make_title(s, title);
    os_title(title);
    r.subject.token = s->token;
    r.subject.session = (uint32_t)slab_index(&sessions, s);
    r.end.copy.end = COPY_ERROR;
    task->body(task->arg, &r.end);
    report_send(report_ends[1], &r);
    _exit(0);
}

pid_t session_fork(const struct session_plan *plan, const struct session_task *task)
{
    struct session *s = new_session(plan);
    pid_t pid;

    if (s == NULL)
        return -1;
    s->child.ended = child_ended;
    s->child.leads_group = task->leads_group;
    if (os_random(&s->token, sizeof s->token) != 0)
        return started(s, -1, plan);
    pid = child_fork(&s->child);
    if (pid == 0)
        run_child(s, task);
    return started(s, pid, plan);
}
