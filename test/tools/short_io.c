/*
 * short_io: read() and write() of a system that seldom does all it is asked
 * to. To be linked in where -Dread=short_read -Dwrite=short_write was given.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

ssize_t short_read(int fd, void *to, size_t len);
ssize_t short_write(int fd, const void *from, size_t len);

/* What the next call does: 0 fails; else how many bytes it may move. */
static size_t most(size_t len)
{
    static unsigned long dice = 1;

    dice = dice * 1103515245 + 12345;
    switch (dice >> 16 & 7) {
    case 0:
        errno = EINTR;
        return 0;
    case 1:
        errno = EAGAIN;
        return 0;
    case 2:
        return 1;
    case 3:
        return len;
    default:
        return 1 + (dice >> 19) % 20000 % len;
    }
}

ssize_t short_read(int fd, void *to, size_t len)
{
    size_t n = len > 0 ? most(len) : 0;

    return n == 0 && len > 0 ? -1 : read(fd, to, n);
}

ssize_t short_write(int fd, const void *from, size_t len)
{
    size_t n = len > 0 ? most(len) : 0;

    return n == 0 && len > 0 ? -1 : write(fd, from, n);
}
