/*
 * keys: the keys of a key file. See keys.h.
 */
#include "keys.h"

#include "keyfile.h"
#include "text.h"
#include "wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct keyfile current;
static bool in_use;

static void fail(char why[KEYS_WHY], const char *reason, size_t line)
{
    struct text t;

    text_init(&t, why, KEYS_WHY);
    if (line > 0)
        text_add(&t, "line %u: ", (unsigned)line);
    text_add(&t, "%s", reason);
}

/* A key that stays the same over a new reading keeps its version. */
static unsigned version_of(const struct key *k)
{
    static unsigned last;
    const struct key *old = keyfile_find(&current, k->name, strlen(k->name));

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

static const char *read_all(int fd, struct keyfile *f)
{
    ssize_t got;

    f->text = malloc(KEYS_FILE_MOST + 1);
    if (f->text == NULL)
        return strerror(errno);
    while ((got = read(fd, f->text + f->size, KEYS_FILE_MOST + 1 - f->size)) != 0) {
        if (got < 0 && errno != EINTR)
            return strerror(errno);
        if (got > 0)
            f->size += (size_t)got;
    }
    if (f->size > KEYS_FILE_MOST)
        return "it is larger than a megabyte";
    return NULL;
}

int keys_load(const char *path, char why[KEYS_WHY])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | (in_use ? O_NONBLOCK : 0));
    struct keyfile fresh = {0};
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
        wrong = keyfile_parse(&fresh, &line);
    if (wrong != NULL) {
        fail(why, wrong, line);
        keyfile_drop(&fresh);
        return -1;
    }
    for (size_t i = 0; i < fresh.count; i++)
        fresh.keys[i].version = version_of(&fresh.keys[i]);
    keyfile_drop(&current);
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
    const struct key *k = keyfile_find(&current, service, strlen(service));

    return k != NULL ? k : keyfile_find(&current, service, strcspn(service, "."));
}

void keys_forget(void)
{
    wipe(current.text, current.size);
    memset(current.by_name, 0, sizeof current.by_name);
}
