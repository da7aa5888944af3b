/*
 * mux: what the machine of the protocol `muxado` makes of given bytes.
 *
 *     mux               prints what is wrong, a line each; 0 only if nothing is
 *     mux pair COUNT    two machines that talk to each other, COUNT times, each time otherwise;
 *                       what comes is compared with what was sent, and counted against the windows
 */
#include "check.h"

#include "../../lib/proto/mux.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t len)
{
    void *bytes = malloc(len > 0 ? len : 1);

    if (bytes == NULL)
        exit(1);
    return bytes;
}

/* Bytes from hex with spaces; *N is N bytes of 'x'. */

#define LONGEST 400000

struct bytes {
    unsigned char *at;
    size_t len;
};

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct bytes from_hex(const char *hex)
{
    struct bytes b = {allocate(LONGEST), 0};

    while (*hex != '\0') {
        if (*hex == ' ') {
            hex++;
        } else if (*hex == '*') {
            char *end;
            size_t n = strtoul(hex + 1, &end, 10);

            memset(b.at + b.len, 'x', n);
            b.len += n;
            hex = end;
        } else {
            b.at[b.len++] = (unsigned char)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
            hex += 2;
        }
    }
    return b;
}

/* One side, what it sent, and what its hooks were told. */

static struct {
    struct mux m;
    struct mux_stream *last;        /* opened by either side */
    bool consumes, ends, refuses, resets;
    unsigned char out[3 * LONGEST];
    size_t unread;
    size_t out_len;
    char told[4096];
    size_t data_at, data_len;       /* of the last data in told, which may be continued */
    uint32_t data_id;
} side;

static void tell(const char *format, ...)
{
    size_t len = strlen(side.told);
    va_list args;

    va_start(args, format);
    vsnprintf(side.told + len, sizeof side.told - len, format, args);
    va_end(args);
    side.data_id = 0;
}

static uint32_t on_opened(void *owner, struct mux_stream *s)
{
    (void)owner;
    tell("open %lu;", (unsigned long)s->id);
    side.last = s;
    if (side.resets)
        mux_reset(&side.m, s, MUX_RESET);
    return side.refuses ? mux_refused(side.m.format) : 0;
}

/* How the bytes are cut is not told. */
static void on_data(void *owner, struct mux_stream *s, const unsigned char *bytes, size_t len)
{
    uint32_t id = s->id;

    (void)owner;
    check(len > 0, "data", "empty");
    if (bytes[0] == 0xee)
        check(false, "data", "a byte that was not to come");
    if (side.data_id != id) {
        side.data_at = strlen(side.told);
        side.data_len = 0;
    }
    side.told[side.data_at] = '\0';
    side.data_len += len;
    tell("data %lu *%lu;", (unsigned long)id, (unsigned long)side.data_len);
    side.data_id = id;
    side.unread += len;
    if (side.consumes)
        mux_consumed(&side.m, s, len);
    if (side.resets)
        mux_reset(&side.m, s, MUX_RESET);
}

static void on_ended(void *owner, struct mux_stream *s)
{
    (void)owner;
    tell("end %lu;", (unsigned long)s->id);
    if (side.ends)
        mux_end(&side.m, s);
    if (side.resets)
        mux_reset(&side.m, s, MUX_RESET);
}

static void on_window(void *owner, struct mux_stream *s)
{
    (void)owner;
    tell("window %lu %lu;", (unsigned long)s->id, (unsigned long)s->may_send);
}

static void on_reset(void *owner, struct mux_stream *s, uint32_t code)
{
    (void)owner;
    tell("reset %lu %lu%s;", (unsigned long)s->id, (unsigned long)code, s->ended ? " ended" : "");
    if (side.last == s)
        side.last = NULL;
}

static void on_goaway(void *owner, uint32_t code)
{
    (void)owner;
    tell("goaway %lu;", (unsigned long)code);
}

static const struct mux_hooks hooks = {on_opened, on_data, on_ended, on_window, on_reset, on_goaway};

static void begin(enum mux_format format, bool dialler, int streams)
{
    side.last = NULL;
    side.consumes = side.ends = side.refuses = side.resets = false;
    side.out_len = side.unread = 0;
    side.told[0] = '\0';
    side.data_id = 0;
    if (mux_init(&side.m, format, dialler, streams, &hooks, NULL) != 0)
        exit(1);
}

static void finish(void)
{
    free(side.m.streams.records);
    free(side.m.buckets);
}

static void drain(void)
{
    size_t len;
    const unsigned char *bytes = mux_pending(&side.m, &len);

    if (side.out_len + len > sizeof side.out) {
        printf("wrong: more is sent than was ever asked for: %s\n", side.told);
        exit(1);
    }
    memcpy(side.out + side.out_len, bytes, len);
    side.out_len += len;
    mux_written(&side.m, len);
}

/* From a copy of exactly that size. What is not taken is given again when something was written. */
static void give(const unsigned char *bytes, size_t len)
{
    unsigned char *copy = allocate(len);
    size_t at = 0;

    memcpy(copy, bytes, len);
    while (at < len) {
        ssize_t n = mux_input(&side.m, copy + at, len - at);

        drain();
        if (n < 0) {
            if (strstr(side.told, "dead") == NULL)
                tell("dead");
            break;
        }
        at += (size_t)n;
    }
    free(copy);
}

static void put(size_t len)
{
    while (len > 0) {
        size_t room;
        unsigned char *to = mux_room(&side.m, side.last, &room);

        if (to == NULL) {
            tell("full;");
            return;
        }
        if (room > len)
            room = len;
        memset(to, 'x', room);
        mux_sent(&side.m, side.last, room);
        len -= room;
        drain();
    }
}

/*
 * What is done, a letter each: o opens, e ends the last stream, r resets it, b
 * puts a byte, w its whole window, c returns the window of what came; G says GOAWAY 0, t and T are mux_tick at 0
 * and at 3 s. What the hooks do from then on: C consume, E end, N refuse, R
 * reset.
 */
static void perform(const char *what)
{
    for (; *what != '\0'; what++) {
        switch (*what) {
        case 'o': side.last = mux_open(&side.m, NULL); if (side.last == NULL) tell("none;"); break;
        case 'e': mux_end(&side.m, side.last); break;
        case 'r': mux_reset(&side.m, side.last, MUX_RESET); break;
        case 'b': put(1); break;
        case 'c': mux_consumed(&side.m, side.last, side.unread); break;
        case 'w': put(mux_window(side.m.format)); break;
        case 'G': mux_goaway(&side.m, 0); break;
        case 't': mux_tick(&side.m, 0); break;
        case 'T': mux_tick(&side.m, MUX_BEAT_MS); break;
        case 'C': side.consumes = true; break;
        case 'E': side.ends = true; break;
        case 'N': side.refuses = true; break;
        case 'R': side.resets = true; break;
        default: check(false, "no such letter", what);
        }
        drain();
    }
}

/* Vectors: what is sent and told does not depend on how the input is cut. */

struct vector {
    const char *about;
    enum mux_format format;
    char who;               /* 'd'ialler or 'l'istener */
    const char *before;     /* perform */
    const char *in;
    const char *after;
    const char *out, *told;
};

