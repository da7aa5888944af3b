/*
 * forbidden: tries, in the sandbox of a session child, what it forbids and
 * what it allows. A line for each on standard output: the attempt, and the
 * signal that ended the process that made it, or "done", "failed ERRNO".
 *
 * usage: forbidden forbidden | allowed | files | no-files | nursery | children | on
 * (files: a regular file is written to, with and without leave; nursery: what
 * is forbidden, in a process that forks children; children: in such a child)
 */
#ifdef __linux__

#define _GNU_SOURCE

#include "../../lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int sock, other;     /* a TCP connection's ends */
static int file;            /* a regular file */
static pid_t getppid_before;

/* What is forbidden. */

static long try_open(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static long try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_connect(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(sock, (struct sockaddr *)&a, sizeof a);
}

static long try_bind(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};

    return bind(sock, (struct sockaddr *)&a, sizeof a);
}

static long try_listen(void)
{
    return listen(sock, 1);
}

static long try_accept(void)
{
    return accept(sock, NULL, NULL);
}

static long try_recvfrom(void)
{
    return recv(sock, &(char){0}, 1, MSG_DONTWAIT);
}

static long try_sendto(void)
{
    return send(sock, "x", 1, 0);
}

static long try_execve(void)
{
    char *argv[] = {"/bin/true", NULL};

    return execve(argv[0], argv, argv + 1);
}

static long try_fork(void)
{
    return fork();
}

static long try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_kill(void)
{
    return kill(getppid(), 0);
}

static long try_kill_init(void)
{
    return kill(1, 0);
}

static long try_mmap_exec(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long try_mprotect(void)
{
    return mprotect((void *)((unsigned long)&sock & ~4095UL), 4096, PROT_READ | PROT_EXEC);
}

static long try_prctl(void)
{
    return prctl(PR_SET_NAME, "free");
}

static long try_seccomp(void)
{
    return prctl(PR_SET_SECCOMP, 0, NULL);
}

static long try_prlimit(void)
{
    return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, NULL);
}

static long try_prlimit_other(void)
{
    return syscall(SYS_prlimit64, getppid_before, RLIMIT_NPROC, NULL, NULL);
}

/* As sandbox_fork does, without its number. */
static long try_clone(void)
{
    return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

static long try_madvise_other(void)
{
    return madvise((void *)((unsigned long)&sock & ~4095UL), 4096, MADV_DONTFORK);
}

static long try_setuid(void)
{
    return syscall(SYS_setuid, 0);
}

static long try_chroot(void)
{
    return chroot("/");
}

static long try_mount(void)
{
    return syscall(SYS_mount, "", "/", "", 0, NULL);
}

static long try_unlink(void)
{
    return syscall(SYS_unlinkat, AT_FDCWD, "/nonexistent/file", 0);
}

static long try_getdents(void)
{
    return syscall(SYS_getdents64, file, &(char[64]){0}, 64);
}

static long try_dup(void)
{
    return dup(sock);
}

static long try_fcntl(void)
{
    return fcntl(sock, F_GETFL);
}

static long try_pipe(void)
{
    return pipe((int[2]){0});
}

static long try_getpid(void)
{
    return syscall(SYS_getpid);
}

static long try_ftruncate(void)
{
    return ftruncate(file, 0);
}

static long try_sendmsg(void)
{
    return sendmsg(sock, &(struct msghdr){0}, 0);
}

static long do_recvmsg(void)
{
    return write(other, "x", 1) == 1 && recvmsg(sock, &(struct msghdr){0}, 0) == 0 ? 0 : -1;
}

static long do_keepalive(void)
{
    return setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int)) == 0 &&
                   setsockopt(sock, IPPROTO_TCP, TCP_KEEPIDLE, &(int){60}, sizeof(int)) == 0 ? 0 : -1;
}

static char given_back[3 * 4096];

static long do_give_back(void)
{
    return madvise((void *)(((unsigned long)given_back + 4095) & ~4095UL), 4096, MADV_DONTNEED);
}

static long try_ioctl_other(void)
{
    return ioctl(sock, FIONBIO, &(int){1});
}

static long try_ioctl_tty(void)
{
    return ioctl(0, TIOCSTI, "x");
}

static long try_setsockopt_other(void)
{
    return setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
}

static long try_setsockopt_level(void)
{
    return setsockopt(sock, IPPROTO_TCP, SO_LINGER, &(int){1}, sizeof(int));
}

