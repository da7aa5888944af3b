/*
 * Addresses: what is split or read is written as something that is split or
 * read as the same; the C library reads what is written.
 */
#include "fuzz.h"

#include "../../lib/addr.h"
#include "../../lib/text.h"

#include <arpa/inet.h>
#include <ctype.h>

int fuzz_taken = -1;

/* Longer texts are of no interest: hosts have 255 bytes. */
#define LONGEST 1024

static void check_split(const char *text)
{
    char host[ADDR_HOST], second[ADDR_HOST], again[ADDR_HOST + 10];
    long port = addr_split(text, host);
    struct text t;

    MUST(port >= -1 && port <= 65535);
    if (port < 0)
        return;
    MUST(strlen(host) > 0 && addr_host_valid(host));
    for (const char *c = host; *c != '\0'; c++)
        MUST((unsigned char)*c < 0x80 && (isalnum((unsigned char)*c) || strchr("._-:%", *c) != NULL));
    text_init(&t, again, sizeof again);
    text_add(&t, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
    MUST(!t.cut && addr_split(again, second) == port && strcmp(host, second) == 0);
    MUST(addr_split_or(text, second, 9) == port && strcmp(host, second) == 0);
}

/* A text without a port is one to which the port can be added. */
static void check_split_or(const char *text)
{
    char host[ADDR_HOST], second[ADDR_HOST], with_port[LONGEST + 8];
    struct text t;

    if (addr_split(text, host) >= 0 || addr_split_or(text, host, 9) < 0)
        return;
    MUST(addr_split_or(text, host, 9) == 9);
    text_init(&t, with_port, sizeof with_port);
    text_add(&t, "%s:9", text);
    MUST(addr_split(with_port, second) == 9 && strcmp(host, second) == 0);
}

/* The library, too, writes RFC 5952, but for IPv4 addresses in it, which it writes with dots. */
static void check_library_text(const struct addr *a, const char *host)
{
    static const unsigned char zeroes[10];
    bool dotted = a->u.any.sa_family == AF_INET6 && memcmp(&a->u.in6.sin6_addr, zeroes, sizeof zeroes) == 0;
    const void *bytes = a->u.any.sa_family == AF_INET ? (const void *)&a->u.in4.sin_addr : &a->u.in6.sin6_addr;
    char wanted[INET6_ADDRSTRLEN];

    MUST(inet_ntop(a->u.any.sa_family, bytes, wanted, sizeof wanted) != NULL);
    MUST(dotted || strcmp(host, wanted) == 0);
}

static void check_text(const struct addr *a)
{
    char text[ADDR_TEXT], host[ADDR_HOST], host_text[ADDR_TEXT];
    unsigned char bytes[16];
    struct addr second;

    MUST(addr_split(addr_text(a, text), host) == (long)addr_port(a));
    MUST(strcmp(addr_host_text(a, host_text), host) == 0);
    MUST(addr_numeric(&second, host, addr_port(a)) == 0);
    MUST(second.len == a->len && memcmp(&second.u, &a->u, a->len) == 0);
    MUST(addr_same_host(a, &second));
    MUST(inet_pton(a->u.any.sa_family, host, bytes) == 1);
    if (a->u.any.sa_family == AF_INET)
        MUST(memcmp(bytes, &a->u.in4.sin_addr, 4) == 0);
    else
        MUST(memcmp(bytes, &a->u.in6.sin6_addr, 16) == 0 && a->u.in6.sin6_flowinfo == 0);
    check_library_text(a, host);
}

static void check_numeric(const char *host)
{
    struct addr a;

    if (addr_numeric(&a, host, 65535) != 0)
        return;
    check_text(&a);
    addr_unmap(&a);
    check_text(&a);
}

static void check_bytes(const uint8_t *bytes, size_t len)
{
    struct addr a;

    if (len < 18)
        return;
    MUST(addr_numeric(&a, "::", (unsigned)bytes[16] << 8 | bytes[17]) == 0);
    memcpy(&a.u.in6.sin6_addr, bytes, 16);
    check_text(&a);
    addr_unmap(&a);
    check_text(&a);
}

static void check_path(const char *path)
{
    char text[ADDR_TEXT];
    struct addr a;

    MUST((addr_unix(&a, path) == 0) == (strlen(path) < sizeof a.u.un.sun_path));
    MUST(strncmp(addr_text(&a, text), path, sizeof a.u.un.sun_path - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text;

    if (len > LONGEST)
        return 0;
    text = fuzz_string(bytes, len);
    check_split(text);
    check_split_or(text);
    check_numeric(text);
    check_path(text);
    check_bytes(bytes, len);
    free(text);
    return 0;
}
