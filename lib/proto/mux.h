/*
 * mux: one side of a session of the protocol `muxado`, in either wire format:
 * many streams of bytes in one connection, each with a window of its own.
 *
 * A machine without a socket: what the peer sent goes in (mux_input), what is
 * to be sent comes out (mux_pending, mux_written), and what happens is told by
 * hooks. Nothing is allocated after mux_init. It knows nothing of clients.
 */
#ifndef MUX_H
#define MUX_H

#include "mux_frame.h"

#include "../slab.h"

#include <sys/types.h>

/* Kept for all but DATA of what waits to be sent, in bytes: 170 answers. */
#define MUX_RESERVE 2048

/* The most that waits to be sent, in bytes: as much DATA as a v1 stream's window, and the reserve. */
#define MUX_OUT (65536 + MUX_RESERVE)

/* v1's heartbeats, in ms: one so often, and how long until the next one has come back. Both are the original's. */
#define MUX_BEAT_MS 3000
#define MUX_DEAD_MS 13000

/*
 * A stream: from mux_open or hooks.opened until both sides have ended it, or
 * it is reset. Then it is forgotten, and the pointer means nothing any more.
 */
struct mux_stream {
    struct mux_stream *next;    /* mux's own */
    void *owner;                /* the caller's */
    uint32_t id;
    uint32_t may_send;          /* bytes that the peer takes: its window */
    uint32_t may_come;          /* bytes that the peer may send still */
    uint32_t owed;              /* mux's own: window to be returned; a code, if `resets` */
    uint32_t beat;              /* mux's own: the last bytes of a heartbeat */
    unsigned char beat_len;     /* mux's own */
    bool ended;                 /* the peer's FIN came */
    bool owes_end, has_ended;   /* mux_end was called: FIN is to be sent; was sent */
    bool resets;                /* mux's own: mux_reset was called, and RST is to be sent */
    bool beats;                 /* mux's own: it has heartbeats, and no hook is called for it */
};

/*
 * What the peer does. A hook may call all of mux but mux_input and mux_written.
 */
struct mux_hooks {
    /*
     * The peer opened it. Returns 0, and s->owner is what the hook made it; or
     * the code of the RST that refuses it: mux_refused().
     */
    uint32_t (*opened)(void *owner, struct mux_stream *s);

    /*
     * Bytes of the stream, as they come: len is at least 1. They are the
     * mux's, until the hook returns. The window is returned with mux_consumed
     * when they were written on, so what waits of a stream is never more than
     * mux_window().
     */
    void (*data)(void *owner, struct mux_stream *s, const unsigned char *bytes, size_t len);

    /* The peer's FIN; once. If mux_end was called before, the stream is forgotten on return. */
    void (*ended)(void *owner, struct mux_stream *s);

    /* may_send was 0 and is not any more, and mux_end was not called. */
    void (*window)(void *owner, struct mux_stream *s);

    /*
     * The peer's RST with that code, or ours for what the peer did (MUX_FLOW,
     * MUX_CLOSED). The stream is forgotten on return. MUX_CLOSED with s->ended
     * is no failure: the peer has closed both directions at once, and only what
     * would have been sent still is lost.
     */
    void (*reset)(void *owner, struct mux_stream *s, uint32_t code);

    /* The peer's GOAWAY. Streams go on, mux_open gives no more. */
    void (*goaway)(void *owner, uint32_t code);
};

/* All of it is mux's own. It is large: static, or allocated once. */
struct mux {
    enum mux_format format;
    const struct mux_hooks *hooks;
    void *owner;

    struct slab streams;
    struct mux_stream **buckets;    /* by id; as many as records in streams */
    int left;                       /* how many more streams there may be */
    uint32_t next_id;               /* ours; all of its parity below it were opened */
    uint32_t last_id;               /* the peer's */
    bool went, peer_went;           /* GOAWAY */
    bool dead;
    bool owing;                     /* a stream could not send what it has to */

    unsigned char head[MUX_HEAD + MUX_FIXED];
    size_t head_len;
    struct mux_frame frame;
    uint32_t rest;                  /* of its payload */
    struct mux_stream *current;     /* whose frame it is; NULL: nobody's, or forgotten since */

    struct mux_stream *beat;        /* ours, NULL when forgotten */
    bool beating, waiting, answered;
    uint32_t beats;                 /* sent */
    long long beat_at, heard_at;

    size_t from, to;                /* of what waits in out */
    unsigned char out[MUX_OUT];
};

/*
 * Begins a session. The dialler is who made the connection: its ids are odd.
 * There are most_streams at once, of both sides together; heartbeats are not
 * counted, one each way. The hooks stay the caller's, and get `owner`. Nothing is sent yet.
 * Returns -1 (ENOMEM). What it allocates is never freed.
 */
int mux_init(struct mux *m, enum mux_format format, bool dialler, int most_streams, const struct mux_hooks *hooks,
             void *owner);

/*
 * Takes what the peer sent. Returns how many bytes were taken: all, unless
 * there is no room for the answers; give it the others after mux_written. -1:
 * the connection is no good, and nothing more is taken or sent but what is
 * pending, a GOAWAY at its end.
 */
ssize_t mux_input(struct mux *m, const unsigned char *bytes, size_t len);

/*
 * Opens a stream, and sends so. NULL: there are most_streams, no ids, or no
 * room to send it now, or GOAWAY was sent or received.
 */
struct mux_stream *mux_open(struct mux *m, void *owner);

/*
 * Where up to *len bytes for the peer may be put, at once; then mux_sent says
 * how many were (0: none), before anything else is called. NULL: none now; if s->may_send is 0,
 * until hooks.window, else until something was written (mux_written).
 */
unsigned char *mux_room(struct mux *m, struct mux_stream *s, size_t *len);
void mux_sent(struct mux *m, struct mux_stream *s, size_t len);

/*
 * Each is sent at once, or when there is room; none is lost, and none waits
 * behind another stream's window. mux_end: FIN, behind all that was put; if
 * the peer has ended, too, the stream is forgotten. mux_reset: RST; it is
 * forgotten. mux_consumed: that many bytes from hooks.data, and no more, may come again.
 */
void mux_end(struct mux *m, struct mux_stream *s);
void mux_reset(struct mux *m, struct mux_stream *s, uint32_t code);
void mux_consumed(struct mux *m, struct mux_stream *s, size_t len);

/*
 * GOAWAY, once: no more streams are opened by either side, those that there are
 * go on. Of v2 the original loses 8 bytes that come after it, so there it is the last
 * thing before the connection is closed.
 */
void mux_goaway(struct mux *m, uint32_t code);

/* What waits to be sent: *len bytes, which stay there and are the mux's; and that len bytes of it were. */
const unsigned char *mux_pending(const struct mux *m, size_t *len);
void mux_written(struct mux *m, size_t len);

/*
 * Heartbeats: opens their stream when it is called first, which v1's dialler
 * does after mux_open, and sends what is due. To be called after mux_input,
 * and at the time that it returned, in ms of a clock that does not jump.
 * Returns -1: none has come back for MUX_DEAD_MS. v2: none is sent, and it
 * returns LLONG_MAX, as it does after -1 of mux_input; the peer's are answered.
 */
long long mux_tick(struct mux *m, long long now_ms);

#endif
