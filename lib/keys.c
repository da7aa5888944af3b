/*
 * keys: the keys of a key file. See keys.h.
 */
#include "keys.h"

#include "name.h"
#include "slab.h"
#include "text.h"
#include "wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKETS 256

/* Made once, as large as may be: memory that no file ever filled is never touched. */
struct table {
    char *text;         /* the file; the keys point into it */
    size_t size;
    struct slab keys;
    size_t count;
    struct key *by_name[BUCKETS];
};

/* One is in use while the other is being read. */
static struct table tables[2];
static struct table *current = &tables[0];
static bool in_use;

static void fail(char why[KEYS_WHY], const char *reason, size_t line)
{
    struct text t;

    text_init(&t, why, KEYS_WHY);
    if (line > 0)
        text_add(&t, "line %u: ", (unsigned)line);
    text_add(&t, "%s", reason);
}

static int make_room(struct table *t)
{
    if (t->text != NULL)
        return 0;
    if (slab_init(&t->keys, sizeof(struct key), KEYS_MOST) != 0)
        return -1;
    t->text = malloc(KEYS_FILE_MOST + 1);
    return t->text != NULL ? 0 : -1;
}

static void forget(struct table *t)
{
    wipe(t->text, t->size);
    t->size = t->count = 0;
    slab_empty(&t->keys);
    memset(t->by_name, 0, sizeof t->by_name);
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
    const struct key *old = find(current, k->name, strlen(k->name));

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

static const char *add(struct table *t, char *line)
{
    struct key parsed, *k, **first;
    const char *wrong = key_parse(&parsed, line);

    if (wrong != NULL || parsed.name == NULL)
        return wrong;
    if (find(t, parsed.name, strlen(parsed.name)) != NULL)
        return "that NAME has a line already";
    k = slab_get(&t->keys);
    if (k == NULL)
        return "that is one key too many: 10000 are the most";
    first = bucket(t, parsed.name, strlen(parsed.name));
    *k = parsed;
    k->version = version_of(k);
    k->next = *first;
    *first = k;
    t->count++;
    return NULL;
}

/* Returns what is wrong; *number is the line's. */
static const char *parse(struct table *t, size_t *number)
{
    char *line = t->text, *end = t->text + t->size;

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

static const char *load(int fd, struct table *t, size_t *line)
{
    const char *wrong = check_file(fd);

    if (wrong == NULL)
        wrong = read_all(fd, t);
    return wrong != NULL ? wrong : parse(t, line);
}

int keys_load(const char *path, char why[KEYS_WHY])
{
    struct table *fresh = &tables[current == &tables[0]], *old = current;
    int fd = open(path, O_RDONLY | O_CLOEXEC | (in_use ? O_NONBLOCK : 0));
    const char *wrong;
    size_t line = 0;

    if (fd < 0 || make_room(fresh) != 0) {
        fail(why, strerror(errno), 0);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    wrong = load(fd, fresh, &line);
    close(fd);
    if (wrong != NULL) {
        fail(why, wrong, line);
        forget(fresh);
        return -1;
    }
    current = fresh;
    if (in_use)
        forget(old);
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
    return current->count;
}

const struct key *keys_only(void)
{
    return current->count == 1 ? slab_at(&current->keys, 0) : NULL;
}

const struct key *keys_of_service(const char *service)
{
    const struct key *k = find(current, service, strlen(service));

    return k != NULL ? k : find(current, service, strcspn(service, "."));
}

void keys_forget(void)
{
    forget(current);
}
