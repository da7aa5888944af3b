/*
 * newcomers: connections that have not yet said who they are, in all and from
 * each source, held to a limit.
 */
#ifndef NEWCOMERS_H
#define NEWCOMERS_H

#include "addr.h"

/* At most so many in all, a quarter of them (at least 1) from one source. -1 (ENOMEM). */
int newcomers_setup(int most);

/* Whether this source has its quarter. */
bool newcomers_many(const struct addr *source);

/*
 * One more; NULL where its source is not known yet, so that it counts in all
 * alone. Returns -1 when there are too many in all.
 */
int newcomers_add(const struct addr *source);

/* One less: it has said who it is, or is gone. source as it was added. */
void newcomers_drop(const struct addr *source);

#endif
