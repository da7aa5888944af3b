/*
 * pool_relay: a relay of the protocol hostpool that takes every host process and
 * notes down when connections come.
 *
 *     pool_relay HOST:PORT [refuse]
 *
 * Data connections come to PORT, command connections to the port above. Each is
 * a line: how many milliseconds after it began to listen the connection came,
 * and "data" or "command". A data connection's first bytes are answered with a
 * welcome; with refuse it is reset at once. Nothing more is said to anybody,
 * and what is read later is thrown away.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 2000

/* The first two are the listeners. */
enum { DATA, COMMAND };

static struct pollfd polled[MOST];
static bool greets[MOST];
static int count = 2;
static unsigned sessions;
static bool refuses;

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Sessions below 16,384 take two bytes. */
static void welcome(int fd)
{
    unsigned n = ++sessions;
    unsigned char frame[] = "\0\0\0\x11\x08\0\0\x12\x09" "127.0.0.1\x1a\x01" "9";

    frame[5] = (unsigned char)(n & 127) | 128;
    frame[6] = (unsigned char)(n >> 7);
    if (write(fd, frame, sizeof frame - 1) < 0)
        perror("pool_relay");
}

static void take(int of, long long began)
{
    int fd = accept(polled[of].fd, NULL, NULL);
    struct linger cut = {1, 0};

    if (fd < 0)
        return;
    printf("%lld %s\n", now_ms() - began, of == DATA ? "data" : "command");
    fflush(stdout);
    if (count == MOST || (of == DATA && refuses)) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof cut);
        close(fd);
        return;
    }
    polled[count] = (struct pollfd){.fd = fd, .events = POLLIN};
    greets[count++] = of == DATA;
}

static void hear(int i)
{
    char bytes[1024];

    if (read(polled[i].fd, bytes, sizeof bytes) <= 0) {
        close(polled[i].fd);
        polled[i] = polled[--count];
        greets[i] = greets[count];
        return;
    }
    if (greets[i])
        welcome(polled[i].fd);
    greets[i] = false;
}

static int listen_at(const char *host, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(fd, SOMAXCONN) != 0)
        return -1;
    return fd;
}

int main(int argc, char **argv)
{
    char *colon = argc >= 2 ? strrchr(argv[1], ':') : NULL;
    unsigned port = colon != NULL ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
    long long began;

    if (colon != NULL)
        *colon = '\0';
    for (unsigned i = DATA; i <= COMMAND; i++)
        polled[i] = (struct pollfd){.fd = colon != NULL ? listen_at(argv[1], port + i) : -1, .events = POLLIN};
    refuses = argc == 3 && strcmp(argv[2], "refuse") == 0;
    began = now_ms();
    if (polled[DATA].fd < 0 || polled[COMMAND].fd < 0) {
        perror("pool_relay HOST:PORT");
        return 1;
    }
    while (poll(polled, (nfds_t)count, -1) > 0) {
        for (int i = count - 1; i > COMMAND; i--)
            if (polled[i].revents != 0)
                hear(i);
        for (int i = DATA; i <= COMMAND; i++)
            if (polled[i].revents != 0)
                take(i, began);
    }
    return 0;
}
