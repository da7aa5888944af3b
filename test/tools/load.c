/*
 * load: sends pseudo-random bytes both ways through many connections at once
 * and checks every one that arrives.
 *
 *     load server ADDR:PORT|unix:PATH        port 0: the system's choice; prints the address
 *     load client HOST:PORT|unix:PATH [--mode MODE] [--sessions N] [--at-once N]
 *          [--bytes N] [--up N] [--down N] [--pause-client MS] [--pause-server MS]
 *          [--timeout SECONDS] [--reset-ms MS] [--seed N]
 *
 * A client's connection begins with a head that tells the server the mode, the
 * seed and how many bytes go up and down; both sides then play their part of
 * the mode (see modes[]). Both print what they counted, the server whenever no
 * session is left, and exit with 0 only if nothing failed. SIGTERM ends the
 * server.
 *
 * The mode hold keeps its connections: it prints "held N" once each has moved
 * its bytes, "alive N" after moving them again for every line on standard
 * input, and finishes them all at its end. The mode echo sends no head and
 * wants its own bytes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536
#define HEAD 40
#define TICK_MS 50
#define MOST_SAID 20
#define UNKNOWN UINT64_MAX

enum begin { AT_ONCE, AFTER_EOF, AFTER_ALL, AS_IT_COMES };
enum finish { SHUT, CLOSE, RESET, CUT, WAIT, STAY };
enum wants { END, A_RESET, CUT_OFF };

/* What one side does: when it sends, what it does then, and how it wants to be ended. */
struct part {
    enum begin begin;
    enum finish finish;
    enum wants wants;
};

static const struct mode {
    const char *name;
    struct part client, server;
} modes[] = {
    {"both", {AT_ONCE, SHUT, END}, {AT_ONCE, SHUT, END}},
    {"client-first", {AT_ONCE, SHUT, END}, {AFTER_EOF, SHUT, END}},
    {"server-first", {AFTER_EOF, SHUT, END}, {AT_ONCE, SHUT, END}},
    {"client-resets", {AT_ONCE, RESET, END}, {AFTER_ALL, WAIT, A_RESET}},
    {"server-resets", {AFTER_ALL, WAIT, A_RESET}, {AT_ONCE, RESET, END}},
    {"client-cuts", {AT_ONCE, CUT, END}, {AT_ONCE, WAIT, CUT_OFF}},
    {"server-cuts", {AT_ONCE, WAIT, CUT_OFF}, {AT_ONCE, CUT, END}},
    {"half-client-resets", {AFTER_EOF, RESET, END}, {AT_ONCE, SHUT, CUT_OFF}},
    {"half-server-resets", {AT_ONCE, SHUT, CUT_OFF}, {AFTER_EOF, RESET, END}},
    {"client-closes", {AT_ONCE, CLOSE, END}, {AT_ONCE, WAIT, END}},
    {"server-closes", {AT_ONCE, WAIT, END}, {AT_ONCE, CLOSE, END}},
    {"hold", {AT_ONCE, STAY, END}, {AS_IT_COMES, SHUT, END}},
    {"echo", {AT_ONCE, SHUT, END}, {AT_ONCE, SHUT, END}},
};
#define MODES (sizeof modes / sizeof *modes)

struct session {
    int fd;
    unsigned long number;
    bool connecting;
    struct part part;
    unsigned char head[HEAD];
    size_t head_at;
    uint64_t in_seed, in, in_total;
    uint64_t out_seed, out, out_total;
    bool eof, shut;
    long long started, moved, read_from;
};

static struct {
    bool server;
    size_t mode;
    unsigned long sessions, at_once;
    uint64_t up, down, seed;
    long long pause_client, pause_server, timeout, reset_ms;
} ask = {.sessions = 1, .at_once = 1, .up = 1048576, .down = 1048576, .seed = 1, .timeout = 30000, .reset_ms = 1000};

static struct sockaddr_storage address;
static socklen_t address_len;
static int listener = -1;

static struct session *sessions;
static struct pollfd *polled;
static size_t active, room;

static unsigned long started, finished, failed, said;
static uint64_t bytes_in, bytes_out;
static long long since, slowest_reset;
static bool holding, held, stdin_ended;
static volatile sig_atomic_t told_to_end;

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The bytes of a stream: word i of it is a hash of seed and i (splitmix64). */

