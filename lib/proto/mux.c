/*
 * mux: one side of a session of the protocol `muxado`. See mux.h.
 *
 * What has to be sent and finds no room is kept as flags of its stream
 * (settle); only answers that belong to no stream need room at once, and
 * without it no input is taken. So two sides never wait for each other, as
 * DATA may not use the reserve.
 */
#include "mux.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Frames of ours: RST and WNDINC; GOAWAY, which says the last id and a code; SYN with priority and type. */
enum { SHORT = MUX_HEAD + 4, GOAWAY = MUX_HEAD + 8, OPENING = MUX_HEAD + 8 };

/* The longest answer to what is taken in one step: window and the beat itself. */
enum { ANSWER = 2 * SHORT };

/* What a stream that settles leaves for answers. */
enum { SETTLED = MUX_RESERVE / 2 };

/* A frame for less than that is not worth it, unless the window allows no more. */
enum { WORTH = 512 };

/* Of heartbeat streams, as the original has it. */
#define PRIORITY 0x7fffffff

int mux_init(struct mux *m, enum mux_format format, bool dialler, int most_streams, const struct mux_hooks *hooks,
             void *owner)
{
    size_t records = (size_t)most_streams + 2;      /* a heartbeat each way */

    memset(m, 0, offsetof(struct mux, out));
    m->format = format;
    m->hooks = hooks;
    m->owner = owner;
    m->left = most_streams;
    m->next_id = dialler ? 3 : 2;
    if (slab_init(&m->streams, sizeof(struct mux_stream), records) != 0)
        return -1;
    m->buckets = malloc(records * sizeof *m->buckets);
    if (m->buckets == NULL)
        return -1;
    memset(m->buckets, 0, records * sizeof *m->buckets);
    return 0;
}

/* Out. */

/* Room in all, but for the GOAWAY that may have to come. */
static size_t spare(const struct mux *m)
{
    return MUX_OUT - (m->to - m->from) - (m->went ? 0 : GOAWAY);
}

/* Room for what a stream settles, or opens with. */
static bool roomy(const struct mux *m)
{
    return spare(m) >= SETTLED + 2 * SHORT;
}

static void compact(struct mux *m)
{
    memmove(m->out, m->out + m->from, m->to - m->from);
    m->to -= m->from;
    m->from = 0;
}

/* Where a frame of len bytes goes, for which there is room. */
static unsigned char *append(struct mux *m, size_t len)
{
    if (MUX_OUT - m->to < len)
        compact(m);
    m->to += len;
    return m->out + m->to - len;
}

static void put_number(struct mux *m, enum mux_type type, uint32_t id, uint32_t n)
{
    unsigned char *to = append(m, SHORT);

    mux_frame_put(m->format, type, 0, id, 4, to);
    mux_put32(to + MUX_HEAD, n);
}

void mux_goaway(struct mux *m, uint32_t code)
{
    unsigned char *to;

    if (m->went)
        return;
    to = append(m, GOAWAY);
    m->went = true;
    mux_frame_put(m->format, MUX_GOAWAY, 0, 0, 8, to);
    mux_put32(to + MUX_HEAD, m->last_id);
    mux_put32(to + MUX_HEAD + 4, code);
}

/* The peer's fault, which ends the session. */
static void fail(struct mux *m, uint32_t code)
{
    mux_goaway(m, code);
    m->dead = true;
}

const unsigned char *mux_pending(const struct mux *m, size_t *len)
{
    *len = m->to - m->from;
    return m->out + m->from;
}

/* Streams. */

static struct mux_stream **bucket(const struct mux *m, uint32_t id)
{
    return &m->buckets[(id >> 1) % m->streams.count];
}

static struct mux_stream *find(const struct mux *m, uint32_t id)
{
    struct mux_stream *s = *bucket(m, id);

    while (s != NULL && s->id != id)
        s = s->next;
    return s;
}

static struct mux_stream *add(struct mux *m, uint32_t id, bool beats)
{
    struct mux_stream *s = beats || m->left > 0 ? slab_get(&m->streams) : NULL;
    struct mux_stream **first = bucket(m, id);

