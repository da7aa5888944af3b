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
static struct worker *coming;               /* the nursery has been asked for it */
static int not_come;                        /* why the last one did not */
static int owed;                            /* replacements that it has yet to be asked for */
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

static void give_up(struct worker *w)
{
    int saved = errno;

    close_channel(w);
    slab_put(&workers, w);
    errno = saved;
}

/* One that has a channel and no process yet, whose end of the channel is in *end; or NULL with errno. */
static struct worker *new_worker(int *end)
{
    struct worker *w = slab_get(&workers);
    int ends[2];

    if (w == NULL) {
        errno = EAGAIN;
        return NULL;
    }
    w->child.ended = ended;
    w->channel = -1;
    if (os_random(&w->token, sizeof w->token) != 0 || make_channel(ends) != 0) {
        give_up(w);
        return NULL;
    }
    w->channel = ends[0];
    channels++;
    *end = ends[1];
    return w;
}

static int ask_for_one(void);

static void born(struct worker *w)
{
    living++;
    put_idle(w);
}

/* Those whose session is their last: others are made meanwhile, which nobody waits for. */
static void replace(void)
{
    if (owed == 0 || coming != NULL)
        return;
    owed--;
    if (idle_count < rules->spare && idle_count < loop_limit() / CHANNELS_PART)
        ask_for_one();
    else
        owed = 0;
}

/* The nursery has answered. */
static void came(pid_t pid, int error)
{
    struct worker *w = coming;

    coming = NULL;
    not_come = pid > 0 ? EAGAIN : error;
    if (pid > 0 && child_adopt(&w->child, pid) == 0) {
        born(w);
        replace();
    } else {
        owed = 0;
        give_up(w);
    }
}

/* Asks the nursery for one. -1 with errno (ENOSYS: there is no nursery). */
static int ask_for_one(void)
{
    int end;

    coming = new_worker(&end);
    if (coming == NULL)
        return -1;
    if (nursery_ask(end) != 0)
        came(-1, ENOSYS);
    close(end);
    errno = not_come;
    return coming != NULL ? 0 : -1;
}

static int fork_one(void)
{
    int end;
    struct worker *w = new_worker(&end);
    pid_t pid;

    if (w == NULL)
        return -1;
    pid = child_fork(&w->child);
    if (pid == 0) {
        child_place((int[]){end, reports_end}, 2);
        sandbox_enter(false);
        worker_child_run(STDERR_FILENO + 1, STDERR_FILENO + 2, idle_title);
    }
    close(end);
    if (pid < 0) {
        give_up(w);
        return -1;
    }
    born(w);
    return 0;
}

/* Makes one, which is idle then. -1 with errno. */
static int make_one(void)
{
    if (coming != NULL || ask_for_one() == 0) {
        nursery_wait();
        if (newest != NULL)
            return 0;
        errno = not_come;
    }
    return errno == ENOSYS ? fork_one() : -1;
}

int worker_setup(const char *program, int most, int reports, const struct worker_rules *the_rules)
{
    struct text t;

    rules = the_rules;
    reports_end = reports;
    idle_over.fire = dismiss_old;
    text_init(&t, idle_title, sizeof idle_title);
    text_add(&t, "%s: idle", program);
    nursery_setup(program, reports, came);
    return slab_init(&workers, sizeof(struct worker), (size_t)most);
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
    return any_idle() ? 0 : make_one();
}

/* Puts its descriptors behind the first count of fds. Returns how many there are then. */
static int add_leg(struct job_leg *j, const struct leg *l, int *fds, int count)
{
    j->framing = l->framing;
    fds[count++] = l->rfd;
    if (l->framing.http)
        fds[count++] = l->wfd;
    return count;
}

struct worker *worker_start(struct job *job, const struct leg *client, const struct leg *server, void *session)
{
    int fds[HANDOVER_MOST];
    int count = add_leg(&job->client, client, fds, 0);
    struct worker *w;
    bool made = false;

    if (server != NULL)
        count = add_leg(&job->server, server, fds, count);

    for (;;) {
        if (!any_idle()) {
            if (made || make_one() != 0)
                return NULL;
            made = true;
        }
        w = newest;
        take_idle(w);
        if (give(w, job, fds, count) == 0)
            break;
        if (!is_gone(errno))
            return NULL;
    }
    w->session = session;
    if (++w->uses >= rules->uses) {
        worker_retire(w);
        if (rules->uses > 1) {
            owed++;
            replace();
        }
    } else if (channels - idle_count > loop_limit() / CHANNELS_PART) {
        worker_retire(w);
    }
    return w;
}
