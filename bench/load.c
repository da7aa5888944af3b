/*
 * load: what the benchmarks put through a relay, and what they measure of it.
 *
 *     load ports COUNT               prints the first of COUNT free ports in a row
 *     load server HOST:PORT          the local server; port 0: the system's choice; prints the address
 *     load reach HOST:PORT           until something listens there
 *     load wait PUBLIC               until each port has answered
 *     load stream PUBLIC             --at-once connections that take bytes for --seconds
 *     load short PUBLIC              connections for --seconds, --at-once of them in flight
 *     load first PUBLIC              one after the other, --pause ms between them
 *     load hold PUBLIC               --count connections, kept until SIGTERM
 *
 * PUBLIC is HOST:PORT or HOST:PORT+COUNT, whose ports take turns. A client's
 * first byte says what it wants: an answer, after which the server closes; a
 * stream without end; or an answer and a connection that stays. What was
 * measured is printed as lines of a name and a number. Whatever it does, it is
 * over after --life seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST 64
#define ANSWER 256
#define CHUNK 131072

/* So long may one connection take to answer, in microseconds. */
#define PATIENCE 5000000

/* How often the server looks after the connections that stay, in milliseconds. */
#define LOOK_MS 1000

#define WANT_ANSWER 'a'
#define WANT_STREAM 's'
#define WANT_STAY 'h'

struct conn {
    int fd;
    bool connecting;
    size_t in, out, out_total;
    unsigned char wants;
    long long started, answered;
};

static struct {
    double seconds;
    unsigned long at_once, count, pause, life;
} ask = {.seconds = 1, .at_once = 1, .count = 1, .life = 3600};

static struct sockaddr_storage address;
static socklen_t address_len;
static unsigned ports = 1, next_port;

static struct conn *conns;
static struct pollfd *polled;
static size_t active, room;
static unsigned char buffer[CHUNK];

static uint32_t *took;
static size_t took_count, took_room;
static unsigned long done, failed;
static unsigned long long bytes;
static volatile sig_atomic_t told_to_end;

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static long long now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void nap_ms(unsigned long ms)
{
    struct timespec nap = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    nanosleep(&nap, NULL);
}

static unsigned char *answer(void)
{
    static unsigned char text[ANSWER];

    for (size_t i = 0; text[0] == 0 && i < ANSWER; i++)
        text[i] = (unsigned char)('A' + i % 26);
    return text;
}

/* Addresses. */

static void set_port(struct sockaddr_storage *of, unsigned port)
{
    if (of->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)of)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)of)->sin_port = htons((uint16_t)port);
}

static unsigned get_port(const struct sockaddr_storage *of)
{
    if (of->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)of)->sin6_port);
    return ntohs(((const struct sockaddr_in *)of)->sin_port);
}

static void find_address(const char *text)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    const char *colon = strrchr(text, ':'), *plus = strrchr(text, '+');
    char host[256], port[16] = "";
    int error;

    snprintf(host, sizeof host, "%.*s", colon != NULL ? (int)(colon - text) : 0, text);
    if (colon != NULL)
        snprintf(port, sizeof port, "%.*s", (int)strcspn(colon + 1, "+"), colon + 1);
    if (plus != NULL)
        ports = (unsigned)strtoul(plus + 1, NULL, 10);
    error = getaddrinfo(host, port, &hints, &found);
    if (error != 0 || ports == 0) {
        fprintf(stderr, "load: %s: %s\n", text, error != 0 ? gai_strerror(error) : "no ports");
        exit(2);
    }
    memcpy(&address, found->ai_addr, found->ai_addrlen);
    address_len = found->ai_addrlen;
    freeaddrinfo(found);
}

/* The table of connections. */

static void forget(struct conn *c)
{
    close(c->fd);
    *c = conns[--active];
}

static struct conn *remember(int fd)
{
    int on = 1;

