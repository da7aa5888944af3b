/*
 * newcomers: connections that have not yet said who they are. See newcomers.h.
 */
#include "newcomers.h"

#include "tally.h"

static struct tally sources;
static int most_in_all, in_all;

int newcomers_setup(int most)
{
    most_in_all = most;
    return tally_init(&sources, (size_t)most);
}

bool newcomers_many(const struct addr *source)
{
    unsigned quarter = most_in_all < 4 ? 1 : (unsigned)most_in_all / 4;

    return tally_count(&sources, source) >= quarter;
}

int newcomers_add(const struct addr *source)
{
    if (in_all >= most_in_all || (source != NULL && tally_add(&sources, source) != 0))
        return -1;
    in_all++;
    return 0;
}

void newcomers_drop(const struct addr *source)
{
    if (source != NULL)
        tally_drop(&sources, source);
    in_all--;
}