static long try_getsockopt_other(void)
{
    return getsockopt(sock, SOL_SOCKET, SO_TYPE, &(int){0}, &(socklen_t){sizeof(int)});
}

static long try_unknown(void)
{
    return syscall(0x3fff);
}

#if defined(__x86_64__) && !defined(__ILP32__)
static long try_x32_getpid(void)
{
    return syscall(0x40000000 | SYS_getpid);
}

static long try_x32_write(void)
{
    return syscall(0x40000000 | SYS_write, 1, "", 0);
}

static long try_i386_getpid(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/* i386's 3 is read; x86-64's 3 is close: an allowed number of another ABI. */
static long try_i386_read(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(3L), "b"(-1L), "c"(0L), "d"(0L)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

#endif

/* What is allowed. */

static long do_copy(void)
{
    char byte;

    if (write(sock, "x", 1) != 1)
        return -1;
    return read(other, &byte, 1) == 1 && byte == 'x' ? 0 : -1;
}

static long do_poll(void)
{
    return poll(&(struct pollfd){.fd = sock, .events = POLLOUT}, 1, 1000) == 1 ? 0 : -1;
}

static long do_poll_timeout(void)
{
    return poll(&(struct pollfd){.fd = sock, .events = POLLIN}, 1, 1);
}

static long do_clock(void)
{
    return clock_gettime(CLOCK_MONOTONIC, &(struct timespec){0});
}

#ifdef SYS_clock_gettime
static long do_clock_by_call(void)
{
    return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &(struct timespec){0});
}

#endif
static long do_shutdown(void)
{
    return shutdown(sock, SHUT_WR);
}

static long do_linger(void)
{
    return setsockopt(sock, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
}

static long do_error(void)
{
    return getsockopt(sock, SOL_SOCKET, SO_ERROR, &(int){0}, &(socklen_t){sizeof(int)});
}

static long do_tcp_info(void)
{
    struct tcp_info info;

    return getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){sizeof info});
}

static long do_outq(void)
{
    return ioctl(sock, TIOCOUTQ, &(int){0});
}

static long do_close(void)
{
    return close(sock);
}

static long do_strerror(void)
{
    long length = 0;

    for (int i = 0; i < 134; i++)
        length += (long)strlen(strerror(i));
    return length > 0 ? 0 : -1;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
    (void)signo;
    alarms++;
}

/* The interval timer was set before the sandbox was entered. */
static long do_signal(void)
{
    while (alarms == 0)
        if (poll(NULL, 0, 1000) < 0 && errno != EINTR)
            return -1;
    return 0;
}

static long do_write_file(void)
{
    return write(file, "x", 1) == 1 ? 0 : -1;
}

struct attempt {
    const char *name;
    long (*try)(void);
};

static const struct attempt forbidden[] = {
    {"open", try_open}, {"socket", try_socket}, {"connect", try_connect}, {"bind", try_bind},
    {"listen", try_listen}, {"accept", try_accept}, {"recvfrom", try_recvfrom}, {"sendto", try_sendto},
    {"execve", try_execve}, {"fork", try_fork}, {"ptrace", try_ptrace}, {"kill", try_kill},
    {"kill-init", try_kill_init}, {"mmap-exec", try_mmap_exec}, {"mprotect", try_mprotect},
    {"prctl", try_prctl}, {"seccomp", try_seccomp}, {"prlimit", try_prlimit}, {"prlimit-other", try_prlimit_other}, {"clone", try_clone},
    {"madvise-other", try_madvise_other}, {"setuid", try_setuid},
    {"chroot", try_chroot}, {"mount", try_mount}, {"unlink", try_unlink}, {"getdents", try_getdents},
    {"dup", try_dup}, {"fcntl", try_fcntl}, {"pipe", try_pipe}, {"getpid", try_getpid},
    {"ftruncate", try_ftruncate}, {"sendmsg", try_sendmsg},
    {"ioctl-other", try_ioctl_other}, {"ioctl-TIOCSTI", try_ioctl_tty},
    {"setsockopt-other", try_setsockopt_other}, {"setsockopt-level", try_setsockopt_level},
    {"getsockopt-other", try_getsockopt_other}, {"unknown", try_unknown},
#if defined(__x86_64__) && !defined(__ILP32__)
    {"x32-getpid", try_x32_getpid}, {"x32-write", try_x32_write},
    {"i386-getpid", try_i386_getpid}, {"i386-read", try_i386_read},
#endif
    {NULL, NULL},
};

