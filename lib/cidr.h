/*
 * cidr: lists of address blocks, as CIDR[,CIDR...].
 *
 * A block is ADDRESS/BITS (RFC 4632, 3.1; RFC 4291, 2.3), or an address alone,
 * which is itself. Bits of the address behind the first BITS do not count.
 * Pure: a list stays the text that it is.
 */
#ifndef CIDR_H
#define CIDR_H

#include "addr.h"

/* Whether the text is such a list, of one block at least. */
bool cidr_list_valid(const char *list);

/* Whether one of the list's blocks has this host in it. What is no block has nobody in it. */
bool cidr_list_has(const char *list, const struct addr *host);

#endif
