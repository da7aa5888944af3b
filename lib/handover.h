/*
 * handover: messages between processes, with descriptors beside their bytes.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <sys/types.h>

/* The most descriptors that one message has. */
#define HANDOVER_MOST 4

/* Two connected ends for messages, both close-on-exec. Returns -1 with errno. */
int handover_pair(int ends[2]);

/*
 * Sends one message; the descriptors stay the caller's, and the receiver has
 * copies. 0, or -1 with errno (EAGAIN: flags has MSG_DONTWAIT and there is no room).
 */
int handover_send(int channel, const void *bytes, size_t len, const int *fds, int count, int flags);

/*
 * Takes one message: its length, 0 where the other end is gone, -1 with errno
 * (EAGAIN: flags has MSG_DONTWAIT and there is none). The descriptors that came
 * are the caller's, and stay open over exec; -1 stands in the place of those that did not.
 */
ssize_t handover_take(int channel, void *bytes, size_t size, int *fds, int count, int flags);

#endif
