/*
 * new_conn: the connections to a port of the protocol `new`: how they come, wait
 * for their lines, are told that they have to go, and go. What a line means
 * is new_words's.
 */
#ifndef NEW_CONN_H
#define NEW_CONN_H

#include "new_auth.h"
#include "new_offer.h"
#include "new_port.h"
#include "../line.h"
#include "../newcomers.h"

enum new_conn_state {
    NEW_ASKING,     /* has not said who it is */
    NEW_SERVING,    /* the control connection of an offer */
    NEW_LEAVING     /* was told [ERROR]; what it still sends is thrown away */
};

struct new_conn {
    struct new_control control; /* first, so that an offer's control finds its connection */
    struct watch watch;
    struct portpool *pool;      /* of the port that it came to; NULL: not in use */
    enum new_conn_state state;
    struct line line;
    struct timer deadline;      /* of the line, or of leaving */
    struct timer plain;         /* NEW_ASKING: silence until then makes it a plain server */
    struct timer ping;
    struct newcomer place;      /* until it serves, and again while it leaves */
    long long heard;            /* clock_ms of its last line */
    bool begun;                 /* has said something */
    bool hello;                 /* has said [HELLO]: it can be told [ERROR] */
    bool proving;               /* was told [AUTH], and has not answered yet */
    struct new_wish wish;       /* of its [HELLO] */
    struct new_auth auth;
};

/* What is done about what it says. It may be gone or leaving after each of these. */
struct new_conn_hooks {
    void (*line)(struct new_conn *c, const struct new_line *line);
    /* It is no line: code is the protocol's word for why. */
    void (*bad)(struct new_conn *c, const char *code);
    /* Nothing was said by one that is asking. */
    void (*silence)(void *conn);
};

/* Once: so many at a time; rules and hooks stay the caller's. -1 (ENOMEM). */
int new_conn_setup(const struct service_rules *rules, const struct new_conn_hooks *hooks, int most);

/* As endpoints_start's accepted. */
void new_conn_accepted(void *endpoint, int fd, const struct addr *from);

/* Connection i of those that ever were: its pool is NULL if it is gone. NULL beyond. */
struct new_conn *new_conn_at(size_t i);

/* Finds out which address it came to: control.reached. -1 with errno. */
int new_conn_locate(struct new_conn *c);

/* It has said who it is, and serves an offer from now on. */
void new_conn_serves(struct new_conn *c);

/* The time of a line runs from now on. */
void new_conn_line_due(struct new_conn *c);

/* Asks it every now and then whether it is there, and gives it up when it is not. */
void new_conn_ping(struct new_conn *c);

/* Forgets it and returns its descriptor, which is the caller's. */
int new_conn_release(struct new_conn *c);
void new_conn_close(struct new_conn *c);

/* Tells it why and gives it time to read that before it is closed. */
void new_conn_leave(struct new_conn *c, const char *code, const char *explanation);

/* It is not let in, and that is logged. One that offers a service loses it; plain servers are told nothing. */
void new_conn_reject(struct new_conn *c, const char *code, const char *explanation);

/* The server of a service has vanished, or has done what it must not: both are closed. */
void new_conn_gone(struct new_conn *c, const char *reason);

/* The log's word for an error code where it has one of its own. */
const char *new_conn_word(const char *code);

#endif