    if (active == room) {
        room = room == 0 ? 64 : 2 * room;
        conns = realloc(conns, room * sizeof *conns);
        polled = realloc(polled, (room + 1) * sizeof *polled);
        if (conns == NULL || polled == NULL)
            die("memory");
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conns[active] = (struct conn){.fd = fd, .started = now_us()};
    return &conns[active++];
}

/* The server. A connection that stays leaves the table, so that thousands of
 * them cost nothing while others are measured. */

static int *staying;
static size_t staying_count, staying_room;

static void keep(struct conn *c)
{
    if (staying_count == staying_room) {
        staying_room = staying_room == 0 ? 64 : 2 * staying_room;
        staying = realloc(staying, staying_room * sizeof *staying);
        if (staying == NULL)
            die("memory");
    }
    staying[staying_count++] = c->fd;
    *c = conns[--active];
}

static void look_after_staying(void)
{
    for (size_t i = staying_count; i-- > 0;) {
        ssize_t got = recv(staying[i], buffer, 1, MSG_DONTWAIT);

        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            close(staying[i]);
            staying[i] = staying[--staying_count];
        }
    }
}

static void answer_is_out(struct conn *c)
{
    if (c->wants == WANT_STAY)
        keep(c);
    else
        forget(c);
}

static void write_more(struct conn *c)
{
    bool stream = c->wants == WANT_STREAM;
    ssize_t put = stream ? write(c->fd, buffer, sizeof buffer) : write(c->fd, answer() + c->out, ANSWER - c->out);

    if (put < 0) {
        if (errno != EAGAIN && errno != EINTR)
            forget(c);
        return;
    }
    if (stream)
        return;
    c->out += (size_t)put;
    if (c->out == ANSWER)
        answer_is_out(c);
}

static void read_request(struct conn *c)
{
    unsigned char request[REQUEST];
    ssize_t got = read(c->fd, request, REQUEST - c->in);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        forget(c);
        return;
    }
    if (c->in == 0)
        c->wants = request[0];
    c->in += (size_t)got;
    if (c->in == REQUEST)
        write_more(c);
}

/* From the last one down, since one that leaves is replaced by the last. */
static void serve_conns(void)
{
    for (size_t i = active; i-- > 0;) {
        if (polled[i + 1].revents == 0)
            continue;
        if (conns[i].in < REQUEST)
            read_request(&conns[i]);
        else
            write_more(&conns[i]);
    }
}

static void accept_all(int listener)
{
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0)
        remember(fd);
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        die("accept");
}

static void told(int signo)
{
    (void)signo;
    told_to_end = 1;
}

static int listen_at(void)
{
    int fd = socket(address.ss_family, SOCK_STREAM, 0), on = 1;

    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, address_len) != 0 || listen(fd, 4096) != 0)
        die("listen");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    getsockname(fd, (struct sockaddr *)&address, &address_len);
    return fd;
}

static void serve(const char *at)
{
    int listener = listen_at();
    long long looked = now_us();

    printf("%.*s:%u\n", (int)(strrchr(at, ':') - at), at, get_port(&address));
    fflush(stdout);
    polled = calloc(1, sizeof *polled);
    while (!told_to_end && polled != NULL) {
        polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (size_t i = 0; i < active; i++)
            polled[i + 1] = (struct pollfd){.fd = conns[i].fd, .events = conns[i].in < REQUEST ? POLLIN : POLLOUT};
        if (poll(polled, active + 1, LOOK_MS) < 0)
            continue;
        serve_conns();
        if (polled[0].revents != 0)
            accept_all(listener);
        if (now_us() - looked > LOOK_MS * 1000) {
            look_after_staying();
            looked = now_us();
        }
    }
}

/* A client's connection. */

static void start(unsigned char wants)
{
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    struct sockaddr_storage to = address;
    struct conn *c;

    if (fd < 0)
        die("socket");
    set_port(&to, get_port(&address) + next_port++ % ports);
    c = remember(fd);
    c->wants = wants;
    c->connecting = true;
    if (connect(fd, (struct sockaddr *)&to, address_len) != 0 && errno != EINPROGRESS) {
        failed++;
        forget(c);
    }
}

static void fail(struct conn *c)
{
    failed++;
    forget(c);
}

static void note(long long us)
{
    if (took_count == took_room) {
        took_room = took_room == 0 ? 4096 : 2 * took_room;
        took = realloc(took, took_room * sizeof *took);
        if (took == NULL)
            die("memory");
    }
    took[took_count++] = (uint32_t)us;
}

