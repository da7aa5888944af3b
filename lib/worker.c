/*
 * worker: session children that are used again, as the parent sees them. See worker.h.
 */
#include "worker.h"

#include "clock.h"
#include "handover.h"
#include "loop.h"
#include "nursery.h"
#include "os.h"
#include "sandbox.h"
#include "slab.h"
#include "text.h"
#include "worker_child.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a worker may be idle, in milliseconds. */
#define IDLE_MS 5000

/* Of the descriptors that can be watched, the part that may be channels of idle workers, and of busy ones. */
#define CHANNELS_PART 8

static const struct worker_rules *rules;
static struct slab workers;
static int reports_end;
static char idle_title[32];
static struct worker *newest, *oldest;      /* idle ones */
static int idle_count, living, channels;
static struct timer idle_over;

static void close_channel(struct worker *w)
{
    if (w->channel < 0)
        return;
    close(w->channel);
    w->channel = -1;
    channels--;
}

/* Idle workers: the one that was busy last is warm, and is used first. */

static void put_idle(struct worker *w)
{
    w->since = clock_ms();
    w->newer = NULL;
    w->older = newest;
    if (newest != NULL)
        newest->newer = w;
    else
        oldest = w;
    newest = w;
    idle_count++;
    if (!timer_is_set(&idle_over))
        timer_set(&idle_over, IDLE_MS);
}

static void take_idle(struct worker *w)
{
    if (w->older != NULL)
        w->older->newer = w->newer;
    else
        oldest = w->newer;
    if (w->newer != NULL)
        w->newer->older = w->older;
    else
        newest = w->older;
    idle_count--;
}

static void dismiss(struct worker *w)
{
    take_idle(w);
    close_channel(w);
}

static void dismiss_old(void *unused)
{
    long long now = clock_ms();

    (void)unused;
    while (oldest != NULL && now - oldest->since >= IDLE_MS)
        dismiss(oldest);
    if (oldest != NULL)
        timer_set(&idle_over, oldest->since + IDLE_MS - now);
    else if (living == 0)
        nursery_close();
}

void worker_retire(struct worker *w)
{
    close_channel(w);
}

void worker_done(struct worker *w)
{
    w->session = NULL;
    if (w->channel < 0)
        return;
    put_idle(w);
    if (idle_count > rules->spare || idle_count > loop_limit() / CHANNELS_PART)
        dismiss(oldest);
}

static void ended(struct child *c, int status)
{
    struct worker *w = (struct worker *)c;

    (void)status;
    living--;
    rules->reports();
    if (w->session != NULL)
        rules->died(w->session);
    else if (w->channel >= 0)
        take_idle(w);
    close_channel(w);
    slab_put(&workers, w);
    if (living == 0)
        timer_set(&idle_over, IDLE_MS);
}

int worker_setup(const char *program, int most, int reports, const struct worker_rules *the_rules)
{
    struct text t;

    rules = the_rules;
    reports_end = reports;
    idle_over.fire = dismiss_old;
    text_init(&t, idle_title, sizeof idle_title);
    text_add(&t, "%s: idle", program);
    nursery_setup(program, reports);
    return slab_init(&workers, sizeof(struct worker), (size_t)most);
}

static pid_t fork_in_nursery(struct worker *w, int channel)
{
    pid_t pid = nursery_fork(channel);

    if (pid > 0)
        child_adopt(&w->child, pid);
    return pid;
}

static pid_t fork_here(struct worker *w, int channel)
{
    pid_t pid = child_fork(&w->child);

    if (pid == 0) {
        child_place((int[]){channel, reports_end}, 2);
        sandbox_enter(false);
        worker_child_run(STDERR_FILENO + 1, STDERR_FILENO + 2, idle_title);
    }
    return pid;
}

void worker_retire_all(void)
{
    struct worker *w;

    while (oldest != NULL)
        dismiss(oldest);
    for (size_t i = 0; (w = slab_at(&workers, i)) != NULL; i++)
        if (w->session != NULL)
            worker_retire(w);
}

static int make_channel(int ends[2])
{
    if (handover_pair(ends) == 0)
        return 0;
    worker_retire_all();
    return handover_pair(ends);
}

/* By the nursery, or by itself. */
static pid_t start_by(struct worker *w, pid_t (*make)(struct worker *w, int channel))
{
    int ends[2], saved;
    pid_t pid;

    if (make_channel(ends) != 0)
        return -1;
    w->channel = ends[0];
    channels++;
    pid = make(w, ends[1]);
    saved = errno;
    close(ends[1]);
    if (pid < 0)
        close_channel(w);
    errno = saved;
    return pid;
}

static pid_t start_process(struct worker *w)
{
    pid_t pid;

    if (os_random(&w->token, sizeof w->token) != 0)
        return -1;
    pid = start_by(w, fork_in_nursery);
    return pid < 0 && errno == ENOSYS ? start_by(w, fork_here) : pid;
}

static struct worker *new_worker(void)
{
    struct worker *w = slab_get(&workers);
    int saved;

    if (w == NULL) {
        errno = EAGAIN;
        return NULL;
    }
    w->child.ended = ended;
    w->channel = -1;
    if (start_process(w) > 0) {
        living++;
        return w;
    }
    saved = errno;
    slab_put(&workers, w);
    errno = saved;
    return NULL;
}

static int give(struct worker *w, struct job *job, const int *fds, int count)
{
    int saved;

    job->subject.token = w->token;
    if (handover_send(w->channel, job, sizeof *job, fds, count, MSG_DONTWAIT) == 0)
        return 0;
    saved = errno;
    worker_retire(w);
    errno = saved;
    return -1;
}

/* It has been killed, and is not waited for yet. */
static bool is_gone(int error)
{
    return error == EPIPE || error == ECONNRESET;
}

/* Whether one is idle; where none is known to be, what they have reported may tell. */
static bool any_idle(void)
{
    if (newest == NULL)
        rules->reports();
    return newest != NULL;
}

int worker_prepare(void)
{
    struct worker *w;

    if (any_idle())
        return 0;
    w = new_worker();
    if (w == NULL)
        return -1;
    put_idle(w);
    return 0;
}

struct worker *worker_start(struct job *job, int client_fd, int server_fd, void *session)
{
    int fds[] = {client_fd, server_fd};
    int count = server_fd >= 0 ? 2 : 1;
    struct worker *w = NULL;

    while (w == NULL && any_idle()) {
        w = newest;
        take_idle(w);
        if (give(w, job, fds, count) == 0)
            break;
        if (!is_gone(errno))
            return NULL;
        w = NULL;
    }
    if (w == NULL && ((w = new_worker()) == NULL || give(w, job, fds, count) != 0))
        return NULL;
    w->session = session;
    if (++w->uses >= rules->uses || channels - idle_count > loop_limit() / CHANNELS_PART)
        worker_retire(w);
    return w;
}