static uint64_t word_at(uint64_t seed, uint64_t i)
{
    uint64_t z = seed * 0xd1342543de82ef95u + (i + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void stream_bytes(uint64_t seed, uint64_t offset, unsigned char *to, size_t len)
{
    while (len > 0) {
        uint64_t word = word_at(seed, offset / 8);
        size_t skip = offset % 8, n = 8 - skip < len ? 8 - skip : len;

        memcpy(to, (unsigned char *)&word + skip, n);
        to += n;
        offset += n;
        len -= n;
    }
}

/* The head: the mode, then seed, bytes up, bytes down and the server's pause. */

static void put_number(unsigned char *at, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(n >> (56 - 8 * i));
}

static uint64_t get_number(const unsigned char *at)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | at[i];
    return n;
}

static void write_head(unsigned char head[HEAD], uint64_t seed)
{
    put_number(head, ask.mode);
    put_number(head + 8, seed);
    put_number(head + 16, ask.up);
    put_number(head + 24, ask.down);
    put_number(head + 32, (uint64_t)ask.pause_server);
}

static bool head_done(const struct session *s)
{
    return s->head_at == HEAD;
}

/* The ends of a session. */

static void print_counts(void)
{
    printf("sessions=%lu failed=%lu unfinished=%lu in=%llu out=%llu ms=%lld slowest_reset_ms=%lld\n", finished, failed,
           (unsigned long)active, (unsigned long long)bytes_in, (unsigned long long)bytes_out, now_ms() - since,
           slowest_reset);
    fflush(stdout);
}

static void forget(struct session *s)
{
    bytes_in += s->in;
    bytes_out += s->out;
    finished++;
    *s = sessions[--active];
    if (ask.server && active == 0)
        print_counts();
}

static void end_well(struct session *s)
{
    close(s->fd);
    forget(s);
}

static void end_with_reset(struct session *s)
{
    struct linger at_once = {1, 0};

    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    end_well(s);
}

static void fail(struct session *s, const char *why)
{
    failed++;
    if (said++ < MOST_SAID)
        fprintf(stderr, "load: session %lu: %s; got %llu of %llu, sent %llu of %llu bytes\n", s->number, why,
                (unsigned long long)s->in, (unsigned long long)s->in_total, (unsigned long long)s->out,
                (unsigned long long)s->out_total);
    end_with_reset(s);
}

/* What a session may do now. */

static bool may_begin(const struct session *s)
{
    switch (s->part.begin) {
    case AFTER_EOF:
        return s->eof;
    case AFTER_ALL:
        return s->in == s->in_total;
    default:
        return true;
    }
}

static bool wants_write(const struct session *s)
{
    if (s->connecting)
        return true;
    if (!head_done(s))
        return !ask.server;
    return s->out < s->out_total && may_begin(s);
}

static bool paused(const struct session *s)
{
    return s->read_from > 0 && now_ms() < s->read_from;
}

static bool wants_read(const struct session *s)
{
    if (s->connecting || s->eof)
        return false;
    if (!head_done(s))
        return ask.server;
    return s->part.finish != CLOSE && !paused(s);
}

static bool all_sent(const struct session *s)
{
    if (!head_done(s) || !may_begin(s) || (s->part.begin == AS_IT_COMES && !s->eof))
        return false;
    return s->out == s->out_total;
}

/* Does what is due after something moved; the session may be gone then. */

static void ended_by_peer(struct session *s)
{
    if (s->part.wants != END)
        fail(s, "end of file instead of a reset");
    else if (s->part.finish == STAY || (s->in != s->in_total && s->in_total != UNKNOWN))
        fail(s, "it ended too early");
    else if (s->shut || s->part.finish == WAIT)
        end_well(s);
}

static void advance(struct session *s)
{
    if (s->part.begin == AS_IT_COMES)
        s->out_total = s->in;
    if (s->part.finish == CUT && head_done(s) && s->in >= s->in_total / 2) {
        end_with_reset(s);
        return;
    }
    if (all_sent(s)) {
        if (s->part.finish == SHUT && !s->shut) {
            shutdown(s->fd, SHUT_WR);
            s->shut = true;
        } else if (s->part.finish == CLOSE) {
            end_well(s);
            return;
        } else if (s->part.finish == RESET && s->in == s->in_total) {
            end_with_reset(s);
            return;
        }
    }
    if (s->eof)
        ended_by_peer(s);
}

static void got_error(struct session *s)
{
    bool complete = s->in == s->in_total && s->out == s->out_total;
    long long took = now_ms() - s->moved;

    if (errno != ECONNRESET && errno != EPIPE) {
        fail(s, strerror(errno));
    } else if (s->part.wants == CUT_OFF || (s->part.wants == A_RESET && complete)) {
        if (took > slowest_reset)
            slowest_reset = took;
        end_well(s);
    } else {
        fail(s, "it was reset");
    }
}

/* Reading. */

static void head_arrived(struct session *s)
{
    uint64_t mode = get_number(s->head), seed = get_number(s->head + 8);
    uint64_t pause = get_number(s->head + 32);

    if (mode >= MODES || pause > 3600000) {
        fail(s, "no head");
        return;
    }
    s->part = modes[mode].server;
    s->in_seed = 2 * seed;
    s->out_seed = 2 * seed + 1;
    s->in_total = s->part.begin == AS_IT_COMES ? UNKNOWN : get_number(s->head + 16);
    s->out_total = s->part.begin == AS_IT_COMES ? 0 : get_number(s->head + 24);
    s->read_from = pause > 0 ? now_ms() + (long long)pause : 0;
    advance(s);
}

static void read_head(struct session *s)
{
    ssize_t got = read(s->fd, s->head + s->head_at, HEAD - s->head_at);

    if (got == 0) {
        fail(s, "no head");
    } else if (got > 0) {
        s->head_at += (size_t)got;
        s->moved = now_ms();
        if (head_done(s))
            head_arrived(s);
    } else if (errno != EAGAIN && errno != EINTR) {
        got_error(s);
    }
}

static bool as_sent(const struct session *s, const unsigned char *bytes, size_t len)
{
    static unsigned char expected[CHUNK];

    stream_bytes(s->in_seed, s->in, expected, len);
    return memcmp(expected, bytes, len) == 0;
}

static void read_bytes(struct session *s)
{
    static unsigned char buffer[CHUNK];
    ssize_t got = read(s->fd, buffer, sizeof buffer);

    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            got_error(s);
        return;
    }
    s->moved = now_ms();
    if (got > 0 && ((uint64_t)got > s->in_total - s->in || !as_sent(s, buffer, (size_t)got))) {
        fail(s, "other bytes than were sent");
        return;
    }
    s->in += (uint64_t)got;
    s->eof = got == 0;
    advance(s);
}