#define D3 "00000003 "
#define D2 "00000002 "
#define SYN1(id) "00000001 " id " "
#define SYN2(id) "00000012 " id " "
#define BEAT1(id) "00080601 " id " 7fffffff fffffeff "

static const struct vector vectors[] = {
    /* v1: streams. */
    {"opened", MUX_V1, 'l', "", SYN1("00000003"), "", "", "open 3;"},
    {"opens", MUX_V1, 'd', "oo", "", "", SYN1("00000003") SYN1("00000005"), ""},
    {"opens, listening", MUX_V1, 'l', "oo", "", "", SYN1("00000002") SYN1("00000004"), ""},
    {"SYN with priority", MUX_V1, 'l', "", "00040201 00000003 00000001", "", "", "open 3;"},
    {"SYN with a type", MUX_V1, 'l', "", "00040401 00000003 00000001", "", "", "open 3;"},
    {"SYN with both", MUX_V1, 'l', "", "00080601 00000003 fffffeff 00000001", "", "", "open 3;"},
    {"SYN with FIN", MUX_V1, 'l', "", "00000101 00000003", "e", "00000103 00000003", "open 3;end 3;"},
    {"SYN with FIN, ended at once", MUX_V1, 'l', "E", "00000101 00000003 00000103 00000003", "", "00000103 00000003", "open 3;end 3;"},
    {"SYN refused", MUX_V1, 'l', "N", SYN1("00000003") "00020003 00000003 eeee", "", "00040002 00000003 00000006 00040002 00000003 00000004", "open 3;"},
    {"SYN, too many", MUX_V1, 'l', "oo", SYN1("00000003") SYN1("00000005"), "", SYN1("00000002") SYN1("00000004") "00040002 00000005 00000006", "open 3;"},
    {"SYN after GOAWAY", MUX_V1, 'l', "G", SYN1("00000003"), "o", "00080006 00000000 00000000 00000000 00040002 00000003 00000006", "none;"},
    {"SYN, length without flag", MUX_V1, 'l', "", "00040001 00000003 00000000", "", "00080006 00000000 00000000 00000002", "dead"},
    {"SYN, flag without length", MUX_V1, 'l', "", "00000201 00000003 00000000", "", "00080006 00000000 00000000 00000002", "dead"},
    {"SYN, too long", MUX_V1, 'l', "", "000c0601 00000003 00000000", "", "00080006 00000000 00000000 00000002", "dead"},
    {"SYN, repeated", MUX_V1, 'l', "", SYN1("00000003") SYN1("00000003"), "", "00080006 00000000 00000003 00000001", "open 3;dead"},
    {"SYN, lower", MUX_V1, 'l', "", SYN1("00000007") SYN1("00000005"), "", "00080006 00000000 00000007 00000001", "open 7;dead"},
    {"SYN, even", MUX_V1, 'l', "", SYN1("00000004"), "", "00080006 00000000 00000000 00000001", "dead"},
    {"SYN, odd", MUX_V1, 'd', "", SYN1("00000003"), "", "00080006 00000000 00000000 00000001", "dead"},
    {"SYN, 0", MUX_V1, 'd', "", SYN1("00000000"), "", "00080006 00000000 00000000 00000001", "dead"},
    {"SYN, 1", MUX_V1, 'l', "", SYN1("00000001"), "", "00080006 00000000 00000000 00000001", "dead"},
    {"SYN, top bit", MUX_V1, 'l', "", SYN1("80000003"), "", "", "open 3;"},
    {"SYN, last", MUX_V1, 'l', "", SYN1("7fffffff"), "", "", "open 2147483647;"},
    {"type's mask", MUX_V1, 'l', "", "000000e1 00000003", "", "", "open 3;"},
    {"length's mask", MUX_V1, 'l', "", SYN1("00000003") "c0010103 00000003 78", "", "", "open 3;data 3 *1;end 3;"},

    /* v1: DATA. */
    {"DATA", MUX_V1, 'l', "", SYN1("00000003") "00020003 00000003 7878 00000003 00000003", "c", "00040004 00000003 00000002", "open 3;data 3 *2;"},
    {"DATA with FIN", MUX_V1, 'l', "", SYN1("00000003") "00020103 00000003 7878", "c", "00040004 00000003 00000002", "open 3;data 3 *2;end 3;"},
    {"both end", MUX_V1, 'd', "oeE", "00000103 00000003 00020003 00000003 eeee", "", SYN1("00000003") "00000103 00000003 00040002 00000003 00000004", "end 3;"},
    {"FIN twice", MUX_V1, 'd', "o", "00000103 00000003 00000103 00000003", "", SYN1("00000003"), "end 3;"},
    {"DATA after FIN", MUX_V1, 'd', "o", "00000103 00000003 00010003 00000003 ee 00010003 00000003 ee", "", SYN1("00000003") "00040002 00000003 00000004 00040002 00000003 00000004", "end 3;reset 3 4 ended;"},
    {"DATA on what is gone", MUX_V1, 'd', "or", "00020003 00000003 eeee 00020103 00000003 eeee", "", SYN1("00000003") "00040002 00000003 00000007 00040002 00000003 00000004 00040002 00000003 00000004", ""},
    {"FIN on what is gone", MUX_V1, 'd', "or", "00000103 00000003 00000003 00000003", "", SYN1("00000003") "00040002 00000003 00000007", ""},
    {"DATA on what never was", MUX_V1, 'd', "o", "00010003 00000005 ee", "", SYN1("00000003") "00080006 00000000 00000000 00000001", "dead"},
    {"FIN on what never was", MUX_V1, 'd', "o", "00000103 00000002", "", SYN1("00000003") "00080006 00000000 00000000 00000001", "dead"},
    {"DATA on 0", MUX_V1, 'd', "o", "00000003 00000000", "", SYN1("00000003") "00080006 00000000 00000000 00000001", "dead"},
    {"DATA on 1", MUX_V1, 'd', "o", "00000003 00000001", "", SYN1("00000003") "00080006 00000000 00000000 00000001", "dead"},
    {"the whole window", MUX_V1, 'd', "o", "3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 00040003 00000003 *4", "", SYN1("00000003"), "data 3 *65536;"},
    {"a byte too many", MUX_V1, 'd', "o", "3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 00040003 00000003 *4 00010003 00000003 ee", "", SYN1("00000003") "00040002 00000003 00000003", "data 3 *65536;reset 3 3;"},
    {"a frame too many", MUX_V1, 'd', "o", "3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 00050003 00000003 ee*4", "", SYN1("00000003") "00040002 00000003 00000003", "data 3 *65532;reset 3 3;"},
    {"returned, it may come again", MUX_V1, 'd', "oC", "3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383 3fff0003 00000003 *16383", "", NULL, "data 3 *81915;"},
    {"reset while it comes", MUX_V1, 'd', "oR", "00020103 00000003 78ee", "", SYN1("00000003") "00040002 00000003 00000007", NULL},
    {"reset when opened", MUX_V1, 'l', "R", SYN1("00000003"), "", "00040002 00000003 00000007", "open 3;"},
    {"reset when ended", MUX_V1, 'd', "oR", "00000103 00000003", "", SYN1("00000003") "00040002 00000003 00000007", "end 3;"},

    /* v1: RST, WNDINC. */
    {"RST", MUX_V1, 'd', "o", "00040002 00000003 00000007", "", SYN1("00000003"), "reset 3 7;"},
    {"RST of what is gone", MUX_V1, 'd', "oeE", "00000103 00000003 00040002 00000003 00000004", "", SYN1("00000003") "00000103 00000003", "end 3;"},
    {"RST after FIN, our side open", MUX_V1, 'd', "ob", "00000103 00000003 00040002 00000003 00000004", "", SYN1("00000003") "00010003 00000003 78", "end 3;reset 3 4 ended;"},
    {"RST of what never was", MUX_V1, 'd', "o", "00040002 00000005 00000004", "", SYN1("00000003") "00080006 00000000 00000000 00000001", "dead"},
    {"RST, too short", MUX_V1, 'd', "o", "00030002 00000003 000000", "", SYN1("00000003") "00080006 00000000 00000000 00000002", "dead"},
    {"RST, too long", MUX_V1, 'd', "o", "00050002 00000003 0000000000", "", SYN1("00000003") "00080006 00000000 00000000 00000002", "dead"},
    {"WNDINC", MUX_V1, 'd', "ow", "00040004 00000003 00000001 00040004 00000003 00000001", "", NULL, "window 3 1;"},
    {"WNDINC 0", MUX_V1, 'd', "ow", "00040004 00000003 00000000 00040004 00000003 80000000", "", NULL, ""},
    {"WNDINC, masked", MUX_V1, 'd', "ow", "00040004 00000003 80000001", "", NULL, "window 3 1;"},
    {"WNDINC after FIN", MUX_V1, 'd', "owe", "00040004 00000003 00000001", "", NULL, ""},
    {"WNDINC, largest", MUX_V1, 'd', "ow", "00040004 00000003 7fffffff 00040004 00000003 7fffffff 00040004 00000003 00000001", "", NULL, "window 3 2147483647;"},
    {"WNDINC, too many", MUX_V1, 'd', "o", "00040004 00000003 7fffffff 00040004 00000003 7fffffff 00040004 00000003 00000001", "", SYN1("00000003") "00080006 00000000 00000000 00000001", "dead"},
    {"WNDINC of what is gone", MUX_V1, 'd', "or", "00040004 00000003 7fffffff 00040004 00000003 7fffffff 00040004 00000003 7fffffff", "", SYN1("00000003") "00040002 00000003 00000007", ""},
    {"WNDINC of what never was", MUX_V1, 'd', "o", "00040004 00000005 00000001", "", SYN1("00000003") "00080006 00000000 00000000 00000001", "dead"},
    {"WNDINC, too short", MUX_V1, 'd', "o", "00030004 00000003 000000", "", SYN1("00000003") "00080006 00000000 00000000 00000002", "dead"},
    {"WNDINC, too long", MUX_V1, 'd', "o", "00080004 00000003 00000001 00000001", "", SYN1("00000003") "00080006 00000000 00000000 00000002", "dead"},

    /* v1: GOAWAY, types. */
    {"GOAWAY", MUX_V1, 'd', "o", "00080006 00000000 00000000 00000001", "o", SYN1("00000003"), "goaway 1;none;"},
    {"GOAWAY that counts text", MUX_V1, 'd', "oC", "00200006 00000000 00000000 00000005 00010103 00000003 78", "", SYN1("00000003") "00040004 00000003 00000001", "goaway 5;data 3 *1;end 3;"},
    {"GOAWAY, too short", MUX_V1, 'd', "", "00070006 00000000 00000000 000000", "", "00080006 00000000 00000000 00000002", "dead"},
    {"GOAWAY twice is said once", MUX_V1, 'd', "GG", "00000000 00000000", "", "00080006 00000000 00000000 00000000", "dead"},
    {"type 0", MUX_V1, 'd', "", "00000000 00000000", "", "00080006 00000000 00000000 00000002", "dead"},
    {"PRI", MUX_V1, 'd', "o", "00040005 00000003 00000000", "", SYN1("00000003") "00080006 00000000 00000000 00000002", "dead"},
    {"type 7", MUX_V1, 'd', "", "00000007 00000000", "", "00080006 00000000 00000000 00000002", "dead"},
    {"type 31", MUX_V1, 'd', "", "0000001f 00000000", "", "00080006 00000000 00000000 00000002", "dead"},
    {"nothing more is sent", MUX_V1, 'l', "", SYN1("00000003") "00000000 00000000", "betTGo", "00080006 00000000 00000003 00000002", "open 3;deadfull;none;"},

    /* v1: heartbeats. */
    {"heartbeat opened", MUX_V1, 'l', "", BEAT1("00000003"), "", "", ""},
    {"heartbeat by its type alone", MUX_V1, 'l', "", "00040401 00000003 fffffeff 00040003 00000003 00000007", "", "00040004 00000003 00000004 00040003 00000003 00000007", ""},
    {"priority is no type", MUX_V1, 'l', "", "00040201 00000003 fffffeff", "", "", "open 3;"},
    {"beats", MUX_V1, 'l', "", BEAT1("00000003") "00040003 00000003 00000000 00040003 00000003 00000001", "", "00040004 00000003 00000004 00040003 00000003 00000000 00040004 00000003 00000004 00040003 00000003 00000001", ""},
    {"two beats in a frame", MUX_V1, 'l', "", BEAT1("00000003") "00080003 00000003 01020304 05060708", "", "00040004 00000003 00000004 00040003 00000003 01020304 00040004 00000003 00000004 00040003 00000003 05060708", ""},
    {"a beat in two frames", MUX_V1, 'l', "", BEAT1("00000003") "00010003 00000003 01 00030003 00000003 020304", "", "00040004 00000003 00000004 00040003 00000003 01020304", ""},
    {"heartbeat ended", MUX_V1, 'l', "", BEAT1("00000003") "00000103 00000003 00040003 00000003 00000000", "", "00000103 00000003 00040002 00000003 00000004", ""},
    {"heartbeat reset", MUX_V1, 'l', "", BEAT1("00000003") "00040002 00000003 00000000", "", "", ""},
    {"heartbeats are not counted", MUX_V1, 'l', "oootT", BEAT1("00000003"), "", SYN1("00000002") SYN1("00000004") SYN1("00000006") BEAT1("00000008") "00040003 00000008 00000000", ""},
    {"heartbeats beyond the table", MUX_V1, 'l', "ooot", BEAT1("00000003") BEAT1("00000005"), "", SYN1("00000002") SYN1("00000004") SYN1("00000006") BEAT1("00000008") "00040002 00000005 00000006", ""},
    {"our beat comes back", MUX_V1, 'd', "otT", "00040004 00000005 00000004 00040003 00000005 00000000", "", SYN1("00000003") BEAT1("00000005") "00040003 00000005 00000000 00040004 00000005 00000004", ""},

    /* v2: streams. */
    {"opened", MUX_V2, 'l', "", SYN2("00000003"), "", "", "open 3;"},
    {"opens", MUX_V2, 'd', "oo", "", "", SYN2("00000003") SYN2("00000005"), ""},
    {"SYN with DATA", MUX_V2, 'l', "", "00000612 00000003 787878787878", "c", "00000420 00000003 00000006", "open 3;data 3 *6;"},
    {"SYN with a byte", MUX_V2, 'l', "C", "00000112 00000003 78", "", "00000420 00000003 00000001", "open 3;data 3 *1;"},
    {"SYN with DATA and FIN", MUX_V2, 'l', "", "00000613 00000003 787878787878", "e", "00000011 00000003", "open 3;data 3 *6;end 3;"},
    {"SYN with FIN", MUX_V2, 'l', "E", "00000013 00000003 00000011 00000003", "", "00000011 00000003", "open 3;end 3;"},
    {"SYN with DATA refused", MUX_V2, 'l', "N", "00000612 00000003 eeeeeeeeeeee 00000210 00000003 eeee", "", "00000400 00000003 00000005 00000400 00000003 00000004", "open 3;"},
    {"SYN with DATA, reset when opened", MUX_V2, 'l', "R", "00000212 00000003 eeee", "", NULL, "open 3;"},
    {"SYN with too many", MUX_V2, 'l', "", "04000112 00000003 ee*262144", "", "00000400 00000003 00000003", "open 3;reset 3 3;"},
    {"SYN with the whole window", MUX_V2, 'l', "", "04000012 00000003 *262144", "", "", "open 3;data 3 *262144;"},
    {"SYN, repeated", MUX_V2, 'l', "", SYN2("00000003") SYN2("00000003"), "", "00000830 00000000 00000003 00000001", "open 3;dead"},
    {"SYN, even", MUX_V2, 'l', "", SYN2("00000002"), "", "00000830 00000000 00000000 00000001", "dead"},
    {"SYN, top bit", MUX_V2, 'l', "", SYN2("80000003"), "", "00000830 00000000 00000000 00000001", "dead"},

    /* v2: DATA. */
    {"DATA", MUX_V2, 'd', "o", "00000210 00000003 7878", "c", SYN2("00000003") "00000420 00000003 00000002", "data 3 *2;"},
    {"both end", MUX_V2, 'd', "oeE", "00000011 00000003 00000011 00000003 00000210 00000003 eeee", "", SYN2("00000003") "00000011 00000003 00000400 00000003 00000004", "end 3;"},
    {"DATA on what never was", MUX_V2, 'd', "o", "00000010 00000002", "", SYN2("00000003") "00000830 00000000 00000000 00000001", "dead"},
    {"DATA on 0", MUX_V2, 'd', "o", "00000010 00000000", "", SYN2("00000003") "00000830 00000000 00000000 00000001", "dead"},
    {"DATA, top bit", MUX_V2, 'd', "o", "00000010 80000003", "", SYN2("00000003") "00000830 00000000 00000000 00000001", "dead"},
    {"the whole window", MUX_V2, 'd', "o", "03ffff10 00000003 *262143 00000110 00000003 78", "", SYN2("00000003"), "data 3 *262144;"},
    {"a byte too many", MUX_V2, 'd', "o", "04000010 00000003 *262144 00000110 00000003 ee", "", SYN2("00000003") "00000400 00000003 00000003", "data 3 *262144;reset 3 3;"},

    /* v2: RST, WNDINC. */
    {"RST", MUX_V2, 'd', "o", "00000400 00000003 00000007", "", SYN2("00000003"), "reset 3 7;"},
    {"RST of what is gone", MUX_V2, 'd', "or", "00000400 00000003 00000004", "", SYN2("00000003") "00000400 00000003 00000007", ""},
    {"RST of what never was", MUX_V2, 'd', "", "00000400 00000003 00000007", "", "00000830 00000000 00000000 00000001", "dead"},
    {"RST, too long", MUX_V2, 'd', "o", "00000500 00000003 0000000000", "", SYN2("00000003") "00000830 00000000 00000000 00000008", "dead"},
    {"RST, empty", MUX_V2, 'd', "o", "00000000 00000003", "", SYN2("00000003") "00000830 00000000 00000000 00000008", "dead"},
    {"WNDINC", MUX_V2, 'd', "ow", "00000420 00000003 00000005", "", NULL, "window 3 5;"},
    {"WNDINC 0", MUX_V2, 'd', "o", "00000420 00000003 00000000", "", SYN2("00000003") "00000830 00000000 00000000 00000001", "dead"},
    {"WNDINC 0 of what is gone", MUX_V2, 'd', "or", "00000420 00000003 00000000", "", SYN2("00000003") "00000400 00000003 00000007 00000830 00000000 00000000 00000001", "dead"},
    {"WNDINC, largest", MUX_V2, 'd', "ow", "00000420 00000003 ffffffff", "", NULL, "window 3 4294967295;"},
    {"WNDINC, too many", MUX_V2, 'd', "o", "00000420 00000003 fffc0000", "", SYN2("00000003") "00000830 00000000 00000000 00000001", "dead"},
    {"WNDINC, not too many", MUX_V2, 'd', "o", "00000420 00000003 fffbffff", "", SYN2("00000003"), ""},
    {"WNDINC, too long", MUX_V2, 'd', "o", "00000820 00000003 00000001 00000001", "", SYN2("00000003") "00000830 00000000 00000000 00000008", "dead"},

    /* v2: GOAWAY, types. */
    {"GOAWAY", MUX_V2, 'd', "oC", "00000830 00000000 00000000 0000000b 00000111 00000003 78", "o", SYN2("00000003") "00000420 00000003 00000001", "goaway 11;data 3 *1;end 3;none;"},
    {"GOAWAY with text", MUX_V2, 'd', "oC", "00000b30 00000000 00000000 0000000b 787878 00000111 00000003 78", "", SYN2("00000003") "00000420 00000003 00000001", "goaway 11;data 3 *1;end 3;"},
    {"GOAWAY, too short", MUX_V2, 'd', "", "00000730 00000000 00000000 000000", "", "00000830 00000000 00000000 00000008", "dead"},
    {"types that are not known", MUX_V2, 'l', "", "00000040 00000000 00000350 00000007 eeeeee 000000ff 00000003" SYN2("00000003"), "", "", "open 3;"},
    {"the top bit, of any type", MUX_V2, 'l', "", "00000040 80000000", "", "00000830 00000000 00000000 00000001", "dead"},

    /* v2: heartbeats. */
    {"heartbeat", MUX_V2, 'l', "", SYN2("00000003") "00000412 00000005 ffffffff 00000410 00000005 01020304", "", "00000420 00000005 00000004 00000410 00000005 01020304", "open 3;"},
    {"heartbeat with its first beat", MUX_V2, 'l', "", "00000812 00000003 ffffffff 01020304", "", "00000420 00000003 00000004 00000410 00000003 01020304", ""},
    {"heartbeat with FIN", MUX_V2, 'l', "", "00000413 00000003 ffffffff", "", "00000011 00000003", ""},
    {"no heartbeat, 3 bytes", MUX_V2, 'l', "", "00000312 00000003 ffffff 00000110 00000003 ff", "", "", "open 3;data 3 *4;"},
    {"no heartbeat of ours", MUX_V2, 'd', "otT", "", "", SYN2("00000003"), ""},
};

