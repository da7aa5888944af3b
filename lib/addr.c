/*
 * addr: socket addresses as text and as structures. See addr.h.
 */
#include "addr.h"

#include "name.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

int addr_numeric(struct addr *a, const char *host, unsigned port)
{
    struct in_addr in4;
    struct in6_addr in6;

    /* Not into a: musl's inet_pton writes what it has read before it fails, and sin_addr is where sin6_flowinfo is. */
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, host, &in4) == 1) {
        a->u.any.sa_family = AF_INET;
        a->u.in4.sin_addr = in4;
        a->len = sizeof a->u.in4;
    } else if (inet_pton(AF_INET6, host, &in6) == 1) {
        a->u.any.sa_family = AF_INET6;
        a->u.in6.sin6_addr = in6;
        a->len = sizeof a->u.in6;
    } else {
        errno = EINVAL;
        return -1;
    }
    addr_set_port(a, port);
    return 0;
}

int addr_unix(struct addr *a, const char *path)
{
    memset(a, 0, sizeof *a);
    a->u.un.sun_family = AF_UNIX;
    a->len = sizeof a->u.un;
    if (!text_copy(a->u.un.sun_path, sizeof a->u.un.sun_path, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

bool addr_host_valid(const char *host)
{
    size_t len = name_span(host);

    if (host[0] == '-')
        return false;
    if (host[len] == '\0')
        return len > 0;
    len = strspn(host, "0123456789abcdefABCDEF:.");
    if (memchr(host, ':', len) == NULL)
        return false;
    if (host[len] == '%' && name_span(host + len + 1) > 0)
        len += 1 + name_span(host + len + 1);
    return host[len] == '\0';
}

long addr_split_or(const char *text, char *host, long port)
{
    size_t len = strlen(text);
    const char *colon = strrchr(text, ':');

    if (colon != NULL && text[len - 1] != ']') {
        port = text_number(colon + 1, 65535);
        len = (size_t)(colon - text);
    }
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return -1;
    }
    if (len >= ADDR_HOST)
        return -1;
    memcpy(host, text, len);
    host[len] = '\0';
    return addr_host_valid(host) ? port : -1;
}

long addr_split(const char *text, char *host)
{
    return addr_split_or(text, host, -1);
}

int addr_peer(struct addr *a, int fd)
{
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u;
    if (getpeername(fd, &a->u.any, &a->len) != 0)
        return -1;
    addr_unmap(a);
    return 0;
}

int addr_local(struct addr *a, int fd)
{
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u;
    if (getsockname(fd, &a->u.any, &a->len) != 0)
        return -1;
    addr_unmap(a);
    return 0;
}

void addr_unmap(struct addr *a)
{
    struct in_addr host;
    in_port_t port;

    if (a->u.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr))
        return;
    memcpy(&host, a->u.in6.sin6_addr.s6_addr + 12, sizeof host);
    port = a->u.in6.sin6_port;
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u.in4;
    a->u.in4.sin_family = AF_INET;
    a->u.in4.sin_addr = host;
    a->u.in4.sin_port = port;
}

unsigned addr_port(const struct addr *a)
{
    switch (a->u.any.sa_family) {
    case AF_INET:
        return ntohs(a->u.in4.sin_port);
    case AF_INET6:
        return ntohs(a->u.in6.sin6_port);
    default:
        return 0;
    }
}

void addr_set_port(struct addr *a, unsigned port)
{
    if (a->u.any.sa_family == AF_INET)
        a->u.in4.sin_port = htons((in_port_t)port);
    else if (a->u.any.sa_family == AF_INET6)
        a->u.in6.sin6_port = htons((in_port_t)port);
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    if (a->u.any.sa_family != b->u.any.sa_family)
        return false;
    switch (a->u.any.sa_family) {
    case AF_INET:
        return a->u.in4.sin_addr.s_addr == b->u.in4.sin_addr.s_addr;
    case AF_INET6:
        return memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr) == 0 &&
               a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id;
    default:
        return false;
    }
}

bool addr_is_any(const struct addr *a)
{
    if (a->u.any.sa_family == AF_INET)
        return a->u.in4.sin_addr.s_addr == htonl(INADDR_ANY);
    return a->u.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

static void add_in4(struct text *t, const unsigned char bytes[4])
{
    text_add(t, "%u.%u.%u.%u", (unsigned)bytes[0], (unsigned)bytes[1], (unsigned)bytes[2], (unsigned)bytes[3]);
}

static unsigned group(const unsigned char *bytes, int i)
{
    return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952, 4.2): where and how long. */
static int longest_zeroes(const unsigned char *bytes, int *len)
{
    int best = -1;

    *len = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;

        while (end < 8 && group(bytes, end) == 0)
            end++;
        if (end - i > *len) {
            best = i;
            *len = end - i;
        }
    }
    return best;
}

static void add_in6(struct text *t, const unsigned char *bytes)
{
    int len, zeroes = longest_zeroes(bytes, &len);

    for (int i = 0; i < 8; i++) {
        if (i == zeroes) {
            text_add(t, i == 0 ? "::" : ":");
            i += len - 1;
        } else {
            text_add(t, i < 7 ? "%x:" : "%x", group(bytes, i));
        }
    }
}

const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT])
{
    struct text t;

    text_init(&t, out, ADDR_TEXT);
    switch (a->u.any.sa_family) {
    case AF_INET:
        add_in4(&t, (const unsigned char *)&a->u.in4.sin_addr);
        break;
    case AF_INET6:
        add_in6(&t, a->u.in6.sin6_addr.s6_addr);
        if (a->u.in6.sin6_scope_id != 0)
            text_add(&t, "%%%u", (unsigned)a->u.in6.sin6_scope_id);
        break;
    case AF_UNIX:
        text_add(&t, "%s", a->u.un.sun_path);
        break;
    default:
        text_add(&t, "-");
    }
    return out;
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT])
{
    char host[ADDR_TEXT];
    struct text t;

    addr_host_text(a, host);
    text_init(&t, out, ADDR_TEXT);
    if (a->u.any.sa_family == AF_INET)
        text_add(&t, "%s:%u", host, addr_port(a));
    else if (a->u.any.sa_family == AF_INET6)
        text_add(&t, "[%s]:%u", host, addr_port(a));
    else
        text_add(&t, "%s", host);
    return out;
}
