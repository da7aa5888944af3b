/*
 * keyfile: a whole key file: a line for each name, blank lines and comments.
 *
 * Pure: bytes in, and a table or a mistake with its line out. The memory is
 * the caller's.
 */
#ifndef KEYFILE_H
#define KEYFILE_H

#include "key.h"

#define KEYFILE_BUCKETS 256

struct keyfile {
    char *text;         /* the keys point into it */
    size_t size;        /* of the text; there is room for one byte more */
    struct key *keys;   /* room for most of them */
    size_t most;
    size_t count;
    struct key *by_name[KEYFILE_BUCKETS];
};

/*
 * Parses the text, cutting it into strings; there are no keys in f before.
 * Returns NULL, or what is wrong as a sentence (static), and in *line the number
 * of the line that it is about, from 1.
 */
const char *keyfile_parse(struct keyfile *f, size_t *line);

/* The key with this name of len bytes, or NULL. */
const struct key *keyfile_find(const struct keyfile *f, const char *name, size_t len);

/* Wipes the text; what is left has no keys. */
void keyfile_wipe(struct keyfile *f);

#endif
