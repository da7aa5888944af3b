/*
 * uplink: the connection from relay-connect to its relay, kept up for ever.
 *
 * It dials, or starts a command that does, hands the connection to the
 * protocol, and dials again, with backoff, when the protocol says that it is
 * lost. It knows no protocol.
 */
#ifndef UPLINK_H
#define UPLINK_H

#include "backoff.h"
#include "dial.h"
#include "loop.h"
#include "via.h"

#define UPLINK_HOSTS 8

struct uplink {
    const char *service;            /* for the log */
    const struct dial_host *hosts;
    int host_count;
    const char *via;                /* reach it through this command; NULL: dial */
    const struct forward_proxy *proxy;  /* dial through it; NULL: directly */
    bool once;                      /* do not dial again */
    void (*connected)(void *owner, int fd);
    void (*ended)(void *owner);     /* with once: it was lost, or never reached */
    void *owner;
    bool reached;                   /* the protocol said so, at least once */
    bool stopped;
    int at;                         /* which of the hosts is connected to; with via, which this attempt is for */
    bool answered;                  /* the protocol said so in this attempt */
    bool renewed;                   /* it has been, and was not lost since */
    bool waits;                     /* for the last command to end, then for the next attempt */
    bool lost_once;                 /* or, with once, to be done */
    struct dial dial;
    struct via command;
    struct backoff backoff;
    struct timer again;
};

/* Dials. The caller has set everything above reached. */
void uplink_start(struct uplink *u);

/* Dials no more. */
void uplink_stop(struct uplink *u);

/* The relay serves: the next failure is the first again. */
void uplink_reached(struct uplink *u);

/* The host that the connection goes to. */
const struct dial_host *uplink_host(const struct uplink *u);

/* Closes the connection that connected handed over. */
void uplink_close(struct uplink *u, int fd);

/* The connection has served its time, and the protocol has closed it: another is made after so long, without a word. */
void uplink_renew(struct uplink *u, long long wait_ms);

/* The connection, which the protocol has closed, is lost. The reason is for the log. */
void uplink_lost(struct uplink *u, const char *reason);

#endif
