/*
 * claim: ids that whoever they were told to gives back once. See claim.h.
 */
#include "claim.h"

#include "os.h"

#include <string.h>

#define BUCKETS 256

static struct claim *issued[BUCKETS];

/* The ids are random: any byte of them is as good a hash as any. */
static struct claim **bucket(const unsigned char id[CLAIM_BYTES])
{
    return &issued[id[0] % BUCKETS];
}

int claim_issue(struct claim *c)
{
    struct claim **first;

    claim_revoke(c);
    if (os_random(c->id, sizeof c->id) != 0)
        return -1;
    first = bucket(c->id);
    c->next = *first;
    c->link = first;
    if (*first != NULL)
        (*first)->link = &c->next;
    *first = c;
    return 0;
}

void claim_revoke(struct claim *c)
{
    if (c->link == NULL)
        return;
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    c->link = NULL;
}

struct claim *claim_find(const unsigned char id[CLAIM_BYTES], unsigned kinds)
{
    for (struct claim *c = *bucket(id); c != NULL; c = c->next)
        if (memcmp(c->id, id, CLAIM_BYTES) == 0)
            return (c->kind & kinds) != 0 ? c : NULL;
    return NULL;
}
