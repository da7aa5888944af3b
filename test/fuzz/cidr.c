/*
 * Lists of address blocks, compared bit by bit with a second reading of them.
 *
 * The input is a list; behind a newline a host may stand. Asked for are that
 * host, and for each block its own address and the 32 or 128 that differ from
 * it in one bit.
 */
#include "fuzz.h"

#include "../../lib/cidr.h"

#include <arpa/inet.h>

int fuzz_taken;

#define LONGEST 512
#define MOST_BLOCKS 32

struct reference {
    int family;
    unsigned char address[16];
    unsigned long bits;
};

static struct reference blocks[MOST_BLOCKS];
static size_t count;

static bool bit(const unsigned char *bytes, unsigned long i)
{
    return (bytes[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* RFC 4291, 2.5.5.2: 80 zeroes, 16 ones. */
static bool is_mapped(const struct reference *r)
{
    for (unsigned long i = 0; i < 96; i++)
        if (r->family == AF_INET || bit(r->address, i) != (i >= 80))
            return false;
    return true;
}

static bool read_bits(struct reference *r, const char *text)
{
    unsigned long most = r->family == AF_INET ? 32 : 128;

    r->bits = most;
    if (text == NULL)
        return true;
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    r->bits = strtoul(text, NULL, 10);
    return r->bits <= most;
}

static bool read_block(struct reference *r, char *text)
{
    char *slash = strchr(text, '/');

    if (strlen(text) > 63)
        return false;
    if (slash != NULL)
        *slash++ = '\0';
    r->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(r->family, text, r->address) != 1 || !read_bits(r, slash))
        return false;
    if (is_mapped(r) && r->bits >= 96) {
        r->family = AF_INET;
        r->bits -= 96;
        memmove(r->address, r->address + 12, 4);
    }
    return true;
}

/* Fills blocks[] and count. Returns whether it is a list. */
static bool read_list(char *list)
{
    bool valid = true;

    for (count = 0; list != NULL; count++) {
        char *comma = strchr(list, ',');

        if (comma != NULL)
            *comma++ = '\0';
        valid = read_block(&blocks[count], list) && valid;
        list = comma;
    }
    return valid;
}

static bool in_block(const struct reference *r, const struct addr *host)
{
    const unsigned char *bytes = r->family == AF_INET ? (const unsigned char *)&host->u.in4.sin_addr
                                                      : host->u.in6.sin6_addr.s6_addr;

    if (host->u.any.sa_family != r->family)
        return false;
    for (unsigned long i = 0; i < r->bits; i++)
        if (bit(bytes, i) != bit(r->address, i))
            return false;
    return true;
}

static void check_host(const char *list, const struct addr *host)
{
    bool has = false;

    for (size_t i = 0; i < count; i++)
        has = has || in_block(&blocks[i], host);
    MUST(cidr_list_has(list, host) == has);
}

static void check_near(const char *list, const struct reference *r)
{
    int bytes = r->family == AF_INET ? 4 : 16;
    unsigned char *at;
    struct addr host;

    MUST(addr_numeric(&host, r->family == AF_INET ? "0.0.0.0" : "::", 80) == 0);
    at = r->family == AF_INET ? (unsigned char *)&host.u.in4.sin_addr : host.u.in6.sin6_addr.s6_addr;
    memcpy(at, r->address, (size_t)bytes);
    check_host(list, &host);
    for (int i = 0; i < 8 * bytes; i++) {
        at[i / 8] ^= (unsigned char)(1 << i % 8);
        check_host(list, &host);
        at[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static size_t commas(const char *list)
{
    size_t n = 0;

    for (; *list != '\0'; list++)
        n += *list == ',';
    return n;
}

static void check(const char *list, const char *host_text)
{
    char *copy = fuzz_string(list, strlen(list));
    bool valid = read_list(copy);
    struct addr host;

    free(copy);
    MUST(cidr_list_valid(list) == valid);
    fuzz_taken = valid;
    if (!valid)
        return;
    if (host_text != NULL && addr_numeric(&host, host_text, 80) == 0)
        check_host(list, &host);
    for (size_t i = 0; i < count; i++)
        check_near(list, &blocks[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text, *list, *newline;

    if (len > LONGEST)
        return 0;
    text = fuzz_string(bytes, len);
    newline = strchr(text, '\n');
    if (newline != NULL)
        *newline++ = '\0';
    list = fuzz_string(text, strlen(text));
    if (commas(list) < MOST_BLOCKS)
        check(list, newline);
    free(list);
    free(text);
    return 0;
}