/* Writing. */

static void connected(struct session *s)
{
    int error = 0;
    socklen_t len = sizeof error;

    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        fail(s, strerror(error));
        return;
    }
    s->connecting = false;
    s->moved = now_ms();
    if (ask.pause_client > 0)
        s->read_from = s->moved + ask.pause_client;
}

static void write_head_bytes(struct session *s)
{
    ssize_t put = write(s->fd, s->head + s->head_at, HEAD - s->head_at);

    if (put < 0) {
        if (errno != EAGAIN && errno != EINTR)
            got_error(s);
        return;
    }
    s->head_at += (size_t)put;
    s->moved = now_ms();
    advance(s);
}

static void write_bytes(struct session *s)
{
    static unsigned char buffer[CHUNK];
    uint64_t left = s->out_total - s->out;
    size_t len = left < CHUNK ? (size_t)left : CHUNK;
    ssize_t put;

    stream_bytes(s->out_seed, s->out, buffer, len);
    put = write(s->fd, buffer, len);
    if (put < 0) {
        if (errno != EAGAIN && errno != EINTR)
            got_error(s);
        return;
    }
    s->out += (uint64_t)put;
    s->moved = now_ms();
    advance(s);
}

static void do_write(struct session *s)
{
    if (s->connecting)
        connected(s);
    else if (!head_done(s))
        write_head_bytes(s);
    else
        write_bytes(s);
}

/* The table of sessions. */

static struct session *new_session(int fd)
{
    if (active == room) {
        room = room == 0 ? 64 : 2 * room;
        sessions = realloc(sessions, room * sizeof *sessions);
        polled = realloc(polled, (room + 2) * sizeof *polled);
        if (sessions == NULL || polled == NULL)
            die("memory");
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    sessions[active] = (struct session){.fd = fd, .number = ++started, .started = now_ms(), .moved = now_ms()};
    return &sessions[active++];
}

static void accept_all(void)
{
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0)
        new_session(fd)->in_total = UNKNOWN;
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        die("accept");
}

