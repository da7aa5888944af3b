/*
 * leg: one side's connection of a session. See leg.h.
 */
#include "leg.h"

#include "clock.h"
#include "http_head.h"
#include "os.h"
#include "sock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a command may take to send what it was given. */
#define COMMAND_MS 10000

static const char all_arrived[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

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

struct leg leg_of_bodies(int rfd, int wfd, const struct framing *framing)
{
    struct leg l = {.rfd = rfd, .wfd = wfd, .framing = *framing};

    return l;
}

bool leg_is_socket(const struct leg *l)
{
    return l->rfd == l->wfd;
}

int leg_end_write(struct leg *l)
{
    int done;

    /* Its connection has an answer to bring yet, and proxies give up a caller who ends it. */
    if (l->framing.answer >= LEG_AWAITS)
        return 0;
    done = shutdown(l->wfd, SHUT_WR);
    if (leg_is_socket(l) || l->framing.http)
        return done;
    close(l->wfd);
    l->wfd = -1;
    return 0;
}

int leg_give_answer(const struct leg *l)
{
    if (sock_send(l->rfd, all_arrived, sizeof all_arrived - 1) != 0)
        return -1;
    return shutdown(l->rfd, SHUT_WR);
}

/* Of an answer's head, which may come in pieces. One session at a time has one. */
static char answer_bytes[HTTP_HEAD_LONGEST + 1];
static size_t answer_len;

/* Reads on. Returns the head's length, 0: it is not whole, or -1 with errno. */
static long read_answer(int fd)
{
    ssize_t got = read(fd, answer_bytes + answer_len, HTTP_HEAD_LONGEST - answer_len);
    long head;

    if (got <= 0) {
        if (got == 0)
            errno = ECONNRESET;
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
    }
    answer_len += (size_t)got;
    head = http_head_end(answer_bytes, answer_len);
    errno = EPROTO;
    return head == 0 && answer_len == HTTP_HEAD_LONGEST ? -1 : head;
}

/* An answer to a body that has not ended says that the rest is not wanted. */
int leg_take_answer(struct leg *l, bool ended)
{
    struct http_answer answer;
    long head = read_answer(l->wfd);

    while (head > 0) {
        if (http_answer_parse(&answer, answer_bytes, (size_t)head) != 0 || answer.status > 299)
            return -1;
        if (answer.status >= 200) {
            l->framing.answer = LEG_ANSWERED;
            return ended ? 0 : -1;
        }
        answer_len -= (size_t)head;         /* 100: go on */
        memmove(answer_bytes, answer_bytes + head, answer_len);
        head = http_head_end(answer_bytes, answer_len);
    }
    return head < 0 ? -1 : 0;
}

void leg_drop(struct leg *l)
{
    if (l->rfd >= 0)
        close(l->rfd);
    if (l->wfd >= 0 && l->wfd != l->rfd)
        close(l->wfd);
    l->rfd = l->wfd = -1;
}

static void each_socket(const struct leg *l, void (*set)(int fd))
{
    if (leg_is_socket(l) || l->framing.http)
        set(l->rfd);
    if (l->framing.http)
        set(l->wfd);
}

void leg_close(struct leg *l)
{
    each_socket(l, sock_close_gently);
    leg_drop(l);
}

/* It may be connecting still, and whom it connects to is to hear of this rather than to wait. */
static void wait_for_command(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    long long end = clock_ms() + COMMAND_MS, left;
    char waste[512];
    ssize_t got = 1;

    shutdown(fd, SHUT_WR);
    while (got != 0 && (left = end - clock_ms()) > 0) {
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        got = read(fd, waste, sizeof waste);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return;
    }
}

void leg_reset(struct leg *l)
{
    if (l->by_commands && !l->heard)
        wait_for_command(l->wfd);
    each_socket(l, sock_abort_on_close);
    if (l->command > 0 && l->heard)
        kill(l->command, SIGKILL);
    leg_drop(l);
}

void leg_probe(const struct leg *l)
{
    each_socket(l, sock_probe);
}

bool leg_silent(const struct leg *l, unsigned seconds, bool *waits)
{
    bool unacknowledged, silent = os_peer_silent(l->rfd, seconds, &unacknowledged);

    *waits |= unacknowledged;
    if (silent || !l->framing.http)
        return silent;
    silent = os_peer_silent(l->wfd, seconds, &unacknowledged);
    *waits |= unacknowledged;
    return silent;
}

bool leg_broken(const struct leg *l)
{
    return sock_broken(l->rfd) || (l->framing.http && sock_broken(l->wfd));
}

const char *leg_not_quiet(const struct leg *l)
{
    char byte;
    ssize_t got = recv(l->rfd, &byte, 1, MSG_PEEK);

    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? NULL : "reset";
    return got > 0 ? "line" : "eof";
}
