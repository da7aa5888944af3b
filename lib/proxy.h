/*
 * proxy: headers of HAProxy's PROXY protocol, versions 1 and 2
 * (proxy-protocol.txt), which tell the other end of a connection whose it is.
 *
 * Pure: bytes in, fields out, and the other way round. Whom to believe, and
 * what to do with the addresses, is the caller's.
 */
#ifndef PROXY_H
#define PROXY_H

#include "addr.h"

/*
 * The longest header that is read: 16 bytes, two unix addresses (216) and
 * what stands behind them. The format allows 65535 there; names of hosts,
 * certificates' names and cloud marks fit into some hundred bytes, a whole
 * certificate mostly into 4096, which is nginx's bound too.
 */
#define PROXY_LONGEST 4096

/* The longest that is written: version 1's line without its NUL. */
#define PROXY_WRITTEN 107

enum proxy_status {
    PROXY_WHOLE,    /* the header is whole; the bytes behind it are not its */
    PROXY_MORE,     /* not whole yet: all these bytes are part of it */
    PROXY_BAD       /* no bytes behind these can make it a header */
};

struct proxy_header {
    size_t len;                 /* of the header, in bytes */
    bool known;                 /* false: UNKNOWN, LOCAL, UNSPEC or unix: the connection's own addresses count */
    struct addr source;         /* IPv4 in IPv6's clothes is given as IPv4 */
    struct addr destination;
};

/*
 * Reads the header that the bytes begin with; fields are set with
 * PROXY_WHOLE. TLVs have to fit and are skipped: a CRC32C is not checked,
 * since TCP and the proxy, which is trusted, vouch for the bytes. Of LOCAL and
 * UNSPEC headers nothing behind the length is looked at, as the document says.
 */
enum proxy_status proxy_parse(const unsigned char *bytes, size_t len, struct proxy_header *header);

/*
 * Writes a header of version 1 or 2 and returns its length. A source that is
 * neither IPv4 nor IPv6 (its len 0: not known) makes it UNKNOWN or LOCAL. A
 * destination that is neither is written as 0.0.0.0 or ::, with port 0. Where
 * the families differ both are IPv6, the other in IPv6's clothes (RFC 4291, 2.5.5.2).
 */
size_t proxy_write(int version, const struct addr *source, const struct addr *destination,
                   unsigned char out[PROXY_WRITTEN]);

#endif
