/*
 * keys: the keys of a key file: who may serve what.
 *
 * The file is read whole, and again when asked to; a file with a mistake
 * changes nothing. Nobody but its owner may read it (mode 0600). The keys are
 * wiped before their memory is given back.
 */
#ifndef KEYS_H
#define KEYS_H

#include "key.h"

/* The largest key file, in bytes, and the most keys. */
#define KEYS_FILE_MOST 1048576
#define KEYS_MOST 10000

#define KEYS_WHY 160

/*
 * Reads the file in place of what was read before. Returns 0, or -1 with a
 * sentence in why (with the line's number, where it is one line's fault), and
 * the keys are those there were. The second time it must be a regular file. A key
 * that is the same as before keeps its version.
 */
int keys_load(const char *path, char why[KEYS_WHY]);

/* Whether a file was read. */
bool keys_in_use(void);

/* How many keys there are, and, where there is one alone, that one. */
size_t keys_count(void);
const struct key *keys_only(void);

/*
 * The key of a service: the one of its name, else the one of what stands
 * before the name's first dot. NULL: it has none. Good until the next keys_load.
 */
const struct key *keys_of_service(const char *service);

/* The key of this name alone, or NULL. Good until the next keys_load. */
const struct key *keys_of_name(const char *name);

/* Wipes them, as a child does that needs none. */
void keys_forget(void);

#endif
