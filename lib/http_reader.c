/*
 * http_reader: takes heads from a connection and never a byte beyond. See
 * http_reader.h.
 */
#include "http_reader.h"

#include "clock.h"
#include "sock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

void http_reader_reset(struct http_reader *r)
{
    r->len = 0;
    r->bytes[0] = '\0';
}

/* recv(), by the call that a session's process may make (sandbox.c). */
static ssize_t receive(int fd, char *to, size_t len, int flags)
{
    struct iovec all = {.iov_base = to, .iov_len = len};
    struct msghdr m = {.msg_iov = &all, .msg_iovlen = 1};
    ssize_t got;

    do {
        got = recvmsg(fd, &m, flags);
    } while (got < 0 && errno == EINTR);
    return got;
}

enum http_reader_status http_reader_take(struct http_reader *r, int fd)
{
    char *to = r->bytes + r->len;
    ssize_t got = receive(fd, to, HTTP_HEAD_LONGEST - r->len, MSG_PEEK);
    long end;

    if (got == 0)
        return HTTP_READER_END;
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? HTTP_READER_MORE : HTTP_READER_ERROR;
    end = http_head_end(r->bytes, r->len + (size_t)got);
    got = receive(fd, to, end > 0 ? (size_t)end - r->len : (size_t)got, 0);
    if (got <= 0)
        return HTTP_READER_ERROR;
    r->len += (size_t)got;
    r->bytes[r->len] = '\0';
    if (end != 0)
        return end > 0 ? HTTP_READER_WHOLE : HTTP_READER_BAD;
    return r->len == HTTP_HEAD_LONGEST ? HTTP_READER_LONG : HTTP_READER_MORE;
}

/* Until fd can be read. -1 with errno: it took too long, or the other one has failed. */
static int wait_for(int fd, int other, long long end)
{
    struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = other}};
    long long left = end - clock_ms();

    errno = ETIMEDOUT;
    if (left <= 0 || (poll(p, 2, (int)left) < 0 && errno != EINTR))
        return -1;
    errno = ECONNRESET;
    return other >= 0 && (p[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 && sock_broken(other) ? -1 : 0;
}

enum http_reader_status http_reader_wait(struct http_reader *r, int fd, int other, long long end)
{
    enum http_reader_status status = HTTP_READER_MORE;

    http_reader_reset(r);
    while (status == HTTP_READER_MORE && wait_for(fd, other, end) == 0)
        status = http_reader_take(r, fd);
    return status;
}
