/*
 * ptth_client: PTTH's terminator beside clients: connections to a local port
 * become connections of a service that a relay has.
 */
#include "client_proto.h"
#include "ptth_call.h"

#include "../forward_proxy.h"
#include "../log.h"
#include "../lograte.h"
#include "../sandbox.h"
#include "../session.h"
#include "../sock.h"
#include "../text.h"
#include "../wipe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct calling *calling;
static struct listener listener;
static int listening = -1;

/* What the process of a session has to call. */
struct calls {
    struct ptth_way way;
    int local;
    char connect[PTTH_HEAD], upstream[PTTH_HEAD];
};

static void serve(void *arg, struct session_report *report)
{
    struct calls *c = arg;
    struct copy_rules rules = {.peer_seconds = calling->peer_seconds};
    struct leg local = leg_of_socket(c->local), relay;
    int failed = ptth_call_client(&c->way, c->connect, c->upstream, c->local, &relay, report->why);

    forward_proxy_forget();
    if (failed) {
        leg_reset(&local);
        return;
    }
    sandbox_enter(false);
    copy_run(&local, &relay, &rules, &report->copy);
    if (report->copy.end == COPY_ERROR)
        leg_explain(&relay, report->copy.error, report->why, sizeof report->why);
}

static void refuse(int fd, const struct addr *from, const char *reason)
{
    char client[ADDR_TEXT];

    lograte_event(LOGRATE_REFUSE, "refuse service=%s client=%s reason=%s", calling->service, addr_text(from, client),
                  reason);
    sock_reset(fd);
}

static void accepted(void *unused, int fd, const struct addr *from)
{
    struct calls calls = {
        .way = {
            .relay = calling->relay,
            .via = calling->via,
            .proxy = calling->proxy,
            .seconds = calling->silence_seconds,
        },
        .local = fd,
    };
    struct session_plan plan = {.service = calling->service, .client = from};
    struct session_task task = {
        .body = serve,
        .arg = &calls,
        .keep = {fd, -1, -1, -1},
        .stdio = calling->via != NULL ? CHILD_STDERR : 0,
        .leads_group = calling->via != NULL,
    };

    (void)unused;
    if (session_full(calling->max_sessions)) {
        refuse(fd, from, "limit");
        return;
    }
    ptth_head(calls.connect, &calls.way, PTTH_CONNECT, calling->service);
    ptth_head(calls.upstream, &calls.way, PTTH_UPSTREAM, PTTH_NO_ID);
    if (session_fork(&plan, &task) < 0)
        refuse(fd, from, "limit");
    else
        close(fd);
    wipe(&calls, sizeof calls);
}

static int start(const struct calling *c, struct addr *at)
{
    calling = c;
    listening = sock_bind(&c->listen);
    if (listening < 0 || sock_listen(listening) != 0 || addr_local(at, listening) != 0)
        return -1;
    listener = (struct listener){.accepted = accepted};
    return listener_start(&listener, listening);
}

static void stop(void)
{
    listener_stop(&listener);
    close(listening);
}

static bool service_valid(const char *service)
{
    char server[NAME_SIZE];

    return ptth_service_valid(service, server);
}

const struct client_proto ptth_client = {
    .scheme = "ptth",
    .port = HTTP_PORT,
    .service_valid = service_valid,
    .start = start,
    .stop = stop,
};
