/*
 * child: forked processes, their descriptors, and their ends. See child.h.
 */
#include "child.h"

#include "loop.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUCKETS 256

/* Where there are so many, waitpid() has a long way to look: not for each that ends, but after so many milliseconds. */
#define MANY 128
#define REAP_MS 100

static struct child *living[BUCKETS];
static int living_count;
static struct timer reaping;
static int null_fd = -1;
static void (*forget_secrets)(void);

static struct child **find(pid_t pid)
{
    struct child **at = &living[(unsigned)pid % BUCKETS];

    while (*at != NULL && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static void reap_all(void *unused)
{
    pid_t pid;
    int status;

    (void)unused;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child **at = find(pid), *c = *at;

        if (c == NULL)
            continue;
        *at = c->next;
        living_count--;
        c->ended(c, status);
    }
}

static void child_signal(int signo)
{
    (void)signo;
    if (living_count < MANY)
        reap_all(NULL);
    else if (!timer_is_set(&reaping))
        timer_set(&reaping, REAP_MS);
}

int child_init(void)
{
    do {
        null_fd = open("/dev/null", O_RDWR);
    } while (null_fd >= 0 && null_fd <= STDERR_FILENO);
    if (null_fd < 0 || fcntl(null_fd, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    reaping.fire = reap_all;
    loop_signal(SIGCHLD, child_signal);
    return 0;
}

static void keep(struct child *c, pid_t pid)
{
    c->pid = pid;
    c->next = living[(unsigned)pid % BUCKETS];
    living[(unsigned)pid % BUCKETS] = c;
    living_count++;
}

int child_adopt(struct child *c, pid_t pid)
{
    siginfo_t unused;

    if (waitid(P_PID, (id_t)pid, &unused, WEXITED | WNOHANG | WNOWAIT) != 0)
        return -1;
    keep(c, pid);
    return 0;
}

pid_t child_fork(struct child *c)
{
    pid_t pid = os_fork();

    if (pid < 0)
        return -1;
    if (pid == 0) {
        loop_leave();
        loop_handle(SIGHUP, SIG_IGN);
        if (forget_secrets != NULL)
            forget_secrets();
        return 0;
    }
    keep(c, pid);
    return pid;
}

void child_forgets(void (*forget)(void))
{
    forget_secrets = forget;
}

/* The lowest of these that is not below from; INT_MAX if there is none. */
static int lowest_from(const int *fds, int count, int from)
{
    int lowest = INT_MAX;

    for (int i = 0; i < count; i++)
        if (fds[i] >= from && fds[i] < lowest)
            lowest = fds[i];
    return lowest;
}

void child_keep(const int *fds, int count, unsigned stdio)
{
    int next = STDERR_FILENO + 1;

    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (!(stdio & 1U << fd))
            dup2(null_fd, fd);
    for (;;) {
        int keep = lowest_from(fds, count, next);

        os_close_range(next, keep - 1);
        if (keep == INT_MAX)
            return;
        next = keep + 1;
    }
}

void child_place(const int *fds, int count)
{
    int first = STDERR_FILENO + 1, above[CHILD_PLACED];

    /* The others are closed first: there may be no descriptor left to move these. */
    child_keep(fds, count, 0);
    for (int i = 0; i < count; i++)
        above[i] = fcntl(fds[i], F_DUPFD, first + count);
    for (int i = 0; i < count; i++)
        dup2(above[i], first + i);
    os_close_range(first + count, INT_MAX);
}

void child_has_stdio(void)
{
    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
}

void child_signal_all(int signo)
{
    for (int i = 0; i < BUCKETS; i++)
        for (struct child *c = living[i]; c != NULL; c = c->next)
            if (!c->leads_group || kill(-c->pid, signo) != 0)
                kill(c->pid, signo);
}
