/*
 * cidr: lists of address blocks. See cidr.h.
 */
#include "cidr.h"

#include "text.h"

#include <string.h>

/* The longest block: an IPv6 address with an IPv4 one at its end, and /128. */
#define BLOCK_TEXT 64

struct block {
    struct addr start;
    long bits;
};

static const unsigned char *bytes_of(const struct addr *a)
{
    return a->u.any.sa_family == AF_INET6 ? a->u.in6.sin6_addr.s6_addr
                                          : (const unsigned char *)&a->u.in4.sin_addr;
}

/* Blocks of IPv4 addresses in IPv6's clothes are blocks of IPv4 addresses. */
static void unmap(struct block *b)
{
    if (b->bits < 96)
        return;
    addr_unmap(&b->start);
    if (b->start.u.any.sa_family == AF_INET)
        b->bits -= 96;
}

static int parse_block(struct block *b, const char *text, size_t len)
{
    char copy[BLOCK_TEXT], *slash;
    bool wide;

    if (len >= sizeof copy)
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (addr_numeric(&b->start, copy, 0) != 0)
        return -1;
    wide = b->start.u.any.sa_family == AF_INET6;
    b->bits = slash != NULL ? text_number(slash + 1, wide ? 128 : 32) : wide ? 128 : 32;
    if (wide)
        unmap(b);
    return b->bits < 0 ? -1 : 0;
}

static bool block_has(const struct block *b, const struct addr *host)
{
    const unsigned char *start = bytes_of(&b->start), *at = bytes_of(host);
    size_t whole = (size_t)b->bits / 8;
    unsigned rest = (unsigned)b->bits % 8, mask = 0xff00U >> rest & 0xff;

    if (host->u.any.sa_family != b->start.u.any.sa_family)
        return false;
    return memcmp(start, at, whole) == 0 && (rest == 0 || ((start[whole] ^ at[whole]) & mask) == 0);
}

/* Parses the block that stands first and moves *list behind it; NULL: it was the last. */
static int next_block(struct block *b, const char **list)
{
    size_t len = strcspn(*list, ",");
    int result = parse_block(b, *list, len);

    *list = (*list)[len] == ',' ? *list + len + 1 : NULL;
    return result;
}

bool cidr_list_valid(const char *list)
{
    struct block b;

    while (list != NULL)
        if (next_block(&b, &list) != 0)
            return false;
    return true;
}

bool cidr_list_has(const char *list, const struct addr *host)
{
    struct block b;

    while (list != NULL)
        if (next_block(&b, &list) == 0 && block_has(&b, host))
            return true;
    return false;
}
