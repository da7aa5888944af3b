/*
 * wipe: overwrites what must not stay in memory. See wipe.h.
 */
#include "wipe.h"

void wipe(void *bytes, size_t len)
{
    volatile unsigned char *at = bytes;

    while (len-- > 0)
        *at++ = 0;
}

void wipe_stack(void)
{
    unsigned char below[1024];

    wipe(below, sizeof below);
}
