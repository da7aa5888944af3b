/*
 * guess: asks for connections of ids that it makes up, one behind the other on
 * one HTTP connection, and counts what it is answered.
 *
 *     guess HOST:PORT COUNT [FIELD]
 *
 * HOST is numeric; FIELD is a line of each request's head. Prints a line
 * "STATUS: COUNT" for each status; exits 1 where the connection ends before that.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Requests under way at once: what is answered to them fits in socket buffers. */
#define AHEAD 50
#define STATUSES 1000

static uint64_t state = 88172645463325252ULL;

/* xorshift64 */
static unsigned long long draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char *colon = strrchr(address, ':');
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (colon == NULL || fd < 0)
        die(address);
    *colon = '\0';
    to.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die(address);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);

        if (put <= 0)
            die("write");
        bytes += put;
        len -= (size_t)put;
    }
}

static void ask(int fd, long count, const char *field)
{
    static const char *const legs[] = {"accept", "upstream", "downstream"};
    static char requests[AHEAD * 1024];
    size_t len = 0;

    for (long i = 0; i < count; i++)
        len += (size_t)snprintf(requests + len, sizeof requests - len,
                                "POST /%s/%016llx%016llx HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n%s%s\r\n",
                                legs[i % 3], draw(), draw(), field, *field != '\0' ? "\r\n" : "");
    send_all(fd, requests, len);
}

/* Skips a body of so many bytes. */
static void skip(FILE *in, long len)
{
    while (len-- > 0)
        if (getc(in) == EOF)
            die("the connection ended");
}

static int answer(FILE *in)
{
    char line[1024];
    int status = 0;
    long length = 0;

    do {
        if (fgets(line, sizeof line, in) == NULL)
            die("the connection ended");
        sscanf(line, "HTTP/1.1 %3d", &status);
        sscanf(line, "Content-Length: %ld", &length);
    } while (line[0] != '\r');
    skip(in, length);
    return status >= 0 && status < STATUSES ? status : 0;
}

int main(int argc, char **argv)
{
    static long counts[STATUSES];
    const char *field = argc > 3 ? argv[3] : "";
    long left = argc > 2 ? atol(argv[2]) : 0;
    FILE *in;
    int fd;

    if (left < 1 || strlen(field) > 800) {
        fprintf(stderr, "usage: guess HOST:PORT COUNT [FIELD]\n");
        return 2;
    }
    fd = dial(argv[1]);
    in = fdopen(fd, "r");
    while (left > 0) {
        long now = left < AHEAD ? left : AHEAD;

        ask(fd, now, field);
        for (long i = 0; i < now; i++)
            counts[answer(in)]++;
        left -= now;
    }
    for (int i = 0; i < STATUSES; i++)
        if (counts[i] > 0)
            printf("%d: %ld\n", i, counts[i]);
    return 0;
}