static void run_vector(const struct vector *v, const struct bytes *in, size_t cut, size_t step)
{
    struct bytes out = from_hex(v->out != NULL ? v->out : "");
    char about[256];

    begin(v->format, v->who == 'd', 3);
    perform(v->before);
    give(in->at, cut);
    for (size_t at = cut; at < in->len; at += step)
        give(in->at + at, in->len - at < step ? in->len - at : step);
    perform(v->after);
    snprintf(about, sizeof about, "v%d %c %s, cut at %lu by %lu: %.80s", v->format + 1, v->who, v->about,
             (unsigned long)cut, (unsigned long)step, side.told);
    if (v->out != NULL)
        check(side.out_len == out.len && memcmp(side.out, out.at, out.len) == 0, "what is sent", about);
    if (v->told != NULL)
        check(strcmp(side.told, v->told) == 0, "what is told", about);
    free(out.at);
    finish();
}

/* Whole, byte by byte, and in two at every byte, or in long ones at some. */
static void run_vectors(void)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct bytes in = from_hex(vectors[i].in);

        run_vector(&vectors[i], &in, in.len, 1);
        run_vector(&vectors[i], &in, 0, 1);
        for (size_t cut = 1; cut < in.len; cut += 1 + in.len / 200)
            run_vector(&vectors[i], &in, cut, in.len);
        free(in.at);
    }
}

