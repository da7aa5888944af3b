/*
 * tally: how many of something each source address has. See tally.h.
 */
#include "tally.h"

#include <string.h>

/* An IPv4 address (4 bytes) or the first half of an IPv6 one (8 bytes). */
struct source {
    unsigned char bytes[8];
    unsigned char len;
};

struct tally_source {
    struct tally_source *next;
    struct source key;
    unsigned count;
};

static struct source source_of(const struct addr *a)
{
    struct source k;

    memset(&k, 0, sizeof k);
    if (a->u.any.sa_family == AF_INET) {
        k.len = 4;
        memcpy(k.bytes, &a->u.in4.sin_addr, 4);
    } else if (a->u.any.sa_family == AF_INET6) {
        k.len = 8;
        memcpy(k.bytes, &a->u.in6.sin6_addr, 8);
    }
    return k;
}

static unsigned bucket(const struct source *k)
{
    unsigned hash = 2166136261U;    /* FNV-1a */

    for (int i = 0; i < k->len; i++)
        hash = (hash ^ k->bytes[i]) * 16777619U;
    return (hash ^ hash >> 16) % TALLY_BUCKETS;
}

static struct tally_source **find(const struct tally *t, const struct source *k)
{
    struct tally_source **at = (struct tally_source **)&t->buckets[bucket(k)];

    while (*at != NULL && memcmp(&(*at)->key, k, sizeof *k) != 0)
        at = &(*at)->next;
    return at;
}

int tally_init(struct tally *t, size_t sources)
{
    memset(t, 0, sizeof *t);
    return slab_init(&t->sources, sizeof(struct tally_source), sources);
}

unsigned tally_count(const struct tally *t, const struct addr *source)
{
    struct source k = source_of(source);
    struct tally_source *s = *find(t, &k);

    return s == NULL ? 0 : s->count;
}

int tally_add(struct tally *t, const struct addr *source)
{
    struct source k = source_of(source);
    struct tally_source **at = find(t, &k);

    if (*at == NULL) {
        struct tally_source *s = slab_get(&t->sources);

        if (s == NULL)
            return -1;
        s->key = k;
        *at = s;
    }
    (*at)->count++;
    return 0;
}

void tally_drop(struct tally *t, const struct addr *source)
{
    struct source k = source_of(source);
    struct tally_source **at = find(t, &k), *s = *at;

    if (s == NULL || --s->count > 0)
        return;
    *at = s->next;
    slab_put(&t->sources, s);
}
