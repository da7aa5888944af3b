/*
 * command: serves a connection with a command, as inetd does. See command.h.
 */
#include "command.h"

#include "os.h"
#include "sock.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a client may take to read the last of the answer and close. */
#define LINGER_MS 30000

/* What a shell says for a command that cannot be run. */
#define CANNOT_RUN 127

static void set_number(const char *name, unsigned number)
{
    char digits[16];
    struct text t;

    text_init(&t, digits, sizeof digits);
    text_add(&t, "%u", number);
    setenv(name, digits, 1);
}

static void set_environment(const struct command_peers *peers)
{
    static const char *const names[] = {"TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST", "TCPREMOTEINFO",
                                        "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST"};
    char host[ADDR_TEXT];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("PROTO", "TCP", 1);
    if (peers->client->len != 0) {
        setenv("TCPREMOTEIP", addr_host_text(peers->client, host), 1);
        set_number("TCPREMOTEPORT", addr_port(peers->client));
    }
    setenv("TCPLOCALIP", addr_host_text(peers->relay, host), 1);
    if (peers->public_port != 0) {
        setenv("TCPLOCALHOST", peers->public_host, 1);
        set_number("TCPLOCALPORT", peers->public_port);
    }
}

static void run(char **command, int fd, const struct command_peers *peers)
{
    os_signal_with_parent(SIGTERM);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    set_environment(peers);
    sock_set_blocking(fd, 1);
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    os_close_range(STDERR_FILENO + 1, fd);
    execvp(command[0], command);
    _exit(CANNOT_RUN);
}

/*
 * Closing with unread bytes in the buffer would be a reset, and the client
 * could lose the end of the answer: they are read away until it closes too.
 */
static void close_after_answer(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char waste[4096];
    ssize_t got;

    shutdown(fd, SHUT_WR);
    sock_set_blocking(fd, 0);
    do {
        got = poll(&p, 1, LINGER_MS) > 0 ? read(fd, waste, sizeof waste) : 0;
    } while (got > 0);
    sock_close_gently(fd);
    close(fd);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

void command_run(char **command, int fd, const struct command_peers *peers, struct session_report *report)
{
    pid_t pid;
    int status;

    sock_session_options(fd);
    setpgid(0, 0);
    pid = fork();
    if (pid == 0)
        run(command, fd, peers);
    status = pid > 0 ? wait_for(pid) : -1;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != CANNOT_RUN) {
        close_after_answer(fd);
        report->copy.end = COPY_EOF;
        return;
    }
    sock_reset(fd);
    report->copy.end = COPY_ERROR;
    text_copy(report->why, sizeof report->why,
              pid < 0 ? strerror(errno) : WIFEXITED(status) ? "cannot run the command" : "the command was killed");
}
