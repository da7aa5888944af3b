/*
 * base64: bytes as text. See base64.h.
 */
#include "base64.h"

size_t base64_put(char *to, const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *const start = to;

    for (size_t at = 0; at < len; at += 3) {
        unsigned group = 0;

        for (size_t i = at; i < at + 3; i++)
            group = group << 8 | (i < len ? (unsigned char)bytes[i] : 0);
        for (size_t i = 0; i < 4; i++, group <<= 6)
            *to++ = i <= len - at ? digits[group >> 18 & 63] : '=';
    }
    *to = '\0';
    return (size_t)(to - start);
}
