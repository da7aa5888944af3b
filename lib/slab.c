/*
 * slab: a table of equal records. See slab.h.
 */
#include "slab.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int slab_init(struct slab *s, size_t size, size_t count)
{
    memset(s, 0, sizeof *s);
    if (count > SIZE_MAX / size) {
        errno = ENOMEM;
        return -1;
    }
    s->records = malloc(count * size);      /* not calloc: that would touch it */
    s->size = size;
    s->count = count;
    return s->records == NULL ? -1 : 0;
}

void *slab_get(struct slab *s)
{
    void *record = s->free;

    if (record != NULL)
        memcpy(&s->free, record, sizeof s->free);
    else if (s->begun < s->count)
        record = s->records + s->begun++ * s->size;
    else
        return NULL;
    memset(record, 0, s->size);
    return record;
}

/* A record given back is all zeroes but for the list's pointer at its start. */
void slab_put(struct slab *s, void *record)
{
    memset(record, 0, s->size);
    memcpy(record, &s->free, sizeof s->free);
    s->free = record;
}

void *slab_at(const struct slab *s, size_t i)
{
    return i < s->begun ? s->records + i * s->size : NULL;
}

size_t slab_index(const struct slab *s, const void *record)
{
    return (size_t)((const char *)record - s->records) / s->size;
}
