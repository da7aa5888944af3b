/*
 * http_reader: takes heads of HTTP messages from a connection, and never a byte
 * beyond.
 */
#ifndef HTTP_READER_H
#define HTTP_READER_H

#include "http_head.h"

struct http_reader {
    size_t len;                             /* of the head, once it is whole */
    char bytes[HTTP_HEAD_LONGEST + 1];      /* a NUL behind it */
};

enum http_reader_status {
    HTTP_READER_WHOLE,  /* bytes and len are the head */
    HTTP_READER_MORE,   /* not whole yet: come back when the socket is readable */
    HTTP_READER_BAD,    /* it is no head */
    HTTP_READER_LONG,   /* longer than HTTP_HEAD_LONGEST */
    HTTP_READER_END,    /* end of file */
    HTTP_READER_ERROR   /* errno says which */
};

/* Begins a new head. */
void http_reader_reset(struct http_reader *r);

/*
 * Reads on from a non-blocking socket; what is read is looked at first
 * (MSG_PEEK) and taken exactly to the head's end. After HTTP_READER_WHOLE call
 * http_reader_reset.
 */
enum http_reader_status http_reader_take(struct http_reader *r, int fd);

/*
 * Begins a new head and waits for it, where waiting harms nobody, until end (of
 * clock_ms), or until the socket other is broken (-1: there is none):
 * HTTP_READER_MORE with errno, ETIMEDOUT or ECONNRESET.
 */
enum http_reader_status http_reader_wait(struct http_reader *r, int fd, int other, long long end);

#endif
