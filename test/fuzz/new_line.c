/*
 * Lines of the protocol `new`: what is taken is in its bounds, and what the
 * programs write of it is taken for the same.
 */
#include "fuzz.h"

#include "../../lib/line.h"
#include "../../lib/proto/new_line.h"
#include "../../lib/text.h"

int fuzz_taken;

static bool number_or_none(long n)
{
    return n >= -1 && n <= 65535;
}

static bool ends_within(const char *s, size_t size)
{
    return memchr(s, '\0', size) != NULL;
}

static void check_fields(const struct new_line *l, const char *bytes, size_t len)
{
    char hex[2 * SHA256_BYTES + 1];
    struct text t;

    MUST(len < LINE_LONGEST && bytes[0] == '[');
    MUST(number_or_none(l->version) && number_or_none(l->port) && number_or_none(l->want) && number_or_none(l->ready));
    MUST(ends_within(l->host, sizeof l->host) && (l->host[0] == '\0' || addr_host_valid(l->host)));
    MUST(ends_within(l->name, sizeof l->name) && (l->name[0] == '\0' || name_valid(l->name)));
    MUST(ends_within(l->port_text, sizeof l->port_text) && text_number(l->port_text, 65535) >= 0);
    MUST(l->nonce[0] == '\0' || strlen(l->nonce) == NEW_NONCE - 1);
    MUST(ends_within(l->code, sizeof l->code));
    MUST(l->word != NEW_PUBLIC || (l->host[0] != '\0' && l->port >= 0));
    MUST(l->word != NEW_NEW || l->port >= 0);
    MUST(l->word != NEW_PROOF || l->has_proof);
    MUST((l->word == NEW_ERROR) == (l->text != NULL));
    if (l->text != NULL)
        MUST(l->text > bytes && l->text <= bytes + len);
    if (!l->has_id)
        return;
    text_init(&t, hex, sizeof hex);
    text_hex(&t, l->id, sizeof l->id);
    MUST(strlen(l->id_text) == t.len);
    for (size_t i = 0; i < t.len; i++)
        MUST(l->id_text[i] == hex[i] || (l->id_text[i] | 0x20) == hex[i]);
}

static void add_address(struct text *t, const struct new_line *l)
{
    if (l->host[0] != '\0')
        text_add(t, strchr(l->host, ':') != NULL ? "[%s]:" : "%s:", l->host);
    text_add(t, "%u", (unsigned)l->port);
}

static void add_number(struct text *t, const char *key, long n)
{
    if (n >= 0)
        text_add(t, " %s=%u", key, (unsigned)n);
}

static void add_text(struct text *t, const char *key, const char *value)
{
    if (value[0] != '\0')
        text_add(t, " %s=%s", key, value);
}

static void add_proof(struct text *t, const char *before, const struct new_line *l)
{
    if (!l->has_proof)
        return;
    text_add(t, before);
    text_hex(t, l->proof, sizeof l->proof);
}

static void add_from(struct text *t, const struct new_line *l)
{
    char from[ADDR_TEXT];

    if (l->from.len > 0)
        text_add(t, " from=%s", addr_text(&l->from, from));
}

/* As new_relay, new_offer, new_wait, new_auth, new_server and new_ready write them. */
static void write_line(struct text *t, const struct new_line *l)
{
    switch (l->word) {
    case NEW_HELLO:
        text_add(t, "[HELLO]");
        add_number(t, "v", l->version);
        add_text(t, "name", l->name);
        if (l->port >= 0)
            text_add(t, " port=%s", l->port_text);
        add_number(t, "want", l->want);
        add_number(t, "ready", l->ready);
        add_text(t, "nonce", l->nonce);
        break;
    case NEW_PUBLIC:
        text_add(t, "[PUBLIC] ");
        add_address(t, l);
        break;
    case NEW_NEW:
        text_add(t, "[NEW]");
        add_address(t, l);
        if (l->has_id)
            text_add(t, " id=%s", l->id_text);
        add_from(t, l);
        break;
    case NEW_DATA:
        text_add(t, "[DATA]");
        if (l->has_id)
            text_add(t, " id=%s", l->id_text);
        add_proof(t, " proof=", l);
        break;
    case NEW_PING:
        text_add(t, "[PING]");
        break;
    case NEW_PONG:
        text_add(t, "[PONG]");
        break;
    case NEW_ERROR:
        text_add(t, "[ERROR] %s %s", l->code, l->text);
        break;
    case NEW_AUTH:
        text_add(t, "[AUTH]");
        add_text(t, "nonce", l->nonce);
        add_proof(t, " proof=", l);
        break;
    case NEW_PROOF:
        add_proof(t, "[PROOF] ", l);
        break;
    case NEW_READY:
        text_add(t, "[READY]");
        if (l->has_id)
            text_add(t, " id=%s", l->id_text);
        break;
    case NEW_START:
        text_add(t, "[START]");
        add_from(t, l);
        break;
    default:
        text_add(t, "[LATER]");
    }
}

static bool same_from(const struct addr *a, const struct addr *b)
{
    return a->len == b->len && (a->len == 0 || (addr_same_host(a, b) && addr_port(a) == addr_port(b)));
}

static void check_same(const struct new_line *a, const struct new_line *b)
{
    MUST(a->word == b->word && a->version == b->version && a->port == b->port && a->want == b->want &&
         a->ready == b->ready);
    MUST(strcmp(a->host, b->host) == 0 && strcmp(a->name, b->name) == 0 && strcmp(a->port_text, b->port_text) == 0);
    MUST(strcmp(a->nonce, b->nonce) == 0 && strcmp(a->code, b->code) == 0);
    MUST(a->has_id == b->has_id && memcmp(a->id, b->id, sizeof a->id) == 0 && strcmp(a->id_text, b->id_text) == 0);
    MUST(a->has_proof == b->has_proof && memcmp(a->proof, b->proof, sizeof a->proof) == 0);
    MUST(same_from(&a->from, &b->from));
    MUST(a->text == NULL || strcmp(a->text, b->text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *given = fuzz_copy(bytes, len), again[2 * LINE_LONGEST];
    struct new_line line, second;
    struct text t;

    fuzz_taken = new_line_parse(given, len, &line) == 0;
    if (fuzz_taken) {
        check_fields(&line, given, len);
        text_init(&t, again, sizeof again);
        write_line(&t, &line);
        MUST(!t.cut && new_line_parse(again, t.len, &second) == 0);
        check_same(&line, &second);
    }
    MUST(len == 0 || memcmp(given, bytes, len) == 0);
    free(given);
    return 0;
}
