/*
 * plain_echo: an echo server that reaches its clients through a relay as the
 * original's client library does.
 *
 *     plain_echo RELAYHOST:PORT
 *
 * It says nothing on the control connection, and for each line makes a new
 * buffered reader: what such a reader has taken beyond its line is lost. Any
 * line that does not begin with [NEW] ends it, exit code 1; so does the end of
 * the control connection, exit code 0. Each line it understood is printed. For
 * [NEW]PORT or [NEW]HOST:PORT it connects there and echoes in a child.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READER 4096

static void die(const char *what)
{
    fprintf(stderr, "plain_echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int fd;

    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -1;
    fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);

        if (put < 0)
            return -1;
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

/* Both directions one after the other, as an echo does; the end is passed on by closing. */
static void echo(int fd)
{
    char buffer[16384];
    ssize_t got;

    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        if (write_all(fd, buffer, (size_t)got) != 0)
            break;
    _exit(0);
}

static void serve(const char *relay_host, char *address)
{
    char *colon = strrchr(address, ':');
    const char *host = relay_host;
    int fd;

    if (colon != NULL) {
        *colon = '\0';
        host = address;
        address = colon + 1;
    }
    fd = dial(host, address);
    if (fd < 0)
        die("connect to the reverse port");
    if (fork() == 0)
        echo(fd);
    close(fd);
}

/* One line, and the loss of what came in the same read. Returns 0 at the end of file. */
static int lossy_line(int control, char line[READER + 1])
{
    size_t len = 0;

    while (len < READER) {
        ssize_t got = read(control, line + len, READER - len);
        char *newline;

        if (got <= 0)
            return 0;
        len += (size_t)got;
        newline = memchr(line, '\n', len);
        if (newline != NULL) {
            *newline = '\0';
            return 1;
        }
    }
    errno = EMSGSIZE;
    die("a line");
    return 0;
}

int main(int argc, char **argv)
{
    char line[READER + 1];
    char *colon = argc == 2 ? strrchr(argv[1], ':') : NULL;
    int control;

    if (colon == NULL) {
        fprintf(stderr, "usage: plain_echo RELAYHOST:PORT\n");
        return 2;
    }
    *colon = '\0';
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    control = dial(argv[1], colon + 1);
    if (control < 0)
        die("connect to the relay");
    while (lossy_line(control, line)) {
        if (strncmp(line, "[NEW]", 5) != 0) {
            fprintf(stderr, "plain_echo: not a [NEW] line: %s\n", line);
            return 1;
        }
        printf("%s\n", line);
        fflush(stdout);
        serve(argv[1], line + 5);
    }
    return 0;
}
