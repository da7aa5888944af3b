/*
 * base64: bytes as text (RFC 4648, 4).
 */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

/* How long the text of so many bytes is, without a NUL. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4)

/* Writes the text and a NUL. Returns its length. */
size_t base64_put(char *to, const char *bytes, size_t len);

#endif
