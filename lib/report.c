/*
 * report: what a session's process tells the parent. See report.h.
 */
#include "report.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* The pipe is full only while the parent is slow, and broken once it is gone. */
void report_send(int pipe, const struct report *r)
{
    struct pollfd p = {.fd = pipe, .events = POLLOUT};

    while (write(pipe, r, sizeof *r) < 0 && (errno == EAGAIN || errno == EINTR))
        poll(&p, 1, -1);
}
