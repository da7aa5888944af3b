/*
 * Lines of the protocol tlsrelay: what is taken is in its bounds, and what the
 * relay writes of it is taken for the same.
 */
#include "fuzz.h"

#include "../../lib/line.h"
#include "../../lib/proto/tlsrelay_line.h"
#include "../../lib/text.h"

int fuzz_taken;

static bool has_address(const struct tlsrelay_line *l)
{
    return l->word == TLSRELAY_PUBLIC || l->word == TLSRELAY_REVERSE;
}

static void check_fields(const struct tlsrelay_line *l, const char *bytes, size_t len)
{
    MUST(len > 0 && len < LINE_LONGEST && bytes[len - 1] == '\r' && memchr(bytes, '\0', len) == NULL);
    MUST(l->word == TLSRELAY_PUBLIC || l->word == TLSRELAY_REVERSE || l->word == TLSRELAY_CLIENT ||
         l->word == TLSRELAY_FULL);
    if (!has_address(l))
        return;
    MUST(memchr(l->host, '\0', sizeof l->host) != NULL && addr_host_valid(l->host));
    MUST(l->port >= 1 && l->port <= 65535);
}

/* As tlsrelay_relay does. */
static void write_line(struct text *t, const struct tlsrelay_line *l)
{
    static const char *const words[] = {
        [TLSRELAY_PUBLIC] = "public_listener",
        [TLSRELAY_REVERSE] = "reverse_listener",
        [TLSRELAY_CLIENT] = "new_connection",
        [TLSRELAY_FULL] = "no_available_listeners",
    };

    text_add(t, "%s", words[l->word]);
    if (has_address(l))
        text_add(t, strchr(l->host, ':') != NULL ? " [%s]:%u" : " %s:%u", l->host, l->port);
    text_add(t, "\r");
}

static void check_same(const struct tlsrelay_line *a, const struct tlsrelay_line *b)
{
    MUST(a->word == b->word);
    if (has_address(a))
        MUST(strcmp(a->host, b->host) == 0 && a->port == b->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *given = fuzz_copy(bytes, len), again[LINE_LONGEST];
    struct tlsrelay_line line, second;
    struct text t;

    fuzz_taken = tlsrelay_line_parse(given, len, &line) == 0;
    if (fuzz_taken) {
        check_fields(&line, given, len);
        text_init(&t, again, sizeof again);
        write_line(&t, &line);
        MUST(!t.cut && tlsrelay_line_parse(again, t.len, &second) == 0);
        check_same(&line, &second);
    }
    MUST(len == 0 || memcmp(given, bytes, len) == 0);
    free(given);
    return 0;
}
