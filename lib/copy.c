/*
 * copy: moves bytes between two legs. See copy.h.
 */
#include "copy.h"

#include "clock.h"
#include "os.h"
#include "sock.h"
#include "wipe.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 65536

/* Of a buffer, what a chunk and the last one take. */
#define AROUND (HTTP_CHUNK_BEFORE + HTTP_CHUNK_BEHIND + HTTP_LAST_CHUNK)

/*
 * What is read at once: so much until that is filled for the first time, and
 * four times as much again whenever that is. Most sessions say little and touch
 * no more memory than that.
 */
#define SMALL_BYTES 1024
#define MIDDLE_BYTES 16384

/* After so long without a byte a session is quiet, in milliseconds. */
#define QUIET_MS 1000

/* How often one direction may move a buffer before the other has its turn. */
#define ROUNDS 8

/* What a write to a pipe takes without blocking once poll says that it takes any. */
#ifdef PIPE_BUF
#define BLOCKING_WRITE_MOST PIPE_BUF
#else
#define BLOCKING_WRITE_MOST _POSIX_PIPE_BUF
#endif

/*
 * How often it is looked whether a peer is gone: ten times in its timeout, at
 * most so long apart. TCP_USER_TIMEOUT is not used: it also ends a session
 * whose reader is there and only pauses.
 */
#define SILENT_CHECKS 10
#define SILENT_CHECK_MOST_MS 30000

enum { CLIENT, SERVER, SIDES };

struct side {
    int which;                  /* CLIENT or SERVER */
    struct leg *leg;
    char *small;                /* one of its buffers; the other is in large */
    size_t small_used;          /* of that, in bytes */
    char *buffer;               /* what was read from this side */
    size_t size;                /* of it */
    size_t at, len;             /* of what was read, not yet written to the other */
    size_t around;              /* bytes around it that were not read: chunks */
    unsigned long long moved;   /* bytes written to the other */
    bool filled;                /* by the last read */
    bool ended;                 /* its end of file was read */
    bool passed;                /* and passed on */
    bool hung_up;               /* poll says so, and nothing is to be done about it now */
};

struct copy {
    struct side side[SIDES];
    struct pollfd polled[2 * SIDES];    /* each side's reading and writing; a socket's are one */
    struct copy_rules rules;
    long long moved_at;
    bool settled;               /* nothing waits for an acknowledgement */
    bool moving;                /* something moved since it was quiet */
    bool probed;                /* the peers are probed by now */
    char small[SIDES][SMALL_BYTES];     /* last, and on the stack, whose pages are touched anyway */
};

static char large[SIDES][BUFFER_BYTES];
static bool large_used[SIDES];      /* since it was given back */

