/*
 * Sessions of the protocol `muxado`: whatever comes, no stream gets more than
 * its window, what is sent is frames that the peer may get, and how the input is cut makes no difference.
 * Byte 0 says the format (1), the side (2), what hooks do (4 to 32), and
 * whether the rest is input alone (64) or actions, an op and an argument each.
 */
#include "fuzz.h"

#include "../../lib/proto/mux.h"

int fuzz_taken;

#define STREAMS 4
#define LONGEST 8192

enum { DIALLER = 2, CONSUMES = 4, ENDS = 8, REFUSES = 16, RESETS = 32, PLAIN = 64 };

static struct side {
    struct mux m;
    unsigned how;
    struct flow {               /* what the hooks were told */
        struct mux_stream *s;
        size_t may_come;
        size_t unread;
        bool ended, finished;
    } flows[STREAMS];
    size_t told, sent;          /* bytes of DATA */
    size_t out_len;
    unsigned char head[MUX_HEAD];       /* of what is sent */
    size_t head_len, rest;
    bool last;                  /* GOAWAY was sent */
    unsigned char out[4 * LONGEST];     /* what was sent, its beginning: out_len bytes */
} sides[2];

static void sane(const struct side *side, const struct mux_stream *s)
{
    uint32_t window = mux_window(side->m.format);

    MUST(s->id >= 2 && s->id <= MUX_LAST_ID && !s->beats && !s->resets);
    MUST(s->may_come <= window && s->owed <= window - s->may_come);
}

static void add_flow(struct side *side, struct mux_stream *s)
{
    size_t i = 0;

    while (i < STREAMS && side->flows[i].s != NULL)
        i++;
    MUST(i < STREAMS);
    side->flows[i] = (struct flow){s, mux_window(side->m.format), 0, false, false};
    s->owner = &side->flows[i];
    sane(side, s);
}

static void drop(struct side *side, struct flow *f)
{
    struct mux_stream *s = f->s;

    f->s = NULL;
    mux_reset(&side->m, s, MUX_RESET);
}

static uint32_t opened(void *owner, struct mux_stream *s)
{
    struct side *side = owner;

    if (side->how & REFUSES)
        return mux_refused(side->m.format);
    add_flow(side, s);
    return 0;
}

static void consume(struct side *side, struct flow *f, size_t len)
{
    f->unread -= len;
    f->may_come += len;
    mux_consumed(&side->m, f->s, len);
}

static void data(void *owner, struct mux_stream *s, const unsigned char *bytes, size_t len)
{
    struct side *side = owner;
    struct flow *f = s->owner;
    volatile unsigned char seen;

    sane(side, s);
    MUST(f->s == s && !f->ended && len > 0 && len <= f->may_come);
    seen = bytes[0];
    seen = bytes[len - 1];
    (void)seen;
    f->may_come -= len;
    f->unread += len;
    side->told += len;
    if (side->how & CONSUMES && f->unread >= 100)
        consume(side, f, f->unread);
    if (side->how & RESETS && side->told % 7 == 6)
        drop(side, f);
}

static void end(struct side *side, struct flow *f)
{
    bool gone = f->ended;

    f->finished = true;
    mux_end(&side->m, f->s);
    if (gone)
        f->s = NULL;
}

static void ended(void *owner, struct mux_stream *s)
{
    struct side *side = owner;
    struct flow *f = s->owner;

    sane(side, s);
    MUST(f->s == s && !f->ended);
    f->ended = true;
    if (f->finished)
        f->s = NULL;
    else if (side->how & ENDS)
        end(side, f);
    else if (side->how & RESETS)
        drop(side, f);
}

static void window(void *owner, struct mux_stream *s)
{
    const struct flow *f = s->owner;

    sane(owner, s);
    MUST(f->s == s && s->may_send > 0 && !f->finished);
}

static void was_reset(void *owner, struct mux_stream *s, uint32_t code)
{
    struct side *side = owner;
    struct flow *f = s->owner;

    (void)code;
    sane(side, s);
    MUST(f->s == s && s->ended == f->ended);
    if (side->how & RESETS)
        drop(side, f);
    f->s = NULL;
}

static void goaway(void *owner, uint32_t code)
{
    struct side *side = owner;

    (void)code;
    MUST(mux_open(&side->m, NULL) == NULL);
}

static const struct mux_hooks hooks = {opened, data, ended, window, was_reset, goaway};

/* What is sent is whole frames with ids that there are, and nothing is behind the last one. */
static void check_head(struct side *side)
{
    struct mux_frame f;

    MUST(mux_frame_parse(side->m.format, side->head, &f) == 0);
    MUST(f.type <= MUX_GOAWAY && f.id <= MUX_LAST_ID && !(f.opens && f.fin));
    MUST((f.type == MUX_GOAWAY) == (f.id == 0) && (f.type != MUX_GOAWAY || !side->last));
    MUST(f.id < side->m.next_id || f.id <= side->m.last_id);
    MUST(f.data <= mux_window(side->m.format) || f.type != MUX_DATA);
    if (f.type == MUX_GOAWAY)
        side->last = true;
    side->rest = f.fixed + f.rest;
    side->head_len = 0;
}

static void written(struct side *side, size_t most)
{
    size_t len, kept = sizeof side->out - side->out_len;
    const unsigned char *bytes = mux_pending(&side->m, &len);

    MUST(len <= MUX_OUT);
    if (len > most)
        len = most;
    if (kept > len)
        kept = len;
    memcpy(side->out + side->out_len, bytes, kept);
    side->out_len += kept;
    for (size_t i = 0; i < len; i++) {
        if (side->rest > 0) {
            side->rest--;
            continue;
        }
        side->head[side->head_len++] = bytes[i];
        if (side->head_len == MUX_HEAD)
            check_head(side);
    }
    mux_written(&side->m, len);
}

