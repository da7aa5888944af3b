/*
 * leg: one side's connection of a session. See leg.h.
 */
#include "leg.h"

#include "sock.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct leg leg_of_socket(int fd)
{
    struct leg l = {.rfd = fd, .wfd = fd};

    return l;
}

struct leg leg_of_files(int rfd, int wfd)
{
    struct leg l = {.rfd = rfd, .wfd = wfd, .may_block = true};

    return l;
}

struct leg leg_of_command(int rfd, int wfd, pid_t command)
{
    struct leg l = {.rfd = rfd, .wfd = wfd, .command = command};

    return l;
}

bool leg_is_socket(const struct leg *l)
{
    return l->rfd == l->wfd;
}

int leg_end_write(struct leg *l)
{
    int done = shutdown(l->wfd, SHUT_WR);

    if (leg_is_socket(l))
        return done;
    close(l->wfd);
    l->wfd = -1;
    return 0;
}

void leg_drop(struct leg *l)
{
    if (l->rfd >= 0)
        close(l->rfd);
    if (l->wfd >= 0 && l->wfd != l->rfd)
        close(l->wfd);
    l->rfd = l->wfd = -1;
}

void leg_close(struct leg *l)
{
    if (leg_is_socket(l))
        sock_close_gently(l->rfd);
    leg_drop(l);
}

void leg_reset(struct leg *l)
{
    if (leg_is_socket(l))
        sock_abort_on_close(l->rfd);
    if (l->command > 0 && l->heard)
        kill(l->command, SIGKILL);
    leg_drop(l);
}

bool leg_broken(const struct leg *l)
{
    return sock_broken(l->rfd);
}

const char *leg_not_quiet(const struct leg *l)
{
    char byte;
    ssize_t got = recv(l->rfd, &byte, 1, MSG_PEEK);

    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? NULL : "reset";
    return got > 0 ? "line" : "eof";
}