static void start_client(void)
{
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    struct session *s;

    if (fd < 0)
        die("socket");
    s = new_session(fd);
    s->part = modes[ask.mode].client;
    s->out_seed = 2 * (ask.seed + s->number);
    s->in_seed = s->out_seed + 1;
    s->out_total = ask.up;
    s->in_total = ask.down;
    s->connecting = true;
    write_head(s->head, ask.seed + s->number);
    if (strcmp(modes[ask.mode].name, "echo") == 0) {
        s->head_at = HEAD;
        s->in_seed = s->out_seed;
    }
    if (connect(fd, (struct sockaddr *)&address, address_len) != 0 && errno != EINPROGRESS)
        fail(s, strerror(errno));
}

/* Time. */

static bool idle_by_right(const struct session *s)
{
    if (s->part.finish == STAY)
        return s->in == s->in_total && head_done(s);
    return s->part.begin == AS_IT_COMES || paused(s);
}

static void check_time(struct session *s)
{
    long long still = now_ms() - (s->moved > s->read_from ? s->moved : s->read_from);

    if (s->part.wants == A_RESET && s->in == s->in_total && s->out == s->out_total && still > ask.reset_ms)
        fail(s, "no reset came in time");
    else if (s->part.wants == CUT_OFF && s->in + s->out > 0 && still > ask.reset_ms)
        fail(s, "no reset came in time");
    else if (still > ask.timeout && !idle_by_right(s))
        fail(s, "nothing moved");
}

/* The mode hold. */

static unsigned long busy_sessions(void)
{
    unsigned long busy = 0;

    for (size_t i = 0; i < active; i++)
        busy += sessions[i].in < sessions[i].in_total;
    return busy;
}

static void say_held(void)
{
    if (!holding || started < ask.sessions || busy_sessions() > 0)
        return;
    printf("%s %lu\n", held ? "alive" : "held", (unsigned long)active);
    fflush(stdout);
    held = true;
    holding = false;
}

static void next_round(void)
{
    holding = true;
    for (size_t i = 0; i < active; i++) {
        sessions[i].out_total += ask.up;
        sessions[i].in_total += ask.down;
        sessions[i].moved = now_ms();
    }
}

static void finish_all(void)
{
    stdin_ended = true;
    for (size_t i = active; i-- > 0;) {
        sessions[i].part.finish = SHUT;
        advance(&sessions[i]);
    }
}

static void read_stdin(void)
{
    char line[256];
    ssize_t got = read(STDIN_FILENO, line, sizeof line);

    if (got > 0)
        next_round();
    else if (got == 0)
        finish_all();
}

static bool is_hold(void)
{
    return !ask.server && modes[ask.mode].client.finish == STAY;
}

/* The loop. */

static void want(struct pollfd *p, int fd, short events)
{
    *p = (struct pollfd){.fd = events != 0 ? fd : -1, .events = events};
}

static void wait_for_events(void)
{
    want(&polled[0], listener, listener >= 0 ? POLLIN : 0);
    want(&polled[1], STDIN_FILENO, is_hold() && held && !holding && !stdin_ended ? POLLIN : 0);
    for (size_t i = 0; i < active; i++) {
        short in = wants_read(&sessions[i]) ? POLLIN : 0, out = wants_write(&sessions[i]) ? POLLOUT : 0;

        want(&polled[i + 2], sessions[i].fd, (short)(in | out));
    }
    if (poll(polled, active + 2, TICK_MS) < 0 && errno != EINTR)
        die("poll");
}

/* From the last one down, since one that ends is replaced by the last. */
static void serve_sessions(void)
{
    for (size_t i = active; i-- > 0;) {
        struct session *s = &sessions[i];
        unsigned long number = s->number;
        short events = polled[i + 2].revents;

        if (events & ~POLLOUT && wants_read(s)) {
            if (head_done(s))
                read_bytes(s);
            else
                read_head(s);
        }
        if (i < active && s->number == number && events & ~POLLIN && wants_write(s))
            do_write(s);
        if (i < active && s->number == number)
            check_time(s);
    }
}

static bool more_to_do(void)
{
    if (ask.server)
        return !told_to_end;
    return active > 0 || started < ask.sessions;
}

