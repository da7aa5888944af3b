/*
 * keys: the keys of a key file. See keys.h.
 */
#include "keys.h"

#include "name.h"
#include "text.h"
#include "wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKETS 256

struct table {
    char *text;         /* the file; the keys point into it */
    size_t size;
    struct key *keys;
    size_t count;
    struct key *by_name[BUCKETS];
};

static struct table current;
static bool in_use;

static void fail(char why[KEYS_WHY], const char *reason, size_t line)
{
    struct text t;

    text_init(&t, why, KEYS_WHY);
    if (line > 0)
        text_add(&t, "line %u: ", (unsigned)line);
    text_add(&t, "%s", reason);
}

static void drop(struct table *t)
{
    if (t->text != NULL)
        wipe(t->text, t->size);
    free(t->text);
    free(t->keys);
    memset(t, 0, sizeof *t);
}

/* The hash FNV-1a. */
static struct key **bucket(struct table *t, const char *name, size_t len)
{
    unsigned hash = 2166136261U;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619U;
    return &t->by_name[hash % BUCKETS];
}

static struct key *find(struct table *t, const char *name, size_t len)
{
    struct key *k = *bucket(t, name, len);

    while (k != NULL && (strncmp(k->name, name, len) != 0 || k->name[len] != '\0'))
        k = k->next;
    return k;
}

/* A key that stays the same over a new reading keeps its version. */
static unsigned version_of(const struct key *k)
{
    static unsigned last;
    const struct key *old = find(&current, k->name, strlen(k->name));

    return old != NULL && strcmp(old->secret, k->secret) == 0 ? old->version : ++last;
}

/* Reading. */

static const char *check_file(int fd)
{
    struct stat s;

    if (fstat(fd, &s) != 0)
        return strerror(errno);
    if ((s.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "others than its owner may read or write it: chmod 600";
    if (S_ISDIR(s.st_mode) || (in_use && !S_ISREG(s.st_mode)))
        return "it is no regular file";
    return NULL;
}

static const char *read_all(int fd, struct table *t)
{
    ssize_t got;

    t->text = malloc(KEYS_FILE_MOST + 1);
    if (t->text == NULL)
        return strerror(errno);
    while ((got = read(fd, t->text + t->size, KEYS_FILE_MOST + 1 - t->size)) != 0) {
        if (got < 0 && errno != EINTR)
            return strerror(errno);
        if (got > 0)
            t->size += (size_t)got;
    }
    if (t->size > KEYS_FILE_MOST)
        return "it is larger than a megabyte";
    t->text[t->size] = '\0';
    return NULL;
}

static size_t count_lines(const struct table *t)
{
    size_t lines = 1;

    for (size_t i = 0; i < t->size; i++)
        lines += t->text[i] == '\n';
    return lines;
}

static const char *add(struct table *t, char *line)
{
    struct key *k = &t->keys[t->count], **first;
    const char *wrong = key_parse(k, line);

    if (wrong != NULL || k->name == NULL)
        return wrong;
    if (find(t, k->name, strlen(k->name)) != NULL)
        return "that NAME has a line already";
    k->version = version_of(k);
    first = bucket(t, k->name, strlen(k->name));
    k->next = *first;
    *first = k;
    t->count++;
    return NULL;
}

/* Returns what is wrong; *number is the line's. */
static const char *parse(struct table *t, size_t *number)
{
    char *line = t->text, *end = t->text + t->size;

    t->keys = calloc(count_lines(t), sizeof *t->keys);
    if (t->keys == NULL)
        return strerror(errno);
    for (*number = 1; line < end; ++*number) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *stop = newline != NULL ? newline : end;
        const char *wrong;

        *stop = '\0';
        if (strlen(line) != (size_t)(stop - line))
            return "there is a NUL in it";
        wrong = add(t, line);
        if (wrong != NULL)
            return wrong;
        line = stop + 1;
    }
    return NULL;
}

int keys_load(const char *path, char why[KEYS_WHY])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | (in_use ? O_NONBLOCK : 0));
    struct table fresh = {0};
    const char *wrong;
    size_t line = 0;

    if (fd < 0) {
        fail(why, strerror(errno), 0);
        return -1;
    }
    wrong = check_file(fd);
    if (wrong == NULL)
        wrong = read_all(fd, &fresh);
    close(fd);
    if (wrong == NULL)
        wrong = parse(&fresh, &line);
    if (wrong != NULL) {
        fail(why, wrong, line);
        drop(&fresh);
        return -1;
    }
    drop(&current);
    current = fresh;
    in_use = true;
    return 0;
}

/* Asking. */

bool keys_in_use(void)
{
    return in_use;
}

size_t keys_count(void)
{
    return current.count;
}

const struct key *keys_only(void)
{
    return current.count == 1 ? current.keys : NULL;
}

const struct key *keys_of_service(const char *service)
{
    const struct key *k = find(&current, service, strlen(service));

    return k != NULL ? k : find(&current, service, strcspn(service, "."));
}

void keys_forget(void)
{
    wipe(current.text, current.size);
    memset(current.by_name, 0, sizeof current.by_name);
}
