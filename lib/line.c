/*
 * line: takes lines from a connection and never a byte beyond. See line.h.
 */
#include "line.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void line_reset(struct line *l)
{
    l->len = 0;
    l->bytes[0] = '\0';
}

static ssize_t receive(int fd, char *to, size_t len, int flags)
{
    ssize_t got;

    do {
        got = recv(fd, to, len, flags);
    } while (got < 0 && errno == EINTR);
    return got;
}

enum line_status line_take(struct line *l, int fd)
{
    char *to = l->bytes + l->len, *newline;
    ssize_t got = receive(fd, to, LINE_LONGEST - l->len, MSG_PEEK);

    if (got == 0)
        return LINE_END;
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? LINE_MORE : LINE_ERROR;
    newline = memchr(to, '\n', (size_t)got);
    if (newline != NULL)
        got = newline - to + 1;
    got = receive(fd, to, (size_t)got, 0);
    if (got <= 0)
        return LINE_ERROR;
    l->len += (size_t)got;
    if (newline != NULL) {
        l->bytes[--l->len] = '\0';
        return LINE_WHOLE;
    }
    l->bytes[l->len] = '\0';
    return l->len == LINE_LONGEST ? LINE_LONG : LINE_MORE;
}

bool line_waits(const struct line_buffer *b)
{
    return memchr(b->bytes, '\n', b->len) != NULL;
}

enum line_status line_next(struct line_buffer *b, struct line *l, int fd)
{
    char *newline;

    if (!line_waits(b)) {
        ssize_t got;

        if (b->len == LINE_LONGEST)
            return LINE_LONG;
        got = receive(fd, b->bytes + b->len, LINE_LONGEST - b->len, 0);
        if (got == 0)
            return LINE_END;
        if (got < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? LINE_MORE : LINE_ERROR;
        b->len += (size_t)got;
    }
    newline = memchr(b->bytes, '\n', b->len);
    if (newline == NULL)
        return b->len == LINE_LONGEST ? LINE_LONG : LINE_MORE;
    *newline = '\0';
    l->len = (size_t)(newline - b->bytes);
    memcpy(l->bytes, b->bytes, l->len + 1);
    b->len -= l->len + 1;
    memmove(b->bytes, newline + 1, b->len);
    return LINE_WHOLE;
}
