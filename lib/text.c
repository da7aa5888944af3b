/*
 * text: bounded text building without stdio. See text.h.
 */
#include "text.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void text_init(struct text *t, char *data, size_t size)
{
    t->data = data;
    t->size = size;
    t->len = 0;
    t->cut = false;
    data[0] = '\0';
}

static void add_bytes(struct text *t, const char *bytes, size_t len)
{
    if (len > t->size - 1 - t->len) {
        len = t->size - 1 - t->len;
        t->cut = true;
    }
    memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

static void add_char(struct text *t, char c)
{
    if (t->len + 1 >= t->size) {
        t->cut = true;
        return;
    }
    t->data[t->len++] = c;
    t->data[t->len] = '\0';
}

static void add_number(struct text *t, unsigned long long n, unsigned base, bool negative)
{
    char digits[24];
    size_t at = sizeof digits;

    do {
        digits[--at] = hex_digits[n % base];
        n /= base;
    } while (n > 0);
    if (negative)
        digits[--at] = '-';
    add_bytes(t, digits + at, sizeof digits - at);
}

static void add_signed(struct text *t, long long n)
{
    add_number(t, n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n, 10, n < 0);
}

static void add_escaped(struct text *t, const char *s)
{
    for (size_t i = 0; s[i] != '\0' && i < TEXT_PEER_MAX; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c > ' ' && c < 0x7f && c != '\\' && c != '"') {
            add_char(t, s[i]);
        } else {
            add_bytes(t, "\\x", 2);
            text_hex(t, &c, 1);
        }
    }
}

void text_vadd(struct text *t, const char *format, va_list args)
{
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            add_char(t, *format);
            continue;
        }
        const char *s;
        switch (*++format) {
        case 's':
            s = va_arg(args, const char *);
            add_bytes(t, s, strlen(s));
            break;
        case 'e':
            add_escaped(t, va_arg(args, const char *));
            break;
        case 'd':
            add_signed(t, va_arg(args, int));
            break;
        case 'u':
            add_number(t, va_arg(args, unsigned), 10, false);
            break;
        case 'x':
            add_number(t, va_arg(args, unsigned), 16, false);
            break;
        case 'l':
            add_signed(t, va_arg(args, long long));
            break;
        default:
            add_char(t, *format);
        }
    }
}

void text_add(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vadd(t, format, args);
    va_end(args);
}

void text_hex(struct text *t, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        add_char(t, hex_digits[bytes[i] >> 4]);
        add_char(t, hex_digits[bytes[i] & 15]);
    }
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int text_unhex(const char *s, unsigned char *bytes, size_t count)
{
    if (strlen(s) != 2 * count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int high = text_hex_digit(s[2 * i]), low = text_hex_digit(s[2 * i + 1]);

        if (high < 0 || low < 0)
            return -1;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

long text_number(const char *s, long max)
{
    long n = 0;

    if (*s == '\0')
        return -1;
    for (; *s != '\0'; s++) {
        int digit = *s - '0';

        if (digit < 0 || digit > 9 || n > max / 10 || digit > max - n * 10)
            return -1;
        n = n * 10 + digit;
    }
    return n;
}

bool text_copy(char *to, size_t size, const char *from)
{
    struct text t;

    text_init(&t, to, size);
    add_bytes(&t, from, strlen(from));
    return !t.cut;
}
