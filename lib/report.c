/*
 * report: what a session's process tells the parent. See report.h.
 */
#include "report.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

/* How soon it is tried again where the system has no room, in milliseconds. */
#define AGAIN_MS 20

static bool passes(int error)
{
    return error == EINTR || error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

int report_send(int to, const struct report *r)
{
    while (write(to, r, sizeof *r) < 0) {
        if (!passes(errno))
            return -1;
        poll(NULL, 0, AGAIN_MS);
    }
    return 0;
}
