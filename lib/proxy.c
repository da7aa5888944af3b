/*
 * proxy: headers of the PROXY protocol. See proxy.h.
 */
#include "proxy.h"

#include "text.h"

#include <string.h>

/* Section 2.1: the longest line, its CRLF included. */
#define V1_LONGEST 107

/* Section 2.2. */
#define V2_HEAD 16
#define V2_IN4 12
#define V2_IN6 36
#define V2_UNIX 216
#define TLV_HEAD 3

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { UNSPEC = 0, IN4 = 1, IN6 = 2, UNIX = 3 };     /* families, the high half of a byte */
enum { STREAM = 1 };                                /* the low half; 0 is UNSPEC here too */

static const char v1_begin[] = "PROXY ";
static const char v2_begin[] = "\r\n\r\n\0\r\nQUIT\n";

/* Version 1: a line. */

/* Takes the word that the line begins with and the space behind it; NULL: there is none. */
static char *next_word(char **line)
{
    char *word = *line, *space = strchr(word, ' ');

    if (space == NULL)
        return NULL;
    *space = '\0';
    *line = space + 1;
    return word;
}

static long v1_port(const char *word)
{
    return word[0] == '0' && word[1] != '\0' ? -1 : text_number(word, 65535);
}

static int v1_address(struct addr *a, const char *host, const char *port, int family)
{
    long number = v1_port(port);

    if (number < 0 || addr_numeric(a, host, (unsigned)number) != 0 || a->u.any.sa_family != family)
        return -1;
    addr_unmap(a);
    return 0;
}

static int v1_line(char *line, struct proxy_header *h)
{
    char *protocol, *source, *destination, *port;
    int family;

    h->known = strcmp(line, "UNKNOWN") != 0 && strncmp(line, "UNKNOWN ", 8) != 0;
    if (!h->known)
        return 0;
    protocol = next_word(&line);
    if (protocol == NULL || (strcmp(protocol, "TCP4") != 0 && strcmp(protocol, "TCP6") != 0))
        return -1;
    family = protocol[3] == '4' ? AF_INET : AF_INET6;
    source = next_word(&line);
    destination = source != NULL ? next_word(&line) : NULL;
    port = destination != NULL ? next_word(&line) : NULL;
    if (port == NULL || v1_address(&h->source, source, port, family) != 0)
        return -1;
    return v1_address(&h->destination, destination, line, family);
}

static enum proxy_status v1_parse(const unsigned char *bytes, size_t len, struct proxy_header *h)
{
    char line[V1_LONGEST];
    const unsigned char *end;
    size_t line_len, seen = len < V1_LONGEST ? len : V1_LONGEST;

    end = memchr(bytes, '\r', seen);
    if (end == NULL)
        return seen == V1_LONGEST || memchr(bytes, '\n', seen) != NULL ? PROXY_BAD : PROXY_MORE;
    h->len = (size_t)(end - bytes) + 2;
    if (h->len > V1_LONGEST || memchr(bytes, '\n', h->len - 2) != NULL || memchr(bytes, '\0', h->len - 2) != NULL)
        return PROXY_BAD;
    if (len < h->len)
        return PROXY_MORE;
    if (end[1] != '\n')
        return PROXY_BAD;
    line_len = h->len - 2 - (sizeof v1_begin - 1);
    memcpy(line, bytes + sizeof v1_begin - 1, line_len);
    line[line_len] = '\0';
    return v1_line(line, h) == 0 ? PROXY_WHOLE : PROXY_BAD;
}

/* Version 2: bytes. */

