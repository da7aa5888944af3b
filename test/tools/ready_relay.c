/*
 * ready_relay: a relay that takes every server and notes down when connections come.
 *
 *     ready_relay HOST:PORT
 *
 * It prints its address. Each connection is a line: how many milliseconds after
 * it began to listen the connection came, and what it said first, "hello" or
 * "data". A [HELLO] with ready=N is told [PUBLIC] and N ids; nothing more is
 * said to anybody. What is read later is thrown away.
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

#define MOST 1000

static struct pollfd polled[MOST];
static struct {
    long long came;
    bool spoken;
} notes[MOST];
static int count = 1;       /* the first one is the listener */
static unsigned ids;

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void answer(int fd, const char *hello)
{
    const char *ready = strstr(hello, " ready=");
    long n = ready != NULL ? strtol(ready + 7, NULL, 10) : 0;

    dprintf(fd, "[PUBLIC] 127.0.0.1:9\n");
    for (long i = 0; i < n; i++)
        dprintf(fd, "[READY] id=%032x\n", ++ids);
}

static void take(long long began)
{
    int fd = accept(polled[0].fd, NULL, NULL);

    if (fd < 0 || count == MOST) {
        close(fd);
        return;
    }
    polled[count] = (struct pollfd){.fd = fd, .events = POLLIN};
    notes[count].came = now_ms() - began;
    notes[count++].spoken = false;
}

static void hear(int i)
{
    char line[1024];
    ssize_t got = read(polled[i].fd, line, sizeof line - 1);

    if (got <= 0) {
        close(polled[i].fd);
        polled[i] = polled[--count];
        notes[i] = notes[count];
        return;
    }
    line[got] = '\0';
    if (notes[i].spoken)
        return;
    notes[i].spoken = true;
    printf("%lld %s\n", notes[i].came, strncmp(line, "[HELLO]", 7) == 0 ? "hello" : "data");
    fflush(stdout);
    if (strncmp(line, "[HELLO]", 7) == 0)
        answer(polled[i].fd, line);
}

static int listen_at(const char *text)
{
    const char *colon = strrchr(text, ':');
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    char host[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (colon == NULL || colon - text >= (long)sizeof host)
        return -1;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    a.sin_port = htons((unsigned short)strtoul(colon + 1, NULL, 10));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(fd, SOMAXCONN) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return -1;
    printf("%s:%d\n", host, (int)ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    long long began;

    polled[0] = (struct pollfd){.fd = argc == 2 ? listen_at(argv[1]) : -1, .events = POLLIN};
    began = now_ms();
    if (polled[0].fd < 0) {
        perror("ready_relay HOST:PORT");
        return 1;
    }
    while (poll(polled, (nfds_t)count, -1) > 0) {
        for (int i = count - 1; i > 0; i--)
            if (polled[i].revents != 0)
                hear(i);
        if (polled[0].revents != 0)
            take(began);
    }
    return 0;
}
