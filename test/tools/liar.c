/*
 * liar: sends messages from a descriptor of another process, as whoever has
 * taken that over would.
 *
 *     liar PID FD LENGTH...
 *
 * Each has so many random bytes, but one of 0 has none, and a length below 0
 * is that many zeroes. Needs root.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* linux/pidfd.h's; the same numbers on every architecture. */
#define PIDFD_OPEN 434
#define PIDFD_GETFD 438

long syscall(long number, ...);

int main(int argc, char **argv)
{
    static char bytes[65536];
    int fd;

    if (argc < 4)
        return 2;
    fd = (int)syscall(PIDFD_GETFD, (int)syscall(PIDFD_OPEN, atoi(argv[1]), 0), atoi(argv[2]), 0);
    if (fd < 0) {
        perror("liar");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        int len = atoi(argv[i]);

        if (len < 0)
            memset(bytes, 0, sizeof bytes);
        for (int at = 0; at < len; at++)
            bytes[at] = (char)rand();
        if (write(fd, bytes, (size_t)abs(len)) != abs(len)) {
            perror("liar");
            return 1;
        }
    }
    return 0;
}
