/*
 * keyfile: a whole key file. See keyfile.h.
 */
#include "keyfile.h"

#include "wipe.h"

#include <string.h>

/* The hash FNV-1a. */
static size_t bucket(const char *name, size_t len)
{
    unsigned hash = 2166136261U;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619U;
    return hash % KEYFILE_BUCKETS;
}

const struct key *keyfile_find(const struct keyfile *f, const char *name, size_t len)
{
    const struct key *k = f->by_name[bucket(name, len)];

    while (k != NULL && (strncmp(k->name, name, len) != 0 || k->name[len] != '\0'))
        k = k->next;
    return k;
}

static const char *add(struct keyfile *f, char *line)
{
    struct key parsed, *k = &f->keys[f->count], **first;
    const char *wrong = key_parse(&parsed, line);

    if (wrong != NULL || parsed.name == NULL)
        return wrong;
    if (keyfile_find(f, parsed.name, strlen(parsed.name)) != NULL)
        return "that NAME has a line already";
    if (f->count == f->most)
        return "that is one key more than there may be";
    *k = parsed;
    first = &f->by_name[bucket(k->name, strlen(k->name))];
    k->next = *first;
    *first = k;
    f->count++;
    return NULL;
}

const char *keyfile_parse(struct keyfile *f, size_t *line)
{
    char *start = f->text, *end = f->text + f->size;

    *line = 0;
    while (start < end) {
        char *newline = memchr(start, '\n', (size_t)(end - start));
        char *stop = newline != NULL ? newline : end;
        const char *wrong;

        ++*line;
        *stop = '\0';
        if (strlen(start) != (size_t)(stop - start))
            return "there is a NUL in it";
        wrong = add(f, start);
        if (wrong != NULL)
            return wrong;
        start = stop + 1;
    }
    return NULL;
}

void keyfile_wipe(struct keyfile *f)
{
    wipe(f->text, f->size);
    f->size = f->count = 0;
    memset(f->by_name, 0, sizeof f->by_name);
}