static void send_request(struct conn *c)
{
    unsigned char request[REQUEST] = {0};
    int error = 0;
    socklen_t len = sizeof error;

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    request[0] = c->wants;
    if (error != 0 || write(c->fd, request, REQUEST) != REQUEST)
        fail(c);
    else
        c->connecting = false;
}

static bool as_expected(const struct conn *c, size_t got)
{
    return got <= ANSWER - c->in && memcmp(buffer, answer() + c->in, got) == 0;
}

/* Reads an answer on; returns whether it is there, to its end or, of one that stays, all of it. */
static bool read_answer(struct conn *c)
{
    ssize_t got = read(c->fd, buffer, ANSWER + 1);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got < 0 || !as_expected(c, (size_t)got) || (got == 0 && c->in < ANSWER)) {
        fail(c);
        return false;
    }
    if (c->in == 0)
        c->answered = now_us();
    c->in += (size_t)got;
    return got == 0 || (c->wants == WANT_STAY && c->in == ANSWER);
}

static void wait_for_events(int ms)
{
    for (size_t i = 0; i < active; i++)
        polled[i + 1] = (struct pollfd){.fd = conns[i].fd, .events = conns[i].connecting ? POLLOUT : POLLIN};
    if (active > 0 && poll(polled + 1, active, ms) < 0 && errno != EINTR)
        die("poll");
}

/* Calls on_data for each connection with something to read. */
static void serve_clients(void (*on_data)(struct conn *))
{
    for (size_t i = active; i-- > 0;) {
        struct conn *c = &conns[i];

        if (polled[i + 1].revents == 0) {
            if (c->wants != WANT_STREAM && now_us() - c->started > PATIENCE)
                fail(c);
        } else if (c->connecting) {
            send_request(c);
        } else {
            on_data(c);
        }
    }
}

/* Printing. */

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void print_times(void)
{
    qsort(took, took_count, sizeof *took, by_size);
    printf("p50_us %lu\n", took_count > 0 ? (unsigned long)took[took_count / 2] : 0);
    printf("p99_us %lu\n", took_count > 0 ? (unsigned long)took[took_count * 99 / 100] : 0);
}

static void print_counts(double seconds)
{
    printf("complete %lu\nfailed %lu\nseconds %.3f\n", done, failed, seconds);
}

/* What clients do. */

static void short_data(struct conn *c)
{
    if (read_answer(c)) {
        note(now_us() - c->started);
        done++;
        forget(c);
    }
}

static void do_short(void)
{
    long long begun = now_us(), until = begun + (long long)(ask.seconds * 1e6);

    while (now_us() < until || active > 0) {
        while (active < ask.at_once && now_us() < until)
            start(WANT_ANSWER);
        wait_for_events(100);
        serve_clients(short_data);
    }
    print_counts((double)(now_us() - begun) / 1e6);
    printf("rate %.1f\n", (double)done * 1e6 / (double)(now_us() - begun));
    print_times();
}

static void first_data(struct conn *c)
{
    if (read_answer(c)) {
        note(c->answered - c->started);
        done++;
        forget(c);
    }
}

static void do_first(void)
{
    long long begun = now_us(), until = begun + (long long)(ask.seconds * 1e6);

    while (now_us() < until) {
        start(WANT_ANSWER);
        while (active > 0) {
            wait_for_events(100);
            serve_clients(first_data);
        }
        if (ask.pause > 0)
            nap_ms(ask.pause);
    }
    print_counts((double)(now_us() - begun) / 1e6);
    print_times();
}

static void stream_data(struct conn *c)
{
    ssize_t got = read(c->fd, buffer, sizeof buffer);

    if (got > 0)
        bytes += (unsigned long long)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        fail(c);
}

static void do_stream(void)
{
    long long begun = now_us(), until = begun + (long long)(ask.seconds * 1e6), us;

    for (unsigned long i = 0; i < ask.at_once; i++)
        start(WANT_STREAM);
    while (active > 0 && now_us() < until) {
        wait_for_events(100);
        serve_clients(stream_data);
    }
    us = now_us() - begun;
    done = active;
    print_counts((double)us / 1e6);
    printf("bytes %llu\ngbit %.3f\n", bytes, (double)bytes * 8 / 1e3 / (double)us);
}

