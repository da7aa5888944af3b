/*
 * plain_relay: a relay as the original is, for servers to fall back to.
 *
 *     plain_relay [HOST]          HOST: says [NEW]HOST:PORT instead of [NEW]PORT
 *
 * It listens on a port of 127.0.0.1 for servers and prints "control PORT". For
 * each server it opens a public and a reverse port and prints "public PORT
 * reverse PORT". For each client it writes [NEW] and the reverse port, waits
 * for the server there and copies until one side ends. It never reads the
 * control connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "plain_relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_port(unsigned *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof in) != 0 || listen(fd, 128) != 0)
        die("listen");
    getsockname(fd, (struct sockaddr *)&in, &len);
    *port = ntohs(in.sin_port);
    return fd;
}

/* Returns 0 at the end of that direction. */
static int move(int from, int to)
{
    char buffer[16384];
    ssize_t got = read(from, buffer, sizeof buffer);

    for (ssize_t at = 0, put; at < got; at += put) {
        put = write(to, buffer + at, (size_t)(got - at));
        if (put < 0)
            exit(0);
    }
    if (got <= 0)
        shutdown(to, SHUT_WR);
    return got > 0;
}

static void copy(int client, int server)
{
    struct pollfd p[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};

    while ((p[0].fd >= 0 || p[1].fd >= 0) && poll(p, 2, -1) >= 0) {
        if (p[0].revents != 0 && !move(client, server))
            p[0].fd = -1;
        if (p[1].revents != 0 && !move(server, client))
            p[1].fd = -1;
    }
    exit(0);
}

static void say_new(int control, const char *host, unsigned port)
{
    char line[512];
    int len = snprintf(line, sizeof line, "[NEW]%s%s%u\n", host, host[0] != '\0' ? ":" : "", port);

    if (write(control, line, (size_t)len) != len)
        exit(0);
}

/* Ends once the server has closed its control connection. */
static void serve(int control, const char *host)
{
    unsigned public_port, reverse_port;
    int public_fd = open_port(&public_port), reverse_fd = open_port(&reverse_port);
    struct pollfd p[2] = {{.fd = public_fd, .events = POLLIN}, {.fd = control, .events = 0}};

    printf("public %u reverse %u\n", public_port, reverse_port);
    fflush(stdout);
    while (poll(p, 2, -1) >= 0 && p[1].revents == 0) {
        int client = accept(public_fd, NULL, NULL), server;

        say_new(control, host, reverse_port);
        server = accept(reverse_fd, NULL, NULL);
        if (fork() == 0)
            copy(client, server);
        close(client);
        close(server);
    }
    exit(0);
}

int main(int argc, char **argv)
{
    unsigned port;
    int fd = open_port(&port), control;

    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    printf("control %u\n", port);
    fflush(stdout);
    while ((control = accept(fd, NULL, NULL)) >= 0) {
        if (fork() == 0) {
            close(fd);
            serve(control, argc > 1 ? argv[1] : "");
        }
        close(control);
    }
    die("accept");
}
