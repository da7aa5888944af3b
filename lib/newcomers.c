/*
 * newcomers: connections that have not yet said who they are. See newcomers.h.
 */
#include "newcomers.h"

#include "clock.h"
#include "tally.h"

/* How long each has its place for sure. */
#define PLACE_MS 1000

static struct tally sources;
static int most_in_all, in_all;
static struct newcomer *oldest, **end = &oldest;

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

static int make_room(void)
{
    if (in_all < most_in_all)
        return 0;
    if (oldest == NULL || clock_ms() - oldest->since < PLACE_MS)
        return -1;
    oldest->evict(oldest->owner);
    return in_all < most_in_all ? 0 : -1;
}

int newcomers_add(struct newcomer *n, const struct addr *source)
{
    n->source.len = 0;
    if (make_room() != 0 || (source != NULL && tally_add(&sources, source) != 0))
        return -1;
    if (source != NULL)
        n->source = *source;
    n->since = clock_ms();
    n->next = NULL;
    n->link = end;
    *end = n;
    end = &n->next;
    n->counted = true;
    in_all++;
    return 0;
}

void newcomers_drop(struct newcomer *n)
{
    if (!n->counted)
        return;
    n->counted = false;
    if (n->source.len > 0)
        tally_drop(&sources, &n->source);
    *n->link = n->next;
    if (n->next != NULL)
        n->next->link = n->link;
    else
        end = n->link;
    in_all--;
}
