/*
 * mux_child: the process that carries the sessions of one muxado connection. See mux_child.h.
 */
#include "mux_child.h"

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
#include <sys/uio.h>
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

/* How many pieces for one session are written at once. */
#define JOINED 16

/* One session: a stream and a socket. */
struct carried {
    bool used;
    struct mux_stream *stream;      /* NULL: it is no more */
    int fd;                         /* -1: not there yet, or no more */
    bool asked;                     /* the server's side: for that */
    bool connecting;                /* until when: deadline */
    bool known;                     /* subject is set */
    struct report_subject subject;
    bool read_end;                  /* the socket's end of file was read, and passed on */
    bool stream_end;                /* the stream's has come */
    bool write_end;                 /* and was passed on */
    bool hung_up;                   /* poll says so of the socket, and would for ever */
    unsigned char *queue;           /* from the stream, not written to the socket yet; a ring */
    size_t at, len;
    size_t returned;                /* of len, bytes that are no part of the stream's window */
    unsigned long long in, out;     /* bytes from the stream, and to it */
    long long moved_at, deadline;   /* clock_ms */
    int idle_ms, peer_seconds;      /* as copy_rules' */
};

static const struct transport_seat *seat;
static const struct mux_task *task;
static struct mux mux;
static struct carried *table;
static struct pollfd *polled;
static int channel, used, turn;
static int asked;                   /* connections that were asked for and have not come */
static int high;                    /* all that are used stand below this in the table */
static size_t queue_size;
static bool connected = true;       /* the connection is there */
static char address[MUX_ADDRESS];   /* the public one; on the server's side, as far as it has come */
static size_t address_len;
static struct mux_stream *address_stream;   /* it is told there; NULL: it is told, or there is none */
static bool greeted;                /* the relay's side: the server has opened that stream */
static bool untold;                 /* the server's side: it will not be */
static const char *why = "eof";     /* it is over */

/* What came for one session just now, in the input; see write_joined. */
static struct iovec joined[JOINED];
static int joined_count;
static struct carried *joined_for;

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

static struct carried *new_carried(void)
{
    for (int i = 0; i < task->most; i++)
        if (!table[i].used) {
            unsigned char *queue = table[i].queue;

            memset(&table[i], 0, sizeof table[i]);
            table[i].queue = queue;
            table[i].used = true;
            table[i].fd = -1;
            table[i].moved_at = clock_ms();
            used++;
            if (i >= high)
                high = i + 1;
            return &table[i];
        }
    return NULL;
}

/* text: of COPY_ERROR. */
static void report_end(const struct report_subject *subject, enum copy_end end, const char *text,
                       unsigned long long up, unsigned long long down)
{
    struct report r;

    memset(&r, 0, sizeof r);
    r.subject = *subject;
    r.kind = REPORT_END;
    r.end.copy = (struct copy_result){.end = end, .up = up, .down = down};
    text_copy(r.end.why, sizeof r.end.why, text);
    report_send(seat->reports, &r);
}

/* Its socket and its stream are dealt with. */
static void forget(struct carried *c, enum copy_end end, const char *text)
{
    if (joined_for == c) {
        joined_for = NULL;
        joined_count = 0;
    }
    os_give_back(c->queue, queue_size);
    c->used = false;
    used--;
    while (high > 0 && !table[high - 1].used)
        high--;
    if (c->known)
        report_end(&c->subject, end, text, task->dialler ? c->in : c->out, task->dialler ? c->out : c->in);
}

static void close_socket(struct carried *c, bool gently)
{
    if (c->fd < 0)
        return;
    if (gently)
        sock_close_gently(c->fd);
    else
        sock_abort_on_close(c->fd);
    close(c->fd);
    c->fd = -1;
}

/* Its stream has nothing more to do with it, whatever may come of that. NULL: there was none. */
static struct mux_stream *let_go(struct carried *c)
{
    struct mux_stream *s = c->stream;