/* The formats by their first 4 bytes. */
static void run_formats(void)
{
    for (unsigned kind = 0; kind < 256; kind++) {
        unsigned char head[4] = {0, 0x10, 0, (unsigned char)kind};
        enum mux_format format;
        int expected = kind >= 1 && kind <= 6 ? MUX_V1 : -1, got;
        char about[16];

        if (kind == 0 || (kind >= 0x10 && kind <= 0x13) || kind == 0x20 || kind == 0x30)
            expected = MUX_V2;
        got = mux_format_of(head, &format) == 0 ? (int)format : -1;
        snprintf(about, sizeof about, "%02x", kind);
        check(got == expected, "format", about);
    }
}

/* What was sent since the last time is this. */
static void sent(const char *hex, const char *about)
{
    struct bytes out = from_hex(hex);

    drain();
    check(side.out_len == out.len && memcmp(side.out, out.at, out.len) == 0, "what is sent", about);
    side.out_len = 0;
    free(out.at);
}

static void given(const char *hex)
{
    struct bytes in = from_hex(hex);

    give(in.at, in.len);
    free(in.at);
}

static void told(const char *what)
{
    check(strcmp(side.told, what) == 0, side.told, what);
    side.told[0] = '\0';
    side.data_id = 0;
}

static void say(struct mux_stream *s, const char *text, size_t len)
{
    size_t room;
    unsigned char *to = mux_room(&side.m, s, &room);

    check(to != NULL && room >= len, "room", text);
    memcpy(to, text, len);
    mux_sent(&side.m, s, len);
}

