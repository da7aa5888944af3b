/*
 * leave: how a program ends that has session children. See leave.h.
 */
#include "leave.h"

#include "child.h"
#include "log.h"
#include "loop.h"
#include "session.h"

#include <signal.h>
#include <stdbool.h>

static void (*stop_taking)(void);
static bool draining;

static void leave(int signo)
{
    (void)signo;
    loop_stop();
}

static void leave_if_drained(void)
{
    if (draining && session_count() == 0)
        loop_stop();
}

static void drain(int signo)
{
    (void)signo;
    if (!draining) {
        draining = true;
        log_event("drain sessions=%d", session_count());
        stop_taking();
    }
    leave_if_drained();
}

/* The sessions' ends are seen, and logged, before it leaves. */
static void end_sessions(int signo)
{
    drain(signo);
    child_signal_all(SIGKILL);
}

void leave_on_signals(void (*stop)(void))
{
    stop_taking = stop;
    session_on_last_end(leave_if_drained);
    loop_signal(SIGTERM, leave);
    loop_signal(SIGUSR1, drain);
    loop_signal(SIGINT, end_sessions);
    loop_signal(SIGQUIT, end_sessions);
    loop_handle(SIGHUP, SIG_IGN);
    loop_handle(SIGPIPE, SIG_IGN);
}