static int silent_check_ms(int peer_seconds)
{
    int seconds = SILENT_CHECK_MOST_MS / 1000 * SILENT_CHECKS;

    return (peer_seconds < seconds ? peer_seconds : seconds) * (1000 / SILENT_CHECKS);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static bool can_read(const struct side *s)
{
    return s->len == 0 && !s->ended;
}

/* What lies behind HTTP_CHUNK_BEFORE bytes of room becomes a chunk, and the last one follows where it has ended. */
static void wrap(struct side *s, size_t content)
{
    s->at = content > 0 ? http_chunk_wrap(s->buffer, content) : 0;
    s->len = content > 0 ? HTTP_CHUNK_BEFORE + content + HTTP_CHUNK_BEHIND - s->at : 0;
    if (s->ended) {
        http_chunk_last(s->buffer + s->at + s->len);
        s->len += HTTP_LAST_CHUNK;
    }
    s->around = s->len - content;
}

/* Reads into a part of the buffer. Returns how much of it is content, or -1 with errno. */
static ssize_t take(struct side *s, char *to, size_t size)
{
    struct http_body *body = &s->leg->framing.in;
    ssize_t got = read(s->leg->rfd, to, size), content = got;

    if (got < 0)
        return -1;
    s->ended = got == 0;
    s->filled = (size_t)got == size;
    if (s->buffer == s->small && (size_t)(to - s->buffer + got) > s->small_used)
        s->small_used = (size_t)(to - s->buffer + got);
    if (body->kind == HTTP_BODY_RAW)
        return got;
    errno = got == 0 ? ECONNRESET : EPROTO;     /* it breaks off, or is none */
    if (got > 0)
        content = http_body_take(body, to, (size_t)got, NULL);
    s->ended = body->over;
    return got > 0 ? content : -1;
}

/* Returns 1 if something moved, 0 if not now, -1 with errno. */
static int fill(struct side *s, const struct leg *to)
{
    bool chunked = to->framing.chunked;
    ssize_t got = chunked ? take(s, s->buffer + HTTP_CHUNK_BEFORE, s->size - AROUND) : take(s, s->buffer, s->size);

    if (got < 0)
        return would_block() ? 0 : -1;
    s->at = 0;
    s->len = (size_t)got;
    if (chunked)
        wrap(s, s->len);
    return 1;
}

static int drain(struct side *s, struct side *to)
{
    size_t len = s->len;
    ssize_t put;

    if (to->leg->may_block && len > BLOCKING_WRITE_MOST)
        len = BLOCKING_WRITE_MOST;
    put = write(to->leg->wfd, s->buffer + s->at, len);
    if (put < 0)
        return would_block() ? 0 : -1;
    s->at += (size_t)put;
    s->len -= (size_t)put;
    s->moved += (unsigned long long)put;
    if (s->len == 0) {
        s->moved -= s->around;
        s->around = 0;
    }
    return 1;
}

/* What fills the small buffer is more than a few words. The buffer is empty. */
static void grow(struct side *s)
{
    s->size = s->buffer == s->small ? MIDDLE_BYTES : BUFFER_BYTES;
    s->buffer = large[s->which];
    large_used[s->which] = true;
}

static void give_back(struct side *s)
{
    if (large_used[s->which])
        os_give_back(large[s->which], BUFFER_BYTES);
    large_used[s->which] = false;
}

static void shrink(struct side *s)
{
    give_back(s);
    s->buffer = s->small;
    s->size = SMALL_BYTES;
}

static int pass_end(struct side *from, struct side *to)
{
    if (leg_end_write(to->leg) != 0)
        return -1;
    from->passed = true;
    if (from->leg->framing.answer == LEG_GIVES)
        leg_give_answer(from->leg);
    return 0;
}

/*
 * Moves from one side to the other what can be moved now; ending: its end of file
 * is there behind the bytes. Returns 0, or -1 with errno.
 */
static int pump(struct side *from, struct side *to, bool ending)
{
    bool blocking = from->leg->may_block || to->leg->may_block;

    for (int i = 0; i < (blocking ? 1 : ROUNDS); i++) {
        bool read_now = false;

        if (can_read(from)) {
            int got = fill(from, to->leg);

            if (got <= 0)
                return got;
            read_now = true;
            if (to->leg->may_block && from->len > 0)
                return 0;       /* poll is to say first that it takes any */
        }
        if (from->len > 0) {
            int put = drain(from, to);

            if (put < 0 || from->len > 0)
                return put < 0 ? -1 : 0;
            if (from->filled && from->size < BUFFER_BYTES)
                grow(from);
        }
        if (from->ended)
            return from->passed ? 0 : pass_end(from, to);
        if (!(read_now && from->filled) && !ending)
            return 0;
    }
    return 0;
}

static void want(struct pollfd *p, int fd, short events)
{
    p->fd = fd;
    p->events = events;
    p->revents = 0;
}

/*
 * A side is looked at even when it is to do nothing, so that its reset shows;
 * not, though, when it is finished both ways or has hung up, since that would
 * show for ever.
 */
static void want_side(struct pollfd polled[2], struct side *s, const struct side *other)
{
    short in = can_read(s) ? POLLIN | os_poll_ended : 0;
    short out = other->len > 0 ? POLLOUT : 0;
    bool finished = s->passed && other->passed;

    if (leg_is_socket(s->leg)) {
        bool skip = finished || (s->hung_up && in == 0 && out == 0);

        want(&polled[0], skip ? -1 : s->leg->rfd, (short)(in | out));
        want(&polled[1], -1, 0);
    } else {
        bool awaits = s->leg->framing.answer == LEG_AWAITS, over = other->passed || (s->hung_up && out == 0);

        want(&polled[0], in != 0 ? s->leg->rfd : -1, in);
        want(&polled[1], over && !awaits ? -1 : s->leg->wfd, (short)(out | (awaits ? POLLIN : 0)));
    }
}

/* The socket that has failed, if that is what poll says. Returns 0, or -1 with errno. */
static int check_error(int fd, short events)
{
    if ((events & (POLLERR | POLLNVAL)) == 0)
        return 0;
    errno = sock_error(fd);
    return errno != 0 ? -1 : 0;
}

/* What poll said of the side's reading and of its writing; a socket's is the same. */
static int react(struct side *s, struct side *other, const struct pollfd polled[2])
{
    short in = polled[0].revents;
    short out = leg_is_socket(s->leg) ? in : polled[1].revents;
    bool read_it = in != 0 && can_read(s);
    bool write_it = out != 0 && other->len > 0;

    if (s->leg->framing.answer == LEG_AWAITS && (out & ~POLLOUT) != 0 && leg_take_answer(s->leg, other->passed) != 0)
        return -1;
    if (read_it && pump(s, other, (in & os_poll_ended) != 0) != 0)
        return -1;
    if (write_it && pump(other, s, false) != 0)
        return -1;
    if (read_it || write_it || (in | out) == 0)
        return 0;
    if ((leg_is_socket(s->leg) || s->leg->framing.http) && check_error(s->leg->wfd, out) != 0)
        return -1;
    s->hung_up = true;
    return 0;
}

/* How long to wait, in milliseconds; -1: until something comes. */
static int patience(const struct copy *c)
{
    int wait = c->settled ? -1 : silent_check_ms(c->rules.peer_seconds);

    if (c->moving && (wait < 0 || wait > QUIET_MS))
        wait = QUIET_MS;
    if (c->rules.idle_ms > 0) {
        long long left = c->moved_at + c->rules.idle_ms - clock_ms();

        if (wait < 0 || left < wait)
            wait = left > 0 ? (int)left : 0;
    }
    return wait;
}

/* What costs others memory is given up. A peer that has nothing to say is asked whether it is there. */
static void rest(struct copy *c)
{
    c->moving = false;
    for (int i = 0; i < SIDES; i++) {
        if (c->side[i].len == 0)
            shrink(&c->side[i]);
        if (!c->probed)
            leg_probe(c->side[i].leg);
    }
    c->probed = true;
    if (c->rules.quiet != NULL)
        c->rules.quiet(c->rules.owner);
    c->rules.quiet = NULL;
}

/*
 * Whether who reads this side's pipe has gone before its end. That is no error
 * yet: tar leaves when it has read its archive's end, and the end of file may be
 * on its way. What comes instead of that shows that something was lost.
 */
static bool reader_gone(const struct side *s)
{
    return s->hung_up && !leg_is_socket(s->leg) && !s->leg->framing.http;
}

/* Nothing came for that long. Returns 0 to go on, or -1 with *end set. */
static int waited(struct copy *c, enum copy_end *end)
{
    bool waits = false;

    if (c->rules.idle_ms > 0 && clock_ms() - c->moved_at >= c->rules.idle_ms) {
        *end = COPY_IDLE;
        return -1;
    }
    if (c->moving)
        rest(c);
    for (int i = 0; i < SIDES; i++) {
        if (reader_gone(&c->side[i])) {
            errno = EPIPE;
            *end = COPY_RESET;
            return -1;
        }
        if (leg_silent(c->side[i].leg, (unsigned)c->rules.peer_seconds, &waits)) {
            *end = COPY_TIMEOUT;
            return -1;
        }
    }
    c->settled = !waits;
    return 0;
}

static enum copy_end end_of_errno(void)
{
    switch (errno) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
        return COPY_RESET;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return COPY_TIMEOUT;
    default:
        return COPY_ERROR;
    }
}

