/*
 * session: one forked child per session. See session.h.
 */
#include "session.h"

#include "child.h"
#include "clock.h"
#include "log.h"
#include "loop.h"
#include "os.h"
#include "slab.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct session {
    struct child child;     /* first, so that a child's end finds its session */
    char service[NAME_SIZE];
    struct addr client;
    long long started;
    struct session_report report;
    bool reported;
    void (*ended)(void *owner, const struct addr *client, enum copy_end end);
    void *owner;
};

/* Below PIPE_BUF, so that messages do not mix. */
struct message {
    pid_t pid;
    struct session *session;
    struct session_report report;
};

static const char *program_name;
static struct slab sessions;
static int living;
static void (*last_ended)(void);
static int pipe_ends[2] = {-1, -1};
static struct watch reports;

/* By enum copy_end. */
static const char *const reasons[] = {"eof", "reset", "timeout", "idle", "error"};

static void take_reports(void *unused, unsigned events)
{
    struct message m;

    (void)unused, (void)events;
    while (read(pipe_ends[0], &m, sizeof m) == (ssize_t)sizeof m) {
        if (m.session->child.pid != m.pid)
            continue;
        m.session->report = m.report;
        m.session->reported = true;
    }
}

static void log_end(const struct session *s)
{
    const struct copy_result *copy = &s->report.copy;
    char client[ADDR_TEXT], line[512];
    long long ms = clock_ms() - s->started;
    struct text t;

    text_init(&t, line, sizeof line);
    text_add(&t, "end service=%e client=%s pid=%d up=%l down=%l seconds=%l.%l reason=%s",
             s->service, addr_text(&s->client, client), (int)s->child.pid, (long long)copy->up,
             (long long)copy->down, ms / 1000, ms % 1000 / 100, s->reported ? reasons[copy->end] : "killed");
    if (copy->end == COPY_ERROR && s->report.why[0] != '\0')
        text_add(&t, " error=%e", s->report.why);
    log_event("%s", line);
}

static void child_ended(struct child *c, int status)
{
    struct session *s = (struct session *)c;

    (void)status;
    take_reports(NULL, 0);
    log_end(s);
    living--;
    if (s->ended != NULL)
        s->ended(s->owner, &s->client, s->reported ? s->report.copy.end : COPY_ERROR);
    slab_put(&sessions, s);
    if (living == 0 && last_ended != NULL)
        last_ended();
}

int session_init(const char *program, int most)
{
    program_name = program;
    if (slab_init(&sessions, sizeof(struct session), (size_t)most) != 0 || pipe(pipe_ends) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        fcntl(pipe_ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(pipe_ends[i], F_SETFL, O_NONBLOCK);
    }
    reports.fd = pipe_ends[0];
    reports.ready = take_reports;
    return loop_add(&reports, LOOP_READ);
}

int session_count(void)
{
    return living;
}

void session_on_last_end(void (*then)(void))
{
    last_ended = then;
}

static void set_title(const struct session_plan *plan)
{
    char title[256], client[ADDR_TEXT];
    struct text t;

    text_init(&t, title, sizeof title);
    text_add(&t, "%s: %e %s", program_name, plan->service, addr_text(plan->client, client));
    os_title(title);
}

/* The pipe is full only while the parent is slow, and broken once it is gone. */
static void send_message(const struct message *m)
{
    struct pollfd p = {.fd = pipe_ends[1], .events = POLLOUT};

    while (write(pipe_ends[1], m, sizeof *m) < 0 && (errno == EAGAIN || errno == EINTR))
        poll(&p, 1, -1);
}

static void run_child(const struct session_plan *plan, struct session *s)
{
    struct message m;
    int keep[5] = {pipe_ends[1]};

    memset(&m, 0, sizeof m);
    memcpy(keep + 1, plan->keep, sizeof plan->keep);
    child_keep(keep, 5, plan->stdio);
    set_title(plan);
    m.pid = getpid();
    m.session = s;
    m.report.copy.end = COPY_ERROR;
    plan->body(plan->arg, &m.report);
    send_message(&m);
    _exit(0);
}

pid_t session_start(const struct session_plan *plan)
{
    struct session *s = slab_get(&sessions);
    char client[ADDR_TEXT];
    pid_t pid;

    if (s == NULL) {
        errno = EAGAIN;
        return -1;
    }
    s->child.ended = child_ended;
    s->child.leads_group = plan->leads_group;
    text_copy(s->service, sizeof s->service, plan->service);
    s->client = *plan->client;
    s->started = clock_ms();
    s->ended = plan->ended;
    s->owner = plan->owner;
    pid = child_fork(&s->child);
    if (pid == 0)
        run_child(plan, s);
    if (pid < 0) {
        int saved = errno;

        slab_put(&sessions, s);
        errno = saved;
        return -1;
    }
    living++;
    log_event("pair service=%e client=%s pid=%d waited_ms=%l", s->service, addr_text(plan->client, client),
              (int)pid, plan->waited_ms);
    return pid;
}
