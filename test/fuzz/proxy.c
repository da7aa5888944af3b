/*
 * PROXY headers: one that is whole needs all its bytes and none behind them,
 * one that is bad stays so, and addresses come back as they are written.
 */
#include "fuzz.h"

#include "../../lib/proxy.h"

int fuzz_taken;

#define LONGEST (2 * PROXY_LONGEST)

static enum proxy_status parse(const uint8_t *bytes, size_t len, struct proxy_header *h)
{
    unsigned char *copy = (unsigned char *)fuzz_copy(bytes, len);
    enum proxy_status status = proxy_parse(copy, len, h);

    free(copy);
    return status;
}

static bool same(const struct addr *a, const struct addr *b)
{
    return addr_same_host(a, b) && addr_port(a) == addr_port(b);
}

static void check_whole(const uint8_t *bytes, size_t len, const struct proxy_header *h)
{
    struct proxy_header again;

    MUST(h->len > 0 && h->len <= len && h->len <= PROXY_LONGEST);
    MUST(parse(bytes, h->len, &again) == PROXY_WHOLE && again.len == h->len && again.known == h->known);
    MUST(!h->known || (same(&again.source, &h->source) && same(&again.destination, &h->destination)));
    for (size_t part = 0; part < h->len; part++)
        MUST(parse(bytes, part, &again) == PROXY_MORE);
}

static void check_written(int version, const struct proxy_header *h)
{
    unsigned char out[PROXY_WRITTEN];
    size_t len = proxy_write(version, &h->source, &h->destination, out);
    struct proxy_header again;

    MUST(len > 0 && len <= sizeof out);
    MUST(parse(out, len, &again) == PROXY_WHOLE && again.len == len && again.known);
    MUST(same(&again.source, &h->source) && same(&again.destination, &h->destination));
}

/* However much of it is seen at a time: more is wanted until it is bad, and then never again. */
static void check_bad(const uint8_t *bytes, size_t len)
{
    struct proxy_header h;
    bool bad = false;

    for (size_t part = 0; part <= len && part <= 256; part++) {
        enum proxy_status status = parse(bytes, part, &h);

        MUST(status != PROXY_WHOLE && (!bad || status == PROXY_BAD));
        bad = status == PROXY_BAD;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct proxy_header h;
    enum proxy_status status;

    if (len > LONGEST)
        return 0;
    status = parse(bytes, len, &h);
    fuzz_taken = status == PROXY_WHOLE;
    if (status == PROXY_BAD)
        check_bad(bytes, len);
    if (status == PROXY_MORE)
        MUST(len < PROXY_LONGEST);
    if (status != PROXY_WHOLE)
        return 0;
    check_whole(bytes, len, &h);
    if (h.known) {
        check_written(1, &h);
        check_written(2, &h);
    }
    return 0;
}
