/*
 * session: one forked child per session, and what the parent knows of it.
 *
 * The parent logs pair and end. What a child does is its caller's; it reports
 * in one message over a pipe that all children share, and needs no parent.
 */
#ifndef SESSION_H
#define SESSION_H

#include "addr.h"
#include "copy.h"
#include "name.h"

/* What a child says of its session when it leaves. */
struct session_report {
    struct copy_result copy;
    char why[96];       /* of COPY_ERROR, for the log; "": nothing to say */
};

struct session_plan {
    const char *service;
    const struct addr *client;      /* its len is 0 where nobody knows */
    long long waited_ms;            /* for the log */
    /* In the child: owns what keep names and nothing else. */
    void (*body)(void *arg, struct session_report *report);
    void *arg;
    int keep[4];                    /* descriptors the child keeps; -1: none */
    unsigned stdio;                 /* CHILD_STDIN... that it keeps too */
    bool leads_group;               /* it becomes the leader of a process group */
    /* In the parent, once it has ended. May be NULL. */
    void (*ended)(void *owner, const struct addr *client, enum copy_end end);
    void *owner;
};

/* Room for so many at once. Returns -1 with errno. */
int session_init(const char *program, int most);

/*
 * Forks a child. In the parent: its pid, and the descriptors are still the
 * caller's to close; or -1 with errno (EAGAIN: as many as there may be).
 */
pid_t session_start(const struct session_plan *plan);

/* How many live. */
int session_count(void);

/* Calls then() whenever the last session that lived has ended. */
void session_on_last_end(void (*then)(void));

#endif
