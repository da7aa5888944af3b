/*
 * sticky: which port a name had last. See sticky.h.
 */
#include "sticky.h"

#include "name.h"
#include "text.h"

#include <string.h>

struct entry {
    char name[NAME_SIZE];
    unsigned port;
    unsigned long long used;    /* 0: never */
};

static struct entry entries[STICKY_NAMES];
static unsigned long long uses;

/* The name's entry, else the one used longest ago. Entries are filled in order. */
static struct entry *find(const char *name)
{
    struct entry *oldest = &entries[0];

    for (struct entry *e = entries; e < entries + STICKY_NAMES; e++) {
        if (e->used == 0)
            return e;
        if (strcmp(e->name, name) == 0)
            return e;
        if (e->used < oldest->used)
            oldest = e;
    }
    return oldest;
}

void sticky_remember(const char *name, unsigned port)
{
    struct entry *e = find(name);

    text_copy(e->name, sizeof e->name, name);
    e->port = port;
    e->used = ++uses;
}

unsigned sticky_port(const char *name)
{
    const struct entry *e = find(name);

    return e->used != 0 && strcmp(e->name, name) == 0 ? e->port : 0;
}
