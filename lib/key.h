/*
 * key: one line of a key file: a name, its key, and what it may do.
 *
 *     NAME KEY [role=server|client] [ports=8080,9000-9010] [max=SESSIONS]
 *         [from=CIDR,...] [to=NAME,...]
 *
 * Pure: a line becomes a structure that points into it.
 */
#ifndef KEY_H
#define KEY_H

#include "addr.h"

/* How long a KEY may be, in bytes. */
#define KEY_SHORTEST 16
#define KEY_LONGEST 128

struct key {
    const char *name, *secret;
    const char *ports, *from, *to;  /* the lists; NULL: not given, so there is no limit */
    int max;                        /* sessions of each service; 0: not given */
    bool client;                    /* role=client: it may only connect */
    unsigned version;               /* for whoever keeps them: another secret, another version */
    struct key *next;
};

/*
 * Parses a line without its newline, cutting it into strings. Returns NULL, and
 * k->name is NULL where the line is blank or a comment; or what is wrong with
 * it, as a sentence (static).
 */
const char *key_parse(struct key *k, char *line);

/* Whether it may serve on this public port, and from this address. */
bool key_allows_port(const struct key *k, unsigned port);
bool key_allows_from(const struct key *k, const struct addr *from);

#endif