static void hold_data(struct conn *c)
{
    if (read_answer(c)) {
        done++;
        *c = conns[--active];
    }
}

static void do_hold(void)
{
    while (done < ask.count && failed == 0 && !told_to_end) {
        while (active < ask.at_once && done + active < ask.count)
            start(WANT_STAY);
        wait_for_events(100);
        serve_clients(hold_data);
    }
    printf("held %lu\nfailed %lu\n", done, failed);
    fflush(stdout);
    while (!told_to_end)
        nap_ms(100);
}

static void do_reach(void)
{
    long long until = now_us() + (long long)(ask.seconds * 1e6);

    for (;;) {
        int fd = socket(address.ss_family, SOCK_STREAM, 0);

        if (connect(fd, (struct sockaddr *)&address, address_len) == 0) {
            close(fd);
            return;
        }
        close(fd);
        if (now_us() > until)
            exit(1);
        nap_ms(20);
    }
}

/* A relay is there once each of its ports has answered; until then it may refuse. */
static void do_wait(void)
{
    long long until = now_us() + (long long)(ask.seconds * 1e6);

    for (unsigned port = 0; port < ports;) {
        next_port = port;
        done = 0;
        start(WANT_ANSWER);
        while (active > 0) {
            wait_for_events(100);
            serve_clients(short_data);
        }
        port += done > 0;
        if (done == 0) {
            if (now_us() > until)
                exit(1);
            nap_ms(20);
        }
    }
}

/* Below the ports that the system gives out itself. */
static bool is_free(unsigned first, unsigned count)
{
    for (unsigned port = first; port < first + count; port++) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
        bool bound;

        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        bound = fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0;
        close(fd);
        if (!bound)
            return false;
    }
    return true;
}

static void print_ports(unsigned count)
{
    unsigned at = 10000 + (unsigned)((unsigned long)getpid() * 7919 + (unsigned long)now_us()) % 20000;

    for (int i = 0; i < 1000; i++, at = 10000 + (at + 997) % 20000) {
        if (at + count < 32000 && is_free(at, count)) {
            printf("%u\n", at);
            return;
        }
    }
    fprintf(stderr, "load: there are no %u free ports in a row\n", count);
    exit(1);
}

/* Start. */

static void usage(void)
{
    fprintf(stderr, "usage: load COMMAND ADDRESS [--seconds S] [--at-once N] [--count N] [--pause MS] [--life S]; "
                    "see the top of load.c\n");
    exit(2);
}

static void parse_option(const char *name, const char *value)
{
    unsigned long n = value != NULL ? strtoul(value, NULL, 10) : 0;

    if (value == NULL)
        usage();
    else if (strcmp(name, "--seconds") == 0)
        ask.seconds = strtod(value, NULL);
    else if (strcmp(name, "--at-once") == 0)
        ask.at_once = n;
    else if (strcmp(name, "--count") == 0)
        ask.count = n;
    else if (strcmp(name, "--pause") == 0)
        ask.pause = n;
    else if (strcmp(name, "--life") == 0)
        ask.life = n;
    else
        usage();
}

static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static const struct {
    const char *name;
    void (*run)(void);
} commands[] = {{"reach", do_reach}, {"wait", do_wait},   {"stream", do_stream},
              {"short", do_short}, {"first", do_first}, {"hold", do_hold}};

static void run_client(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            commands[i].run();
            return;
        }
    }
    usage();
}

int main(int argc, char **argv)
{
    struct sigaction end = {.sa_handler = told};

    if (argc < 3)
        usage();
    for (int i = 3; i < argc; i += 2)
        parse_option(argv[i], argv[i + 1]);
    if (strcmp(argv[1], "ports") == 0) {
        print_ports((unsigned)strtoul(argv[2], NULL, 10));
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &end, NULL);
    alarm((unsigned)ask.life);
    raise_limit();
    find_address(argv[2]);
    if (strcmp(argv[1], "server") == 0)
        serve(argv[2]);
    else
        run_client(argv[1]);
    return 0;
}
