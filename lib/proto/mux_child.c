/*
 * mux_child: the process that carries the sessions of one muxado connection. See mux_child.h.
 */
#include "mux_child.h"

#include "mux_carry.h"
#include "../clock.h"
#include "../handover.h"
#include "../os.h"
#include "../sandbox.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is read of the connection at once. */
#define INPUT_BYTES 65536

/* How often it is looked whether a session's peer is gone, or has said nothing for too long, in milliseconds. */
#define LOOK_MS 1000

/* So many connections are asked for at once: the parent's answers have room for more. */
#define ASKED_MOST 64

/* How long the parent may take to hand a connection over, in milliseconds. */
#define HANDED_MS 10000

/* How many frames of one stream are read before the others have their turn. */
#define FRAMES 4

static const struct transport_seat *seat;
static const struct mux_task *task;
static struct mux mux;
static struct pollfd *polled;
static int channel, turn;
static int asked;                   /* connections that were asked for and have not come */
static char address[MUX_ADDRESS];   /* the public one; on the server's side, as far as it has come */
static size_t address_len;
static struct mux_stream *address_stream;   /* it is told there; NULL: it is told, or there is none */
static bool greeted;                /* the relay's side: the server has opened that stream */
static bool untold;                 /* the server's side: it will not be */

static void say(enum report_kind kind, uint32_t number, const char *text)
{
    struct report r;

    memset(&r, 0, sizeof r);
    r.subject.token = seat->token;
    r.subject.session = UINT32_MAX;
    r.kind = kind;
    r.number = number;
    text_copy(r.text, sizeof r.text, text);
    report_send(seat->reports, &r);
}

/* What mux says. */

static void took_data(void *owner, struct mux_stream *s, const unsigned char *bytes, size_t len)
{
    struct carried *c = s->owner;

    (void)owner;
    if (s == address_stream && task->dialler) {
        size_t room = sizeof address - 1 - address_len;

        memcpy(address + address_len, bytes, len < room ? len : room);
        address_len += len < room ? len : room;
    }
    if (c == NULL) {
        mux_consumed(&mux, s, len);
        return;
    }
    carry_data(c, s, bytes, len);
}

static void stream_ended(void *owner, struct mux_stream *s)
{
    struct carried *c = s->owner;

    (void)owner;
    if (s == address_stream && task->dialler) {
        address_stream = NULL;
        mux_end(&mux, s);
        say(REPORT_PUBLIC, 0, address);
    }
    if (c == NULL)
        return;
    carry_ended(c, s);
}

static void stream_reset(void *owner, struct mux_stream *s, uint32_t code)
{
    struct carried *c = s->owner;

    (void)owner;
    if (s == address_stream) {
        address_stream = NULL;
        untold = task->dialler;
    }
    if (c == NULL)
        return;
    carry_reset(c, s, code);
}

static void window_opened(void *owner, struct mux_stream *s)
{
    (void)owner, (void)s;
}

/* The relay's side: the server's first stream is for the address, once there is one. */
static void tell_address(void)
{
    struct mux_stream *s = address_stream;
    size_t room;
    unsigned char *to;

    if (s == NULL || address_len == 0 || (to = mux_room(&mux, s, &room)) == NULL || room < address_len)
        return;
    memcpy(to, address, address_len);
    mux_sent(&mux, s, address_len);
    address_stream = NULL;
    mux_end(&mux, s);
}

/* What ps shows. */
static void name_process(uint32_t port)
{
    char title[JOB_TITLE];
    struct text t;

    text_init(&t, title, sizeof title);
    text_add(&t, "%s: %u", seat->program, (unsigned)port);
    os_title(title);
}

static void set_port(uint32_t port)
{
    struct text t;

    name_process(port);
    text_init(&t, address, sizeof address);
    text_add(&t, "%s%u", task->host, (unsigned)port);
    address_len = t.len;
    tell_address();
}

static uint32_t take_first(struct mux_stream *s)
{
    if (greeted)
        return mux_refused(task->format);
    greeted = true;
    address_stream = s;
    tell_address();
    return 0;
}

/* The server's side: asks for a connection for those that have none. */
static void ask(void)
{
    for (int i = 0; i < carry.high && asked < ASKED_MOST; i++) {
        struct carried *c = &carry.table[i];

        if (!c->used || c->asked || c->stream == NULL)
            continue;
        c->asked = true;
        c->moved_at = clock_ms();
        asked++;
        say(REPORT_CLIENT, c->stream->id, "");
    }
}