static const struct attempt allowed[] = {
    {"copy", do_copy}, {"poll", do_poll}, {"poll-timeout", do_poll_timeout}, {"clock", do_clock},
#ifdef SYS_clock_gettime
    {"clock-by-call", do_clock_by_call},
#endif
    {"shutdown", do_shutdown}, {"linger", do_linger}, {"keepalive", do_keepalive},
    {"recvmsg", do_recvmsg}, {"give-back", do_give_back}, {"error", do_error}, {"tcp-info", do_tcp_info},
    {"outq", do_outq}, {"strerror", do_strerror}, {"signal", do_signal}, {"close", do_close},
    {NULL, NULL},
};

static const struct attempt files[] = {{"write-file", do_write_file}, {NULL, NULL}};

static void die(const char *what)
{
    perror(what);
    exit(111);
}

static void make_connection(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&a, len) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&a, &len) != 0 ||
        connect(sock, (struct sockaddr *)&a, len) != 0 || (other = accept(listener, NULL, NULL)) < 0)
        die("a connection");
    close(listener);
}

/* In which sandbox. */
enum where { FILES, NO_FILES, NURSERY, NURSERYS_CHILD };

/* The child is one of this process's parent. */
static void enter(enum where where)
{
    uintptr_t pass;
    pid_t pid;

    if (where == FILES || where == NO_FILES) {
        sandbox_enter(where == FILES);
        return;
    }
    if (sandbox_enter_forking(&pass) != 0)
        _exit(111);
    if (where == NURSERY)
        return;
    pid = sandbox_fork(&pass);
    if (pid != 0)
        _exit(pid < 0 ? 111 : 0);
    if (pass != 0)
        _exit(112);
}

static void run_one(const struct attempt *a, enum where where)
{
    timer_t timer;
    struct itimerspec soon = {.it_value = {0, 1000000}};

    getppid_before = getppid();
    signal(SIGALRM, on_alarm);
    if (a->try == do_signal && (timer_create(CLOCK_MONOTONIC, NULL, &timer) != 0 ||
                                timer_settime(timer, 0, &soon, NULL) != 0))
        die("a timer");
    enter(where);
    if (a->try() < 0)
        _exit(errno == 0 ? 1 : errno);
    _exit(0);
}

/* The status of the process that made the attempt: pid, or one that it has forked. */
static int attempt_status(pid_t pid, bool forked)
{
    int status = 0, first = 0;
    pid_t ended = waitpid(-1, &first, 0);

    if (!forked)
        return ended == pid ? first : (die("a child"), 0);
    if (waitpid(-1, &status, 0) < 0)
        die("a child's child");
    return ended == pid ? status : first;
}

static void try_all(const struct attempt *a, enum where where)
{
    for (; a->name != NULL; a++) {
        pid_t pid;
        int status;

        make_connection();
        fflush(stdout);
        pid = fork();
        if (pid == 0)
            run_one(a, where);
        if (pid < 0)
            die("a child");
        status = attempt_status(pid, where == NURSERYS_CHILD);
        close(sock);
        close(other);
        if (WIFSIGNALED(status))
            printf("%s %s\n", a->name, WTERMSIG(status) == SIGSYS ? "SIGSYS" : strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status) == 0)
            printf("%s done\n", a->name);
        else
            printf("%s failed %d\n", a->name, WEXITSTATUS(status));
    }
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    char path[] = "/tmp/forbidden.XXXXXX";
    const char *missing = sandbox_missing();

    file = mkstemp(path);
    if (file < 0 || unlink(path) != 0)
        die("a file");
    if (strcmp(what, "on") == 0)
        printf("%s\n", missing == NULL ? "on" : missing);
    else if (strcmp(what, "forbidden") == 0)
        try_all(forbidden, FILES);
    else if (strcmp(what, "allowed") == 0)
        try_all(allowed, FILES);
    else if (strcmp(what, "files") == 0)
        try_all(files, FILES);
    else if (strcmp(what, "no-files") == 0)
        try_all(files, NO_FILES);
    else if (strcmp(what, "nursery") == 0)
        try_all(forbidden, NURSERY);
    else if (strcmp(what, "children") == 0)
        try_all(forbidden, NURSERYS_CHILD);
    else
        return 2;
    return 0;
}

#else

int main(void)
{
    return 2;
}

#endif
