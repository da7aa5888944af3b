/*
 * worker: session children that are used again, as the parent sees them.
 *
 * Each has a channel of its own, so that it is known who has which session. A
 * worker is idle, or busy with one session. Some idle ones are kept for a
 * while; how often each is used is bounded. It knows nothing of what a session is for.
 */
#ifndef WORKER_H
#define WORKER_H

#include "child.h"
#include "job.h"

struct worker {
    struct child child;             /* first, so that a child's end finds its worker */
    int channel;                    /* -1: given up; it leaves after its session */
    int uses;                       /* sessions given to it */
    uint64_t token;                 /* what its reports show */
    void *session;                  /* what it is busy with; NULL: idle */
    long long since;                /* clock_ms when it became idle */
    struct worker *newer, *older;   /* of the idle ones */
};

struct worker_rules {
    int uses;               /* sessions that one child serves, one after the other */
    int spare;              /* idle children kept at most */
    /* What workers have reported is to be looked at now: it says who is idle, and who ended well. */
    void (*reports)(void);
    /* It has died in the middle of this session. */
    void (*died)(void *session);
};

/*
 * Once, while /proc can be seen: so many workers at once; program is for
 * titles, reports what they report to. -1 with errno.
 */
int worker_setup(const char *program, int most, int reports, const struct worker_rules *rules);

/* Sees to it that one is idle. -1 with errno: the next worker_start would fail. */
int worker_prepare(void);

/*
 * Gives a session to a worker, an idle one or a new one, which has copies of
 * the descriptors then. Fills in the job's token and framings. The worker, or NULL with
 * errno (EAGAIN: the system, or the table, has no room for another).
 */
struct worker *worker_start(struct job *job, const struct leg *client, const struct leg *server, void *session);

/* Its session has ended. */
void worker_done(struct worker *w);

/* Descriptors are short: no channel is kept, neither of idle workers nor of busy ones. */
void worker_retire_all(void);

/* It takes no further session. */
void worker_retire(struct worker *w);

#endif