    if (s != NULL)
        s->owner = NULL;
    c->stream = NULL;
    return s;
}

/* Both ends see a reset. */
static void cut(struct carried *c, enum copy_end end, const char *text)
{
    struct mux_stream *s = let_go(c);

    if (s != NULL && connected)
        mux_reset(&mux, s, MUX_RESET);
    close_socket(c, false);
    forget(c, end, text);
}


static void cut_for(struct carried *c, int error)
{
    bool reset = error == ECONNRESET || error == EPIPE;
    bool silent = error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;

    cut(c, reset ? COPY_RESET : silent ? COPY_TIMEOUT : COPY_ERROR, reset || silent ? "" : strerror(error));
}

/*
 * Ends what has ended both ways. Returns whether it is no more. A client whose
 * server wants no more is listened to until its end: closed before, it would be
 * reset for what it says then, and might lose the rest of the answer.
 */
static bool finish(struct carried *c)
{
    bool unheard = c->stream == NULL && (task->dialler || !connected);

    if (!c->write_end || !(c->read_end || unheard))
        return false;
    close_socket(c, true);
    forget(c, COPY_EOF, "");
    return true;
}

/* From the stream to the socket. */

static void enqueue(struct carried *c, const unsigned char *bytes, size_t len)
{
    size_t end = (c->at + c->len) % queue_size;
    size_t first = queue_size - end < len ? queue_size - end : len;

    memcpy(c->queue + end, bytes, first);
    memcpy(c->queue, bytes + first, len - first);
    c->len += len;
}

static void count_in(struct carried *c, size_t len)
{
    size_t free_of_window = c->returned < len ? c->returned : len;

    c->moved_at = clock_ms();
    c->returned -= free_of_window;
    c->in += len - free_of_window;
    if (c->stream != NULL && len > free_of_window)
        mux_consumed(&mux, c->stream, len - free_of_window);
}

/* Returns false where that was its end. */
static bool end_writing(struct carried *c)
{
    if (!c->stream_end || c->write_end || c->len > 0 || c->connecting || c->fd < 0)
        return true;
    if (shutdown(c->fd, SHUT_WR) != 0) {
        cut_for(c, errno);
        return false;
    }
    c->write_end = true;
    return !finish(c);
}

static void drain(struct carried *c)
{
    while (c->len > 0) {
        size_t part = queue_size - c->at < c->len ? queue_size - c->at : c->len;
        ssize_t put = write(c->fd, c->queue + c->at, part);

        if (put < 0) {
            if (errno != EAGAIN && errno != EINTR)
                cut_for(c, errno);
            return;
        }
        c->at = (c->at + (size_t)put) % queue_size;
        c->len -= (size_t)put;
        count_in(c, (size_t)put);
    }
    c->at = 0;
    end_writing(c);
}

/*
 * Frames are short, and one write of several takes little more time than one of
 * each: what comes for one session is joined, until another's comes, or no more
 * is at hand.
 */
