/*
 * churn: connects and resets, many times.
 *
 *     churn HOST:PORT COUNT [BYTES]
 *
 * Each connection sends BYTES bytes (none), then is reset at once. Prints how
 * many were taken and how many refused.
 */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_and_reset(const struct addrinfo *to, size_t len)
{
    static const char bytes[4096];
    struct linger at_once = {1, 0};
    int fd = socket(to->ai_family, SOCK_STREAM, 0);
    int taken;

    if (fd < 0)
        return 0;
    taken = connect(fd, to->ai_addr, to->ai_addrlen) == 0;
    if (taken && len > 0)
        taken = write(fd, bytes, len < sizeof bytes ? len : sizeof bytes) > 0;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    return taken;
}

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
    char *colon = argc > 2 ? strrchr(argv[1], ':') : NULL;
    long count, taken = 0;

    if (colon == NULL) {
        fprintf(stderr, "usage: churn HOST:PORT COUNT [BYTES]\n");
        return 2;
    }
    *colon = '\0';
    signal(SIGPIPE, SIG_IGN);
    if (getaddrinfo(argv[1], colon + 1, &hints, &to) != 0)
        return 2;
    count = strtol(argv[2], NULL, 10);
    for (long i = 0; i < count; i++)
        taken += connect_and_reset(to, argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
    printf("taken=%ld refused=%ld\n", taken, count - taken);
    freeaddrinfo(to);
    return 0;
}
