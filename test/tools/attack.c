/*
 * attack: many strangers at once on a port of 127.0.0.1.
 *
 *     attack KIND PORT COUNT [AT_ONCE [NET [SOURCES]]]
 *
 * COUNT connections (0: without end), AT_ONCE of them open at any time (1), the
 * n-th from 127.0.NET.x (99), x running from 1 to SOURCES (1). KIND is what each does:
 *
 *     slow     every second one says nothing, the others a byte a second
 *     hold     says nothing and stays
 *     reset    is reset as soon as it is open
 *     login    [HELLO] with a nonce, and a wrong [PROOF] when it was answered
 *     claim    [DATA] with a random id
 *     prove    [DATA] with a random id and a random proof
 *     visit    "hello\n", and wants the same back within 10 seconds
 *
 * One that has ended is followed by the next, for `slow` a second later. When AT_ONCE have been open, `open` is
 * printed; at the end, or at SIGTERM, a line: how many connections were ended by the
 * other side (eof=), reset or never made (reset=), told something that only those who
 * are let in are told (let_in=, for visit: the same back), and the longest took in
 * milliseconds (slowest_ms=).
 */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 1000
#define SAID 400
#define VISIT_MS 10000

static struct slot {
    int fd;                     /* -1: free */
    int connected, steps;
    long long began, next;      /* when it was begun; when it says its next byte */
    char heard[SAID];
    size_t len;
} slots[SLOTS];

static struct pollfd polls[SLOTS];
static const char *kind;
static int port, net = 99, sources = 1, at_once = 1;
static long count, begun, opened, eof, resets, let_in;
static long long slowest;
static volatile sig_atomic_t told;

static void stop(int signo)
{
    (void)signo;
    told = 1;
}

static int is(const char *what)
{
    return strcmp(kind, what) == 0;
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* They need to be different, not secret. */
static void add_hex(char *to, int digits)
{
    to += strlen(to);
    for (int i = 0; i < digits; i++)
        to[i] = "0123456789abcdef"[random() & 15];
    to[digits] = '\0';
}

static void finish(struct slot *s, long *as)
{
    struct linger at_once_reset = {1, 0};

    ++*as;
    if (now_ms() - s->began > slowest)
        slowest = now_ms() - s->began;
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once_reset, sizeof at_once_reset);
    close(s->fd);
    s->fd = -1;
    s->next = is("slow") ? now_ms() + 1000 : 0;
}

static void begin(struct slot *s)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};

    memset(s, 0, sizeof *s);
    s->began = now_ms();
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    from.sin_addr.s_addr = htonl(0x7f000000U | (unsigned)net << 8 | (unsigned)(begun % sources + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((unsigned short)port);
#ifdef IP_BIND_ADDRESS_NO_PORT
    setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
#endif
    begun++;
    if (bind(s->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        (connect(s->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS))
        finish(s, &resets);
}

static void say(struct slot *s)
{
    char text[SAID] = "";

    s->steps++;
    if (is("slow")) {
        strcpy(text, (s - slots) % 2 == 0 ? "[" : "");
        s->next = now_ms() + 1000;
    } else if (is("login") && s->steps == 1) {
        strcpy(text, "[HELLO] v=1 name=web nonce=");
        add_hex(text, 32);
    } else if (is("login") && s->steps == 2) {
        strcpy(text, "[PROOF] ");
        add_hex(text, 64);
    } else if ((is("claim") || is("prove")) && s->steps == 1) {
        strcpy(text, "[DATA] id=");
        add_hex(text, 32);
        if (is("prove"))
            add_hex(strcat(text, " proof="), 64);
    } else if (is("visit") && s->steps == 1) {
        strcpy(text, "hello");
    }
    if (text[0] != '\0' && !is("slow"))
        strcat(text, "\n");
    if (text[0] != '\0' && write(s->fd, text, strlen(text)) < 0)
        finish(s, &resets);
}

static int accepted(const struct slot *s)
{
    if (is("visit"))
        return strcmp(s->heard, "hello\n") == 0;
    return is("login") ? strstr(s->heard, "[PUBLIC]") != NULL : s->len > 0;
}

static void hear(struct slot *s)
{
    ssize_t got = read(s->fd, s->heard + s->len, sizeof s->heard - 1 - s->len);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        s->len += (size_t)got;
    if (got > 0 && is("login") && s->steps == 1 && s->heard[s->len - 1] == '\n')
        say(s);
    else if (got > 0 && accepted(s) && !is("slow") && !is("hold"))
        finish(s, &let_in);
    else if (got <= 0)
        finish(s, got == 0 ? &eof : &resets);
}

static void connected(struct slot *s)
{
    int error = 0;
    socklen_t len = sizeof error;

    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        finish(s, &resets);
        return;
    }
    s->connected = 1;
    if (++opened == at_once)
        puts("open");
    if (is("reset"))
        finish(s, &resets);
    else
        say(s);
}

static void go_on(struct slot *s, short events)
{
    if (s->fd >= 0 && !s->connected && events != 0)
        connected(s);
    else if (s->fd >= 0 && (events & (POLLIN | POLLHUP | POLLERR)) != 0)
        hear(s);
    if (s->fd >= 0 && s->next != 0 && now_ms() >= s->next)
        say(s);
    if (s->fd >= 0 && is("visit") && now_ms() - s->began > VISIT_MS)
        finish(s, &resets);
}

/* Returns how many are open. */
static int one_round(void)
{
    int open = 0;

    for (int i = 0; i < at_once; i++) {
        if (slots[i].fd < 0 && now_ms() >= slots[i].next && (count == 0 || begun < count))
            begin(&slots[i]);
        polls[i].fd = slots[i].fd;
        polls[i].events = slots[i].connected ? POLLIN : POLLOUT;
        open += slots[i].fd >= 0;
    }
    if (poll(polls, (nfds_t)at_once, 100) < 0)
        return open;
    for (int i = 0; i < at_once; i++)
        go_on(&slots[i], polls[i].revents);
    return open;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: attack KIND PORT COUNT [AT_ONCE [NET [SOURCES]]]\n");
        return 2;
    }
    kind = argv[1];
    port = atoi(argv[2]);
    count = atol(argv[3]);
    at_once = argc > 4 ? atoi(argv[4]) : 1;
    net = argc > 5 ? atoi(argv[5]) : 99;
    sources = argc > 6 ? atoi(argv[6]) : 1;
    if (at_once < 1 || at_once > SLOTS || sources < 1 || sources > 250)
        return 2;
    srandom((unsigned)(getpid() ^ time(NULL)));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, stop);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < SLOTS; i++)
        slots[i].fd = -1;
    while (!told && (one_round() > 0 || count == 0 || begun < count))
        continue;
    printf("begun=%ld eof=%ld reset=%ld let_in=%ld slowest_ms=%lld\n", begun, eof, resets, let_in, slowest);
    return 0;
}
