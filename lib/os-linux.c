/*
 * os-linux: what os.h promises, as Linux does it.
 */
#ifdef __linux__

#define _GNU_SOURCE

#include "os.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

int os_accept(int listener, struct sockaddr *from, socklen_t *len)
{
    return accept4(listener, from, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int os_stream_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* musl's fork() brings the locks of threads along, 2 kB of them; its _Fork() is POSIX.1-2024's. */
pid_t os_fork(void)
{
#ifdef __GLIBC__
    return fork();
#else
    return _Fork();
#endif
}

int os_own_image(void)
{
    return open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

void os_exec_image(int image, char **argv)
{
#ifdef SYS_execveat
    syscall(SYS_execveat, image, "", argv, environ, AT_EMPTY_PATH);
#endif
}

void os_close_range(int low, int high)
{
    if (low > high)
        return;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)low, (unsigned)high, 0) == 0)
        return;
#endif
    if (high >= sysconf(_SC_OPEN_MAX))
        high = (int)sysconf(_SC_OPEN_MAX) - 1;
    for (int fd = low; fd <= high; fd++)
        close(fd);
}

int os_random(void *buffer, size_t len)
{
    unsigned char *at = buffer;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        at += got;
        len -= (size_t)got;
    }
    return 0;
}

static void set(int fd, int option, int value)
{
    setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
}

void os_keepalive(int fd, int idle, int interval, int count)
{
    set(fd, TCP_KEEPIDLE, idle);
    set(fd, TCP_KEEPINTVL, interval);
    set(fd, TCP_KEEPCNT, count);
}

void os_user_timeout(int fd, unsigned milliseconds)
{
    set(fd, TCP_USER_TIMEOUT, (int)milliseconds);
}

bool os_peer_silent(int fd, unsigned seconds, bool *unacknowledged)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    int queued = 0;

    /* tcp(7): SIOCOUTQ, by its older name. */
    *unacknowledged = ioctl(fd, TIOCOUTQ, &queued) == 0 && queued > 0;
    if (!*unacknowledged)
        return false;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return false;
    return info.tcpi_last_ack_recv >= seconds * 1000U;
}

const short os_poll_ended = POLLRDHUP;

void os_give_back(void *bytes, size_t len)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)bytes, stop = start + len;
    uintptr_t first = (start + page - 1) / page * page, end = stop / page * page;

    if (first >= end || madvise((void *)first, end - first, MADV_DONTNEED) != 0) {
        memset(bytes, 0, len);
        return;
    }
    memset(bytes, 0, first - start);
    memset((void *)end, 0, stop - end);
}

void os_signal_with_parent(int signo, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, signo);
    if (getppid() != parent)
        kill(getpid(), signo);
}

int os_chroot(const char *directory)
{
    return chroot(directory);
}

/*
 * By the calls themselves: musl's setuid() and its like work in every thread,
 * and bring 4 kB for that along. Those of old ABIs take 16 bits.
 */
#ifdef SYS_setuid32
enum { SETGROUPS = SYS_setgroups32, SETGID = SYS_setgid32, SETUID = SYS_setuid32,
       SETREGID = SYS_setregid32, SETREUID = SYS_setreuid32 };
#else
enum { SETGROUPS = SYS_setgroups, SETGID = SYS_setgid, SETUID = SYS_setuid,
       SETREGID = SYS_setregid, SETREUID = SYS_setreuid };
#endif

int os_become(uid_t uid, gid_t gid)
{
    if (syscall(SETGROUPS, 1L, &gid) != 0 || syscall(SETGID, gid) != 0)
        return -1;
    return syscall(SETUID, uid) != 0 ? -1 : 0;
}

bool os_root_again(void)
{
    return syscall(SETUID, 0) == 0 || syscall(SETREUID, -1, 0) == 0;
}

bool os_root_group_again(void)
{
    return syscall(SETGID, 0) == 0 || syscall(SETREGID, -1, 0) == 0;
}

/* The one stretch of memory that ps reads: the arguments, then the start of the environment. */
static char *title_start;
static size_t title_size;

/* Enough of it for any title. */
#define TITLE_SIZE 256

/* Moves the strings that follow each other from *end on to the heap, and *end behind them, up to limit. */
static int move_strings(char **strings, char **end, const char *limit)
{
    for (; *strings != NULL && *strings == *end && (limit == NULL || *end < limit); strings++) {
        char *copy = strdup(*strings);

        if (copy == NULL)
            return -1;
        *end += strlen(*end) + 1;
        *strings = copy;
    }
    return 0;
}

void os_title_init(char **argv)
{
    char *start = argv[0], *end = start;

    if (start == NULL || move_strings(argv, &end, NULL) != 0 || move_strings(environ, &end, start + TITLE_SIZE) != 0)
        return;
    title_start = start;
    title_size = (size_t)(end - start);
}

void os_title(const char *title)
{
    if (title_size == 0)
        return;
    memset(title_start, 0, title_size);
    text_copy(title_start, title_size, title);
}

void os_name(const char *name)
{
    prctl(PR_SET_NAME, name);
}

#else
typedef int os_linux_is_empty_here;
#endif
