/*
 * Bodies of HTTP/1.1: how the input is cut makes no difference, there is no more
 * content than input, and what is put in chunks comes out of them.
 *
 * Byte 0 says how the rest is cut, and what it is: in chunks, or with bit 0
 * content to put into some, or with bit 1 a body of so many bytes as bits 2 to 7 say.
 */
#include "fuzz.h"

#include "../../lib/http_body.h"

int fuzz_taken;

#define LONGEST 4096

/* What was made of a body. */
struct taken {
    struct http_body b;
    size_t len, used;
    bool bad;
    char content[LONGEST];
};

static struct taken whole, cut;

/* From memory of exactly that size. */
static void take(struct taken *t, const uint8_t *bytes, size_t len)
{
    char *copy = fuzz_copy(bytes, len);
    bool over = t->b.over;
    size_t used = len + 1;
    ssize_t got = http_body_take(&t->b, copy, len, &used);

    MUST(got >= -1 && got <= (ssize_t)len && used <= len && !(t->bad && got >= 0));
    MUST(copy[len] == '\0');
    t->bad = got < 0;
    if (!t->bad) {
        MUST(got <= (ssize_t)used && (used == len || t->b.over) && !(over && used > 0));
        memcpy(t->content + t->len, copy, (size_t)got);
        t->len += (size_t)got;
        t->used += used;
    }
    free(copy);
}

static void begin(struct taken *t, struct http_body b)
{
    t->b = b;
    t->len = t->used = 0;
    t->bad = false;
}

static size_t piece(unsigned *seed, size_t left)
{
    size_t len;

    *seed = *seed * 1103515245U + 12345U;
    len = (*seed >> 16) % (*seed >> 31 != 0 ? 4 : 90);
    return len < left ? len : left;
}

static void take_cut(struct http_body b, unsigned seed, const uint8_t *bytes, size_t len)
{
    begin(&cut, b);
    for (size_t at = 0, some; at < len; at += some) {
        some = piece(&seed, len - at);
        take(&cut, bytes + at, some);
    }
}

static bool check_cuts(struct http_body b, unsigned seed, const uint8_t *bytes, size_t len)
{
    begin(&whole, b);
    take(&whole, bytes, len);
    take_cut(b, seed, bytes, len);
    MUST(whole.bad == cut.bad && whole.b.state == cut.b.state && whole.b.over == cut.b.over);
    if (whole.bad)
        return false;
    MUST(whole.b.left == cut.b.left && whole.b.framing == cut.b.framing && whole.used == cut.used);
    MUST(whole.len == cut.len && memcmp(whole.content, cut.content, whole.len) == 0);
    return true;
}

static void check_written(unsigned seed, const uint8_t *bytes, size_t len)
{
    static uint8_t stream[LONGEST * (1 + HTTP_CHUNK_BEFORE + HTTP_CHUNK_BEHIND)];
    unsigned cuts = seed;
    size_t out = 0;

    for (size_t at = 0, some; at < len; at += some) {
        char frame[HTTP_CHUNK_BEFORE + 90 + HTTP_CHUNK_BEHIND];
        size_t begun;

        some = piece(&seed, len - at);
        if (some == 0)
            continue;
        memcpy(frame + HTTP_CHUNK_BEFORE, bytes + at, some);
        begun = http_chunk_wrap(frame, some);
        MUST(begun < HTTP_CHUNK_BEFORE);
        memcpy(stream + out, frame + begun, HTTP_CHUNK_BEFORE + some + HTTP_CHUNK_BEHIND - begun);
        out += HTTP_CHUNK_BEFORE + some + HTTP_CHUNK_BEHIND - begun;
    }
    take_cut(http_body_in_chunks(), cuts, stream, out);
    MUST(!cut.bad && !cut.b.over && cut.len == len && memcmp(cut.content, bytes, len) == 0);
    http_chunk_last((char *)stream + out);
    MUST(check_cuts(http_body_in_chunks(), cuts + 1, stream, out + HTTP_LAST_CHUNK));
    MUST(whole.b.over && whole.used == out + HTTP_LAST_CHUNK);
    MUST(whole.len == len && memcmp(whole.content, bytes, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    unsigned how;

    fuzz_taken = 0;
    if (len == 0 || len > LONGEST)
        return 0;
    how = bytes[0];
    bytes++;
    len--;
    if (how & 1) {
        check_written(how, bytes, len);
        fuzz_taken = 1;
    } else if (how & 2) {
        MUST(check_cuts(http_body_of_length(how >> 2), how, bytes, len));
        MUST(whole.len == (len < how >> 2 ? len : how >> 2) && whole.b.over == (len >= how >> 2));
        fuzz_taken = 1;
    } else {
        fuzz_taken = check_cuts(http_body_in_chunks(), how, bytes, len) && whole.b.over;
    }
    return 0;
}
