/*
 * http_body: the framing of bodies, taken out and put around. See http_body.h.
 */
#include "http_body.h"

#include "text.h"

#include <string.h>

#define LONGEST_CHUNK (1ULL << 62)

/* Extensions and trailers are nobody's here: so much of them, with the framing itself, between two bytes of content. */
#define MOST_FRAMING 8192

/* What the next byte is: CONTENT of any kind of body, or framing of one in chunks. */
enum {
    CONTENT,
    CONTENT_CR,
    CONTENT_LF,
    SIZE,               /* its first digit */
    SIZE_ON,
    SIZE_SPACE,
    EXTENSION,
    SIZE_LF,
    TRAILER,            /* its first byte, or the end */
    TRAILER_ON,
    TRAILER_LF,
    LAST_LF,
    OVER,
    MALFORMED
};

struct http_body http_body_of_length(unsigned long long length)
{
    return (struct http_body){.kind = HTTP_BODY_LENGTH, .over = length == 0, .left = length};
}

struct http_body http_body_in_chunks(void)
{
    return (struct http_body){.kind = HTTP_BODY_CHUNKED, .state = SIZE};
}

/* Returns whether it is a digit, and the size is none too large. */
static bool add_digit(struct http_body *b, unsigned char c)
{
    int digit = text_hex_digit((char)c);

    if (digit < 0 || b->left > (LONGEST_CHUNK - (unsigned)digit) / 16)
        return false;
    b->left = b->left * 16 + (unsigned)digit;
    return true;
}

/* In text, what a CR leads to; MALFORMED of other control characters but HT. */
static int in_text(unsigned char c, int same, int at_end)
{
    if (c == '\r')
        return at_end;
    return c == '\t' || (c >= ' ' && c != 0x7f) ? same : MALFORMED;
}

static int behind_size(unsigned char c)
{
    if (c == ';')
        return EXTENSION;
    return c == ' ' || c == '\t' ? SIZE_SPACE : MALFORMED;
}

/* The state behind a byte of framing. */
static int next(struct http_body *b, unsigned char c)
{
    switch (b->state) {
    case CONTENT_CR:
        return c == '\r' ? CONTENT_LF : MALFORMED;
    case CONTENT_LF:
        return c == '\n' ? SIZE : MALFORMED;
    case SIZE:
        return add_digit(b, c) ? SIZE_ON : MALFORMED;
    case SIZE_ON:
        if (c == '\r')
            return SIZE_LF;
        return add_digit(b, c) ? SIZE_ON : behind_size(c);
    case SIZE_SPACE:
        return behind_size(c);
    case EXTENSION:
        return in_text(c, EXTENSION, SIZE_LF);
    case SIZE_LF:
        if (c != '\n')
            return MALFORMED;
        return b->left > 0 ? CONTENT : TRAILER;
    case TRAILER:
        return in_text(c, TRAILER_ON, LAST_LF);
    case TRAILER_ON:
        return in_text(c, TRAILER_ON, TRAILER_LF);
    case TRAILER_LF:
        return c == '\n' ? TRAILER : MALFORMED;
    case LAST_LF:
        return c == '\n' ? OVER : MALFORMED;
    default:
        return MALFORMED;
    }
}

static void take_framing(struct http_body *b, unsigned char c)
{
    b->state = (unsigned char)next(b, c);
    b->over = b->state == OVER;
    if (++b->framing > MOST_FRAMING)
        b->state = MALFORMED;
}

/* Returns how much of it is content. */
static size_t take_content(struct http_body *b, size_t len)
{
    if (b->kind == HTTP_BODY_RAW)
        return len;
    if (len > b->left)
        len = (size_t)b->left;
    b->left -= len;
    b->framing = 0;
    if (b->left == 0) {
        b->state = b->kind == HTTP_BODY_CHUNKED ? CONTENT_CR : CONTENT;
        b->over = b->kind == HTTP_BODY_LENGTH;
    }
    return len;
}

ssize_t http_body_take(struct http_body *b, char *bytes, size_t len, size_t *used)
{
    size_t at = 0, content = 0;

    while (at < len && !b->over && b->state != MALFORMED) {
        size_t part;

        if (b->state != CONTENT) {
            take_framing(b, (unsigned char)bytes[at++]);
            continue;
        }
        part = take_content(b, len - at);
        if (content != at)
            memmove(bytes + content, bytes + at, part);
        content += part;
        at += part;
    }
    if (used != NULL)
        *used = at;
    return b->state == MALFORMED ? -1 : (ssize_t)content;
}

size_t http_chunk_wrap(char *frame, size_t len)
{
    size_t at = HTTP_CHUNK_BEFORE - 2;

    memcpy(frame + HTTP_CHUNK_BEFORE + len, "\r\n", 2);
    memcpy(frame + at, "\r\n", 2);
    for (; len > 0; len /= 16)
        frame[--at] = "0123456789abcdef"[len % 16];
    return at;
}

void http_chunk_last(char *to)
{
    memcpy(to, "0\r\n\r\n", HTTP_LAST_CHUNK);
}
