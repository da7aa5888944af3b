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

/* The next descriptors are its. */
static struct leg take_leg(const struct job_leg *j, const int **fds)
{
    int rfd = *(*fds)++;

    if (!j->framing.http)
        return leg_of_socket(rfd);
    return leg_of_bodies(rfd, *(*fds)++, &j->framing);
}

static void serve(struct state *s, const struct job *job, const int *fds)
{
    struct leg client = take_leg(&job->client, &fds), server = take_leg(&job->server, &fds);
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
    int fds[HANDOVER_MOST];

    while (s.channel >= 0) {
        os_title(idle_title);
        if (handover_take(s.channel, &job, sizeof job, fds, HANDOVER_MOST, 0) != (ssize_t)sizeof job || fds[0] < 0)
            break;
        serve(&s, &job, fds);
    }
    _exit(0);
}
