/*
 * child: forked processes, their descriptors, and their ends. See child.h.
 */
#include "child.h"

#include "loop.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUCKETS 1024

/* As many as any caller keeps. */
#define KEEP_MOST 8

static struct child *living[BUCKETS];
static int count_living;
static int null_fd = -1;

static struct child **find(pid_t pid)
{
    struct child **at = &living[(unsigned)pid % BUCKETS];

    while (*at != NULL && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static void reap(int signo)
{
    pid_t pid;
    int status;

    (void)signo;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child **at = find(pid), *c = *at;

        if (c == NULL)
            continue;
        *at = c->next;
        count_living--;
        c->ended(c, status);
    }
}

int child_init(void)
{
    do {
        null_fd = open("/dev/null", O_RDWR);
    } while (null_fd >= 0 && null_fd <= STDERR_FILENO);
    if (null_fd < 0 || fcntl(null_fd, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    loop_signal(SIGCHLD, reap);
    return 0;
}

pid_t child_fork(struct child *c)
{
    pid_t pid = fork();

    if (pid < 0)
        return -1;
    if (pid == 0) {
        loop_leave();
        return 0;
    }
    c->pid = pid;
    c->next = living[(unsigned)pid % BUCKETS];
    living[(unsigned)pid % BUCKETS] = c;
    count_living++;
    return pid;
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void child_keep(const int *fds, int count, unsigned stdio)
{
    int keep[KEEP_MOST];
    int next = STDERR_FILENO + 1;

    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (!(stdio & 1U << fd))
            dup2(null_fd, fd);
    memcpy(keep, fds, (size_t)count * sizeof *fds);
    qsort(keep, (size_t)count, sizeof *keep, ascending);
    for (int i = 0; i < count; i++) {
        if (keep[i] < next)
            continue;
        os_close_range(next, keep[i] - 1);
        next = keep[i] + 1;
    }
    os_close_range(next, loop_limit() - 1);
}

void child_signal_all(int signo)
{
    for (int i = 0; i < BUCKETS; i++)
        for (struct child *c = living[i]; c != NULL; c = c->next)
            kill(c->pid, signo);
}

int child_count(void)
{
    return count_living;
}
