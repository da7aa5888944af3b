/*
 * text: bounded text building without stdio.
 *
 * One job: put strings and numbers into a buffer that never overflows.
 * It knows nothing of where the text goes.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* The longest piece of a peer's text that %e lets through, in bytes. */
#define TEXT_PEER_MAX 128

struct text {
    char *data;     /* always ends in a NUL */
    size_t size;    /* of data, the NUL included */
    size_t len;     /* without the NUL */
    bool cut;       /* something did not fit */
};

/* Begins an empty text in the caller's buffer; size is at least 1. */
void text_init(struct text *t, char *data, size_t size);

/*
 * Adds text. %s a string as it is; %e a peer's string: what is not printable
 * ASCII, a space, a quote and a backslash become \xNN, and it is cut at
 * TEXT_PEER_MAX bytes; %d int; %u unsigned, %x in hex; %l long long; %%.
 */
void text_add(struct text *t, const char *format, ...);
void text_vadd(struct text *t, const char *format, va_list args);

/* Adds len bytes as lower-case hex. */
void text_hex(struct text *t, const unsigned char *bytes, size_t len);

/* What a hex digit of either case stands for, or -1: it is none. */
int text_hex_digit(char c);

/* Reads exactly 2 * count hex digits, in either case, that fill the string. Returns -1 where it is something else. */
int text_unhex(const char *s, unsigned char *bytes, size_t count);

/*
 * Reads a decimal number without a sign that fills the string.
 * Returns it, or -1 where it is none or is above max.
 */
long text_number(const char *s, long max);

/* Copies a string, cut to size - 1 bytes. Returns false if it was cut. */
bool text_copy(char *to, size_t size, const char *from);

#endif