    if (s == NULL)
        return NULL;
    m->left -= !beats;
    s->id = id;
    s->beats = beats;
    s->may_send = s->may_come = mux_window(m->format);
    s->next = *first;
    *first = s;
    return s;
}

static void forget(struct mux *m, struct mux_stream *s)
{
    struct mux_stream **at = bucket(m, s->id);

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    m->left += !s->beats;
    if (m->current == s)
        m->current = NULL;
    if (m->beat == s)
        m->beat = NULL;
    slab_put(&m->streams, s);
}

/* Whether there ever was a stream with that id. */
static bool was(const struct mux *m, uint32_t id)
{
    return id >= 2 && ((id ^ m->next_id) & 1 ? id <= m->last_id : id < m->next_id);
}

/* Sends what the stream has to send, or sees that it will be. */
static void settle(struct mux *m, struct mux_stream *s)
{
    if (m->dead || !roomy(m)) {
        m->owing = true;
        return;
    }
    if (s->resets) {
        put_number(m, MUX_RST, s->id, s->owed);
        forget(m, s);
        return;
    }
    if (s->owed > 0) {
        put_number(m, MUX_WNDINC, s->id, s->owed);
        s->may_come += s->owed;
        s->owed = 0;
    }
    if (s->owes_end) {
        mux_frame_put(m->format, MUX_DATA, MUX_FIN, s->id, 0, append(m, MUX_HEAD));
        s->owes_end = false;
        s->has_ended = true;
        if (s->ended)
            forget(m, s);
    }
}

void mux_written(struct mux *m, size_t len)
{
    struct mux_stream *s;

    m->from += len;
    if (m->from == m->to)
        m->from = m->to = 0;
    if (!m->owing || !roomy(m))
        return;
    m->owing = false;
    for (size_t i = 0; (s = slab_at(&m->streams, i)) != NULL && !m->owing; i++)
        if (s->id != 0)
            settle(m, s);
}

static struct mux_stream *open_stream(struct mux *m, bool beats)
{
    struct mux_stream *s = NULL;
    unsigned char *to;

    if (m->next_id <= MUX_LAST_ID && roomy(m))
        s = add(m, m->next_id, beats);
    if (s == NULL)
        return NULL;
    m->next_id += 2;
    to = append(m, beats ? OPENING : MUX_HEAD);
    mux_frame_put(m->format, MUX_SYN, beats ? MUX_TYPED : 0, s->id, beats ? 8 : 0, to);
    if (beats) {
        mux_put32(to + MUX_HEAD, PRIORITY);
        mux_put32(to + MUX_HEAD + 4, mux_beat_type(m->format));
    }
    return s;
}

struct mux_stream *mux_open(struct mux *m, void *owner)
{
    struct mux_stream *s = m->dead || m->went || m->peer_went ? NULL : open_stream(m, false);

    if (s != NULL)
        s->owner = owner;
    return s;
}

unsigned char *mux_room(struct mux *m, struct mux_stream *s, size_t *len)
{
    size_t most = mux_longest(m->format), room = spare(m);

    if (m->dead || s->may_send == 0 || s->owes_end || s->has_ended || room < MUX_RESERVE)
        return NULL;
    room -= MUX_RESERVE;
    /* Never more is moved than was written before. */
    if (MUX_OUT - m->to < MUX_HEAD + WORTH && m->from >= m->to - m->from)
        compact(m);
    if (room > MUX_OUT - m->to)
        room = MUX_OUT - m->to;
    if (room < MUX_HEAD + WORTH)
        return NULL;
    room -= MUX_HEAD;
    if (most > s->may_send)
        most = s->may_send;
    *len = most < room ? most : room;
    return m->out + m->to + MUX_HEAD;
}

void mux_sent(struct mux *m, struct mux_stream *s, size_t len)
{
    if (len == 0)
        return;
    mux_frame_put(m->format, MUX_DATA, 0, s->id, (uint32_t)len, m->out + m->to);
    m->to += MUX_HEAD + len;
    s->may_send -= (uint32_t)len;
}

void mux_end(struct mux *m, struct mux_stream *s)
{
    if (s->has_ended)
        return;
    s->owes_end = true;
    settle(m, s);
}

