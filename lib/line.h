/*
 * line: takes lines from a connection, where it may become a session's never a
 * byte beyond.
 */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
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

/*
 * Reads on from a non-blocking socket. After LINE_WHOLE call line_reset. What is
 * read is looked at first (MSG_PEEK) and taken exactly to the end of the line,
 * so that the bytes of a session that follow it stay in the kernel.
 */
enum line_status line_take(struct line *l, int fd);

/* What was read of a connection that has nothing but lines. All zeroes: nothing. */
struct line_buffer {
    size_t len;
    char bytes[LINE_LONGEST];
};

/* The next line of what was read before, or from the socket, which is read at most once. */
enum line_status line_next(struct line_buffer *b, struct line *l, int fd);

/* Whether line_next has a line without reading. */
bool line_waits(const struct line_buffer *b);

#endif
