/*
 * messages: what the codec of the protocol `hostpool` makes of given bytes.
 *
 *     messages                         prints what is wrong, a line each; 0 only if nothing is
 *     messages parse KIND FILE...      prints what is in the message in each file
 *     messages hello VERSION           writes a frame; so do the next two
 *     messages welcome SESSION HOST PORT
 *     messages command VERSION TYPE SESSION
 *     messages make DIRECTORY COUNT    writes messages, good ones and bad ones: a file KIND-... each;
 *                                      those of the tables, their beginnings, and COUNT random ones of each kind
 *
 * KIND is hello, welcome or command. The random ones are the same every time.
 */
#include "check.h"

#include "../../lib/proto/hostpool_message.h"
#include "../../lib/proto/protobuf.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a message of 4096 bytes can be printed as, and more. */
#define SHOWN 512

enum kind { HELLO, WELCOME, COMMAND, KINDS };

static const char *const kinds[KINDS] = {"hello", "welcome", "command"};

/* Parsing, from a copy of exactly that size. */

static void show(enum kind kind, const unsigned char *message, size_t len, char out[SHOWN])
{
    unsigned char *copy = malloc(len > 0 ? len : 1);
    struct hostpool_welcome w;
    struct hostpool_command c;
    int32_t version;

    if (copy == NULL)
        exit(1);
    if (len > 0)
        memcpy(copy, message, len);
    snprintf(out, SHOWN, "bad");
    if (kind == HELLO && hostpool_hello_parse(copy, len, &version) == 0)
        snprintf(out, SHOWN, "version=%ld", (long)version);
    if (kind == WELCOME && hostpool_welcome_parse(copy, len, &w) == 0)
        snprintf(out, SHOWN, "session=%ld host=%s port=%u", (long)w.session, w.host, w.port);
    if (kind == COMMAND && hostpool_command_parse(copy, len, &c) == 0)
        snprintf(out, SHOWN, "version=%ld type=%ld session=%ld", (long)c.version, (long)c.type, (long)c.session);
    free(copy);
}

/* Messages. */

#define BYTES(s) s, sizeof s - 1
#define X4 "\x80\x80\x80\x80"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define HOST_255 HUNDRED HUNDRED TEN TEN TEN TEN TEN "01234"
#define TIMES_10(x) x x x x x x x x x x

struct message {
    enum kind kind;
    const char *about, *bytes;
    size_t len;
    const char *shown;
};

