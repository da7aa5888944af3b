/*
 * hostpool_reader: takes the frames of the protocol `hostpool` from a
 * connection, one at a time and never a byte beyond.
 */
#ifndef HOSTPOOL_READER_H
#define HOSTPOOL_READER_H

#include "hostpool_message.h"

/* Longer frames than this are rare: those of the protocol as it is have less, unless a host's name is long. */
#define HOSTPOOL_NEAR 64

/* So many of them may be under way at once. */
#define HOSTPOOL_FAR 16

/* Once. -1 (ENOMEM). */
int hostpool_reader_setup(void);

/* All zeroes: nothing of a frame has come. */
struct hostpool_reader {
    size_t len;                         /* of what has come */
    unsigned char *far;                 /* where a longer frame is; NULL: in near */
    unsigned char near[HOSTPOOL_NEAR];
};

enum hostpool_read {
    HOSTPOOL_READ,      /* a whole frame */
    HOSTPOOL_WAIT,      /* not whole yet: come back when the socket is readable */
    HOSTPOOL_LONG,      /* its message is too long */
    HOSTPOOL_END,       /* end of file */
    HOSTPOOL_ERROR      /* errno says which (ENOBUFS: too many long ones are under way) */
};

/* Reads on from a non-blocking socket. */
enum hostpool_read hostpool_read(struct hostpool_reader *r, int fd);

/* The message of a whole frame, the reader's until hostpool_forget. */
const unsigned char *hostpool_message(const struct hostpool_reader *r, size_t *len);

/* Begins a new frame. Whatever came of the last one, and what it took, is given up. */
void hostpool_forget(struct hostpool_reader *r);

#endif
