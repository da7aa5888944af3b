/*
 * backoff: how long to wait before the next attempt. See backoff.h.
 *
 * Full jitter as in Marc Brooker, "Exponential Backoff And Jitter" (2015). The
 * first bounds do not double, so that a relay that restarts has its servers
 * back within seconds.
 */
#include "backoff.h"

#include "os.h"

#define FIRST_BOUND_MS 1000
#define LAST_BOUND_MS 30000
#define FIRST_FAILURES 4

long long backoff_next(struct backoff *b)
{
    long long bound = FIRST_BOUND_MS;
    unsigned dice;

    for (unsigned i = FIRST_FAILURES; i < b->failures && bound < LAST_BOUND_MS; i++)
        bound *= 2;
    if (bound > LAST_BOUND_MS)
        bound = LAST_BOUND_MS;
    b->failures++;
    return os_random(&dice, sizeof dice) == 0 ? dice % (bound + 1) : bound;
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