void mux_reset(struct mux *m, struct mux_stream *s, uint32_t code)
{
    if (m->current == s)
        m->current = NULL;
    s->resets = true;
    s->owed = code;
    settle(m, s);
}

void mux_consumed(struct mux *m, struct mux_stream *s, size_t len)
{
    s->owed += (uint32_t)len;
    settle(m, s);
}

/* In. */

/* The current stream is reset: the owner is told, who may do so, too. */
static void lose(struct mux *m, struct mux_stream *s, uint32_t code)
{
    if (!s->beats)
        m->hooks->reset(m->owner, s, code);
    if (m->current == s)
        forget(m, s);
}

/* For what the peer did. */
static void break_off(struct mux *m, struct mux_stream *s, uint32_t code)
{
    put_number(m, MUX_RST, s->id, code);
    lose(m, s, code);
}

/* A frame with DATA begins, maybe of no bytes; if the stream may not have it, it is nobody's. */
static void begin_data(struct mux *m, uint32_t len)
{
    struct mux_stream *s = m->current;

    if (len == 0)
        return;
    if (s == NULL)
        put_number(m, MUX_RST, m->frame.id, MUX_CLOSED);
    else if (s->ended)
        break_off(m, s, MUX_CLOSED);
    else if (len > s->may_come)
        break_off(m, s, MUX_FLOW);
    else
        s->may_come -= len;
}

/* Up to 4 bytes of heartbeats: whole ones are sent back, or are what we sent. */
static void take_beat(struct mux *m, struct mux_stream *s, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s->beat = s->beat << 8 | bytes[i];
    s->beat_len = (unsigned char)(s->beat_len + len);
    if (s->beat_len < 4)
        return;
    s->beat_len = 0;
    put_number(m, MUX_WNDINC, s->id, 4);
    s->may_come += 4;
    if (s == m->beat) {
        if (m->waiting && s->beat == m->beats - 1) {
            m->waiting = false;
            m->answered = true;
        }
    } else if (s->may_send >= 4) {
        put_number(m, MUX_DATA, s->id, s->beat);
        s->may_send -= 4;
    }
}

/* Bytes of the frame that is read. Returns how many were taken, at least 1. */
static size_t take_data(struct mux *m, const unsigned char *bytes, size_t len)
{
    struct mux_stream *s = m->current;

    if (s == NULL)
        return len;
    if (!s->beats) {
        m->hooks->data(m->owner, s, bytes, len);
        return len;
    }
    if (len > 4u - s->beat_len)
        len = 4u - s->beat_len;
    take_beat(m, s, bytes, len);
    return len;
}

/* A SYN, alone (v1) or with DATA (v2). */
static void peer_opens(struct mux *m, const struct mux_frame *f)
{
    const unsigned char *fixed = m->head + MUX_HEAD;
    bool beats = f->typed && mux_get32(fixed + f->fixed - 4) == mux_beat_type(m->format);
    uint32_t code = mux_refused(m->format);
    struct mux_stream *s;

    if (f->id < 2 || ((f->id ^ m->next_id) & 1) == 0 || f->id <= m->last_id) {
        fail(m, MUX_PROTOCOL);
        return;
    }
    m->last_id = f->id;
    m->current = s = m->went ? NULL : add(m, f->id, beats);
    if (s != NULL)
        code = beats ? 0 : m->hooks->opened(m->owner, s);
    if (code != 0) {
        put_number(m, MUX_RST, f->id, code);
        if (m->current != NULL)
            forget(m, s);
        return;
    }
    begin_data(m, f->data);
    if (m->format == MUX_V2 && !beats && f->fixed > 0)
        take_data(m, fixed, f->fixed);
}

static void take_window(struct mux *m, struct mux_stream *s, uint32_t more)
{
    bool had_none;

    if (m->format == MUX_V1)
        more &= 0x7fffffff;
    if ((more == 0 && m->format == MUX_V2) || (s != NULL && more > UINT32_MAX - s->may_send)) {
        fail(m, MUX_PROTOCOL);
        return;
    }
    if (s == NULL || more == 0)
        return;
    had_none = s->may_send == 0;
    s->may_send += more;
    if (had_none && !s->beats && !s->owes_end && !s->has_ended)
        m->hooks->window(m->owner, s);
}

