/*
 * preamble: PROXY headers, taken from connections before anybody else sees
 * them.
 *
 * It stands between the listeners and whoever takes their connections: one
 * that comes from an address that is believed must begin with a header, on
 * every port, and is handed on with the addresses that the header gives, its
 * first own byte still in the kernel. Other connections pass untouched. It
 * knows neither services nor protocols.
 */
#ifndef PREAMBLE_H
#define PREAMBLE_H

#include "addr.h"

/*
 * Once, before the first listener starts. believed is a list as cidr.h has
 * them and stays the caller's; so many connections may be waited for at once,
 * each for so many seconds.
 * Without a call nothing is asked for. -1 (ENOMEM).
 */
int preamble_setup(const char *believed, int most, int seconds);

/*
 * For a listener's accepted(), while it runs: the address that the connection
 * was made to, where its header names one; NULL: it is the socket's.
 */
const struct addr *preamble_reached(void);

/* So too: the address that the connection fd was made to, whoever names it. -1 with errno. */
int preamble_locate(struct addr *reached, int fd);

#endif
