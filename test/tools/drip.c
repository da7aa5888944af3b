/*
 * drip: says something in small pieces and shows what comes back.
 *
 *     drip HOST:PORT [--from ADDR] [--text TEXT | --garbage SEED LENGTH]
 *          [--split N] [--shut] [--reset] [--until TEXT] [--wait MS]
 *
 * The bytes are TEXT, or LENGTH pseudo-random ones. They go one at a time, or
 * with --split the first N at once and, when they have surely been read, the
 * rest; --split 0 sends all at once. Then --shut ends that direction. What comes
 * back is printed until the other side ends, TEXT has come, or nothing came for
 * MS (5000); a last line says which: "= eof", "= reset", "= until" or "= open".
 * --reset resets the connection: after TEXT, or without --until at once.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Long enough for a reader on this machine to take the first piece alone. */
#define SPLIT_MS 5
#define ANSWER_MOST 1048576

static const char *from, *until;
static char *bytes = "";
static size_t length;
static long split = -1;
static int shut, reset;
static int broken;      /* a write said that the connection was reset */
static int wait_ms = 5000;

static void die(const char *what)
{
    fprintf(stderr, "drip: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static struct addrinfo *find(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(host, port, &hints, &found);

    if (error != 0) {
        fprintf(stderr, "drip: %s: %s\n", host, gai_strerror(error));
        exit(2);
    }
    return found;
}

static int dial(char *address)
{
    char *colon = strrchr(address, ':');
    struct addrinfo *to, *source;
    int fd, on = 1;

    if (colon == NULL) {
        errno = EINVAL;
        die(address);
    }
    *colon = '\0';
    to = find(address, colon + 1);
    fd = socket(to->ai_family, SOCK_STREAM, 0);
    if (from != NULL) {
        source = find(from, "0");
        if (bind(fd, source->ai_addr, source->ai_addrlen) != 0)
            die(from);
        freeaddrinfo(source);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0)
        die("connect");
    freeaddrinfo(to);
    return fd;
}

/* Returns -1 once the other side takes no more: what it said is read all the same. */
static int send_piece(int fd, size_t at, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes + at, len);

        if (put < 0) {
            broken = 1;
            return -1;
        }
        at += (size_t)put;
        len -= (size_t)put;
    }
    return 0;
}

static void send_all(int fd)
{
    size_t first = split > 0 && (size_t)split < length ? (size_t)split : 0;

    if (split < 0) {
        for (size_t i = 0; i < length; i++) {
            if (send_piece(fd, i, 1) != 0)
                return;
            pause_ms(1);
        }
        return;
    }
    if (first > 0 && send_piece(fd, 0, first) == 0)
        pause_ms(SPLIT_MS);
    send_piece(fd, first, length - first);
}

static void end_now(int fd)
{
    struct linger at_once = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* Returns how it ended. */
static const char *listen_to(int fd)
{
    static char answer[ANSWER_MOST + 1];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = 0;

    while (len < ANSWER_MOST) {
        ssize_t got;

        if (poll(&p, 1, wait_ms) <= 0)
            return "open";
        got = read(fd, answer + len, ANSWER_MOST - len);
        if (got <= 0)
            return broken || (got < 0 && errno == ECONNRESET) ? "reset" : got == 0 ? "eof" : strerror(errno);
        fwrite(answer + len, 1, (size_t)got, stdout);
        len += (size_t)got;
        if (until != NULL && strstr(answer, until) != NULL)
            return "until";
    }
    return "too much";
}

/* xorshift64: the same bytes for the same seed. */
static void make_garbage(uint64_t seed, size_t len)
{
    uint64_t x = seed * 2 + 1;

    bytes = malloc(len + 1);
    if (bytes == NULL)
        die("memory");
    length = len;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = (char)(x >> 32);
    }
}

static void usage(void)
{
    fprintf(stderr, "usage: drip HOST:PORT [--OPTION [VALUE]]...; see the top of drip.c\n");
    exit(2);
}

/* Returns how many arguments it took. */
static int parse_option(char **argv)
{
    const char *name = argv[0];

    if (strcmp(name, "--shut") == 0)
        return shut = 1;
    if (strcmp(name, "--reset") == 0)
        return reset = 1;
    if (argv[1] == NULL)
        usage();
    if (strcmp(name, "--from") == 0) {
        from = argv[1];
    } else if (strcmp(name, "--text") == 0) {
        bytes = argv[1];
        length = strlen(bytes);
    } else if (strcmp(name, "--garbage") == 0 && argv[2] != NULL) {
        make_garbage(strtoull(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
        return 3;
    } else if (strcmp(name, "--split") == 0) {
        split = strtol(argv[1], NULL, 10);
    } else if (strcmp(name, "--until") == 0) {
        until = argv[1];
    } else if (strcmp(name, "--wait") == 0) {
        wait_ms = (int)strtol(argv[1], NULL, 10);
    } else {
        usage();
    }
    return 2;
}

int main(int argc, char **argv)
{
    int fd;

    if (argc < 2)
        usage();
    for (int i = 2; i < argc;)
        i += parse_option(argv + i);
    signal(SIGPIPE, SIG_IGN);
    fd = dial(argv[1]);
    send_all(fd);
    if (shut)
        shutdown(fd, SHUT_WR);
    if (!reset || until != NULL)
        printf("= %s\n", listen_to(fd));
    if (reset)
        end_now(fd);
    return 0;
}