static uint32_t stream_opened(void *owner, struct mux_stream *s)
{
    struct carried *c;

    (void)owner;
    if (!task->dialler)
        return take_first(s);
    c = channel >= 0 ? carry_new() : NULL;
    if (c == NULL)
        return mux_refused(task->format);
    c->stream = s;
    s->owner = c;
    ask();
    return 0;
}

static void leaving(void *owner, uint32_t code)
{
    (void)owner, (void)code;
    say(REPORT_LEAVING, 0, "");
}

static const struct mux_hooks hooks = {
    .opened = stream_opened,
    .data = took_data,
    .ended = stream_ended,
    .window = window_opened,
    .reset = stream_reset,
    .goaway = leaving,
};

/* The connection. */

/* Nothing comes over it any more. */
static void disconnect(const char *reason)
{
    if (!carry.connected)
        return;
    say(REPORT_OVER, 0, reason);
    close(seat->fd);
    carry_disconnected();
}

static void flush(void)
{
    size_t len;
    const unsigned char *bytes;

    while (carry.connected && (bytes = mux_pending(&mux, &len)) != NULL && len > 0) {
        ssize_t put = write(seat->fd, bytes, len);

        if (put > 0)
            mux_written(&mux, (size_t)put);
        else if (errno == EAGAIN || errno == EINTR)
            return;
        else
            disconnect("reset");
    }
}

/* What was read and not taken yet. */
static unsigned char input[INPUT_BYTES];
static size_t input_at, input_len;

static void feed(void)
{
    while (carry.connected && input_len > 0) {
        ssize_t took = mux_input(&mux, input + input_at, input_len);

        carry_write();
        if (took < 0) {
            flush();
            disconnect("line");
            return;
        }
        input_at += (size_t)took;
        input_len -= (size_t)took;
        if (took == 0)
            return;
    }
    input_at = 0;
}

static void read_connection(void)
{
    ssize_t got;

    if (input_len > 0) {
        feed();
        return;
    }
    got = read(seat->fd, input, sizeof input);
    if (got == 0) {
        disconnect("eof");
    } else if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            disconnect(errno == ETIMEDOUT ? "timeout" : "reset");
    } else {
        input_len = (size_t)got;
        feed();
    }
}

/* A few, then it is the others' turn. */
static void read_socket(struct carried *c)
{
    /* Sent at once: the other side goes on with one while this one reads the next. */
    for (int i = 0; i < FRAMES && c->used && c->fd >= 0 && carry_read(c); i++)
        flush();
}

/* What is handed over. */

static void refuse_job(const struct job *job, int fd)
{
    if (fd >= 0)
        sock_reset(fd);
    if (job->subject.token != 0)
        carry_report_refused(job);
}

static void do_job(const struct job *job, int fd)
{
    struct carried *c;

    if (!task->dialler && job->number != 0) {
        set_port(job->number);
        return;
    }
    if (task->dialler) {
        asked--;
        ask();
    }
    c = job->number != 0 ? carry_find(job->number) : carry_new();
    if (c != NULL && job->number == 0)
        c->stream = carry.connected ? mux_open(&mux, c) : NULL;
    if (c == NULL || c->stream == NULL) {
        if (c != NULL)
            carry_forget(c);
        refuse_job(job, fd);
        return;
    }
    carry_take_up(c, job, fd);
}

/* Nobody makes connections for them any more. */
static void give_up_waiting(void)
{
    for (int i = 0; i < carry.high; i++)
        if (carry.table[i].used && carry.table[i].fd < 0)
            carry_cut(&carry.table[i], COPY_RESET, "");
}

