/*
 * report: what a session's process tells the parent. See report.h.
 */
#include "report.h"

#include <errno.h>
#include <unistd.h>

void report_send(int to, const struct report *r)
{
    while (write(to, r, sizeof *r) < 0 && errno == EINTR)
        ;
}
