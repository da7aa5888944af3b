/*
 * mux_frame: heads of frames as fields, and the other way round. See
 * mux_frame.h.
 */
#include "mux_frame.h"

/* Flags of v1's SYN and DATA, and of v2's DATA. */
enum { V1_PRIORITY = 2, V1_TYPE = 4, V2_SYN = 2 };

/* v1's numbers; 5, PRI, was never used, and the original refuses it like any other. */
static const unsigned char v1_types[] = {MUX_SKIP, MUX_SYN, MUX_RST, MUX_DATA, MUX_WNDINC, MUX_SKIP, MUX_GOAWAY};

int mux_format_of(const unsigned char head[4], enum mux_format *format)
{
    unsigned kind = head[3];

    *format = kind >= 1 && kind <= 6 ? MUX_V1 : MUX_V2;
    return *format == MUX_V1 || kind == 0 || (kind >= 0x10 && kind <= 0x13) || kind == 0x20 || kind == 0x30 ? 0 : -1;
}

uint32_t mux_get32(const unsigned char bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void mux_put32(unsigned char bytes[4], uint32_t n)
{
    for (int i = 3; i >= 0; i--, n >>= 8)
        bytes[i] = (unsigned char)n;
}

/* What a v1 SYN has to bring, by its flags. */
static uint32_t syn_length(uint32_t flags)
{
    return (flags & V1_PRIORITY ? 4 : 0) + (flags & V1_TYPE ? 4 : 0);
}

static int parse_v1(uint32_t word, struct mux_frame *f, uint32_t *len)
{
    uint32_t flags = word >> 8, kind = word & 0x1f;

    f->id &= MUX_LAST_ID;
    f->type = kind < sizeof v1_types ? (enum mux_type)v1_types[kind] : MUX_SKIP;
    f->fin = flags & MUX_FIN;
    *len = word >> 16 & 0x3fff;
    if (f->type == MUX_SYN) {
        f->type = MUX_DATA;
        f->opens = true;
        f->typed = flags & V1_TYPE;
        f->fixed = *len;
        return *len == syn_length(flags) ? 0 : -1;
    }
    f->data = *len;
    return f->type == MUX_SKIP ? -1 : 0;
}

static void parse_v2(uint32_t word, struct mux_frame *f, uint32_t *len)
{
    uint32_t kind = word >> 4 & 0xf;

    f->type = kind <= MUX_GOAWAY ? (enum mux_type)kind : MUX_SKIP;
    f->fin = word & MUX_FIN;
    *len = word >> 8;
    f->data = *len;
    f->opens = f->type == MUX_DATA && word & V2_SYN;
    f->typed = f->opens && *len >= 4;
    if (f->typed)
        f->fixed = 4;
}

int mux_frame_parse(enum mux_format format, const unsigned char head[MUX_HEAD], struct mux_frame *f)
{
    uint32_t word = mux_get32(head), len;

    *f = (struct mux_frame){.id = mux_get32(head + 4)};
    if (format == MUX_V2)
        parse_v2(word, f, &len);
    else if (parse_v1(word, f, &len) != 0)
        return -1;
    if (f->type == MUX_RST || f->type == MUX_WNDINC)
        f->fixed = 4;
    if (f->type == MUX_GOAWAY)
        f->fixed = 8;
    if (len < f->fixed || (f->fixed == 4 && f->type != MUX_DATA && len > 4))
        return -1;
    /* v1's GOAWAY counts text that is not sent. */
    f->rest = format == MUX_V1 && f->type == MUX_GOAWAY ? 0 : len - f->fixed;
    return 0;
}

void mux_frame_put(enum mux_format format, enum mux_type type, uint32_t flags, uint32_t id, uint32_t len,
                   unsigned char head[MUX_HEAD])
{
    static const unsigned char v1[] = {2, 3, 4, 6, 1}, v2[] = {0x00, 0x10, 0x20, 0x30, 0x10 | V2_SYN};

    mux_put32(head, format == MUX_V1 ? len << 16 | flags << 8 | v1[type] : len << 8 | v2[type] | flags);
    mux_put32(head + 4, id);
}

uint32_t mux_longest(enum mux_format format)
{
    return format == MUX_V1 ? 0x3fff : 0xffffff;
}

uint32_t mux_window(enum mux_format format)
{
    return format == MUX_V1 ? 65536 : 262144;
}

uint32_t mux_beat_type(enum mux_format format)
{
    return format == MUX_V1 ? 0xfffffeff : 0xffffffff;
}

uint32_t mux_bad_frame(enum mux_format format)
{
    return format == MUX_V1 ? 2 : 8;
}

uint32_t mux_refused(enum mux_format format)
{
    return format == MUX_V1 ? 6 : 5;
}