/* The recorded session between the original server, C, and relay, S: S by the machine, and then C. */

#define ADDRESS "6c6f63616c686f73743a38313831"
#define HELLO "48656c6c6f2c20776f726c640a"
#define ECHO HELLO " 00000000000000000000000000000000000000000000000000000000000000 00000000000000000000000000000000000000000000000000000000000000 00000000000000000000000000000000000000000000000000000000000000 00000000000000000000000000000000000000000000000000000000000000 00000000000000000000000000000000000000000000000000000000000000 00000000000000000000000000000000000000000000000000000000000000 00000000000000000000000000000000000000000000000000000000000000 0000000000000000000000000000000000000000000000000000"

static void trace_relay(void)
{
    struct mux_stream *client;

    begin(MUX_V1, false, 8);
    check(mux_tick(&side.m, 0) == 3000, "tick", "relay");
    given("00000001 00000003   00080601 00000005 7fffffff fffffeff");
    told("open 3;");
    sent("00080601 00000002 7fffffff fffffeff", "relay: heartbeat stream");
    say(side.last, "localhost:8181", 14);
    mux_end(&side.m, side.last);
    sent("000e0003 00000003" ADDRESS "00000103 00000003", "relay: address");
    given("00040004 00000003 0000000e 00000103 00000003");
    told("end 3;");
    sent("", "relay: the first stream is over");
    given("00010003 00000003 78");
    sent("00040002 00000003 00000004", "relay: stray RST");
    client = side.last = mux_open(&side.m, NULL);
    sent("00000001 00000004", "relay: a client");
    say(client, "Hello, world\n", 13);
    sent("000d0003 00000004" HELLO, "relay: hello");
    given("00040004 00000004 0000000d 01000003 00000004" ECHO);
    told("data 4 *256;");
    mux_consumed(&side.m, client, 256);
    mux_end(&side.m, client);
    sent("00040004 00000004 00000100 00000103 00000004", "relay: window, FIN");
    given("00000103 00000004 00040002 00000004 00000004");
    told("end 4;");
    sent("", "relay: a stray RST is ignored");
    given("00040003 00000005 00000000");
    sent("00040004 00000005 00000004 00040003 00000005 00000000", "relay: a beat");
    check(mux_tick(&side.m, 2999) == 3000, "tick", "not yet");
    sent("", "relay: no beat");
    check(mux_tick(&side.m, 3000) == 6000, "tick", "beat");
    sent("00040003 00000002 00000000", "relay: its beat");
    check(side.m.left == 8, "streams", "relay: all are forgotten");
    finish();
}

static void trace_server(void)
{
    begin(MUX_V1, true, 8);
    perform("o");
    mux_tick(&side.m, 0);
    sent("00000001 00000003   00080601 00000005 7fffffff fffffeff", "server: opens");
    side.consumes = side.ends = true;
    given("00080601 00000002 7fffffff fffffeff 000e0003 00000003" ADDRESS "00000103 00000003");
    told("data 3 *14;end 3;");
    sent("00040004 00000003 0000000e 00000103 00000003", "server: window, FIN");
    given("00040002 00000003 00000004 00000001 00000004 000d0003 00000004" HELLO);
    told("open 4;data 4 *13;");
    sent("00040004 00000004 0000000d", "server: window");
    {
        struct bytes echo = from_hex(ECHO);

        say(side.last, (char *)echo.at, echo.len);
        free(echo.at);
    }
    sent("01000003 00000004" ECHO, "server: echo");
    given("00040004 00000004 00000100 00000103 00000004");
    sent("00000103 00000004", "server: FIN");
    given("00040002 00000004 00000004");
    told("end 4;");
    mux_tick(&side.m, 3000);
    sent("00040003 00000005 00000000", "server: a beat");
    given("00040004 00000005 00000004 00040003 00000005 00000000");
    sent("00040004 00000005 00000004", "server: the window of what came back");
    check(side.m.left == 8, "streams", "server: all are forgotten");
    finish();
}

/* Time. */
static void run_ticks(void)
{
    begin(MUX_V1, true, 1);
    check(mux_tick(&side.m, 1000) == 4000, "tick", "first");
    check(mux_tick(&side.m, 4000) == 7000, "tick", "beat");
    check(mux_tick(&side.m, 7000) == 10000 && mux_tick(&side.m, 10000) == 13000, "tick", "waits");
    check(mux_tick(&side.m, 13000) == 14000, "tick", "the end comes before the next beat");
    check(mux_tick(&side.m, 13999) == 14000, "tick", "just not");
    sent(BEAT1("00000003") "00040003 00000003 00000000", "one beat at a time");
    given("00040003 00000003 00000000");
    check(mux_tick(&side.m, 14000) == 16000, "tick", "came back just in time");
    check(mux_tick(&side.m, 16000) == 19000, "tick", "next beat");
    sent("00040004 00000003 00000004 00040003 00000003 00000001", "next beat");
    given("00040003 00000003 00000002");
    check(mux_tick(&side.m, 26999) == 27000, "tick", "another number is no answer");
    check(mux_tick(&side.m, 27000) == -1, "tick", "dead");
    finish();
    begin(MUX_V1, true, 1);
    mux_tick(&side.m, 0);
    given("00040002 00000003 00000006");
    check(mux_tick(&side.m, 12999) > 0, "tick", "heartbeat refused");
    check(mux_tick(&side.m, 13000) == -1, "tick", "heartbeat refused: dead");
    finish();
    begin(MUX_V2, true, 1);
    check(mux_tick(&side.m, 0) == LLONG_MAX && mux_tick(&side.m, 1000000) == LLONG_MAX, "tick", "v2");
    sent("", "v2 sends no heartbeats");
    finish();
}