static void write_joined(void)
{
    struct carried *c = joined_for;
    int count = joined_count;
    size_t put = 0;

    joined_for = NULL;
    joined_count = 0;
    if (c == NULL)
        return;
    if (c->len == 0 && c->fd >= 0 && !c->connecting) {
        ssize_t done = writev(c->fd, joined, count);

        if (done < 0 && errno != EAGAIN && errno != EINTR) {
            cut_for(c, errno);
            return;
        }
        if (done > 0)
            count_in(c, put = (size_t)done);
    }
    for (int i = 0; i < count; i++) {
        size_t len = joined[i].iov_len, skip = put < len ? put : len;

        enqueue(c, (const unsigned char *)joined[i].iov_base + skip, len - skip);
        put -= skip;
    }
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
    if (joined_for != c || joined_count == JOINED)
        write_joined();
    /* It may have been cut by that. */
    if (s->owner != c)
        return;
    joined[joined_count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = len};
    joined_for = c;
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
    if (joined_for == c)
        write_joined();
    if (s->owner != c)
        return;
    c->stream_end = true;
    if (c->read_end)
        let_go(c);
    end_writing(c);
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
    if (joined_for == c)
        write_joined();
    if (s->owner != c)
        return;
    let_go(c);
    /* The peer has closed both ways: what comes from here is dropped, and that is all. */
    if (code == MUX_CLOSED && c->stream_end)
        finish(c);
    else
        cut(c, COPY_RESET, "");
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
    for (int i = 0; i < high && asked < ASKED_MOST; i++) {
        struct carried *c = &table[i];

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
    c = channel >= 0 ? new_carried() : NULL;
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

/* Nothing comes over it any more: streams whose end has come end well, the others do not. */
static void disconnect(const char *reason)
{
    if (!connected)
        return;
    connected = false;
    why = reason;
    say(REPORT_OVER, 0, why);
    close(seat->fd);
    for (int i = 0; i < high; i++) {
        struct carried *c = &table[i];

        if (!c->used)
            continue;
        let_go(c);
        if (!c->stream_end)
            cut(c, COPY_RESET, "");
        else if (!finish(c) && c->fd < 0)
            forget(c, COPY_RESET, "");
    }
}

static void flush(void)
{
    size_t len;
    const unsigned char *bytes;

    while (connected && (bytes = mux_pending(&mux, &len)) != NULL && len > 0) {
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
    while (connected && input_len > 0) {
        ssize_t took = mux_input(&mux, input + input_at, input_len);

        write_joined();
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

/* From the socket to the stream: a frame at most. Returns whether there may be more. */
static bool read_frame(struct carried *c)
{
    size_t room = 0;
    unsigned char *to;
    ssize_t got;
    char waste[1024];

    if (c->stream == NULL) {
        got = read(c->fd, waste, sizeof waste);
    } else {
        to = mux_room(&mux, c->stream, &room);
        if (to == NULL)
            return false;
        got = read(c->fd, to, room);
    }
    if (got > 0 && c->stream != NULL) {
        mux_sent(&mux, c->stream, (size_t)got);
        c->out += (size_t)got;
        c->moved_at = clock_ms();
    } else if (got == 0) {
        struct mux_stream *s = c->stream_end ? let_go(c) : c->stream;

        c->read_end = true;
        if (s != NULL)
            mux_end(&mux, s);
        finish(c);
    } else if (got < 0 && errno != EAGAIN && errno != EINTR) {
        cut_for(c, errno);
    }
    return got > 0 && (size_t)got == room;
}

/* A few, then it is the others' turn. */
static void read_socket(struct carried *c)
{
    /* Sent at once: the other side goes on with one while this one reads the next. */
    for (int i = 0; i < FRAMES && c->used && c->fd >= 0 && read_frame(c); i++)
        flush();
}

/* What is handed over. */

static struct carried *find(uint32_t id)
{
    for (int i = 0; i < high; i++)
        if (table[i].used && table[i].stream != NULL && table[i].stream->id == id)
            return &table[i];
    return NULL;
}

static void refuse_job(const struct job *job, int fd)
{
    if (fd >= 0)
        sock_reset(fd);
    if (job->subject.token != 0)
        report_end(&job->subject, COPY_RESET, "", 0, 0);
}

static void take_up(struct carried *c, const struct job *job, int fd)
{
    c->known = job->subject.token != 0;
    c->idle_ms = job->idle_ms;
    c->peer_seconds = job->peer_seconds;
    c->subject = job->subject;
    if (fd < 0) {
        cut(c, COPY_ERROR, job->why);
        return;
    }
    c->fd = fd;
    c->connecting = job->server.connect_ms > 0;
    c->deadline = clock_ms() + job->server.connect_ms;
    if (job->server.first_len > 0) {
        /* Before what the stream has brought meanwhile. */
        unsigned char header[JOB_FIRST];

        memcpy(header, job->server.first, job->server.first_len);
        c->at = (c->at + queue_size - job->server.first_len) % queue_size;
        for (unsigned i = 0; i < job->server.first_len; i++)
            c->queue[(c->at + i) % queue_size] = header[i];
        c->len += job->server.first_len;
        c->returned = job->server.first_len;
    }
    if (!c->connecting)
        drain(c);
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
    c = job->number != 0 ? find(job->number) : new_carried();
    if (c != NULL && job->number == 0)
        c->stream = connected ? mux_open(&mux, c) : NULL;
    if (c == NULL || c->stream == NULL) {
        if (c != NULL)
            forget(c, COPY_RESET, "");
        refuse_job(job, fd);
        return;
    }
    take_up(c, job, fd);
}

/* Nobody makes connections for them any more. */
static void give_up_waiting(void)
{
    for (int i = 0; i < high; i++)
        if (table[i].used && table[i].fd < 0)
            cut(&table[i], COPY_RESET, "");
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

    if (connected)
        mux_pending(&mux, &pending);
    want(&polled[0], connected ? seat->fd : -1, POLLIN | (pending > 0 ? POLLOUT : 0));
    if (input_len > 0)      /* it waits for room first */
        polled[0].events = POLLOUT;
    want(&polled[1], channel, channel >= 0 ? POLLIN : 0);
    for (int i = 0; i < high; i++) {
        struct carried *c = &table[i];
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

static void connect_done(struct carried *c)
{
    int error = sock_error(c->fd);

    if (error != 0) {
        cut_for(c, error);
        return;
    }
    c->connecting = false;
    drain(c);
}

static void react(struct carried *c, short events)
{
    if (events == 0 || !c->used || c->fd < 0)
        return;
    if (c->connecting) {
        connect_done(c);
        return;
    }
    if ((events & (POLLERR | POLLNVAL)) != 0) {
        int error = sock_error(c->fd);

        cut_for(c, error != 0 ? error : ECONNRESET);
        return;
    }
    if ((events & POLLHUP) != 0)
        c->hung_up = true;
    if (c->len > 0 && (events & POLLOUT) != 0)
        drain(c);
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
    for (int i = 0; i < high; i++) {
        struct carried *c = &table[i];
        bool unused;

        if (!c->used)
            continue;
        if (c->fd < 0 ? c->asked && now - c->moved_at >= HANDED_MS : c->connecting && now >= c->deadline)
            cut(c, COPY_TIMEOUT, "");
        else if (c->idle_ms > 0 && now - c->moved_at >= c->idle_ms)
            cut(c, COPY_IDLE, "");
        else if (c->fd >= 0 && os_peer_silent(c->fd, (unsigned)c->peer_seconds, &unused))
            cut(c, COPY_TIMEOUT, "");
    }
}

/* Whole pages each, so that none is touched before bytes wait in it. */
static int make_queues(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = (size_t)task->most;
    unsigned char *all;

    queue_size = (mux_window(task->format) + JOB_FIRST + page - 1) / page * page;
    if (count >= SIZE_MAX / queue_size || (all = malloc((count + 1) * queue_size)) == NULL)
        return -1;
    all += page - (uintptr_t)all % page;
    for (size_t i = 0; i < count; i++)
        table[i].queue = all + i * queue_size;
    return 0;
}

static int set_up(void)
{
    channel = seat->channel;
    table = calloc((size_t)task->most, sizeof *table);
    polled = calloc((size_t)task->most + 2, sizeof *polled);
    if (table == NULL || polled == NULL || make_queues() != 0)
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

        react(&table[which], polled[2 + which].revents);
    }
}

static void round_once(void)
{
    static long long look_at;
    long long now = clock_ms(), next = connected ? mux_tick(&mux, now) : LLONG_MAX;
    int count = high;

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
        if (connected && polled[0].revents != 0)
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
    while (used > 0 || (connected && channel >= 0))
        round_once();
    if (connected) {
        mux_goaway(&mux, 0);
        flush();
        disconnect("drain");
    }
}
