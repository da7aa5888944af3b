/*
 * session: one process per session, and what the parent knows of it.
 *
 * A session of two sockets goes to a child that is used again (worker); one
 * that needs more has a child forked for it alone. Either reports its end, and
 * needs no parent. The parent logs pair and end.
 */
#ifndef SESSION_H
#define SESSION_H

#include "addr.h"
#include "job.h"
#include "name.h"

#include <sys/types.h>

struct transport;

struct session_plan {
    const char *service;
    const struct addr *client;      /* its len is 0 where nobody knows */
    long long waited_ms;            /* for the log */
    /* In the parent, once it has ended. May be NULL. */
    void (*ended)(void *owner, const struct addr *client, enum copy_end end, uint32_t mark);
    void *owner;
    uint32_t mark;                  /* the owner's, for ended */
};

/* What a child of its own does. */
struct session_task {
    /* In the child: owns what keep names and nothing else. */
    void (*body)(void *arg, struct session_report *report);
    void *arg;
    int keep[4];                    /* descriptors the child keeps; -1: none */
    unsigned stdio;                 /* CHILD_STDIN... that it keeps too */
    bool leads_group;               /* it becomes the leader of a process group */
};

struct session_rules {
    int most;           /* at once */
    int child_uses;     /* sessions that one child serves, one after the other */
    int spare_children; /* kept while they have nothing to do */
};

/* Once, while /proc can be seen. Returns -1 with errno. */
int session_init(const char *program, const struct session_rules *rules);

/*
 * Gives the session to a child that is used again; the job's subject, title and
 * framings are filled in. server may be NULL. Both return the process's pid, or -1
 * with errno (EAGAIN: as many as there may be); the legs, which are sockets, are
 * still the caller's to close.
 */
pid_t session_start(const struct session_plan *plan, struct job *job, const struct leg *client, const struct leg *server);

/*
 * Gives the session to a transport, with its own connection: client_fd, which is
 * still the caller's to close. As session_start.
 */
pid_t session_carry(const struct session_plan *plan, struct transport *by, struct job *job, int client_fd);

/* Sees to it that there is a child for it. -1 with errno: session_start would fail. */
int session_prepare(void);

/* Gives up what children that are to be used again take of this process's descriptors. */
void session_spare_descriptors(void);

/* Forks a child for it alone. */
pid_t session_fork(const struct session_plan *plan, const struct session_task *task);

/* Sees to the sessions that have ended by now; others do so some milliseconds later. */
void session_catch_up(void);

/* Kills the processes of this owner's sessions: each end is logged, and told, as that of one that was killed. */
void session_kill(const void *owner);

/* How many live. */
int session_count(void);

/* Whether so many do, of whom none has reported its end. */
bool session_full(int most);

/* Calls then() whenever the last session that lived has ended. */
void session_on_last_end(void (*then)(void));

#endif
