/*
 * command: serves a connection with a command, as inetd does. See command.h.
 */
#include "command.h"

#include "clock.h"
#include "loop.h"
#include "os.h"
#include "sock.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* How long the connection is kept for a client to close, once the command has ended. */
#define LINGER_MS 30000

/* What a shell says for a command that cannot be run. */
#define CANNOT_RUN 127

/* What the variables of UCSPI begin with, and how many are set here at most. */
static const char *const ucspi[] = {"PROTO=", "TCPREMOTE", "TCPLOCAL"};
#define MOST_SET 6

#define MOST_VARIABLES 1024

static char *variables[MOST_VARIABLES + 1];
static int variable_count;
static char values[1024];
static struct text next_value;

static bool is_ucspi(const char *variable)
{
    for (size_t i = 0; i < sizeof ucspi / sizeof *ucspi; i++)
        if (strncmp(variable, ucspi[i], strlen(ucspi[i])) == 0)
            return true;
    return false;
}

static void add_variable(const char *format, ...)
{
    va_list args;

    variables[variable_count++] = next_value.data;
    va_start(args, format);
    text_vadd(&next_value, format, args);
    va_end(args);
    text_init(&next_value, next_value.data + next_value.len + 1, next_value.size - next_value.len - 1);
}

/* Built by hand, without a heap: this process is about to become the command. */
static void set_environment(const struct command_peers *peers)
{
    char host[ADDR_TEXT];

    for (char **from = environ; *from != NULL && variable_count < MOST_VARIABLES - MOST_SET; from++)
        if (!is_ucspi(*from))
            variables[variable_count++] = *from;
    text_init(&next_value, values, sizeof values);
    add_variable("PROTO=TCP");
    if (peers->client->len != 0) {
        add_variable("TCPREMOTEIP=%s", addr_host_text(peers->client, host));
        add_variable("TCPREMOTEPORT=%u", addr_port(peers->client));
    }
    if (peers->relay->len != 0)
        add_variable("TCPLOCALIP=%s", addr_host_text(peers->relay, host));
    if (peers->public_port != 0) {
        add_variable("TCPLOCALHOST=%s", peers->public_host);
        add_variable("TCPLOCALPORT=%u", peers->public_port);
    }
    environ = variables;
}

static void run(char **command, const struct leg *leg, const struct command_peers *peers, pid_t parent)
{
    loop_handle(SIGPIPE, SIG_DFL);
    loop_handle(SIGHUP, SIG_DFL);
    os_signal_with_parent(SIGTERM, parent);
    set_environment(peers);
    sock_set_blocking(leg->rfd, 1);
    sock_set_blocking(leg->wfd, 1);
    dup2(leg->rfd, STDIN_FILENO);
    dup2(leg->wfd, STDOUT_FILENO);
    os_close_range(STDERR_FILENO + 1, leg->rfd > leg->wfd ? leg->rfd : leg->wfd);
    execvp(command[0], command);
    _exit(CANNOT_RUN);
}

/*
 * Closing with unread bytes in the buffer would be a reset, and the client
 * could lose the end of the answer: they are read away until it closes too.
 */
static void close_after_answer(struct leg *leg)
{
    struct pollfd p = {.fd = leg->rfd, .events = POLLIN};
    long long end = clock_ms() + LINGER_MS, left;
    char waste[4096];
    ssize_t got;

    leg_end_write(leg);
    sock_set_blocking(leg->rfd, 0);
    while ((left = end - clock_ms()) > 0) {
        int ready = poll(&p, 1, (int)left);

        if (ready == 0 || (ready < 0 && errno != EINTR))
            break;
        if (ready > 0 && (got = read(leg->rfd, waste, sizeof waste)) <= 0 && (got == 0 || errno != EINTR))
            break;
    }
    leg_close(leg);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* In a process that is in the session's group. */
static void serve(char **command, struct leg *leg, const struct command_peers *peers, struct session_report *report)
{
    pid_t self = getpid(), pid;
    int status;

    pid = os_fork();
    if (pid == 0)
        run(command, leg, peers, self);
    status = pid > 0 ? wait_for(pid) : -1;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != CANNOT_RUN) {
        close_after_answer(leg);
        report->copy.end = COPY_EOF;
        return;
    }
    leg->heard = pid > 0 && WIFSIGNALED(status);
    leg_reset(leg);
    report->copy.end = COPY_ERROR;
    text_copy(report->why, sizeof report->why,
              pid < 0 ? strerror(errno) : WIFEXITED(status) ? "cannot run the command" : "the command was killed");
}

void command_run(char **command, struct leg *leg, const struct command_peers *peers, struct session_report *report)
{
    setpgid(0, 0);
    serve(command, leg, peers, report);
}

pid_t command_beside(char **command, const struct leg *leg, const struct command_peers *peers, struct leg *local,
                     char why[DIAL_WHY])
{
    struct session_report unused;
    struct leg its;
    pid_t self = getpid(), pid;
    int ends[2];

    if (sock_pair(ends) != 0) {
        text_copy(why, DIAL_WHY, strerror(errno));
        return -1;
    }
    *local = leg_of_socket(ends[0]);
    its = leg_of_socket(ends[1]);
    setpgid(0, 0);
    pid = os_fork();
    if (pid == 0) {
        struct leg not_its = *leg;

        os_signal_with_parent(SIGTERM, self);
        leg_drop(&not_its);
        leg_drop(local);
        serve(command, &its, peers, &unused);
        _exit(0);
    }
    if (pid < 0) {
        text_copy(why, DIAL_WHY, strerror(errno));
        leg_drop(local);
    }
    leg_drop(&its);
    return pid;
}