static void run(void)
{
    room = 64;
    sessions = calloc(room, sizeof *sessions);
    polled = calloc(room + 2, sizeof *polled);
    if (sessions == NULL || polled == NULL)
        die("memory");
    holding = is_hold();
    while (more_to_do()) {
        while (!ask.server && started < ask.sessions && active < ask.at_once)
            start_client();
        wait_for_events();
        serve_sessions();
        if (polled[0].revents != 0)
            accept_all();
        if (polled[1].revents != 0)
            read_stdin();
        if (is_hold())
            say_held();
    }
}

/* Start. */

static void find_unix(const char *path)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address;

    un->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof un->sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(un->sun_path, path);
    address_len = sizeof *un;
}

static void find_address(const char *text)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    const char *colon = strrchr(text, ':');
    bool brackets = text[0] == '[';
    char host[256];
    int error;

    if (strncmp(text, "unix:", 5) == 0) {
        find_unix(text + 5);
        return;
    }
    snprintf(host, sizeof host, "%.*s", colon != NULL ? (int)(colon - text) - 2 * brackets : 0, text + brackets);
    error = getaddrinfo(host, colon != NULL ? colon + 1 : "", &hints, &found);
    if (error != 0) {
        fprintf(stderr, "load: %s: %s\n", text, gai_strerror(error));
        exit(2);
    }
    memcpy(&address, found->ai_addr, found->ai_addrlen);
    address_len = found->ai_addrlen;
    freeaddrinfo(found);
}

static void print_address(const char *asked)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;

    if (address.ss_family != AF_INET) {
        printf("%s\n", asked);
    } else {
        getsockname(listener, (struct sockaddr *)&in, &len);
        printf("%.*s:%u\n", (int)(strrchr(asked, ':') - asked), asked, (unsigned)ntohs(in.sin_port));
    }
    fflush(stdout);
}

static void end_server(int signo)
{
    (void)signo;
    told_to_end = 1;
}

static void start_server(const char *asked)
{
    struct sigaction end = {.sa_handler = end_server};
    int on = 1;

    listener = socket(address.ss_family, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, address_len) != 0 || listen(listener, 4096) != 0)
        die(asked);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    sigaction(SIGTERM, &end, NULL);
    print_address(asked);
}

static void usage(void)
{
    fprintf(stderr, "usage: load server|client ADDRESS [--mode MODE] [--OPTION N]...; see the top of load.c\n");
    exit(2);
}

static void parse_mode(const char *name)
{
    for (ask.mode = 0; ask.mode < MODES; ask.mode++)
        if (strcmp(modes[ask.mode].name, name) == 0)
            return;
    fprintf(stderr, "load: there is no mode %s\n", name);
    exit(2);
}

static void parse_option(const char *name, const char *value)
{
    long long n = value != NULL ? strtoll(value, NULL, 10) : 0;

    if (value == NULL)
        usage();
    else if (strcmp(name, "--mode") == 0)
        parse_mode(value);
    else if (strcmp(name, "--sessions") == 0)
        ask.sessions = (unsigned long)n;
    else if (strcmp(name, "--at-once") == 0)
        ask.at_once = (unsigned long)n;
    else if (strcmp(name, "--bytes") == 0)
        ask.up = ask.down = (uint64_t)n;
    else if (strcmp(name, "--up") == 0)
        ask.up = (uint64_t)n;
    else if (strcmp(name, "--down") == 0)
        ask.down = (uint64_t)n;
    else if (strcmp(name, "--pause-client") == 0)
        ask.pause_client = n;
    else if (strcmp(name, "--pause-server") == 0)
        ask.pause_server = n;
    else if (strcmp(name, "--timeout") == 0)
        ask.timeout = n * 1000;
    else if (strcmp(name, "--reset-ms") == 0)
        ask.reset_ms = n;
    else if (strcmp(name, "--seed") == 0)
        ask.seed = (uint64_t)n;
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

int main(int argc, char **argv)
{
    since = now_ms();
    if (argc < 3 || (strcmp(argv[1], "server") != 0 && strcmp(argv[1], "client") != 0))
        usage();
    ask.server = strcmp(argv[1], "server") == 0;
    for (int i = 3; i < argc; i += 2)
        parse_option(argv[i], argv[i + 1]);
    signal(SIGPIPE, SIG_IGN);
    raise_limit();
    find_address(argv[2]);
    if (ask.server)
        start_server(argv[2]);
    run();
    print_counts();
    return failed > 0 || active > 0;
}