/* Returns whether the session goes on. */
static bool give(struct side *side, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    bool good = true;

    while (good && at < len) {
        ssize_t n = mux_input(&side->m, bytes + at, len - at);

        good = n >= 0;
        MUST(!good || (size_t)n <= len - at);
        at += good ? (size_t)n : 0;
        if (good && at < len) {
            size_t waits;

            mux_pending(&side->m, &waits);
            MUST(waits > MUX_OUT - 64);
            written(side, MUX_OUT);
        }
    }
    return good;
}

/* In memory of exactly its size. */
static bool give_copy(struct side *side, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    bool good;

    MUST(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    good = give(side, copy, len);
    free(copy);
    return good;
}

static void put(struct side *side, struct flow *f, size_t most)
{
    uint32_t before = f->s->may_send;
    size_t len;
    unsigned char *to = mux_room(&side->m, f->s, &len);

    if (to == NULL)
        return;
    MUST(len > 0 && len <= before && len <= mux_longest(side->m.format));
    MUST(to >= side->m.out + MUX_HEAD && to + len <= side->m.out + MUX_OUT);
    if (most < 200 && len > most)
        len = most;
    memset(to, 'x', len);
    mux_sent(&side->m, f->s, len);
    MUST(f->s->may_send == before - len);
}

static void act(struct side *side, uint8_t op, uint8_t n, long long *now)
{
    struct flow *f = &side->flows[n % STREAMS];
    struct mux_stream *s;

    switch (op % 8) {
    case 0:
        s = mux_open(&side->m, NULL);
        if (s != NULL)
            add_flow(side, s);
        break;
    case 1:
        if (f->s != NULL && !f->finished)
            put(side, f, n);
        break;
    case 2:
        if (f->s != NULL && !f->finished)
            end(side, f);
        break;
    case 3:
        if (f->s != NULL)
            drop(side, f);
        break;
    case 4:
        if (f->s != NULL)
            consume(side, f, f->unread < n ? f->unread : n);
        break;
    case 5:
        written(side, n == 255 ? MUX_OUT : n);
        break;
    case 6:
        *now += 40 * n;
        mux_tick(&side->m, *now);
        break;
    default:
        if (n == 77)
            mux_goaway(&side->m, 0);
    }
}

static void begin(struct side *side, unsigned how)
{
    memset((char *)side + sizeof side->m, 0, offsetof(struct side, out) - sizeof side->m);
    MUST(mux_init(&side->m, how & 1 ? MUX_V2 : MUX_V1, how & DIALLER, STREAMS, &hooks, side) == 0);
    side->how = how;
}

/* Every record is in use, free, or waits for its RST. */
static void finish(struct side *side)
{
    struct mux_stream *s;
    int used = 0;

    written(side, MUX_OUT);
    MUST(side->m.dead || (!side->m.owing && side->head_len == 0 && side->rest == 0));
    for (size_t i = 0; (s = slab_at(&side->m.streams, i)) != NULL; i++)
        if (s->id != 0 && !s->beats) {
            used++;
            MUST(!s->resets || side->m.dead);
            if (!s->resets)
                sane(side, s);
            MUST(s->resets || ((struct flow *)s->owner)->s == s || s->owes_end);
        }
    MUST(side->m.left == STREAMS - used && side->m.left >= 0);
    free(side->m.streams.records);
    free(side->m.buckets);
}

/* With streams open, in one piece and byte by byte. Of what comes after a mistake nothing is told. */
static bool check_cuts(unsigned how, const uint8_t *bytes, size_t len)
{
    bool good = true;

    how &= ~(unsigned)(CONSUMES | RESETS);
    for (int i = 0; i < 2; i++) {
        long long now = 0;

        begin(&sides[i], how);
        act(&sides[i], 0, 0, &now);
        act(&sides[i], 6, 0, &now);
        act(&sides[i], 6, 100, &now);
    }
    good = give_copy(&sides[0], bytes, len);
    for (size_t i = 0; i < len; i++)
        if (!give(&sides[1], bytes + i, 1))
            break;
    for (int i = 0; i < 2; i++)
        finish(&sides[i]);
    MUST(sides[0].told == sides[1].told && sides[0].out_len == sides[1].out_len);
    MUST(memcmp(sides[0].out, sides[1].out, sides[0].out_len) == 0);
    return good;
}

/* Ops from 128 on are input of so many bytes. */
static bool check_actions(unsigned how, const uint8_t *bytes, size_t len)
{
    struct side *side = &sides[0];
    long long now = 0;
    bool good = true;

    begin(side, how);
    while (len >= 2 && good) {
        size_t n = bytes[0] & 127;

        if (bytes[0] < 128) {
            act(side, bytes[0], bytes[1], &now);
            bytes += 2;
            len -= 2;
            continue;
        }
        bytes++;
        len--;
        if (n > len)
            n = len;
        good = give_copy(side, bytes, n);
        bytes += n;
        len -= n;
    }
    finish(side);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    fuzz_taken = 0;
    if (len == 0 || len > LONGEST)
        return 0;
    if (bytes[0] & PLAIN)
        fuzz_taken = check_cuts(bytes[0], bytes + 1, len - 1);
    else
        fuzz_taken = check_actions(bytes[0], bytes + 1, len - 1);
    return 0;
}