static size_t number16(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

static bool tlvs_fit(const unsigned char *bytes, size_t len)
{
    while (len >= TLV_HEAD) {
        size_t tlv = TLV_HEAD + number16(bytes + 1);

        if (tlv > len)
            return false;
        bytes += tlv;
        len -= tlv;
    }
    return len == 0;
}

static void v2_in4(struct addr *a, const unsigned char host[4], const unsigned char port[2])
{
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u.in4;
    a->u.in4.sin_family = AF_INET;
    memcpy(&a->u.in4.sin_addr, host, 4);
    memcpy(&a->u.in4.sin_port, port, 2);
}

static void v2_in6(struct addr *a, const unsigned char host[16], const unsigned char port[2])
{
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u.in6;
    a->u.in6.sin6_family = AF_INET6;
    memcpy(&a->u.in6.sin6_addr, host, 16);
    memcpy(&a->u.in6.sin6_port, port, 2);
    addr_unmap(a);
}

/* How long a family's addresses are, 0 where they do not count, or -1 for what no stream has. */
static int v2_address_len(unsigned family_and_transport)
{
    unsigned family = family_and_transport >> 4, transport = family_and_transport & 15;

    if (family > UNIX || transport > STREAM)
        return -1;
    if (family == UNSPEC || transport != STREAM)
        return 0;
    return family == IN4 ? V2_IN4 : family == IN6 ? V2_IN6 : V2_UNIX;
}

static enum proxy_status v2_block(const unsigned char *block, size_t len, unsigned family, int addresses,
                                  struct proxy_header *h)
{
    if (len < (size_t)addresses || !tlvs_fit(block + addresses, len - (size_t)addresses))
        return PROXY_BAD;
    h->known = family != UNIX;
    if (family == IN4) {
        v2_in4(&h->source, block, block + 8);
        v2_in4(&h->destination, block + 4, block + 10);
    } else if (family == IN6) {
        v2_in6(&h->source, block, block + 32);
        v2_in6(&h->destination, block + 16, block + 34);
    }
    return PROXY_WHOLE;
}

/* What is wrong shows as soon as its byte is there. */
static enum proxy_status v2_parse(const unsigned char *bytes, size_t len, struct proxy_header *h)
{
    bool local = len > 12 && bytes[12] == V2_LOCAL;
    int addresses = 0;

    if (len > 12 && !local && bytes[12] != V2_PROXY)
        return PROXY_BAD;
    if (len > 13 && !local && (addresses = v2_address_len(bytes[13])) < 0)
        return PROXY_BAD;
    if (len < V2_HEAD)
        return PROXY_MORE;
    h->len = V2_HEAD + number16(bytes + 14);
    if (h->len > PROXY_LONGEST || h->len < V2_HEAD + (size_t)addresses)
        return PROXY_BAD;
    if (len < h->len)
        return PROXY_MORE;
    h->known = false;
    if (addresses == 0)
        return PROXY_WHOLE;
    return v2_block(bytes + V2_HEAD, h->len - V2_HEAD, bytes[13] >> 4, addresses, h);
}

static bool begins(const unsigned char *bytes, size_t len, const char *begin, size_t begin_len)
{
    return memcmp(bytes, begin, len < begin_len ? len : begin_len) == 0;
}

enum proxy_status proxy_parse(const unsigned char *bytes, size_t len, struct proxy_header *header)
{
    if (len == 0)
        return PROXY_MORE;
    if (begins(bytes, len, v1_begin, sizeof v1_begin - 1))
        return v1_parse(bytes, len, header);
    if (begins(bytes, len, v2_begin, sizeof v2_begin - 1))
        return v2_parse(bytes, len, header);
    return PROXY_BAD;
}

/* Writing. */

static bool is_ip(const struct addr *a)
{
    return a->len != 0 && (a->u.any.sa_family == AF_INET || a->u.any.sa_family == AF_INET6);
}

/* The address as IPv6. */
static void map(struct addr *a)
{
    struct addr in4 = *a;

    if (in4.u.any.sa_family == AF_INET6)
        return;
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u.in6;
    a->u.in6.sin6_family = AF_INET6;
    a->u.in6.sin6_addr.s6_addr[10] = a->u.in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(a->u.in6.sin6_addr.s6_addr + 12, &in4.u.in4.sin_addr, 4);
    a->u.in6.sin6_port = in4.u.in4.sin_port;
}

/* Both of one family; a scope means nothing to others. */
static void agree(struct addr *source, struct addr *destination)
{
    if (!is_ip(destination))
        addr_numeric(destination, source->u.any.sa_family == AF_INET ? "0.0.0.0" : "::", 0);
    if (source->u.any.sa_family != destination->u.any.sa_family) {
        map(source);
        map(destination);
    }
    if (source->u.any.sa_family == AF_INET6)
        source->u.in6.sin6_scope_id = destination->u.in6.sin6_scope_id = 0;
}

static size_t write_v1(const struct addr *source, const struct addr *destination, unsigned char *out)
{
    char from[ADDR_TEXT], to[ADDR_TEXT], line[PROXY_WRITTEN + 1];
    struct text t;

    text_init(&t, line, sizeof line);
    if (!is_ip(source))
        text_add(&t, "PROXY UNKNOWN\r\n");
    else
        text_add(&t, "PROXY %s %s %s %u %u\r\n", source->u.any.sa_family == AF_INET ? "TCP4" : "TCP6",
                 addr_host_text(source, from), addr_host_text(destination, to), addr_port(source),
                 addr_port(destination));
    memcpy(out, line, t.len);
    return t.len;
}

static size_t write_v2(const struct addr *source, const struct addr *destination, unsigned char *out)
{
    unsigned char *block = out + V2_HEAD;

    memset(out, 0, V2_HEAD);
    memcpy(out, v2_begin, sizeof v2_begin - 1);
    out[12] = is_ip(source) ? V2_PROXY : V2_LOCAL;
    if (!is_ip(source))
        return V2_HEAD;
    if (source->u.any.sa_family == AF_INET) {
        out[13] = IN4 << 4 | STREAM;
        out[15] = V2_IN4;
        memcpy(block, &source->u.in4.sin_addr, 4);
        memcpy(block + 4, &destination->u.in4.sin_addr, 4);
        memcpy(block + 8, &source->u.in4.sin_port, 2);
        memcpy(block + 10, &destination->u.in4.sin_port, 2);
    } else {
        out[13] = IN6 << 4 | STREAM;
        out[15] = V2_IN6;
        memcpy(block, &source->u.in6.sin6_addr, 16);
        memcpy(block + 16, &destination->u.in6.sin6_addr, 16);
        memcpy(block + 32, &source->u.in6.sin6_port, 2);
        memcpy(block + 34, &destination->u.in6.sin6_port, 2);
    }
    return V2_HEAD + (size_t)out[15];
}

size_t proxy_write(int version, const struct addr *source, const struct addr *destination,
                   unsigned char out[PROXY_WRITTEN])
{
    struct addr from = *source, to = *destination;

    if (is_ip(&from))
        agree(&from, &to);
    return version == 1 ? write_v1(&from, &to, out) : write_v2(&from, &to, out);
}
