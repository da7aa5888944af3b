/*
 * via: reaches a relay through a command, as OpenSSH's ProxyCommand does.
 *
 * The command's standard input and output are the connection; its standard
 * error is this program's. It knows nothing of what goes through it.
 */
#ifndef VIA_H
#define VIA_H

#include "child.h"
#include "dial.h"
#include "leg.h"
#include "loop.h"

/* The longest command, %h and %p written out, and a NUL. */
#define VIA_SIZE 4096

/* Returns NULL, or what is wrong with the command as half a sentence (static). */
const char *via_wrong(const char *command);

/*
 * Writes %h, %p and %% out (ssh_config(5), TOKENS), behind the "exec " that
 * the shell is to do. IPv6 addresses have no brackets. Returns 0, or -1 with
 * errno: EINVAL (the host may not stand there, or the command is a wrong one)
 * or E2BIG.
 */
int via_expand(char line[VIA_SIZE], const char *command, const struct dial_host *to);

/* A command in the parent, for a control connection. The owner keeps it in place until it ended. */
struct via {
    struct child child;             /* first */
    void (*ended)(void *owner, int status);     /* waitpid's */
    void *owner;
    bool running;
    int urged;                      /* how often it was told to end */
    struct timer patience;
};

/*
 * Starts it; ended and owner are set. Returns the connection, non-blocking and
 * the caller's, or -1 with errno. The command ends with this process.
 */
int via_start(struct via *v, const char *command, const struct dial_host *to);

/* The connection is closed: the command is to end now, and is made to where it does not. */
void via_stop(struct via *v);

/*
 * In a session child, which becomes the leader of a process group, so that
 * signals reach the command too: starts it and makes it a leg. Returns its
 * pid, or -1 with errno. The command ends with this process.
 */
pid_t via_open(const char *command, const struct dial_host *to, struct leg *leg);

/*
 * So too, for what needs no end of file in one direction: one socket, non-blocking,
 * for both. Returns it, or -1 with errno. The command ends with this process.
 */
int via_open_socket(const char *command, const struct dial_host *to);

/*
 * In a session child whose leg is closed: waits until the command has sent the
 * rest and ended, and ends it where that takes too long: seconds after a
 * session that failed, minutes after one that went well.
 */
void via_wait(pid_t pid, bool well);

#endif
