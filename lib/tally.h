/*
 * tally: how many of something each source address has.
 *
 * IPv6 sources count by their /64, since one host may use every address of
 * it. A table allocated once; when it is full, a new source is refused.
 */
#ifndef TALLY_H
#define TALLY_H

#include "addr.h"
#include "slab.h"

#define TALLY_BUCKETS 128

struct tally {
    struct slab sources;
    struct tally_source *buckets[TALLY_BUCKETS];
};

/* Room for so many sources at once. Returns -1 (ENOMEM). */
int tally_init(struct tally *t, size_t sources);

/* How many this source has. */
unsigned tally_count(const struct tally *t, const struct addr *source);

/* One more. Returns -1 when there is no room for a new source. */
int tally_add(struct tally *t, const struct addr *source);

/* One less. */
void tally_drop(struct tally *t, const struct addr *source);

#endif