/* The peer's heartbeats get their window back; what it does not return stops the answers alone. */
static void run_beats(void)
{
    begin(MUX_V1, false, 1);
    given(BEAT1("00000003"));
    for (int i = 0; i < 5; i++)
        given("3ffc0003 00000003 *16380");
    check(side.out_len == 5 * 16380 / 4 * 12 + 65536 / 4 * 12, "beats", "window for all, answers as far as they may go");
    side.out_len = 0;
    given("00040003 00000003 00000007 00040004 00000003 00000004 00040003 00000003 00000008");
    sent("00040004 00000003 00000004 00040004 00000003 00000004 00040003 00000003 00000008", "beats go on");
    finish();
}

/* Ids are used up, and never again. */
static void run_ids(void)
{
    begin(MUX_V1, true, 2);
    side.m.next_id = MUX_LAST_ID;
    perform("o");
    sent("00000001 7fffffff", "the last id");
    given("00000103 7fffffff");
    told("end 2147483647;");
    perform("eo");
    told("none;");
    given("00010003 7fffffff 78 00010003 00000005 78");
    sent("00000103 7fffffff 00040002 7fffffff 00000004 00040002 00000005 00000004", "ids that are gone");
    finish();
    begin(MUX_V2, false, 2);
    side.m.next_id = MUX_LAST_ID - 1;
    perform("oo");
    told("none;");
    sent("00000012 7ffffffe", "the last even id");
    finish();
}

/* What is in out, without its being written. */
static size_t pending(void)
{
    size_t len;

    mux_pending(&side.m, &len);
    return len;
}

/* Puts as much as goes. */
static size_t fill(struct mux_stream *s)
{
    size_t room, all = 0;
    unsigned char *to;

    while ((to = mux_room(&side.m, s, &room)) != NULL) {
        memset(to, 'x', room);
        mux_sent(&side.m, s, room);
        all += room;
    }
    return all;
}

/* How often the bytes are in what was sent. */
static int count_sent(const char *hex)
{
    struct bytes b = from_hex(hex);
    int n = 0;

    for (size_t i = 0; i + b.len <= side.out_len; i++)
        n += memcmp(side.out + i, b.at, b.len) == 0;
    free(b.at);
    return n;
}

/* Out is full: nothing is lost, and what has to be sent is sent when there is room. */
static void run_full(enum mux_format format)
{
    struct mux_stream *streams[600], *first;
    size_t taken = 0, before;
    struct bytes in;
    ssize_t n;
    int i;

    begin(format, true, 1000);
    for (i = 0; i < 600; i++) {
        streams[i] = mux_open(&side.m, NULL);
        check(streams[i] != NULL, "open", "600");
        drain();
    }
    first = streams[0];
    mux_reset(&side.m, streams[99], MUX_RESET);
    drain();
    side.out_len = 0;
    for (i = 1; i < 600 && (fill(streams[i]) > 0 || i == 1); i++)
        continue;
    check(pending() > 60000 && pending() <= MUX_OUT - MUX_RESERVE, "out", "full of DATA");
    for (i = 100; i < 600; i++) {
        mux_consumed(&side.m, streams[i], 1);
        mux_consumed(&side.m, streams[i], 2);
        if (i < 300)
            mux_end(&side.m, streams[i]);
        else if (i < 400)
            mux_reset(&side.m, streams[i], MUX_RESET);
    }
    before = pending();
    check(before <= MUX_OUT - MUX_RESERVE / 2, "out", "leaves room for answers");
    check(mux_open(&side.m, NULL) == NULL, "open", "no room");
    /* Answers until there is no room: DATA on what is gone. */
    in = from_hex(format == MUX_V1 ? "00010003 000000c9 ee" : "00000110 000000c9 ee");
    for (i = 0; i < 1000; i++) {
        n = mux_input(&side.m, in.at + taken, in.len - taken);
        if (n < (ssize_t)(in.len - taken)) {
            taken += (size_t)n;
            break;
        }
        taken = 0;
    }
    check(i > 50 && i < 200 && n >= 0, "input", "stops");
    check(mux_input(&side.m, in.at + taken, in.len - taken) == 0, "input", "still stops");
    check(pending() <= MUX_OUT, "out", "bounds");
    before = (size_t)i + (taken >= MUX_HEAD);
    while (pending() > 0) {
        size_t len = pending() < 999 ? pending() : 999;
        const unsigned char *bytes = mux_pending(&side.m, &(size_t){0});

        memcpy(side.out + side.out_len, bytes, len);
        side.out_len += len;
        mux_written(&side.m, len);
    }
    check(!side.m.owing, "owing", "nothing");
    for (i = 100; i < 600; i++) {
        char hex[64], about[64];
        unsigned long id = 3 + 2 * (unsigned long)i;

        snprintf(about, sizeof about, "stream %lu", id);
        snprintf(hex, sizeof hex, format == MUX_V1 ? "00000103 %08lx" : "00000011 %08lx", id);
        check(count_sent(hex) == (i < 300), "FIN", about);
        snprintf(hex, sizeof hex, format == MUX_V1 ? "00040002 %08lx 00000007" : "00000400 %08lx 00000007", id);
        check(count_sent(hex) == (i >= 300 && i < 400), "RST", about);
        if (i < 300 || i >= 400) {
            int ones, twos, threes;

            snprintf(hex, sizeof hex, format == MUX_V1 ? "00040004 %08lx 00000001" : "00000420 %08lx 00000001", id);
            ones = count_sent(hex);
            hex[strlen(hex) - 1] = '2';
            twos = count_sent(hex);
            hex[strlen(hex) - 1] = '3';
            threes = count_sent(hex);
            check(ones + 2 * twos + 3 * threes == 3 && ones == twos, "WNDINC", about);
        }
    }
    check(count_sent(format == MUX_V1 ? "00040002 000000c9 00000004" : "00000400 000000c9 00000004") == (int)before, "answers", "all");
    /* A whole session is still possible. */
    check(mux_input(&side.m, in.at + taken, in.len - taken) == (ssize_t)(in.len - taken), "input", "goes on");
    check(mux_open(&side.m, NULL) != NULL, "open", "room again");
    check(mux_room(&side.m, first, &before) != NULL && before > 10000, "room", "again");
    mux_goaway(&side.m, 0);
    check(mux_input(&side.m, in.at, in.len) == (ssize_t)in.len, "input", "after GOAWAY");
    free(in.at);
    finish();
}