/* What has been read of this side is all there is, and all of it has got to where it goes. */
static bool side_done(const struct side *s, const struct side *to)
{
    return s->passed && to->leg->framing.answer != LEG_AWAITS;
}

static bool finished(const struct copy *c)
{
    return side_done(&c->side[CLIENT], &c->side[SERVER]) && side_done(&c->side[SERVER], &c->side[CLIENT]);
}

/* A body without a byte is over before anything comes. Returns 0, or -1 with errno. */
static int begin_ended(struct side *s, struct side *to)
{
    s->ended = s->leg->framing.in.over;
    if (!s->ended)
        return 0;
    if (to->leg->framing.chunked)
        wrap(s, 0);
    return pump(s, to, false);
}

static enum copy_end move_all(struct copy *c)
{
    struct side *client = &c->side[CLIENT], *server = &c->side[SERVER];
    enum copy_end end;

    if (begin_ended(client, server) != 0 || begin_ended(server, client) != 0)
        return end_of_errno();
    /* Mostly the client has spoken by now. */
    if (!client->leg->may_block && !server->leg->may_block && pump(client, server, false) != 0)
        return end_of_errno();
    while (!finished(c)) {
        int ready;

        for (int i = 0; i < SIDES; i++)
            want_side(&c->polled[2 * i], &c->side[i], &c->side[!i]);
        ready = poll(c->polled, 2 * SIDES, patience(c));
        if (ready < 0 && !would_block())
            return COPY_ERROR;
        if (ready == 0 && waited(c, &end) != 0)
            return end;
        if (ready <= 0)
            continue;
        c->settled = false;
        c->moving = true;
        if (c->rules.idle_ms > 0)
            c->moved_at = clock_ms();
        for (int i = 0; i < SIDES; i++)
            if (react(&c->side[i], &c->side[!i], &c->polled[2 * i]) != 0)
                return end_of_errno();
    }
    return COPY_EOF;
}

/* The next session of this process has other people's bytes. */
static void forget(struct side *s)
{
    give_back(s);
    wipe(s->small, s->small_used);
}

void copy_run(struct leg *client, struct leg *server, const struct copy_rules *rules, struct copy_result *result)
{
    struct copy c;

    memset(&c, 0, offsetof(struct copy, small));
    c.rules = *rules;
    c.moving = true;
    c.side[CLIENT].leg = client;
    c.side[SERVER].leg = server;
    for (int i = 0; i < SIDES; i++) {
        c.side[i].which = i;
        c.side[i].small = c.side[i].buffer = c.small[i];
        c.side[i].size = SMALL_BYTES;
    }
    if (rules->idle_ms > 0)
        c.moved_at = clock_ms();
    result->end = move_all(&c);
    result->error = errno;
    result->up = c.side[CLIENT].moved;
    result->down = c.side[SERVER].moved;
    for (int i = 0; i < SIDES; i++) {
        forget(&c.side[i]);
        c.side[i].leg->heard = c.side[i].moved > 0;
        if (result->end == COPY_EOF)
            leg_close(c.side[i].leg);
        else
            leg_reset(c.side[i].leg);
    }
}
