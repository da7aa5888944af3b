/*
 * rights: root given up for good. See rights.h.
 */
#include "rights.h"

#include "os.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* What is looked at of a line: of a group's, the members may be many. */
#define LINE_START 256

/* (uid_t)-1 and (gid_t)-1 mean none at all. */
#define HIGHEST_ID 2147483647L

#define PASSWD_FIELDS 4     /* name, password, uid, gid */
#define GROUP_FIELDS 3      /* name, password, gid */

struct entry {
    const char *name;       /* or by number, where that is NULL: */
    long number;
    long field[PASSWD_FIELDS];  /* those that are numbers, once found; else -1 */
};

/* Whether the line is the entry's. */
static bool matches(struct entry *e, char *line, int fields)
{
    char *at = line, *name = line;

    for (int i = 0; i < fields; i++) {
        char *end = strchr(at, ':');

        if (end != NULL)
            *end = '\0';
        else if (i + 1 < fields)
            return false;
        e->field[i] = text_number(at, HIGHEST_ID);
        if (end != NULL)
            at = end + 1;
    }
    return e->name != NULL ? strcmp(name, e->name) == 0 : e->field[2] == e->number;
}

/*
 * Not by getpwnam(): it would bring 20 kB into a static program, or shared
 * libraries into it at run time.
 */
static bool find(struct entry *e, const char *path, int fields)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char buffer[1024], line[LINE_START];
    size_t len = 0;
    ssize_t got;
    bool found = false;

    while (fd >= 0 && !found && (got = read(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < got && !found; i++) {
            if (buffer[i] != '\n') {
                if (len < sizeof line - 1)
                    line[len++] = buffer[i];
                continue;
            }
            line[len] = '\0';
            len = 0;
            found = matches(e, line, fields);
        }
    }
    if (fd >= 0)
        close(fd);
    return found;
}

static bool find_user(struct rights *r, const char *name, bool *has_group)
{
    struct entry e = {.name = name};
    long number = text_number(name, HIGHEST_ID);

    *has_group = find(&e, "/etc/passwd", PASSWD_FIELDS);
    if (!*has_group && number >= 0) {
        e.name = NULL;
        e.number = number;
        *has_group = find(&e, "/etc/passwd", PASSWD_FIELDS);
        r->uid = (uid_t)number;
    }
    if (!*has_group)
        return number >= 0;
    *has_group = e.field[3] >= 0;
    r->uid = (uid_t)e.field[2];
    r->gid = (gid_t)e.field[3];
    return e.field[2] >= 0;
}

static bool find_group(struct rights *r, const char *name)
{
    struct entry e = {.name = name};
    long number = text_number(name, HIGHEST_ID);

    if (find(&e, "/etc/group", GROUP_FIELDS))
        number = e.field[2];
    r->gid = (gid_t)number;
    return number >= 0;
}

const char *rights_find(struct rights *r, const char *user)
{
    const char *colon = strchr(user, ':');
    size_t len = colon != NULL ? (size_t)(colon - user) : strlen(user);
    char name[64];
    bool has_group;

    if (len == 0 || len >= sizeof name)
        return "it is USER or USER:GROUP";
    memcpy(name, user, len);
    name[len] = '\0';
    if (!find_user(r, name, &has_group))
        return "there is no such user in /etc/passwd";
    if (r->uid == 0)
        return "that is root";
    if (colon != NULL)
        return find_group(r, colon + 1) ? NULL : "there is no such group in /etc/group";
    return has_group ? NULL : "a number that is not in /etc/passwd needs a group: NUMBER:GROUP";
}

static bool can_return(const struct rights *r)
{
    if (os_root_again() || (r->gid != 0 && os_root_group_again()))
        return true;
    return getuid() != r->uid || geteuid() != r->uid || getgid() != r->gid || getegid() != r->gid;
}

const char *rights_give_up(const struct rights *r, const char *directory)
{
    if (directory != NULL && os_chroot(directory) != 0)
        return "chroot";
    if (directory != NULL && chdir("/") != 0)
        return "chdir";
    if (os_become(r->uid, r->gid) != 0)
        return "setuid";
    if (can_return(r)) {
        errno = EPERM;
        return "the proof that root cannot be had back";
    }
    return NULL;
}
