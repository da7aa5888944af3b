/*
 * secret: files that nobody but their owner may read or write. See secret.h.
 */
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *check(int fd, bool regular)
{
    struct stat s;

    if (fstat(fd, &s) != 0)
        return strerror(errno);
    if ((s.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "others than its owner may read or write it: chmod 600";
    if (S_ISDIR(s.st_mode) || (regular && !S_ISREG(s.st_mode)))
        return "it is no regular file";
    return NULL;
}

const char *secret_read(int fd, bool regular, char *to, size_t size, size_t *len)
{
    const char *wrong = check(fd, regular);
    ssize_t got;

    *len = 0;
    while (wrong == NULL && *len < size && (got = read(fd, to + *len, size - *len)) != 0) {
        if (got > 0)
            *len += (size_t)got;
        else if (errno != EINTR)
            wrong = strerror(errno);
    }
    return wrong;
}
