/*
 * keys: the keys of a key file. See keys.h.
 */
#include "keys.h"

#include "keyfile.h"
#include "secret.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * One is in use while the other is being read. Each is made once, as large as
 * may be: memory that no file ever filled is never touched.
 */
static struct keyfile files[2];
static struct keyfile *current = &files[0];
static bool in_use;

static void fail(char why[KEYS_WHY], const char *reason, size_t line)
{
    struct text t;

    text_init(&t, why, KEYS_WHY);
    if (line > 0)
        text_add(&t, "line %u: ", (unsigned)line);
    text_add(&t, "%s", reason);
}

static int make_room(struct keyfile *f)
{
    if (f->text != NULL)
        return 0;
    f->most = KEYS_MOST;
    f->keys = malloc(KEYS_MOST * sizeof *f->keys);
    f->text = f->keys != NULL ? malloc(KEYS_FILE_MOST + 1) : NULL;
    return f->text != NULL ? 0 : -1;
}

/* A key that stays the same over a new reading keeps its version. */
static unsigned version_of(const struct key *k)
{
    static unsigned last;
    const struct key *old = keyfile_find(current, k->name, strlen(k->name));

    return old != NULL && strcmp(old->secret, k->secret) == 0 ? old->version : ++last;
}

/* Reading. */

static const char *load(int fd, struct keyfile *f, size_t *line)
{
    const char *wrong = secret_read(fd, in_use, f->text, KEYS_FILE_MOST + 1, &f->size);

    if (wrong == NULL && f->size > KEYS_FILE_MOST)
        wrong = "it is larger than a megabyte";
    return wrong != NULL ? wrong : keyfile_parse(f, line);
}

int keys_load(const char *path, char why[KEYS_WHY])
{
    struct keyfile *fresh = &files[current == &files[0]], *old = current;
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
        keyfile_wipe(fresh);
        return -1;
    }
    for (size_t i = 0; i < fresh->count; i++)
        fresh->keys[i].version = version_of(&fresh->keys[i]);
    current = fresh;
    if (in_use)
        keyfile_wipe(old);
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
    return current->count == 1 ? current->keys : NULL;
}

const struct key *keys_of_name(const char *name)
{
    return keyfile_find(current, name, strlen(name));
}

const struct key *keys_of_service(const char *service)
{
    const struct key *k = keys_of_name(service);

    return k != NULL ? k : keyfile_find(current, service, strcspn(service, "."));
}

void keys_forget(void)
{
    keyfile_wipe(current);
}