/* All that are there: the channel has room for some only. */
static void take_jobs(void)
{
    while (channel >= 0) {
        struct job job;
        int fd = -1;
        ssize_t got = handover_take(channel, &job, sizeof job, &fd, 1, MSG_DONTWAIT);

        if (got == (ssize_t)sizeof job) {
            do_job(&job, fd);
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        close(channel);
        channel = -1;
        give_up_waiting();
    }
}

/* The loop. */

static void want(struct pollfd *p, int fd, int events)
{
    p->fd = events != 0 ? fd : -1;
    p->events = (short)events;
    p->revents = 0;
}

static void want_all(void)
{
    size_t pending = 0;

    if (carry.connected)
        mux_pending(&mux, &pending);
    want(&polled[0], carry.connected ? seat->fd : -1, POLLIN | (pending > 0 ? POLLOUT : 0));
    if (input_len > 0)      /* it waits for room first */
        polled[0].events = POLLOUT;
    want(&polled[1], channel, channel >= 0 ? POLLIN : 0);
    for (int i = 0; i < carry.high; i++) {
        struct carried *c = &carry.table[i];
        size_t room = 0;
        int events = 0;

        if (!c->used || c->fd < 0) {
            polled[2 + i].fd = -1;
            continue;
        }
        if (c->len > 0 || c->connecting)
            events |= POLLOUT;
        if (!c->read_end && !c->connecting &&
            (c->stream == NULL || mux_room(&mux, c->stream, &room) != NULL))
            events |= POLLIN;
        /* A reset shows even if nothing else is wanted. */
        polled[2 + i].fd = c->hung_up && events == 0 ? -1 : c->fd;
        polled[2 + i].events = (short)events;
        polled[2 + i].revents = 0;
    }
}

static void react(struct carried *c, short events)
{
    if (events == 0 || !c->used || c->fd < 0)
        return;
    if (c->connecting) {
        carry_connected(c);
        return;
    }
    if ((events & (POLLERR | POLLNVAL)) != 0) {
        carry_broken(c);
        return;
    }
    if ((events & POLLHUP) != 0)
        c->hung_up = true;
    if (c->len > 0 && (events & POLLOUT) != 0)
        carry_drain(c);
    if (c->used && c->fd >= 0 && !c->read_end && (events & (POLLIN | POLLHUP)) != 0)
        read_socket(c);
}

/* Those that are silent or idle for too long. */
static void look(long long now)
{
    if (untold) {
        flush();
        disconnect("reset");
    }
    for (int i = 0; i < carry.high; i++) {
        struct carried *c = &carry.table[i];
        bool unused;

        if (!c->used)
            continue;
        if (c->fd < 0 ? c->asked && now - c->moved_at >= HANDED_MS : c->connecting && now >= c->deadline)
            carry_cut(c, COPY_TIMEOUT, "");
        else if (c->idle_ms > 0 && now - c->moved_at >= c->idle_ms)
            carry_cut(c, COPY_IDLE, "");
        else if (c->fd >= 0 && os_peer_silent(c->fd, (unsigned)c->peer_seconds, &unused))
            carry_cut(c, COPY_TIMEOUT, "");
    }
}

static int set_up(void)
{
    channel = seat->channel;
    carry = (struct carry){.mux = &mux, .reports = seat->reports, .dialler = task->dialler, .connected = true};
    polled = calloc((size_t)task->most + 2, sizeof *polled);
    if (polled == NULL || carry_setup(task->most, task->format) != 0)
        return -1;
    return mux_init(&mux, task->format, task->dialler, task->most + 1, &hooks, NULL);
}

static void begin(void)
{
    if (task->dialler) {
        address_stream = mux_open(&mux, NULL);
        return;
    }
    memcpy(input, task->head, sizeof task->head);
    input_len = sizeof task->head;
    feed();
}

/* Each has its turn; which one is the first goes round. */
static void react_all(int count)
{
    turn = count > 0 ? (turn + 1) % count : 0;
    for (int i = 0; i < count; i++) {
        int which = (turn + i) % count;

        react(&carry.table[which], polled[2 + which].revents);
    }
}

static void round_once(void)
{
    static long long look_at;
    long long now = clock_ms(), next = carry.connected ? mux_tick(&mux, now) : LLONG_MAX;
    int count = carry.high;

    if (next < 0) {
        mux_goaway(&mux, 0);
        flush();
        disconnect("timeout");
        return;
    }
    flush();
    want_all();
    next = next < now + LOOK_MS ? next : now + LOOK_MS;
    if (poll(polled, (nfds_t)count + 2, next > now ? (int)(next - now) : 0) > 0) {
        react_all(count);
        if (carry.connected && polled[0].revents != 0)
            read_connection();
        if (channel >= 0 && polled[1].revents != 0)
            take_jobs();
    }
    now = clock_ms();
    if (now >= look_at) {
        look_at = now + LOOK_MS;
        look(now);
    }
}

void mux_child_run(const struct transport_seat *the_seat, void *arg)
{
    seat = the_seat;
    task = arg;
    if (set_up() != 0) {
        say(REPORT_OVER, 0, "memory");
        return;
    }
    sandbox_enter(false);
    begin();
    while (carry.used > 0 || (carry.connected && channel >= 0))
        round_once();
    if (carry.connected) {
        mux_goaway(&mux, 0);
        flush();
        disconnect("drain");
    }
}