static const struct message messages[] = {
    {HELLO, "empty", BYTES(""), "version=0"},
    {HELLO, "version", BYTES("\x08\x01"), "version=1"},
    {HELLO, "largest", BYTES("\x08\xff\xff\xff\xff\x07"), "version=2147483647"},
    {HELLO, "minus-one", BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "version=-1"},
    {HELLO, "lowest", BYTES("\x08" X4 "\xf8\xff\xff\xff\xff\x01"), "version=-2147483648"},
    {HELLO, "31-bits-and-one", BYTES("\x08" X4 "\x08"), "version=-2147483648"},
    {HELLO, "33-bits", BYTES("\x08\x81\x80\x80\x80\x10"), "version=1"},
    {HELLO, "10-bytes", BYTES("\x08\x81" X4 X4 "\x00"), "version=1"},
    {HELLO, "10-bytes-65-bits", BYTES("\x08\x81" X4 X4 "\x7f"), "version=1"},
    {HELLO, "11-bytes", BYTES("\x08\x81" X4 X4 "\x80\x00"), "bad"},
    {HELLO, "no-value", BYTES("\x08"), "bad"},
    {HELLO, "no-end-of-value", BYTES("\x08\x80"), "bad"},
    {HELLO, "no-end-of-tag", BYTES("\x08\x01\x88"), "bad"},
    {HELLO, "twice", BYTES("\x08\x01\x08\x02"), "version=2"},
    {HELLO, "all-unknown", BYTES("\x10\x05\x11xxxxxxxx\x12\x03xxx\x13\x08\x07\x14\x15xxxx\x08\x01"), "version=1"},
    {HELLO, "known-as-64-bit", BYTES("\x08\x07\x09xxxxxxxx"), "version=7"},
    {HELLO, "known-as-bytes", BYTES("\x08\x07\x0a\x01x"), "version=7"},
    {HELLO, "known-as-group", BYTES("\x08\x07\x0b\x08\x09\x0c"), "version=7"},
    {HELLO, "known-as-32-bit", BYTES("\x08\x07\x0dxxxx"), "version=7"},
    {HELLO, "groups", BYTES("\x13\x1b\x0b\x08\x05\x0c\x11xxxxxxxx\x1c\x12\x02\x14\x14\x15xxxx\x14\x08\x01"), "version=1"},
    {HELLO, "group-empty", BYTES("\x13\x14"), "version=0"},
    {HELLO, "groups-100", BYTES(TIMES_10(TIMES_10("\x13")) TIMES_10(TIMES_10("\x14"))), "version=0"},
    {HELLO, "groups-101", BYTES("\x13" TIMES_10(TIMES_10("\x13")) TIMES_10(TIMES_10("\x14")) "\x14"), "bad"},
    {HELLO, "group-end-alone", BYTES("\x08\x01\x0c"), "bad"},
    {HELLO, "group-end-twice", BYTES("\x13\x14\x14"), "bad"},
    {HELLO, "group-open", BYTES("\x13\x08\x01"), "bad"},
    {HELLO, "group-end-of-another", BYTES("\x13\x1c"), "bad"},
    {HELLO, "groups-crossed", BYTES("\x13\x1b\x14\x1c"), "bad"},
    {HELLO, "group-malformed", BYTES("\x13\x08\x14"), "bad"},
    {HELLO, "number-0", BYTES("\x00\x01"), "bad"},
    {HELLO, "number-0-long", BYTES("\x80\x00\x01"), "bad"},
    {HELLO, "number-0-bytes", BYTES("\x02\x01x"), "bad"},
    {HELLO, "number-0-group", BYTES("\x03\x04"), "bad"},
    {HELLO, "number-largest", BYTES("\xf8\xff\xff\xff\x0f\x01\x08\x01"), "version=1"},
    {HELLO, "tag-5-bytes", BYTES("\x88\x80\x80\x80\x00\x01"), "version=1"},
    {HELLO, "tag-6-bytes", BYTES("\x88" X4 "\x00\x01"), "bad"},
    {HELLO, "type-6", BYTES("\x0e\x01"), "bad"},
    {HELLO, "type-7", BYTES("\x0f\x01"), "bad"},
    {HELLO, "type-6-unknown", BYTES("\x16"), "bad"},
    {HELLO, "64-bit-cut", BYTES("\x11xxxxxxx"), "bad"},
    {HELLO, "32-bit-cut", BYTES("\x15xxx"), "bad"},
    {HELLO, "bytes-cut", BYTES("\x12\x04xxx"), "bad"},
    {HELLO, "bytes-without-length", BYTES("\x12"), "bad"},
    {HELLO, "bytes-empty", BYTES("\x12\x00\x08\x01"), "version=1"},
    {HELLO, "length-long", BYTES("\x12\x83\x80\x80\x80\x00xxx\x08\x01"), "version=1"},
    {HELLO, "length-6-bytes", BYTES("\x12\x83" X4 "\x00xxx"), "bad"},
    {HELLO, "length-31-bits", BYTES("\x12\xff\xff\xff\xff\x07xxx"), "bad"},
    {HELLO, "length-33-bits", BYTES("\x12\x83\x80\x80\x80\x10xxx"), "bad"},
    {HELLO, "length-64-bits", BYTES("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01xxx"), "bad"},

    {WELCOME, "all", BYTES("\x08\x05\x12\x05relay\x1a\x04" "8002"), "session=5 host=relay port=8002"},
    {WELCOME, "backwards", BYTES("\x1a\x02" "80\x12\x01" "a\x08\xff\xff\xff\xff\x07"), "session=2147483647 host=a port=80"},
    {WELCOME, "negative", BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x01" "a\x1a\x01" "1"), "session=-1 host=a port=1"},
    {WELCOME, "no-session", BYTES("\x12\x01" "a\x1a\x05" "65535"), "session=0 host=a port=65535"},
    {WELCOME, "empty", BYTES(""), "bad"},
    {WELCOME, "no-host", BYTES("\x08\x05\x1a\x02" "80"), "bad"},
    {WELCOME, "no-port", BYTES("\x08\x05\x12\x01" "a"), "bad"},
    {WELCOME, "unknown", BYTES("\x12\x01" "a\x23\x1a\x02" "81\x24\x1a\x02" "80\x2a\x01x\x31xxxxxxxx\x3dxxxx\x40\x01"), "session=0 host=a port=80"},
    {WELCOME, "other-types", BYTES("\x0a\x01\x05\x12\x01" "a\x10\x05\x1a\x02" "80\x18\x51\x1dxxxx\x11xxxxxxxx"), "session=0 host=a port=80"},
    {WELCOME, "port-as-number", BYTES("\x12\x01" "a\x18\x50"), "bad"},
    {WELCOME, "host-as-group", BYTES("\x13\x12\x01" "a\x14\x1a\x02" "80"), "bad"},
    {WELCOME, "twice", BYTES("\x08\x01\x12\x01" "a\x1a\x01" "1\x08\x02\x12\x02" "bc\x1a\x01" "2"), "session=2 host=bc port=2"},
    {WELCOME, "twice-first-bad", BYTES("\x12\x01 \x1a\x01x\x12\x01" "a\x1a\x01" "1"), "session=0 host=a port=1"},
    {WELCOME, "twice-last-bad", BYTES("\x12\x01" "a\x1a\x01" "1\x12\x01/"), "bad"},
    {WELCOME, "twice-last-empty", BYTES("\x12\x01" "a\x1a\x01" "1\x12\x00"), "bad"},
    {WELCOME, "host-in4", BYTES("\x12\x09" "192.0.2.1\x1a\x02" "80"), "session=0 host=192.0.2.1 port=80"},
    {WELCOME, "host-in6", BYTES("\x12\x03::1\x1a\x02" "80"), "session=0 host=::1 port=80"},
    {WELCOME, "host-scope", BYTES("\x12\x0c" "fe80::1%eth0\x1a\x02" "80"), "session=0 host=fe80::1%eth0 port=80"},
    {WELCOME, "host-longest", BYTES("\x12\xff\x01" HOST_255 "\x1a\x02" "80"), "session=0 host=" HOST_255 " port=80"},
    {WELCOME, "host-too-long", BYTES("\x12\x80\x02" HOST_255 "x\x1a\x02" "80"), "bad"},
    {WELCOME, "host-much-too-long", BYTES("\x12\xfe\x03" HOST_255 HOST_255 "\x1a\x02" "80"), "bad"},
    {WELCOME, "host-space", BYTES("\x12\x03" "a b\x1a\x02" "80"), "bad"},
    {WELCOME, "host-newline", BYTES("\x12\x02" "a\n\x1a\x02" "80"), "bad"},
    {WELCOME, "host-option", BYTES("\x12\x02-a\x1a\x02" "80"), "bad"},
    {WELCOME, "host-nul", BYTES("\x12\x03" "a\0b\x1a\x02" "80"), "bad"},
    {WELCOME, "host-nul-behind", BYTES("\x12\x02" "a\0\x1a\x02" "80"), "bad"},
    {WELCOME, "host-utf8", BYTES("\x12\x02\xc3\xa4\x1a\x02" "80"), "bad"},
    {WELCOME, "host-no-utf8", BYTES("\x12\x01\xff\x1a\x02" "80"), "bad"},
    {WELCOME, "port-0", BYTES("\x12\x01" "a\x1a\x01" "0"), "bad"},
    {WELCOME, "port-65536", BYTES("\x12\x01" "a\x1a\x05" "65536"), "bad"},
    {WELCOME, "port-zeroes", BYTES("\x12\x01" "a\x1a\x05" "00080"), "session=0 host=a port=80"},
    {WELCOME, "port-long", BYTES("\x12\x01" "a\x1a\x06" "000080"), "bad"},
    {WELCOME, "port-empty", BYTES("\x12\x01" "a\x1a\x00"), "bad"},
    {WELCOME, "port-sign", BYTES("\x12\x01" "a\x1a\x03+80"), "bad"},
    {WELCOME, "port-negative", BYTES("\x12\x01" "a\x1a\x02-1"), "bad"},
    {WELCOME, "port-space", BYTES("\x12\x01" "a\x1a\x03 80"), "bad"},
    {WELCOME, "port-letter", BYTES("\x12\x01" "a\x1a\x03" "80x"), "bad"},
    {WELCOME, "port-nul", BYTES("\x12\x01" "a\x1a\x03" "80\0"), "bad"},
    {WELCOME, "group-open", BYTES("\x12\x01" "a\x1a\x02" "80\x23"), "bad"},
    {WELCOME, "bytes-cut", BYTES("\x12\x01" "a\x1a\x03" "80"), "bad"},

    {COMMAND, "open", BYTES("\x08\x01\x10\x00\x1a\x02\x08\x07"), "version=1 type=0 session=7"},
    {COMMAND, "drop", BYTES("\x08\x01\x10\x01\x22\x02\x08\x07"), "version=1 type=1 session=7"},
    {COMMAND, "empty", BYTES(""), "version=0 type=0 session=0"},
    {COMMAND, "no-session", BYTES("\x08\x01\x10\x00"), "version=1 type=0 session=0"},
    {COMMAND, "session-default", BYTES("\x08\x01\x10\x01\x22\x00"), "version=1 type=1 session=0"},
    {COMMAND, "no-type", BYTES("\x08\x01\x1a\x02\x08\x07"), "version=1 type=0 session=7"},
    {COMMAND, "open-with-both", BYTES("\x08\x01\x10\x00\x1a\x02\x08\x07\x22\x02\x08\x09"), "version=1 type=0 session=7"},
    {COMMAND, "drop-with-both", BYTES("\x08\x01\x10\x01\x1a\x02\x08\x07\x22\x02\x08\x09"), "version=1 type=1 session=9"},
    {COMMAND, "drop-with-open", BYTES("\x08\x01\x10\x01\x1a\x02\x08\x07"), "version=1 type=1 session=0"},
    {COMMAND, "backwards", BYTES("\x22\x02\x08\x09\x10\x01\x08\x01"), "version=1 type=1 session=9"},
    {COMMAND, "merged-with-empty", BYTES("\x1a\x02\x08\x07\x1a\x00"), "version=0 type=0 session=7"},
    {COMMAND, "merged-with-unknown", BYTES("\x1a\x02\x08\x07\x1a\x02\x10\x09"), "version=0 type=0 session=7"},
    {COMMAND, "merged-with-another", BYTES("\x1a\x02\x08\x07\x10\x00\x1a\x02\x08\x09"), "version=0 type=0 session=9"},
    {COMMAND, "merged-with-zero", BYTES("\x1a\x02\x08\x07\x1a\x02\x08\x00"), "version=0 type=0 session=0"},
    {COMMAND, "negative", BYTES("\x1a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "version=0 type=0 session=-1"},
    {COMMAND, "another-type", BYTES("\x08\x01\x10\x02\x1a\x02\x08\x07\x22\x02\x08\x09"), "version=1 type=2 session=0"},
    {COMMAND, "negative-type", BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "version=0 type=-1 session=0"},
    {COMMAND, "type-twice", BYTES("\x10\x05\x10\x01\x22\x02\x08\x07"), "version=0 type=1 session=7"},
    {COMMAND, "type-33-bits", BYTES("\x10\x81\x80\x80\x80\x10\x22\x02\x08\x07"), "version=0 type=1 session=7"},
    {COMMAND, "open-as-number", BYTES("\x08\x01\x10\x00\x18\x07"), "version=1 type=0 session=0"},
    {COMMAND, "open-as-group", BYTES("\x08\x01\x10\x00\x1b\x08\x07\x1c"), "version=1 type=0 session=0"},
    {COMMAND, "session-as-bytes", BYTES("\x1a\x05\x08\x07\x0a\x01\x09"), "version=0 type=0 session=7"},
    {COMMAND, "unknown", BYTES("\x2a\x03\x08\x80\x80\x35xxxx\x39xxxxxxxx\x43\x1a\x02\x08\x05\x44\x48\x00\x1a\x02\x08\x07"), "version=0 type=0 session=7"},
    {COMMAND, "group-inside", BYTES("\x1a\x06\x13\x08\x05\x14\x08\x07"), "version=0 type=0 session=7"},
    {COMMAND, "cut-inside", BYTES("\x1a\x01\x08\x07"), "bad"},
    {COMMAND, "cut-inside-unused", BYTES("\x10\x01\x1a\x01\x08\x22\x02\x08\x07"), "bad"},
    {COMMAND, "cut-inside-drop", BYTES("\x10\x01\x22\x01\x08"), "bad"},
    {COMMAND, "cut-inside-first", BYTES("\x1a\x01\x08\x1a\x02\x08\x07"), "bad"},
    {COMMAND, "group-beyond-inside", BYTES("\x1a\x01\x0b\x0c"), "bad"},
    {COMMAND, "group-end-inside", BYTES("\x1a\x01\x0c"), "bad"},
    {COMMAND, "number-0-inside", BYTES("\x1a\x02\x00\x07"), "bad"},
    {COMMAND, "length-beyond", BYTES("\x1a\x03\x08\x07"), "bad"},
};

#define MESSAGES (sizeof messages / sizeof *messages)

static void parsing(void)
{
    char shown[SHOWN];

    for (size_t i = 0; i < MESSAGES; i++) {
        const struct message *m = &messages[i];

        show(m->kind, (const unsigned char *)m->bytes, m->len, shown);
        check(strcmp(shown, m->shown) == 0, m->about, shown);
    }
    /* The tag's 33rd bit: others cut it off, which makes it field 1 with a number. */
    show(HELLO, (const unsigned char *)"\x88\x80\x80\x80\x10\x01", 6, shown);
    check(strcmp(shown, "bad") == 0, "a number above the largest", shown);
}

/* The fields that are not in a message of ours. */
static void fields(void)
{
    static const unsigned char bytes[] = "\xa1\x06" "12345678" "\xad\x06" "1234" "\xb2\x06\x02" "ab" "\xb8\x06\x96\x01";
    struct pb_in in = {bytes, sizeof bytes - 1};
    struct pb_field f;

    check(pb_next(&in, &f) == 1 && f.number == 100 && f.type == PB_I64 && f.len == 8 && f.bytes == bytes + 2, "pb_next", "64 bits");
    check(pb_next(&in, &f) == 1 && f.number == 101 && f.type == PB_I32 && f.len == 4 && f.bytes == bytes + 12, "pb_next", "32 bits");
    check(pb_next(&in, &f) == 1 && f.number == 102 && f.type == PB_LEN && f.len == 2 && f.bytes == bytes + 19, "pb_next", "bytes");
    check(pb_next(&in, &f) == 1 && f.number == 103 && f.type == PB_VARINT && f.value == 150, "pb_next", "150");
    check(pb_next(&in, &f) == 0 && pb_next(&in, &f) == 0, "pb_next", "the end");
    in.left = 0;
    in.bytes = NULL;
    check(pb_next(&in, &f) == 0, "pb_next", "nothing");
}

/* What does not fit is not written in part, and nothing is written behind it. */
static void room(void)
{
    static const char wanted[] = "\xf8\xff\xff\xff\x0f\x05\x12\x03\0ab";
    unsigned char bytes[sizeof wanted];

    for (size_t size = 0; size < sizeof wanted; size++) {
        struct pb_out o = {bytes, size, 0, false};

        memset(bytes, 'x', sizeof bytes);
        pb_put_int32(&o, PB_NUMBER_MAX, 5);
        pb_put_bytes(&o, 2, "\0ab", 3);
        check(o.cut == (size < sizeof wanted - 1) && o.len <= size && memcmp(bytes, wanted, o.len) == 0 &&
              bytes[size] == 'x', "pb_put", "room");
    }
}

/* Frames. */

static void a_frame(const unsigned char *frame, size_t len)
{
    unsigned char longer[HOSTPOOL_HEAD + HOSTPOOL_LONGEST + 5];
    size_t got;

    for (size_t part = 0; part < len; part++)
        check(hostpool_frame(frame, part, &got) == HOSTPOOL_MORE && got == (part < HOSTPOOL_HEAD ? HOSTPOOL_HEAD : len),
              "hostpool_frame", "a part of a frame");
    memcpy(longer, frame, len);
    memset(longer + len, 0xff, 5);
    for (size_t more = 0; more <= 5; more++)
        check(hostpool_frame(longer, len + more, &got) == HOSTPOOL_WHOLE && got == len, "hostpool_frame", "a frame");
}

static void a_bad_frame(const char *head)
{
    size_t got;

    for (size_t part = 0; part < HOSTPOOL_HEAD; part++)
        check(hostpool_frame((const unsigned char *)head, part, &got) == HOSTPOOL_MORE && got == HOSTPOOL_HEAD, "hostpool_frame", "half a head");
    check(hostpool_frame((const unsigned char *)head, HOSTPOOL_HEAD, &got) == HOSTPOOL_BAD, "hostpool_frame", "too long");
}

static void frames(void)
{
    static unsigned char frame[HOSTPOOL_HEAD + HOSTPOOL_LONGEST];

    a_frame(frame, HOSTPOOL_HEAD);
    frame[3] = 1;
    a_frame(frame, HOSTPOOL_HEAD + 1);
    frame[3] = 0xff;
    a_frame(frame, HOSTPOOL_HEAD + 255);
    frame[2] = 1;
    a_frame(frame, HOSTPOOL_HEAD + 511);
    frame[2] = 0x10;
    frame[3] = 0;
    a_frame(frame, HOSTPOOL_HEAD + HOSTPOOL_LONGEST);
    a_bad_frame("\0\0\x10\1");
    a_bad_frame("\0\1\0\0");
    a_bad_frame("\1\0\0\0");
    a_bad_frame("\x80\0\0\0");
    a_bad_frame("\xff\xff\xff\xff");
    a_bad_frame("GET ");
}

/* Writing. */

/* Byte by byte, as a frame that reads back; what is missing at its end makes another message, or none. */
static void written(enum kind kind, const unsigned char *frame, size_t len, const char *wanted, size_t wanted_len, const char *shown)
{
    char got[SHOWN];

    check(len == wanted_len && len <= HOSTPOOL_WRITTEN && memcmp(frame, wanted, len) == 0, "writes", shown);
    a_frame(frame, len);
    show(kind, frame + HOSTPOOL_HEAD, len - HOSTPOOL_HEAD, got);
    check(strcmp(got, shown) == 0, got, shown);
    for (size_t part = HOSTPOOL_HEAD; part < len; part++) {
        show(kind, frame + HOSTPOOL_HEAD, part - HOSTPOOL_HEAD, got);
        check(strcmp(got, shown) != 0, "a part of a message", shown);
    }
}

static void hello(int32_t version, const char *wanted, size_t len, const char *shown)
{
    unsigned char frame[HOSTPOOL_WRITTEN];

    written(HELLO, frame, hostpool_hello_put(version, frame), wanted, len, shown);
}

static void welcome(int32_t session, const char *host, unsigned port, const char *wanted, size_t len, const char *shown)
{
    struct hostpool_welcome w = {session, "", port};
    unsigned char frame[HOSTPOOL_WRITTEN];

    snprintf(w.host, sizeof w.host, "%s", host);
    written(WELCOME, frame, hostpool_welcome_put(&w, frame), wanted, len, shown);
}

static void command(int32_t version, int32_t type, int32_t session, const char *wanted, size_t len, const char *shown)
{
    struct hostpool_command c = {version, type, session};
    unsigned char frame[HOSTPOOL_WRITTEN];

    written(COMMAND, frame, hostpool_command_put(&c, frame), wanted, len, shown);
}

static void writing(void)
{
    hello(1, BYTES("\0\0\0\2\x08\1"), "version=1");
    hello(300, BYTES("\0\0\0\3\x08\xac\2"), "version=300");
    hello(INT32_MAX, BYTES("\0\0\0\6\x08\xff\xff\xff\xff\7"), "version=2147483647");
    hello(-1, BYTES("\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), "version=-1");
    hello(INT32_MIN, BYTES("\0\0\0\x0b\x08" X4 "\xf8\xff\xff\xff\xff\1"), "version=-2147483648");
    welcome(7, "relay.example", 8002, BYTES("\0\0\0\x17\x08\7\x12\x0drelay.example\x1a\4" "8002"),
            "session=7 host=relay.example port=8002");
    welcome(0, "::1", 1, BYTES("\0\0\0\x0a\x08\0\x12\3::1\x1a\1" "1"), "session=0 host=::1 port=1");
    welcome(-1, HOST_255, 65535, BYTES("\0\0\1\x14\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x12\xff\1" HOST_255
                                       "\x1a\5" "65535"), "session=-1 host=" HOST_255 " port=65535");
    command(1, HOSTPOOL_OPEN, 7, BYTES("\0\0\0\x08\x08\1\x10\0\x1a\2\x08\7"), "version=1 type=0 session=7");
    command(1, HOSTPOOL_DROP, 300, BYTES("\0\0\0\x09\x08\1\x10\1\x22\3\x08\xac\2"), "version=1 type=1 session=300");
    command(1, HOSTPOOL_OPEN, INT32_MAX, BYTES("\0\0\0\x0c\x08\1\x10\0\x1a\6\x08\xff\xff\xff\xff\7"),
            "version=1 type=0 session=2147483647");
    command(-1, HOSTPOOL_DROP, -1, BYTES("\0\0\0\x1a\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x10\1\x22\x0b"
            "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), "version=-1 type=1 session=-1");
    command(1, 2, 0, BYTES("\0\0\0\4\x08\1\x10\2"), "version=1 type=2 session=0");
}

/* Zeroes are written, though nobody would miss them. */
static void zeroes(void)
{
    static const struct hostpool_command nothing;
    unsigned char frame[HOSTPOOL_WRITTEN];

    check(hostpool_hello_put(0, frame) == 6 && memcmp(frame, "\0\0\0\2\x08\0", 6) == 0, "writes", "a hello of zero");
    check(hostpool_command_put(&nothing, frame) == 12 && memcmp(frame, "\0\0\0\x08\x08\0\x10\0\x1a\2\x08\0", 12) == 0,
          "writes", "a command of zeroes");
}

/* Messages made at random. */

struct made {
    size_t len;
    unsigned char bytes[2048];
};

static uint32_t state = 2463534242u;

/* Marsaglia, Xorshift RNGs, 3. */
static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

static void add_byte(struct made *m, unsigned byte)
{
    if (m->len < sizeof m->bytes)
        m->bytes[m->len++] = (unsigned char)byte;
}

static void add_noise(struct made *m, size_t len)
{
    while (len-- > 0)
        add_byte(m, below(256));
}

/* Sometimes longer than need be. */
static void add_varint(struct made *m, uint64_t n)
{
    int padding = below(16) == 0 ? (int)below(5) : 0;

    for (; n >= 0x80; n >>= 7)
        add_byte(m, (unsigned)(n & 0x7f) | 0x80);
    add_byte(m, (unsigned)n | (padding > 0 ? 0x80 : 0));
    for (; padding > 0; padding--)
        add_byte(m, padding > 1 ? 0x80 : 0);
}

static void add_tag(struct made *m, uint32_t number, unsigned type)
{
    add_varint(m, (uint64_t)number << 3 | type);
}

static uint64_t a_number(void)
{
    static const uint64_t edges[] = {
        0, 1, 2, 127, 128, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001,
        0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000, 0xffffffffffffffff,
    };

    return below(2) == 0 ? below(300) : edges[below(sizeof edges / sizeof *edges)];
}

static void add_message(struct made *m, enum kind kind, int depth);

static void add_bytes(struct made *m, const void *bytes, size_t len)
{
    add_varint(m, len);
    for (size_t i = 0; i < len; i++)
        add_byte(m, ((const unsigned char *)bytes)[i]);
}

static void add_content(struct made *m, uint32_t number, int depth)
{
    static const char *const hosts[] = {"relay.example", "192.0.2.7", "2001:db8::7", "a b", "x", ""};
    static const char *const ports[] = {"8002", "1", "65535", "65536", "0", "port", "00080"};
    struct made inner = {0};
    const char *text = number == 2 ? hosts[below(6)] : ports[below(7)];

    switch (below(4)) {
    case 0:
        add_noise(&inner, below(6));
        break;
    case 1:
        add_message(&inner, HELLO, depth - 1);
        break;
    default:
        add_bytes(m, text, strlen(text));
        return;
    }
    add_bytes(m, inner.bytes, inner.len);
}

static void add_group(struct made *m, uint32_t number, int depth)
{
    add_tag(m, number, 3);
    add_message(m, COMMAND, depth - 1);
    if (below(12) != 0)
        add_tag(m, below(12) != 0 ? number : number + 1, 4);
}

static void add_field(struct made *m, uint32_t number, unsigned type, int depth)
{
    if (type == 3) {
        if (depth > 0)
            add_group(m, number, depth);
        return;
    }
    add_tag(m, number, type);
    if (type == PB_VARINT)
        add_varint(m, a_number());
    else if (type == PB_LEN && depth > 0)
        add_content(m, number, depth);
    else if (type == PB_LEN)
        add_bytes(m, "", 0);
    else
        add_noise(m, type == PB_I64 ? 8 : type == PB_I32 ? 4 : 0);
}

/* A field as the message has it. */
static void add_known(struct made *m, enum kind kind, int depth)
{
    uint32_t number = 1 + (kind == HELLO ? 0 : below(kind == WELCOME ? 3 : 4));
    bool bytes = kind == WELCOME ? number > 1 : number > 2;

    if (kind != COMMAND || number < 3) {
        add_field(m, number, bytes ? PB_LEN : PB_VARINT, depth);
    } else {
        struct made inner = {0};

        for (uint32_t i = below(3); i > 0; i--)
            add_field(&inner, 1, PB_VARINT, 0);
        if (below(4) == 0)
            add_message(&inner, HELLO, depth - 1);
        add_tag(m, number, PB_LEN);
        add_bytes(m, inner.bytes, inner.len);
    }
}

static void add_message(struct made *m, enum kind kind, int depth)
{
    static const uint32_t numbers[] = {1, 2, 3, 4, 5, 15, 16, 2047, 2048, PB_NUMBER_MAX};
    static const unsigned types[] = {PB_VARINT, PB_I64, PB_LEN, PB_LEN, 3, 3, PB_I32};

    if (depth < 0)
        return;
    for (uint32_t i = below(5); i > 0; i--) {
        if (below(2) == 0)
            add_known(m, kind, depth);
        else
            add_field(m, numbers[below(10)], below(30) == 0 ? 6 + below(2) : types[below(7)], depth);
    }
    if (kind == WELCOME && below(4) != 0) {     /* or hardly any were good */
        add_tag(m, 2, PB_LEN);
        add_bytes(m, "relay", 5);
        add_tag(m, 3, PB_LEN);
        add_bytes(m, "80", 2);
    }
}

static void change(struct made *m)
{
    size_t at = m->len > 0 ? below((uint32_t)m->len) : 0;

    if (m->len == 0 || m->len == sizeof m->bytes)
        return;
    switch (below(4)) {
    case 0:
        m->bytes[at] ^= (unsigned char)(1 << below(8));
        break;
    case 1:
        memmove(m->bytes + at, m->bytes + at + 1, m->len - at - 1);
        m->len--;
        break;
    case 2:
        memmove(m->bytes + at + 1, m->bytes + at, m->len - at);
        m->bytes[at] = (unsigned char)below(256);
        m->len++;
        break;
    default:
        m->len = at;
    }
}

static void make_random(struct made *m, enum kind kind)
{
    m->len = 0;
    if (below(10) == 0)
        add_noise(m, 1 + below(8));
    else
        add_message(m, kind, 3);
    for (uint32_t i = below(5) < 2 ? 1 + below(2) : 0; i > 0; i--)
        change(m);
}

static void save(const char *directory, enum kind kind, const char *about, long number, const void *bytes, size_t len)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, number < 0 ? "%s/%s-%s" : "%s/%s-%s-%ld", directory, kinds[kind], about, number);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

/* Of one message of each kind, the one that has most in it, also all beginnings. */
static int make(const char *directory, long count)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        const struct message *m = &messages[i];

        save(directory, m->kind, m->about, -1, m->bytes, m->len);
        if (strcmp(m->about, m->kind == HELLO ? "all-unknown" : "unknown") == 0)
            for (size_t part = 0; part < m->len; part++)
                save(directory, m->kind, "cut", (long)part, m->bytes, part);
    }
    for (enum kind kind = HELLO; kind < KINDS; kind++) {
        for (long i = 0; i < count; i++) {
            struct made m;

            make_random(&m, kind);
            save(directory, kind, "random", i, m.bytes, m.len);
        }
    }
    return 0;
}

/* Commands. */

static int parse_files(enum kind kind, char **paths)
{
    for (; *paths != NULL; paths++) {
        unsigned char bytes[HOSTPOOL_LONGEST];
        char shown[SHOWN];
        FILE *file = fopen(*paths, "rb");
        const char *slash = strrchr(*paths, '/');
        size_t len;

        if (file == NULL) {
            perror(*paths);
            return 1;
        }
        len = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        show(kind, bytes, len, shown);
        printf("%s %s\n", slash != NULL ? slash + 1 : *paths, shown);
    }
    return 0;
}

static int32_t number(const char *text)
{
    return (int32_t)strtol(text, NULL, 10);
}

static int write_frame(enum kind kind, char **args)
{
    unsigned char frame[HOSTPOOL_WRITTEN];
    struct hostpool_welcome w = {0};
    struct hostpool_command c = {0};
    size_t len;

    if (kind == HELLO) {
        len = hostpool_hello_put(number(args[0]), frame);
    } else if (kind == WELCOME) {
        w.session = number(args[0]);
        snprintf(w.host, sizeof w.host, "%s", args[1]);
        w.port = (unsigned)number(args[2]);
        len = hostpool_welcome_put(&w, frame);
    } else {
        c.version = number(args[0]);
        c.type = number(args[1]);
        c.session = number(args[2]);
        len = hostpool_command_put(&c, frame);
    }
    return fwrite(frame, 1, len, stdout) == len ? 0 : 1;
}

static enum kind kind_of(const char *name)
{
    enum kind kind = HELLO;

    while (kind < KINDS && strcmp(kinds[kind], name) != 0)
        kind++;
    return kind;
}

int main(int argc, char **argv)
{
    if (argc > 3 && strcmp(argv[1], "parse") == 0 && kind_of(argv[2]) < KINDS)
        return parse_files(kind_of(argv[2]), argv + 3);
    if (argc == 4 && strcmp(argv[1], "make") == 0)
        return make(argv[2], strtol(argv[3], NULL, 10));
    if (argc > 1 && kind_of(argv[1]) < KINDS && argc == (kind_of(argv[1]) == HELLO ? 3 : 5))
        return write_frame(kind_of(argv[1]), argv + 2);
    if (argc > 1) {
        fprintf(stderr, "usage: %s [parse KIND FILE... | make DIRECTORY COUNT | KIND FIELD...]\n", argv[0]);
        return 2;
    }
    parsing();
    fields();
    room();
    frames();
    writing();
    zeroes();
    printf("%d checks, %d wrong\n", checks, wrong);
    return wrong != 0;
}
