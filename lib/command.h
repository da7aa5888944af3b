/*
 * command: serves a connection with a command, as inetd does.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "addr.h"
#include "dial_host.h"
#include "leg.h"
#include "session.h"

/* What the command is told by the UCSPI environment (cr.yp.to/proto/ucspi.txt). */
struct command_peers {
    const struct addr *client;      /* TCPREMOTEIP, TCPREMOTEPORT; its len is 0 where nobody knows */
    const struct addr *relay;       /* TCPLOCALIP; its len is 0 where nobody knows */
    const char *public_host;        /* TCPLOCALHOST */
    unsigned public_port;           /* TCPLOCALPORT; 0: not known */
};

/*
 * Runs the command with the connection as its standard input and output, and
 * waits for it. When it ends by itself, what it wrote arrives, followed by an
 * end of file; when it is killed, the connection is reset. Takes the leg.
 */
void command_run(char **command, struct leg *leg, const struct command_peers *peers, struct session_report *report);

/*
 * The same where the connection is no descriptor that a command could have: it
 * gets one of its own, whose other end becomes *local, and another process waits for it. Returns
 * that process's pid, or -1 with the reason in why; whatever ends this process ends the command.
 */
pid_t command_beside(char **command, const struct leg *leg, const struct command_peers *peers, struct leg *local,
                     char why[DIAL_WHY]);

#endif
