/*
 * line: takes lines from a connection and never a byte beyond.
 *
 * What is read is looked at first (MSG_PEEK) and taken exactly to the end of
 * the line, so that the bytes of a session that follow it stay in the kernel.
 */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>

/* The longest line of any of the protocols, its newline included. */
#define LINE_LONGEST 512

struct line {
    size_t len;                     /* without the newline, once it is whole */
    char bytes[LINE_LONGEST + 1];   /* a NUL behind it */
};

enum line_status {
    LINE_WHOLE,     /* bytes and len are the line without its newline */
    LINE_MORE,      /* not whole yet: come back when the socket is readable */
    LINE_LONG,      /* longer than LINE_LONGEST */
    LINE_END,       /* end of file */
    LINE_ERROR      /* errno says which */
};

/* Begins a new line. */
void line_reset(struct line *l);

/* Reads on from a non-blocking socket. After LINE_WHOLE call line_reset. */
enum line_status line_take(struct line *l, int fd);

#endif