/* GOAWAY finds room always. */
static void run_full_goaway(enum mux_format format)
{
    struct bytes bad = from_hex("000000ff 80000000"), stray;
    ssize_t n = 0;

    begin(format, true, 10);
    perform("or");
    side.out_len = 0;
    stray = from_hex(format == MUX_V1 ? "00010003 00000003 ee" : "00000110 00000003 ee");
    do {
        n = mux_input(&side.m, stray.at, stray.len);
    } while (n == (ssize_t)stray.len);
    check(n >= 0 && pending() <= MUX_OUT - 16 && pending() > MUX_OUT - 60, "out", "full of answers");
    mux_goaway(&side.m, 9);
    check(pending() <= MUX_OUT && pending() > MUX_OUT - 60, "out", "and GOAWAY");
    drain();
    check(side.out[side.out_len - 1] == 9, "GOAWAY", "is the last");
    check(mux_input(&side.m, stray.at + n, stray.len - (size_t)n) == (ssize_t)stray.len - n, "input", "goes on");
    drain();
    check(mux_input(&side.m, bad.at, bad.len) == -1, "bad", "after GOAWAY");
    check(pending() == 0, "GOAWAY", "is said once");
    free(bad.at);
    free(stray.at);
    finish();
}

/* What may be put at once. */
static void run_room(void)
{
    size_t len, all = 0;

    begin(MUX_V1, true, 2);
    perform("o");
    check(mux_room(&side.m, side.last, &len) != NULL && len == 16383, "room", "v1's longest frame");
    mux_sent(&side.m, side.last, 0);
    check(pending() == 0, "room", "nothing was put");
    for (int i = 0; i < 4; i++) {
        put(16383);
        all += 16383;
    }
    check(mux_room(&side.m, side.last, &len) != NULL && len == 65536 - all, "room", "the window's rest");
    put(4);
    check(mux_room(&side.m, side.last, &len) == NULL && side.last->may_send == 0, "room", "the window is used up");
    given("00040004 00000003 00000003");
    told("window 3 3;");
    check(mux_room(&side.m, side.last, &len) != NULL && len == 3, "room", "the window's new rest");
    mux_end(&side.m, side.last);
    check(mux_room(&side.m, side.last, &len) == NULL, "room", "none after FIN");
    mux_end(&side.m, side.last);
    side.out_len = 0;
    sent("00000103 00000003", "FIN once");
    finish();
    begin(MUX_V2, true, 2);
    perform("o");
    check(mux_room(&side.m, side.last, &len) != NULL && len > 60000 && len < MUX_OUT, "room", "v2: all of out");
    finish();
}

/*
 * Two machines and two pipes. Each side opens streams; of each stream, side and
 * place what byte there is, and how many, is computed. What the streams send
 * and what comes is counted against the windows by another parser.
 */

#define FLOWS 100
#define IDS (FLOWS + 10)
#define PIPE 30000

/* One side's end of a stream. Pairs find each other by id. */
struct flow {
    struct mux_stream *s;       /* NULL: not yet, or no more */
    uint32_t id;
    size_t sends, sent, got, unread;
    bool used, ended, finished, was_reset, stalled;
};

struct wire {
    unsigned char bytes[PIPE];
    size_t len;
};

struct parser {
    unsigned char head[12];
    size_t len, rest;
    bool number;
};

static struct end {
    struct mux m;
    struct flow flows[IDS];         /* by id */
    int opened;
    struct wire wire;           /* to the other */
    struct parser sends, gets;
    long long credit[IDS];          /* what it may send still */
} ends[2];

static uint32_t seed;
static long resets_made, stalls_made, full_made, stray_made;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint32_t h = a * 2654435761u ^ b * 2246822519u;

    h ^= h >> 15;
    h *= 2654435761u;
    return h ^ h >> 13;
}

static unsigned char byte_of(uint32_t id, int who, size_t at)
{
    return (unsigned char)mix(id * 2 + (uint32_t)who, (uint32_t)at);
}

static uint32_t pair_seed;

static size_t size_of(uint32_t id, int who)
{
    uint32_t h = mix(id * 2 + (uint32_t)who, pair_seed);

    return h % 4 == 0 ? h / 4 % 10 : h / 4 % 150000;
}

/* The side that breaks the stream off, and where; or 2. */
static int resetter(uint32_t id, size_t *at)
{
    uint32_t h = mix(id, pair_seed + 1);

    *at = h / 8 % 60000;
    return h % 8 == 0 ? (int)(h >> 30 & 1) : 2;
}

static int who(const struct end *e)
{
    return e == &ends[1];
}

static struct flow *flow_of(struct end *e, uint32_t id)
{
    return &e->flows[id];
}

static void start_flow(struct end *e, struct mux_stream *s)
{
    struct flow *f = flow_of(e, s->id);

    check(!f->used, "stream", "opened twice");
    memset(f, 0, sizeof *f);
    f->s = s;
    f->id = s->id;
    f->used = true;
    f->sends = size_of(s->id, who(e));
    f->stalled = chance(10) == 0;
    stalls_made += f->stalled;
    s->owner = f;
}

static uint32_t pair_opened(void *owner, struct mux_stream *s)
{
    start_flow(owner, s);
    return 0;
}

static void pair_data(void *owner, struct mux_stream *s, const unsigned char *bytes, size_t len)
{
    struct flow *f = s->owner;
    bool same = true;

    for (size_t i = 0; i < len; i++)
        same = same && bytes[i] == byte_of(f->id, !who(owner), f->got + i);
    check(same && !f->ended, "pair", "bytes that come");
    f->got += len;
    f->unread += len;
    check(f->unread <= mux_window(((struct end *)owner)->m.format), "pair", "no more than the window waits");
}

static void pair_ended(void *owner, struct mux_stream *s)
{
    struct flow *f = s->owner;

    check(!f->ended && f->got == size_of(f->id, !who(owner)), "pair", "all has come at the end");
    f->ended = true;
    if (f->finished)
        f->s = NULL;
}

static void pair_window(void *owner, struct mux_stream *s)
{
    (void)owner;
    check(s->may_send > 0, "pair", "window");
}

static void pair_reset(void *owner, struct mux_stream *s, uint32_t code)
{
    struct flow *f = s->owner;
    size_t at;

    check(code == MUX_RESET && resetter(f->id, &at) == !who(owner), "pair", "reset by the other");
    f->was_reset = true;
    f->s = NULL;
}

static void pair_goaway(void *owner, uint32_t code)
{
    (void)owner;
    (void)code;
    check(false, "pair", "goaway");
}

static const struct mux_hooks pair_hooks = {pair_opened, pair_data, pair_ended, pair_window, pair_reset, pair_goaway};

