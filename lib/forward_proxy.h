/*
 * forward_proxy: an HTTP proxy that stands between here and everybody else, and
 * the way through it by CONNECT (RFC 9110, 9.3.6).
 */
#ifndef FORWARD_PROXY_H
#define FORWARD_PROXY_H

#include "base64.h"
#include "dial_host.h"

/* The longest USER:PASSWORD. */
#define FORWARD_PROXY_CREDENTIALS 255

#define FORWARD_PROXY_FIELD "Proxy-Authorization: Basic "

struct forward_proxy {
    struct dial_host at;
    /* A whole line of a request's head, CR and LF included; "": none. */
    char authorization[sizeof FORWARD_PROXY_FIELD + BASE64_SIZE(FORWARD_PROXY_CREDENTIALS) + 2];
};

/*
 * Parses http://HOST[:PORT]; the port is 80 where none is given. Returns NULL, or
 * what is wrong with it as half a sentence (static) in which none of it stands,
 * since there may be a password in it.
 */
const char *forward_proxy_parse(struct forward_proxy *p, const char *url);

/*
 * Reads USER:PASSWORD, one line in a file that is its owner's alone (mode 0600).
 * Returns NULL, or what is wrong (static, or strerror's). p stays in place, for
 * forward_proxy_forget.
 */
const char *forward_proxy_load(struct forward_proxy *p, const char *file);

/* Wipes what forward_proxy_load has read, as a child does that is through. */
void forward_proxy_forget(void);

/*
 * Has the proxy connect a socket that is connected to it, non-blocking, to that
 * host and port. What comes from there stays in the kernel. Blocks, at most so
 * many seconds. Returns 0, or -1 with the reason in why; the socket stays the
 * caller's.
 */
int forward_proxy_connect(const struct forward_proxy *p, const struct dial_host *to, int fd, int seconds,
                          char why[DIAL_WHY]);

#endif
