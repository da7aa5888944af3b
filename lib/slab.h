/*
 * slab: a table of equal records, allocated once, handed out one by one.
 *
 * Pages that no record was handed out from are never touched.
 */
#ifndef SLAB_H
#define SLAB_H

#include <stddef.h>

struct slab {
    char *records;
    void *free;         /* given back, the first of a list */
    size_t size;        /* of a record */
    size_t count;       /* of records in all */
    size_t begun;       /* how many were ever handed out */
};

/* Room for count records of size bytes, at least a pointer each. Returns -1 (ENOMEM). */
int slab_init(struct slab *s, size_t size, size_t count);

/* A record of zeroes, or NULL when all are out. */
void *slab_get(struct slab *s);
void slab_put(struct slab *s, void *record);

/* Record i of those ever handed out, in use or not; NULL beyond. To walk the table. */
void *slab_at(const struct slab *s, size_t i);

/* Which record of the table this is: the i of slab_at. */
size_t slab_index(const struct slab *s, const void *record);

#endif
