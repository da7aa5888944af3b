/*
 * via: reaches a relay through a command. See via.h.
 */
#include "via.h"

#include "os.h"
#include "sock.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a command may take to end by itself, and then by SIGTERM. */
#define PATIENCE_MS 2000

/* How long one may take to send what a session left it, in seconds; a claim alone, or more. */
#define CLAIM_SECONDS 10
#define FLUSH_SECONDS 300

/* What a shell says for a command that cannot be run. */
#define CANNOT_RUN 127

const char *via_wrong(const char *command)
{
    if (command[strspn(command, " \t\n")] == '\0')
        return "it is empty";
    for (const char *c = strchr(command, '%'); c != NULL; c = strchr(c + 2, '%'))
        if (c[1] == '\0' || strchr("hp%", c[1]) == NULL)
            return "% stands before h, p or % alone";
    return strlen(command) > VIA_SIZE / 2 ? "it is too long" : NULL;
}

int via_expand(char line[VIA_SIZE], const char *command, const struct dial_host *to)
{
    struct text t;

    if (via_wrong(command) != NULL || !addr_host_valid(to->host)) {
        errno = EINVAL;
        return -1;
    }
    text_init(&t, line, VIA_SIZE);
    text_add(&t, "exec ");
    for (const char *c = command; *c != '\0'; c++) {
        char plain[2] = {*c, '\0'};

        if (*c != '%')
            text_add(&t, "%s", plain);
        else if (*++c == 'h')
            text_add(&t, "%s", to->host);
        else if (*c == 'p')
            text_add(&t, "%u", to->port);
        else
            text_add(&t, "%%");
    }
    if (t.cut) {
        errno = E2BIG;
        return -1;
    }
    return 0;
}

/* In the command's process: it gets these two descriptors, standard error, and no other. */
static void run(const char *line, int in, int out)
{
    loop_handle(SIGPIPE, SIG_DFL);
    loop_handle(SIGHUP, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    child_keep(NULL, 0, CHILD_STDIN | CHILD_STDOUT | CHILD_STDERR);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(CANNOT_RUN);
}

/* ours is non-blocking; the command's may block, as commands expect. */
static int socket_pair(int *ours, int *commands)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return -1;
    sock_set_blocking(ends[0], 0);
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    *ours = ends[0];
    *commands = ends[1];
    return 0;
}

static void close_two(int a, int b)
{
    int saved = errno;

    close(a);
    close(b);
    errno = saved;
}

/* A command that stays: its end of file first, then a word, then the end. */
static void urge(void *owner)
{
    struct via *v = owner;

    kill(v->child.pid, v->urged++ == 0 ? SIGTERM : SIGKILL);
    timer_set(&v->patience, PATIENCE_MS);
}

static void child_ended(struct child *c, int status)
{
    struct via *v = (struct via *)c;

    timer_stop(&v->patience);
    v->running = false;
    v->ended(v->owner, status);
}

int via_start(struct via *v, const char *command, const struct dial_host *to)
{
    char line[VIA_SIZE];
    int ours, commands;
    pid_t self = getpid(), pid;

    if (via_expand(line, command, to) != 0 || socket_pair(&ours, &commands) != 0)
        return -1;
    v->child.ended = child_ended;
    v->urged = 0;
    v->patience.fire = urge;
    v->patience.owner = v;
    pid = child_fork(&v->child);
    if (pid == 0) {
        os_signal_with_parent(SIGTERM, self);
        run(line, commands, commands);
    }
    if (pid < 0) {
        close_two(ours, commands);
        return -1;
    }
    close(commands);
    v->running = true;
    return ours;
}

void via_stop(struct via *v)
{
    if (v->running && !timer_is_set(&v->patience))
        timer_set(&v->patience, PATIENCE_MS);
}

pid_t via_open(const char *command, const struct dial_host *to, struct leg *leg)
{
    char line[VIA_SIZE];
    int rfd, out, wfd, in;
    pid_t self = getpid(), pid;

    if (via_expand(line, command, to) != 0 || socket_pair(&rfd, &out) != 0)
        return -1;
    if (socket_pair(&wfd, &in) != 0) {
        close_two(rfd, out);
        return -1;
    }
    setpgid(0, 0);
    pid = os_fork();
    if (pid == 0) {
        os_signal_with_parent(SIGKILL, self);
        run(line, in, out);
    }
    close_two(in, out);
    if (pid < 0) {
        close_two(rfd, wfd);
        return -1;
    }
    *leg = leg_of_command(rfd, wfd, pid);
    return pid;
}

int via_open_socket(const char *command, const struct dial_host *to)
{
    char line[VIA_SIZE];
    int ours, commands;
    pid_t self = getpid(), pid;

    if (via_expand(line, command, to) != 0 || socket_pair(&ours, &commands) != 0)
        return -1;
    setpgid(0, 0);
    pid = os_fork();
    if (pid == 0) {
        os_signal_with_parent(SIGKILL, self);
        run(line, commands, commands);
    }
    if (pid < 0) {
        close_two(ours, commands);
        return -1;
    }
    close(commands);
    return ours;
}

static void wake(int signo)
{
    (void)signo;
}

void via_wait(pid_t pid, bool well)
{
    loop_handle(SIGALRM, wake);
    alarm(well ? FLUSH_SECONDS : CLAIM_SECONDS);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        kill(pid, SIGKILL);
}
