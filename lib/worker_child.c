/*
 * worker_child: the process that serves sessions, one at a time. See worker_child.h.
 */
#include "worker_child.h"

#include "handover.h"
#include "job.h"
#include "opening.h"
#include "os.h"
#include "text.h"

#include <string.h>
#include <unistd.h>

struct state {
    int channel, reports;       /* channel -1: given up */
    struct report report;
};

/* It is not asked again: its channel is two sockets less for the machine. */
static void quiet(void *owner)
{
    struct state *s = owner;

    s->report.kind = REPORT_QUIET;
    report_send(s->reports, &s->report);
    close(s->channel);
    s->channel = -1;
}

static void serve(struct state *s, const struct job *job, int client_fd, int server_fd)
{
    struct leg client = leg_of_socket(client_fd), server = leg_of_socket(server_fd);
    struct copy_rules rules = {.idle_ms = job->idle_ms, .peer_seconds = job->peer_seconds, .quiet = quiet, .owner = s};
    struct session_report *end = &s->report.end;

    os_title(job->title);
    memset(&s->report, 0, sizeof s->report);
    s->report.subject = job->subject;
    end->copy.end = COPY_ERROR;
    if (opening_run(job, &client, &server, end->why) != 0) {
        leg_reset(&client);
        leg_reset(&server);
    } else {
        copy_run(&client, &server, &rules, &end->copy);
        if (end->copy.end == COPY_ERROR)
            text_copy(end->why, sizeof end->why, strerror(end->copy.error));
    }
    s->report.kind = REPORT_END;
    if (report_send(s->reports, &s->report) != 0)
        _exit(1);
}

void worker_child_run(int channel, int reports, const char *idle_title)
{
    struct state s = {.channel = channel, .reports = reports};
    struct job job;
    int fds[2];

    while (s.channel >= 0) {
        os_title(idle_title);
        if (handover_take(s.channel, &job, sizeof job, fds, 2, 0) != (ssize_t)sizeof job || fds[0] < 0)
            break;
        serve(&s, &job, fds[0], fds[1]);
    }
    _exit(0);
}