/* What can be done once a head is there, and what is fixed of its payload. */
static void act(struct mux *m)
{
    const struct mux_frame *f = &m->frame;
    uint32_t n = mux_get32(m->head + MUX_HEAD);

    m->rest = f->rest;
    m->current = NULL;
    if (f->id > MUX_LAST_ID) {
        fail(m, MUX_PROTOCOL);
    } else if (f->type == MUX_GOAWAY) {
        m->peer_went = true;
        m->hooks->goaway(m->owner, mux_get32(m->head + MUX_HEAD + 4));
    } else if (f->opens) {
        peer_opens(m, f);
    } else if (f->type != MUX_SKIP) {
        if (!was(m, f->id)) {
            fail(m, MUX_PROTOCOL);
            return;
        }
        m->current = find(m, f->id);
        if (m->current != NULL && m->current->resets)
            m->current = NULL;
        else if (f->type == MUX_DATA)
            begin_data(m, f->data);
        else if (f->type == MUX_WNDINC)
            take_window(m, m->current, n);
        else if (m->current != NULL)
            lose(m, m->current, n);
    }
}

/* All of a frame was read. */
static void end_frame(struct mux *m)
{
    struct mux_stream *s = m->current;

    m->head_len = 0;
    if (s == NULL || m->frame.type != MUX_DATA || !m->frame.fin || s->ended)
        return;
    s->ended = true;
    if (s->beats)
        mux_end(m, s);
    else
        m->hooks->ended(m->owner, s);
    if (m->current == s && s->has_ended)
        forget(m, s);
}

/* Returns how many bytes were taken, at least 1. */
static size_t take_head(struct mux *m, const unsigned char *bytes, size_t len)
{
    size_t want = MUX_HEAD - m->head_len;

    if (m->head_len >= MUX_HEAD)
        want += m->frame.fixed;
    if (len > want)
        len = want;
    memcpy(m->head + m->head_len, bytes, len);
    m->head_len += len;
    if (len < want)
        return len;
    if (m->head_len == MUX_HEAD && mux_frame_parse(m->format, m->head, &m->frame) != 0)
        fail(m, mux_bad_frame(m->format));
    else if (m->head_len == MUX_HEAD + m->frame.fixed)
        act(m);
    return len;
}

ssize_t mux_input(struct mux *m, const unsigned char *bytes, size_t len)
{
    size_t taken = 0, n;

    while (taken < len && !m->dead && spare(m) >= ANSWER) {
        n = len - taken;
        if (m->rest == 0) {
            n = take_head(m, bytes + taken, n);
        } else {
            n = take_data(m, bytes + taken, n < m->rest ? n : m->rest);
            m->rest -= (uint32_t)n;
        }
        taken += n;
        if (!m->dead && m->rest == 0 && m->head_len >= MUX_HEAD && m->head_len == MUX_HEAD + m->frame.fixed)
            end_frame(m);
    }
    return m->dead ? -1 : (ssize_t)taken;
}

/* Heartbeats. */

long long mux_tick(struct mux *m, long long now_ms)
{
    long long dead_at;

    if (m->format == MUX_V2 || m->dead)
        return LLONG_MAX;
    if (!m->beating) {
        m->beat = open_stream(m, true);
        m->beating = m->beat != NULL;
        m->beat_at = now_ms + MUX_BEAT_MS;
        m->answered = true;
    }
    if (m->answered)
        m->heard_at = now_ms;
    m->answered = false;
    dead_at = m->heard_at + MUX_DEAD_MS;
    if (now_ms >= dead_at)
        return -1;
    if (now_ms >= m->beat_at) {
        m->beat_at = now_ms + MUX_BEAT_MS;
        if (m->beat != NULL && !m->waiting && m->beat->may_send >= 4 && roomy(m)) {
            put_number(m, MUX_DATA, m->beat->id, m->beats++);
            m->beat->may_send -= 4;
            m->waiting = true;
        }
    }
    return m->beat_at < dead_at ? m->beat_at : dead_at;
}
