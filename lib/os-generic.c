/*
 * os-generic: what os.h promises, on any POSIX system.
 */
#ifndef __linux__

/* chroot() and setgroups() are everywhere, but hidden from those who ask for POSIX alone. */
#undef _POSIX_C_SOURCE

#include "os.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

int os_accept(int listener, struct sockaddr *from, socklen_t *len)
{
    int fd = accept(listener, from, len);

    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int os_stream_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return -1;
}

pid_t os_fork(void)
{
    return fork();
}

int os_own_image(void)
{
    return -1;
}

void os_exec_image(int image, char **argv)
{
    (void)image, (void)argv;
}

void os_close_range(int low, int high)
{
    if (high >= sysconf(_SC_OPEN_MAX))
        high = (int)sysconf(_SC_OPEN_MAX) - 1;
    for (int fd = low; fd <= high; fd++)
        close(fd);
}

int os_random(void *buffer, size_t len)
{
    static int source = -1;
    unsigned char *at = buffer;

    if (source < 0)
        source = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return -1;
    while (len > 0) {
        ssize_t got = read(source, at, len);

        if (got <= 0)
            return -1;
        at += got;
        len -= (size_t)got;
    }
    return 0;
}

void os_keepalive(int fd, int idle, int interval, int count)
{
    (void)fd, (void)idle, (void)interval, (void)count;
}

void os_user_timeout(int fd, unsigned milliseconds)
{
    (void)fd, (void)milliseconds;
}

bool os_peer_silent(int fd, unsigned seconds, bool *unacknowledged)
{
    (void)fd, (void)seconds;
    *unacknowledged = false;
    return false;
}

const short os_poll_ended = 0;

void os_give_back(void *bytes, size_t len)
{
    memset(bytes, 0, len);
}

void os_signal_with_parent(int signo, pid_t parent)
{
    (void)signo, (void)parent;
}

int os_chroot(const char *directory)
{
    return chroot(directory);
}

int os_become(uid_t uid, gid_t gid)
{
    return setgroups(1, &gid) == 0 && setgid(gid) == 0 && setuid(uid) == 0 ? 0 : -1;
}

bool os_root_again(void)
{
    return setuid(0) == 0 || seteuid(0) == 0;
}

bool os_root_group_again(void)
{
    return setgid(0) == 0 || setegid(0) == 0;
}

void os_title_init(char **argv)
{
    (void)argv;
}

void os_title(const char *title)
{
    (void)title;
}

void os_name(const char *name)
{
    (void)name;
}

#else
typedef int os_generic_is_empty_here;
#endif
