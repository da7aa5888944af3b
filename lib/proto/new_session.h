/*
 * new_session: the server's side of the protocol `new`: a client that was
 * announced becomes a session.
 *
 * It claims the client with a connection to the relay, opens one to the local
 * server, or runs the command, and starts the process that serves both.
 */
#ifndef NEW_SESSION_H
#define NEW_SESSION_H

#include "new_line.h"
#include "server_proto.h"
#include "../session.h"

struct new_session {
    const struct offering *offering;
    const struct addr *relay;           /* where the control connection goes; unset with --via */
    const struct dial_host *host;       /* the relay as the command of --via is told it */
    const char *public_host;            /* the public address, for a PROXY header and UCSPI */
    unsigned public_port;               /* 0: not known */
    const struct new_line *line;        /* what announced it */
    int data_fd;                        /* a data connection that has claimed it; -1: one is to be made */
    const char *turn_away;              /* why it is only claimed and reset; NULL: it is served */
    void (*ended)(void *owner, const struct addr *client, enum copy_end end, uint32_t mark);
    void *owner;
};

/* data_fd stays the caller's. The pid of the process that serves it, or -1 with errno: the relay will not hear of it. */
pid_t new_session_start(const struct new_session *s);

#endif
