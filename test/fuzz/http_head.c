/*
 * Heads of HTTP/1.1: where one ends does not depend on what follows, one that is
 * bad stays so, and what was taken apart reads the same when it is written again.
 */
#include "fuzz.h"

#include "../../lib/http_head.h"

int fuzz_taken;

#define LONGEST 2048

/* What was read of a head, either kind. */
struct message {
    bool is_request, is_answer;
    struct http_request r;
    struct http_answer a;
    char *first, *second;       /* where they are */
};

static long end_of(const uint8_t *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    long end;

    MUST(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    end = http_head_end(copy, len);
    free(copy);
    return end;
}

static void parse(struct message *m, const void *bytes, size_t len)
{
    m->first = fuzz_copy(bytes, len);
    m->second = fuzz_copy(bytes, len);
    m->is_request = http_request_parse(&m->r, m->first, len) == 0;
    m->is_answer = http_answer_parse(&m->a, m->second, len) == 0;
    MUST(!m->is_request || !m->is_answer);
}

static void forget(struct message *m)
{
    free(m->first);
    free(m->second);
}

/* Each beginning wants more until it is whole, or bad. */
static void check_beginnings(const uint8_t *bytes, size_t len, long end)
{
    size_t part = 0;

    while (part <= len && end_of(bytes, part) == 0)
        part++;
    MUST(end != 0 || part == len + 1);
    MUST(end <= 0 || part == (size_t)end);
    for (; part <= len; part++)
        MUST(end_of(bytes, part) == end);
}

/* CR and LF are together, and nowhere else; the last line is empty. */
static void check_line_ends(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        MUST(bytes[i] != '\0' && bytes[i] != 0x7f);
        MUST((bytes[i] == '\r') == (i + 1 < len && bytes[i + 1] == '\n'));
        MUST((bytes[i] == '\n') == (i > 0 && bytes[i - 1] == '\r'));
    }
    MUST(len >= 4 && memcmp(bytes + len - 4, "\r\n\r\n", 4) == 0);
}

static void check_framing(const struct http_body *b, const char *fields, int minor)
{
    int lengths = http_field_count(fields, "content-length"), codings = http_field_count(fields, "TRANSFER-ENCODING");

    MUST(lengths + codings <= 1 && (codings == 0 || minor == 1));
    MUST(b->kind != HTTP_BODY_CHUNKED || (codings == 1 && !b->over));
    MUST(b->kind != HTTP_BODY_LENGTH || b->over == (b->left == 0));
    MUST(b->left <= 1ULL << 62 && b->framing == 0);
}

static size_t add(char *out, size_t at, const char *string)
{
    strcpy(out + at, string);
    return at + strlen(string);
}

static size_t add_fields(char *out, size_t at, const char *fields)
{
    while (*fields != '\0') {
        const char *value = fields + strlen(fields) + 1;

        MUST(http_field(fields, fields) == value && http_field_count(fields, fields) > 0);
        MUST(strcspn(value, " \t") > 0 || *value == '\0');
        at = add(out, at, fields);
        at = add(out, at, ":");
        at = add(out, at, value);
        at = add(out, at, "\r\n");
        fields = value + strlen(value) + 1;
    }
    return add(out, at, "\r\n");
}

static void same_fields(const char *a, const char *b)
{
    for (; *a != '\0'; a += strlen(a) + 1, b += strlen(b) + 1) {
        MUST(strcmp(a, b) == 0);
        a += strlen(a) + 1;
        b += strlen(b) + 1;
        MUST(strcmp(a, b) == 0);
    }
    MUST(*b == '\0');
}

static void same_body(const struct http_body *a, const struct http_body *b)
{
    MUST(a->kind == b->kind && a->state == b->state && a->over == b->over && a->left == b->left);
}

static void check_request(const struct http_request *r)
{
    char out[LONGEST + 64];
    struct message again;
    size_t len = add(out, 0, r->method);

    MUST(*r->method != '\0' && *r->target != '\0' && strchr(r->target, ' ') == NULL);
    MUST(strstr(r->target, "://") == NULL || *r->target == '/');
    MUST(http_field_count(r->fields, "host") <= 1 && http_field_count(r->fields, "host") >= r->minor);
    MUST(http_field_count(r->fields, "authorization") <= 1);
    MUST(r->has_body || (r->body.kind == HTTP_BODY_LENGTH && r->body.over));
    MUST(r->body.kind != HTTP_BODY_RAW && !(r->expects_continue && r->minor == 0));
    check_framing(&r->body, r->fields, r->minor);
    len = add(out, len, " ");
    len = add(out, len, r->target);
    len = add(out, len, r->minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    len = add_fields(out, len, r->fields);
    parse(&again, out, len);
    MUST(again.is_request && strcmp(again.r.method, r->method) == 0 && strcmp(again.r.target, r->target) == 0);
    MUST(again.r.minor == r->minor && again.r.keep_alive == r->keep_alive && again.r.has_body == r->has_body);
    MUST(again.r.expects_continue == r->expects_continue);
    same_body(&again.r.body, &r->body);
    same_fields(again.r.fields, r->fields);
    forget(&again);
}

static void check_answer(const struct http_answer *a)
{
    char out[LONGEST + 64];
    struct message again;
    size_t len = (size_t)sprintf(out, "HTTP/1.%d %d ", a->minor, a->status);

    MUST(a->status >= 100 && a->status <= 999 && strpbrk(a->reason, "\r\n") == NULL);
    MUST(a->body.kind != HTTP_BODY_RAW || !a->keep_alive);
    MUST(a->body.over || (a->status >= 200 && a->status != 204 && a->status != 304));
    check_framing(&a->body, a->fields, a->minor);
    len = add(out, len, a->reason);
    len = add(out, len, "\r\n");
    len = add_fields(out, len, a->fields);
    parse(&again, out, len);
    MUST(again.is_answer && again.a.status == a->status && strcmp(again.a.reason, a->reason) == 0);
    MUST(again.a.minor == a->minor && again.a.keep_alive == a->keep_alive);
    same_body(&again.a.body, &a->body);
    same_fields(again.a.fields, a->fields);
    forget(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct message m;
    long end;

    fuzz_taken = 0;
    if (len > LONGEST)
        return 0;
    end = end_of(bytes, len);
    MUST(end >= -1 && end <= (long)len);
    check_beginnings(bytes, len, end);
    if (end > 0)
        check_line_ends(bytes, (size_t)end);
    parse(&m, bytes, end > 0 ? (size_t)end : len);
    MUST(end > 0 || (!m.is_request && !m.is_answer));
    fuzz_taken = m.is_request || m.is_answer;
    if (m.is_request)
        check_request(&m.r);
    if (m.is_answer)
        check_answer(&m.a);
    forget(&m);
    return 0;
}
