/*
 * hostpool_message: the messages of the protocol `hostpool` as structures, and
 * the frames that they travel in.
 *
 * Pure: bytes in, fields out, and the other way round. No socket, no state.
 */
#ifndef HOSTPOOL_MESSAGE_H
#define HOSTPOOL_MESSAGE_H

#include "../addr.h"

#include <stddef.h>
#include <stdint.h>

/* The version of Hello and Command that there is. */
#define HOSTPOOL_VERSION 1

/* A frame is the length of a message, 4 bytes, the highest first, and the message. */
#define HOSTPOOL_HEAD 4

/* The longest message that is read, in bytes: a bound of ours, ten times what any of them needs. */
#define HOSTPOOL_LONGEST 4096

/* The longest frame that is written: a welcome's: session -1, a host and a port of 5 digits, each with a tag. */
#define HOSTPOOL_WRITTEN (HOSTPOOL_HEAD + 11 + 3 + (ADDR_HOST - 1) + 2 + 5)

enum hostpool_status {
    HOSTPOOL_WHOLE,     /* the frame is whole; the bytes behind it are not its */
    HOSTPOOL_MORE,      /* not whole yet: all these bytes are part of it */
    HOSTPOOL_BAD        /* its message is longer than HOSTPOOL_LONGEST: known with the head */
};

/*
 * Looks at the frame that the bytes begin with. With HOSTPOOL_WHOLE and
 * HOSTPOOL_MORE *frame_len is its length in bytes, head included, or
 * HOSTPOOL_HEAD while the head is not whole: who reads no further than that
 * takes no byte that is not its. Its message stands behind the head, in the
 * caller's bytes; it may be empty.
 */
enum hostpool_status hostpool_frame(const unsigned char *bytes, size_t len, size_t *frame_len);

/* HostProcessHelloResponse: what the relay answers to a Hello. */
struct hostpool_welcome {
    int32_t session;
    char host[ADDR_HOST];   /* where clients come */
    unsigned port;          /* 1 to 65535 */
};

/* Values of message_type. */
enum { HOSTPOOL_OPEN = 0, HOSTPOOL_DROP = 1 };

struct hostpool_command {
    int32_t version;
    int32_t type;       /* another one than those above is to be ignored */
    int32_t session;    /* assigned_to_session of an OPEN, session_id of a DROP; 0 of others */
};

/*
 * Each parses a message, without its frame's head, and keeps nothing of the
 * bytes. Returns 0, or -1 if it is malformed, or if a welcome has no valid
 * host (addr_host_valid) or no port from 1 to 65535, of 5 digits at most; what
 * it was to fill has no meaning then. As in all of protobuf, fields that are
 * not known, or known with another type, are skipped, numbers that are not
 * there are 0, and of a field that is there twice the last one counts.
 */
int hostpool_hello_parse(const unsigned char *bytes, size_t len, int32_t *version);
int hostpool_welcome_parse(const unsigned char *bytes, size_t len, struct hostpool_welcome *welcome);
int hostpool_command_parse(const unsigned char *bytes, size_t len, struct hostpool_command *command);

/*
 * Each writes a whole frame and returns its length in bytes, which is never
 * more than there is room for. A command of another type than those above is
 * written without a session.
 */
size_t hostpool_hello_put(int32_t version, unsigned char out[HOSTPOOL_WRITTEN]);
size_t hostpool_welcome_put(const struct hostpool_welcome *welcome, unsigned char out[HOSTPOOL_WRITTEN]);
size_t hostpool_command_put(const struct hostpool_command *command, unsigned char out[HOSTPOOL_WRITTEN]);

#endif
