/*
 * transport: a process that carries many sessions in one connection, as the
 * parent sees it.
 *
 * Each session's own connection is handed to it over a channel; it says how
 * they end, and what becomes of itself, by reports. What goes over the one
 * connection is not known here.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "child.h"
#include "job.h"

/* The owner keeps it in place from transport_start until ended was called. */
struct transport {
    struct child child;             /* first, so that a child's end finds it */
    int channel;                    /* -1: it takes no more */
    uint64_t token;                 /* what its reports show */
    /* What it says of itself: any report but REPORT_END. */
    void (*said)(void *owner, const struct report *r);
    /* Its process has ended, and its sessions have. */
    void (*ended)(void *owner);
    void *owner;
    struct transport *next, **link;
};

/* What the process is told. */
struct transport_seat {
    int fd;                         /* the one connection */
    int channel;                    /* a struct job each, with one descriptor, or none; its end: no more */
    int reports;                    /* for report_send */
    uint64_t token;                 /* to be shown in each */
    const char *program;            /* for titles */
};

/* Once: what processes report to, and who is told first that one has ended, while its reports are still its own. */
void transport_setup(const char *program, int reports, void (*died)(const struct transport *t));

/*
 * Forks a process that runs body on a copy of fd, and leaves when that returns.
 * It enters the sandbox itself, when it has what it needs. title is what ps shows
 * behind the program's name. The caller has set said, ended
 * and owner. -1 with errno.
 */
int transport_start(struct transport *t, int fd, const char *title,
                    void (*body)(const struct transport_seat *seat, void *arg), void *arg);

/* Hands a connection over; fd stays the caller's (-1: there is none). -1 with errno (EAGAIN: it does not keep up). */
int transport_give(struct transport *t, const struct job *job, int fd);

/* It takes no more; what it carries goes on. */
void transport_leave(struct transport *t);

/* A report's, or NULL: it is nobody's. */
struct transport *transport_of(const struct report *r);

#endif
