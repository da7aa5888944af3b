/*
 * sock: stream sockets, non-blocking and close-on-exec.
 *
 * A thin layer over the system's calls: returns -1 with errno and never
 * prints. Whoever gets a descriptor owns it.
 */
#ifndef SOCK_H
#define SOCK_H

#include "addr.h"

/* Binds a stream socket and keeps others from binding the same port. See portpool.h. */
int sock_bind(const struct addr *a);

/* Lets the bound socket take connections, and takes that back. */
int sock_listen(int fd);
int sock_unlisten(int fd);

/*
 * Takes one connection from a listener, set as by sock_session_options. *from may be NULL; an IPv4 peer of an
 * IPv6 socket is given as IPv4. Returns -1 with errno (EAGAIN: none there).
 */
int sock_accept(int listener, struct addr *from);

/* Begins to connect: returns the socket, -1 with errno; *connected: it is, else that is under way. */
int sock_connect_start(const struct addr *a, bool *connected);

/* Waits at most so many milliseconds until it is connected: 0, or -1 with errno (ETIMEDOUT). */
int sock_connect_wait(int fd, int milliseconds);

/*
 * Two ends of a TCP connection from here to here, set as by sock_session_options:
 * unlike a pair of unix sockets it can be reset. -1 with errno.
 */
int sock_pair(int ends[2]);

/* The error that waits on a socket, 0 if none. It is taken by asking. */
int sock_error(int fd);

/* Whether the connection is broken: an error waits on it, or it is reset. Takes nothing. */
int sock_broken(int fd);

/* write(), but for signals. */
ssize_t sock_write(int fd, const char *bytes, size_t len);

/*
 * Sends all of it at once. Returns -1 with errno where the system does not
 * take it whole (EAGAIN): lines that a peer does not take are lost with it.
 */
int sock_send(int fd, const char *bytes, size_t len);

/* A connection that is to be reset if it is closed without sock_close_gently. */
void sock_abort_on_close(int fd);

/* Closing is an ordinary end of file again; what is under way arrives. */
void sock_close_gently(int fd);

/* Resets the connection and closes the descriptor. */
void sock_reset(int fd);

/* What every session's connection is set to; a listener's are born with it. Harmless on unix sockets. */
void sock_session_options(int fd);

/* A session's peer that has nothing to say for long is asked whether it is there. */
void sock_probe(int fd);

/* What control connections are set to: a peer that is gone shows within silence seconds. */
void sock_control_options(int fd, int silence);

int sock_set_blocking(int fd, int blocking);

/* Whether the system has IPv6 sockets. */
bool sock_has_ipv6(void);

#endif
