/*
 * http_body: how bodies of HTTP/1.1 messages are framed: by a length, or in
 * chunks (RFC 9112, 6 and 7.1).
 *
 * Pure: bytes in, their content out, and the other way round. Whose bytes they
 * are, and what becomes of them, is the caller's.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum http_body_kind {
    HTTP_BODY_RAW,          /* not framed: it ends with the connection */
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED
};

/* A body that is being read. All zeroes: HTTP_BODY_RAW. */
struct http_body {
    unsigned char kind;         /* enum http_body_kind */
    unsigned char state;        /* this and what follows is http_body's */
    bool over;                  /* its end has been read; never of HTTP_BODY_RAW */
    unsigned short framing;     /* bytes of framing since the last content */
    unsigned long long left;    /* of the content: of the length, or of the chunk */
};

/* A body of so many bytes; 0: it is over. */
struct http_body http_body_of_length(unsigned long long length);
struct http_body http_body_in_chunks(void);

/*
 * Reads on: takes the framing out of these bytes, in place. Returns how many
 * bytes of content are left at their start, or -1: malformed. *used, unless it
 * is NULL: how many bytes were the body's; less than len only where it is over.
 */
ssize_t http_body_take(struct http_body *b, char *bytes, size_t len, size_t *used);

/* What goes around a chunk of at most 0xffffff bytes: before it at most so much, and behind it. */
#define HTTP_CHUNK_BEFORE 8
#define HTTP_CHUNK_BEHIND 2
#define HTTP_LAST_CHUNK 5

/*
 * Makes a chunk of len bytes (not 0) that lie behind HTTP_CHUNK_BEFORE bytes of
 * room at frame, with HTTP_CHUNK_BEHIND bytes of room behind them. Returns where
 * in frame the chunk begins; it ends with the room behind.
 */
size_t http_chunk_wrap(char *frame, size_t len);

/* Writes the last chunk, HTTP_LAST_CHUNK bytes. */
void http_chunk_last(char *to);

#endif
