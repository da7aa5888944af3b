/*
 * keyfile: a whole key file. See keyfile.h.
 */
#include "keyfile.h"

#include "wipe.h"

#include <errno.h>
#include <stdlib.h>
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

static size_t count_lines(const struct keyfile *f)
{
    size_t lines = 1;

    for (size_t i = 0; i < f->size; i++)
        lines += f->text[i] == '\n';
    return lines;
}

static const char *add(struct keyfile *f, char *line)
{
    struct key *k = &f->keys[f->count], **first;
    const char *wrong = key_parse(k, line);

    if (wrong != NULL || k->name == NULL)
        return wrong;
    if (keyfile_find(f, k->name, strlen(k->name)) != NULL)
        return "that NAME has a line already";
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
    f->keys = calloc(count_lines(f), sizeof *f->keys);
    if (f->keys == NULL)
        return strerror(errno);
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

void keyfile_drop(struct keyfile *f)
{
    if (f->text != NULL)
        wipe(f->text, f->size);
    free(f->text);
    free(f->keys);
    memset(f, 0, sizeof *f);
}
