/*
 * keyfile: a whole key file: a line for each name, blank lines and comments.
 *
 * Pure but for the memory of its table: bytes in, and a table or a mistake
 * with its line out.
 */
#ifndef KEYFILE_H
#define KEYFILE_H

#include "key.h"

#define KEYFILE_BUCKETS 256

struct keyfile {
    char *text;         /* malloc's; the keys point into it */
    size_t size;        /* of the text; there is room for one byte more */
    struct key *keys;
    size_t count;
    struct key *by_name[KEYFILE_BUCKETS];
};

/*
 * Parses the text, cutting it into strings; all else in f is zeroes before.
 * Returns NULL, or what is wrong as a sentence (static), and in *line the number
 * of the line that it is about, from 1; 0: it is about none. keyfile_drop either way.
 */
const char *keyfile_parse(struct keyfile *f, size_t *line);

/* The key with this name of len bytes, or NULL. */
const struct key *keyfile_find(const struct keyfile *f, const char *name, size_t len);

/* Wipes and frees it; what is left is an empty one. Harmless to an empty one. */
void keyfile_drop(struct keyfile *f);

#endif
