/*
 * mux_carry: the sessions that one muxado connection carries. See mux_carry.h.
 */
#include "mux_carry.h"

#include "../clock.h"
#include "../os.h"
#include "../sock.h"
#include "../text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* How many pieces for one session are written at once. */
#define JOINED 16

struct carry carry;

static size_t queue_size;

/* What came for one session just now; see carry_write. */
static struct iovec joined[JOINED];
static int joined_count;
static struct carried *joined_for;

struct carried *carry_new(void)
{
    for (int i = 0; i < carry.most; i++)
        if (!carry.table[i].used) {
            unsigned char *queue = carry.table[i].queue;

            memset(&carry.table[i], 0, sizeof carry.table[i]);
            carry.table[i].queue = queue;
            carry.table[i].used = true;
            carry.table[i].fd = -1;
            carry.table[i].moved_at = clock_ms();
            carry.used++;
            if (i >= carry.high)
                carry.high = i + 1;
            return &carry.table[i];
        }
    return NULL;
}

struct carried *carry_find(uint32_t id)
{
    for (int i = 0; i < carry.high; i++)
        if (carry.table[i].used && carry.table[i].stream != NULL && carry.table[i].stream->id == id)
            return &carry.table[i];
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
    report_send(carry.reports, &r);
}

void carry_report_refused(const struct job *job)
{
    report_end(&job->subject, COPY_RESET, "", 0, 0);
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
    carry.used--;
    while (carry.high > 0 && !carry.table[carry.high - 1].used)
        carry.high--;
    if (c->known)
        report_end(&c->subject, end, text, carry.dialler ? c->in : c->out, carry.dialler ? c->out : c->in);
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
void carry_cut(struct carried *c, enum copy_end end, const char *text)
{
    struct mux_stream *s = let_go(c);

    if (s != NULL && carry.connected)
        mux_reset(carry.mux, s, MUX_RESET);
    close_socket(c, false);
    forget(c, end, text);
}

static void cut_for(struct carried *c, int error)
{
    bool reset = error == ECONNRESET || error == EPIPE;
    bool silent = error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;

    carry_cut(c, reset ? COPY_RESET : silent ? COPY_TIMEOUT : COPY_ERROR, reset || silent ? "" : strerror(error));
}

/*
 * Ends what has ended both ways. Returns whether it is no more. A client whose
 * server wants no more is listened to until its end: closed before, it would be
 * reset for what it says then, and might lose the rest of the answer.
 */
static bool finish(struct carried *c)
{
    bool unheard = c->stream == NULL && (carry.dialler || !carry.connected);

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
        mux_consumed(carry.mux, c->stream, len - free_of_window);
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

void carry_drain(struct carried *c)
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
void carry_write(void)
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

void carry_data(struct carried *c, struct mux_stream *s, const unsigned char *bytes, size_t len)
{
    if (joined_for != c || joined_count == JOINED)
        carry_write();
    /* It may have been cut by that. */
    if (s->owner != c)
        return;
    joined[joined_count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = len};
    joined_for = c;
}

void carry_ended(struct carried *c, struct mux_stream *s)
{
    if (joined_for == c)
        carry_write();
    if (s->owner != c)
        return;
    c->stream_end = true;
    if (c->read_end)
        let_go(c);
    end_writing(c);
}

void carry_reset(struct carried *c, struct mux_stream *s, uint32_t code)
{
    if (joined_for == c)
        carry_write();
    if (s->owner != c)
        return;
    let_go(c);
    /* The peer has closed both ways: what comes from here is dropped, and that is all. */
    if (code == MUX_CLOSED && c->stream_end)
        finish(c);
    else
        carry_cut(c, COPY_RESET, "");
}

void carry_disconnected(void)
{
    carry.connected = false;
    for (int i = 0; i < carry.high; i++) {
        struct carried *c = &carry.table[i];

        if (!c->used)
            continue;
        let_go(c);
        if (!c->stream_end)
            carry_cut(c, COPY_RESET, "");
        else if (!finish(c) && c->fd < 0)
            forget(c, COPY_RESET, "");
    }
}

/* From the socket to the stream. */

bool carry_read(struct carried *c)
{
    size_t room = 0;
    unsigned char *to;
    ssize_t got;
    char waste[1024];

    if (c->stream == NULL) {
        got = read(c->fd, waste, sizeof waste);
    } else {
        to = mux_room(carry.mux, c->stream, &room);
        if (to == NULL)
            return false;
        got = read(c->fd, to, room);
    }
    if (got > 0 && c->stream != NULL) {
        mux_sent(carry.mux, c->stream, (size_t)got);
        c->out += (size_t)got;
        c->moved_at = clock_ms();
    } else if (got == 0) {
        struct mux_stream *s = c->stream_end ? let_go(c) : c->stream;

        c->read_end = true;
        if (s != NULL)
            mux_end(carry.mux, s);
        finish(c);
    } else if (got < 0 && errno != EAGAIN && errno != EINTR) {
        cut_for(c, errno);
    }
    return got > 0 && (size_t)got == room;
}

void carry_broken(struct carried *c)
{
    int error = sock_error(c->fd);

    cut_for(c, error != 0 ? error : ECONNRESET);
}

void carry_connected(struct carried *c)
{
    int error = sock_error(c->fd);

    if (error != 0) {
        cut_for(c, error);
        return;
    }
    c->connecting = false;
    carry_drain(c);
}

void carry_take_up(struct carried *c, const struct job *job, int fd)
{
    c->known = job->subject.token != 0;
    c->idle_ms = job->idle_ms;
    c->peer_seconds = job->peer_seconds;
    c->subject = job->subject;
    if (fd < 0) {
        carry_cut(c, COPY_ERROR, job->why);
        return;
    }
    c->fd = fd;
    c->connecting = job->server.connect_ms > 0;
    c->deadline = clock_ms() + job->server.connect_ms;
    if (job->server.first_len > 0) {
        /* Before what the stream has brought meanwhile. */
        c->at = (c->at + queue_size - job->server.first_len) % queue_size;
        for (unsigned i = 0; i < job->server.first_len; i++)
            c->queue[(c->at + i) % queue_size] = (unsigned char)job->server.first[i];
        c->len += job->server.first_len;
        c->returned = job->server.first_len;
    }
    if (!c->connecting)
        carry_drain(c);
}

void carry_forget(struct carried *c)
{
    forget(c, COPY_RESET, "");
}

/* Whole pages each, so that none is touched before bytes wait in it. */
static int make_queues(enum mux_format format)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = (size_t)carry.most;
    unsigned char *all;

    queue_size = (mux_window(format) + JOB_FIRST + page - 1) / page * page;
    if (count >= SIZE_MAX / queue_size || (all = malloc((count + 1) * queue_size)) == NULL)
        return -1;
    all += page - (uintptr_t)all % page;
    for (size_t i = 0; i < count; i++)
        carry.table[i].queue = all + i * queue_size;
    return 0;
}

int carry_setup(int most, enum mux_format format)
{
    carry.most = most;
    carry.table = calloc((size_t)most, sizeof *carry.table);
    return carry.table == NULL ? -1 : make_queues(format);
}