/* Another parser: what passes, by the wire's own words. `e` is who sends it; its credit is used, or the other's grows. */
static void count(struct end *e, struct parser *p, bool delivered, const unsigned char *bytes, size_t len)
{
    enum mux_format format = e->m.format;

    for (size_t i = 0; i < len; i++) {
        const unsigned char *h = p->head;
        size_t length;
        unsigned type, id;

        if (p->rest > 0) {
            p->rest--;
            if (p->number && p->len < 12)
                p->head[p->len++] = bytes[i];
            if (p->rest == 0 && p->number && delivered) {
                id = (unsigned)h[6] << 8 | h[7];
                ends[!who(e)].credit[id] += (long)((unsigned long)h[8] << 24 | (unsigned long)h[9] << 16 | h[10] << 8 | h[11]);
            }
            if (p->rest == 0)
                p->len = 0;
            continue;
        }
        p->head[p->len++] = bytes[i];
        if (p->len < 8)
            continue;
        id = (unsigned)h[6] << 8 | h[7];
        length = format == MUX_V1 ? (size_t)h[0] << 8 | h[1] : (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
        type = format == MUX_V1 ? h[3] : h[3] >> 4;
        p->rest = length;
        p->number = type == (format == MUX_V1 ? 4 : 2);
        if (type == (format == MUX_V1 ? 3 : 1) && !delivered) {
            e->credit[id] -= (long)length;
            check(e->credit[id] >= 0, "pair", "no more is sent than may be");
            check(length <= (format == MUX_V1 ? 16383 : 0xffffff), "pair", "no longer frame than there may be");
        }
        if (type == (format == MUX_V1 ? 2 : 0) && !delivered)
            stray_made++;
        if (p->rest == 0)
            p->len = 0;
    }
}

static void move_out(struct end *e)
{
    size_t len, room = sizeof e->wire.bytes - e->wire.len, most = 1 + chance(chance(4) == 0 ? 20000 : 300);
    const unsigned char *bytes = mux_pending(&e->m, &len);

    check(len <= MUX_OUT, "pair", "out");
    if (len > most)
        len = most;
    if (len > room)
        len = room;
    if (len == 0)
        return;
    count(e, &e->sends, false, bytes, len);
    memcpy(e->wire.bytes + e->wire.len, bytes, len);
    e->wire.len += len;
    mux_written(&e->m, len);
}

static void move_in(struct end *e)
{
    struct wire *w = &ends[!who(e)].wire;
    size_t len = 1 + chance(chance(4) == 0 ? 20000 : 300);
    unsigned char *copy;
    ssize_t n;

    if (len > w->len)
        len = w->len;
    if (len == 0)
        return;
    copy = allocate(len);
    memcpy(copy, w->bytes, len);
    n = mux_input(&e->m, copy, len);
    free(copy);
    check(n >= 0, "pair", "input");
    if (n < 0)
        exit(1);
    count(&ends[!who(e)], &e->gets, true, w->bytes, (size_t)n);
    w->len -= (size_t)n;
    memmove(w->bytes, w->bytes + n, w->len);
}

static void finish_flow(struct end *e, struct flow *f)
{
    f->finished = true;
    mux_end(&e->m, f->s);
    if (f->ended)
        f->s = NULL;
}

static void work(struct end *e, struct flow *f)
{
    size_t at, len, most;
    unsigned char *to;

    if (f->s == NULL)
        return;
    if (resetter(f->id, &at) == who(e) && f->sent + f->got > at) {
        mux_reset(&e->m, f->s, MUX_RESET);
        resets_made++;
        f->was_reset = true;
        f->s = NULL;
        return;
    }
    if (f->stalled)
        f->stalled = chance(400) != 0;
    if (f->unread > 0 && !f->stalled) {
        len = 1 + chance((uint32_t)f->unread);
        f->unread -= len;
        mux_consumed(&e->m, f->s, len);
    }
    if (f->finished)
        return;
    to = f->sent < f->sends ? mux_room(&e->m, f->s, &len) : NULL;
    full_made += to == NULL && f->sent < f->sends && f->s->may_send > 0;
    if (to != NULL) {
        most = chance(3) == 0 ? 1 + chance(20000) : 1 + chance(200);
        if (len > most)
            len = most;
        if (len > f->sends - f->sent)
            len = f->sends - f->sent;
        for (size_t i = 0; i < len; i++)
            to[i] = byte_of(f->id, who(e), f->sent + i);
        mux_sent(&e->m, f->s, len);
        f->sent += len;
    }
    if (f->sent == f->sends)
        finish_flow(e, f);
}

static void begin_pair(enum mux_format format)
{
    memset(ends, 0, sizeof ends);
    for (int i = 0; i < 2; i++) {
        if (mux_init(&ends[i].m, format, i == 1, FLOWS, &pair_hooks, &ends[i]) != 0)
            exit(1);
        for (size_t id = 0; id < IDS; id++)
            ends[i].credit[id] = mux_window(format);
    }
}

/* Whether anything is left to do. */
static bool busy(void)
{
    size_t len;

    for (int i = 0; i < 2; i++) {
        mux_pending(&ends[i].m, &len);
        if (len > 0 || ends[i].wire.len > 0 || ends[i].opened < FLOWS / 2 || ends[i].m.left < FLOWS)
            return true;
    }
    return false;
}

static void run_pair(enum mux_format format, uint32_t number)
{
    long rounds = 0;
    int quiet[2] = {0, 0};
    char about[64];

    pair_seed = seed = number * 77 + (uint32_t)format;
    begin_pair(format);
    for (; busy() && rounds < 2000000; rounds++) {
        struct end *e = &ends[chance(2)];

        if (e->opened < FLOWS / 2 && chance(20) == 0) {
            struct mux_stream *s = mux_open(&e->m, NULL);

            if (s != NULL) {
                start_flow(e, s);
                e->opened++;
            }
        }
        /* Sometimes nothing is read for a while, and out fills up. */
        if (chance(2000) == 0)
            quiet[who(e)] = 400;
        if (quiet[who(e)] > 0)
            quiet[who(e)]--;
        else
            move_in(e);
        for (int i = 0; i < 8; i++)
            work(e, &e->flows[chance(IDS)]);
        move_out(e);
        if (chance(50) == 0 && mux_tick(&e->m, rounds / 100) < 0)
            check(false, "pair", "dead");
    }
    snprintf(about, sizeof about, "v%d number %lu", format + 1, (unsigned long)number);
    check(!busy(), "pair: it comes to an end", about);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < IDS; j++) {
            struct flow *f = &ends[i].flows[j];

            if (f->used)
                check(f->s == NULL && (f->was_reset || (f->ended && f->finished && f->sent == f->sends)), "pair: a stream", about);
        }
        free(ends[i].m.streams.records);
        free(ends[i].m.buckets);
    }
}

static void run_pairs(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        run_pair(MUX_V1, i);
        run_pair(MUX_V2, i);
    }
    check(resets_made > 0 && stalls_made > 0 && stray_made > resets_made && full_made > 0, "pair",
          "there were resets, stalls, stray RSTs, and no room in out");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "pair") == 0) {
        run_pairs(0, (uint32_t)strtoul(argv[2], NULL, 10));
        printf("%ld resets, %ld stalls, %ld RSTs in all, %ld times no room\n", resets_made, stalls_made, stray_made, full_made);
    } else if (argc > 1) {
        fprintf(stderr, "usage: %s [pair COUNT]\n", argv[0]);
        return 2;
    } else {
        run_formats();
        run_vectors();
        trace_relay();
        trace_server();
        run_ticks();
        run_beats();
        run_ids();
        run_room();
        for (int format = MUX_V1; format <= MUX_V2; format++) {
            run_full((enum mux_format)format);
            run_full_goaway((enum mux_format)format);
        }
    }
    printf("%d checks, %d wrong\n", checks, wrong);
    return wrong != 0;
}
