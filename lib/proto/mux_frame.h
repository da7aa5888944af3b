/*
 * mux_frame: the heads of the frames of both wire formats of the protocol
 * `muxado`, as fields.
 *
 * Pure: bytes in, fields out, and the other way round. It knows no streams:
 * which ids may be there, and when, is mux's.
 */
#ifndef MUX_FRAME_H
#define MUX_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* muxado as it was in March 2014 (tcp-relay has it), and as it is today. */
enum mux_format { MUX_V1, MUX_V2 };

/* Codes of RST and GOAWAY that are the same in both formats. */
enum {
    MUX_PROTOCOL = 1,   /* what may not come, came */
    MUX_FLOW = 3,       /* more than the window */
    MUX_CLOSED = 4,     /* the stream is gone, or was ended */
    MUX_RESET = 7       /* "cancel" (v1), "reset" (v2): what was copied on it broke off */
};

/* A head: a length, flags, a type, and the id of a stream. */
#define MUX_HEAD 8

/* Ids have 31 bits. */
#define MUX_LAST_ID 0x7fffffff

/* The most payload that is looked at as a whole: a v1 SYN with priority and type, or a GOAWAY. */
#define MUX_FIXED 8

/* The type of a v1 SYN is MUX_SYN when it is written, MUX_DATA with `opens` when it is read. v2's numbers are these. */
enum mux_type { MUX_RST, MUX_DATA, MUX_WNDINC, MUX_GOAWAY, MUX_SYN, MUX_SKIP };

struct mux_frame {
    enum mux_type type;
    uint32_t id;            /* in v2 with its top bit, which has to be 0; v1 masks it */
    uint32_t fixed;         /* bytes of payload that have to be there before anything is done, up to MUX_FIXED */
    uint32_t rest;          /* bytes of payload that follow these */
    uint32_t data;          /* bytes of payload that count for the window */
    bool opens;             /* MUX_DATA: a SYN, or with one */
    bool fin;               /* MUX_DATA: with FIN */
    bool typed;             /* the last 4 bytes of `fixed` are the type of the stream */
};

/*
 * Which format a session has, by the first 4 bytes that the peer sends: byte 3
 * is 01 to 06 in v1, and 00, 10 to 13, 20 or 30 in v2. Returns 0, or -1: neither.
 */
int mux_format_of(const unsigned char head[4], enum mux_format *format);

/*
 * Reads a head. Returns 0, or -1: a type that is illegal, or a length that is
 * not its type's, for which the session ends with GOAWAY mux_bad_frame().
 */
int mux_frame_parse(enum mux_format format, const unsigned char head[MUX_HEAD], struct mux_frame *f);

/* Flags that are written: of DATA; of a SYN with priority and type, in v1. */
enum { MUX_FIN = 1, MUX_TYPED = 6 };

/* Writes a head; len is its payload's length in bytes, and not more than mux_longest(). */
void mux_frame_put(enum mux_format format, enum mux_type type, uint32_t flags, uint32_t id, uint32_t len,
                   unsigned char head[MUX_HEAD]);

/* A number in 4 bytes, the highest first, as everywhere on this wire. */
uint32_t mux_get32(const unsigned char bytes[4]);
void mux_put32(unsigned char bytes[4], uint32_t n);

/* What differs: the most payload of a frame (14 bits, 24 bits), and what a stream may send before WNDINC, in bytes. */
uint32_t mux_longest(enum mux_format format);
uint32_t mux_window(enum mux_format format);

/* The type of heartbeat streams. */
uint32_t mux_beat_type(enum mux_format format);

/* Codes: an illegal type or length (2, "internal"; 8, "frame size"); a stream that is not accepted (6; 5). */
uint32_t mux_bad_frame(enum mux_format format);
uint32_t mux_refused(enum mux_format format);

#endif
