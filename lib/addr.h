/*
 * addr: socket addresses: IPv4, IPv6 and unix, as text and as structures.
 *
 * One job: to read, write and compare them. It opens no socket and asks for
 * no name.
 */
#ifndef ADDR_H
#define ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/un.h>

/* A unix path of 107 bytes, or [IPv6%scope]:port, and a NUL. */
#define ADDR_TEXT 128

/* The longest host name (RFC 1035, 2.3.4) and a NUL. */
#define ADDR_HOST 256

struct addr {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
};

/* A numeric host and a port. Returns -1 (EINVAL) if the host is not numeric. */
int addr_numeric(struct addr *a, const char *host, unsigned port);

/* A unix socket's path. Returns -1 (ENAMETOOLONG). */
int addr_unix(struct addr *a, const char *path);

/*
 * Whether it can be a host: of a name's characters, or of those of IPv6, with a
 * %scope perhaps (RFC 4007, 11). Whoever names it, it is no option and nothing
 * to a shell.
 */
bool addr_host_valid(const char *host);

/*
 * Splits HOST:PORT or [IPv6]:PORT. host has room for ADDR_HOST bytes.
 * Returns the port, 0 to 65535, or -1 if text is nothing of the kind.
 */
long addr_split(const char *text, char *host);

/* The same, but :PORT may be missing: the port is then the one given here. */
long addr_split_or(const char *text, char *host, long port);

/* The other end and this end of a connected socket. Returns -1 with errno. */
int addr_peer(struct addr *a, int fd);
int addr_local(struct addr *a, int fd);

/* An IPv4 address in IPv6's clothes (RFC 4291, 2.5.5.2) becomes IPv4. */
void addr_unmap(struct addr *a);

unsigned addr_port(const struct addr *a);
void addr_set_port(struct addr *a, unsigned port);

/* Whether both are of one host: the ports do not count. */
bool addr_same_host(const struct addr *a, const struct addr *b);

/* Whether it is 0.0.0.0 or ::. */
bool addr_is_any(const struct addr *a);

/* HOST:PORT, [IPv6]:PORT or a path. Returns out. */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT]);

/* The host alone, without brackets. Returns out. */
const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT]);

#endif
