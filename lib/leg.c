/*
 * leg: one side's connection of a session. See leg.h.
 */
#include "leg.h"

#include "clock.h"
#include "http_reader.h"
#include "os.h"
#include "sock.h"
#include "text.h"

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
    /* Files, too: standard output may be a socket of which there are more copies, as standard input. */
    done = shutdown(l->wfd, SHUT_WR);
    if (!leg_is_socket(l) && !l->framing.http) {
        close(l->wfd);
        l->wfd = -1;
        return 0;
    }
    /* Who has read the last chunk may have left already, and reset it, as HAProxy does. */
    return l->framing.chunked ? 0 : done;
}

void leg_give_answer(const struct leg *l)
{
    sock_send(l->rfd, all_arrived, sizeof all_arrived - 1);
    shutdown(l->rfd, SHUT_WR);
}

/* An answer to a body that has not ended says that the rest is not wanted. */
int leg_take_answer(struct leg *l, bool ended)
{
    static struct http_reader in;       /* one session at a time has one */
    enum http_reader_status status = http_reader_take(&in, l->wfd);
    struct http_answer answer;

    if (status == HTTP_READER_MORE)
        return 0;
    if (status != HTTP_READER_ERROR)
        errno = status == HTTP_READER_END ? ECONNRESET : EPROTO;
    if (status != HTTP_READER_WHOLE || http_answer_parse(&answer, in.bytes, in.len) != 0)
        return -1;
    http_reader_reset(&in);
    if (answer.status < 200)            /* 100: go on */
        return 0;
    l->framing.answer = LEG_ANSWERED;
    if (answer.status >= 300)
        l->framing.refused = (unsigned short)answer.status;
    return ended && answer.status < 300 ? 0 : -1;
}

void leg_explain(const struct leg *l, int error, char *why, size_t size)
{
    struct text t;

    text_init(&t, why, size);
    if (l->framing.refused != 0)
        text_add(&t, "the relay says %u", (unsigned)l->framing.refused);
    else
        text_add(&t, "%s", strerror(error));
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
