/*
 * os: the few things that POSIX does not give, one small function each.
 *
 * os-linux.c has them for Linux, os-generic.c has a fallback that works on
 * any POSIX system. Nothing else in the tree asks which system it is on.
 */
#ifndef OS_H
#define OS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* accept(); the new socket is non-blocking and close-on-exec. -1 with errno. */
int os_accept(int listener, struct sockaddr *from, socklen_t *len);

/* A stream socket, non-blocking and close-on-exec. -1 with errno. */
int os_stream_socket(int family);

/* fork(), for a process without threads. */
pid_t os_fork(void);

/*
 * The program that runs, as a descriptor that stays good when its file is
 * replaced, or out of sight. -1 where the system has no such thing.
 */
int os_own_image(void);

/* execve() of that. Returns where it cannot be. */
void os_exec_image(int image, char **argv);

/* Closes the descriptors from low to high, both included. */
void os_close_range(int low, int high);

/* Fills buffer with random bytes fit for secrets. Returns -1 with errno. */
int os_random(void *buffer, size_t len);

/* Detects a dead peer: probe after idle seconds, then every interval, count times. */
void os_keepalive(int fd, int idle, int interval, int count);

/* Gives a TCP connection up when sent bytes stay unacknowledged for so long; 0: the system's choice. */
void os_user_timeout(int fd, unsigned milliseconds);

/*
 * Whether bytes that were sent on this socket wait for an acknowledgement, and
 * the peer has acknowledged nothing at all for so many seconds. A peer that is
 * there and only does not read is not silent: it answers window probes.
 * False where the system cannot tell. *unacknowledged: whether any bytes wait.
 */
bool os_peer_silent(int fd, unsigned seconds, bool *unacknowledged);

/* What poll() says, beside POSIX's, when the peer has ended its sending; 0 where the system does not. To be asked for. */
extern const short os_poll_ended;

/* What lies in these bytes is not needed any more: whole pages are given back, and all of it is zeroes then. */
void os_give_back(void *bytes, size_t len);

/* This process gets the signal when its parent, of this pid, ends, however that ends. */
void os_signal_with_parent(int signo, pid_t parent);

/* chroot(). -1 with errno. */
int os_chroot(const char *directory);

/*
 * setgroups, setgid and setuid, for a process without threads: root becomes
 * this user, with this one group. -1 with errno; some of it may be done then.
 */
int os_become(uid_t uid, gid_t gid);

/* Tries to be root, or of root's group, by setuid, seteuid and their like. Whether it is now. */
bool os_root_again(void);
bool os_root_group_again(void);

/*
 * What ps shows of this process. os_title_init makes room for it where main()'s
 * arguments are, and moves those elsewhere, so it comes before anything else
 * reads them; without it, or where the system has no way, os_title does nothing.
 */
void os_title_init(char **argv);
void os_title(const char *title);

/* The short name of this process, which other tools show. */
void os_name(const char *name);

#endif
