/*
 * http_head: heads of HTTP/1.1 messages taken apart. See http_head.h.
 */
#include "http_head.h"

#include <string.h>

/* The longest body: beyond what any has, and its sums fit everywhere. */
#define LONGEST_BODY (1ULL << 62)

/* Where a head ends. */

/* What was not looked at yet. What stops before the end stands at the byte that is wrong. */
struct scan {
    const char *at, *end;
};

/* Sets of bytes. */
enum set { TOKEN, VISIBLE, TEXT, DIGIT, FIRST_DIGIT };

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_in(enum set set, unsigned char c)
{
    switch (set) {
    case TEXT:
        return c == '\t' || (c >= ' ' && c != 0x7f);
    case VISIBLE:
        return c > ' ' && c < 0x7f;
    case TOKEN:
        return c > ' ' && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
    default:
        return is_digit(c) && (set == DIGIT || c != '0');
    }
}

static bool scan_one(struct scan *s, enum set set)
{
    if (s->at == s->end || !is_in(set, (unsigned char)*s->at))
        return false;
    s->at++;
    return true;
}

/* One at least. */
static bool scan_some(struct scan *s, enum set set)
{
    const char *begun = s->at;

    while (s->at < s->end && is_in(set, (unsigned char)*s->at))
        s->at++;
    return s->at > begun;
}

static bool scan_text(struct scan *s, const char *text)
{
    for (; *text != '\0'; text++, s->at++)
        if (s->at == s->end || *s->at != *text)
            return false;
    return true;
}

static bool scan_version(struct scan *s)
{
    return scan_text(s, "HTTP/1.") && scan_one(s, DIGIT);
}

/* A method has no slash: what begins with HTTP/ is an answer. */
static bool scan_start_line(struct scan *s)
{
    struct scan method = *s;

    if (scan_text(&method, "HTTP/")) {
        if (!scan_version(s) || !scan_text(s, " ") || !scan_one(s, FIRST_DIGIT) || !scan_one(s, DIGIT) ||
            !scan_one(s, DIGIT))
            return false;
        if (scan_text(s, " "))
            scan_some(s, TEXT);
    } else if (!scan_some(s, TOKEN) || !scan_text(s, " ") || !scan_some(s, VISIBLE) || !scan_text(s, " ") ||
               !scan_version(s)) {
        return false;
    }
    return scan_text(s, "\r\n");
}

static bool scan_field(struct scan *s)
{
    if (!scan_some(s, TOKEN) || !scan_text(s, ":"))
        return false;
    scan_some(s, TEXT);
    return scan_text(s, "\r\n");
}

static bool scan_head(struct scan *s)
{
    while (s->at < s->end && *s->at == '\r')
        if (!scan_text(s, "\r\n"))
            return false;
    if (!scan_start_line(s))
        return false;
    while (s->at < s->end && *s->at != '\r')
        if (!scan_field(s))
            return false;
    return scan_text(s, "\r\n");
}

long http_head_end(const char *bytes, size_t len)
{
    struct scan s = {bytes, bytes + len};

    if (scan_head(&s))
        return (long)(s.at - bytes);
    return s.at < s.end ? -1 : 0;
}

/* Fields: a name and a value, each with its NUL, one after the other; an empty name ends them. */

static const char *behind(const char *string)
{
    return string + strlen(string) + 1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether the string begins with the word, in whatever case. */
static bool begins(const char *string, const char *word)
{
    for (; *word != '\0'; string++, word++)
        if (lower(*string) != lower(*word))
            return false;
    return true;
}

static bool same(const char *string, const char *word)
{
    return begins(string, word) && string[strlen(word)] == '\0';
}

const char *http_field(const char *fields, const char *name)
{
    while (*fields != '\0') {
        const char *value = behind(fields);

        if (same(fields, name))
            return value;
        fields = behind(value);
    }
    return NULL;
}

int http_field_count(const char *fields, const char *name)
{
    int count = 0;

    while ((fields = http_field(fields, name)) != NULL) {
        fields = behind(fields);
        count++;
    }
    return count;
}

/* Whether a word is in the lists that fields of this name are. */
static bool lists(const char *fields, const char *name, const char *word)
{
    size_t len = strlen(word);

    while ((fields = http_field(fields, name)) != NULL) {
        for (const char *at = fields; *at != '\0'; at += strcspn(at, ",")) {
            at += strspn(at, ", \t");
            if (begins(at, word) && strchr(",", at[len + strspn(at + len, " \t")]) != NULL)
                return true;
        }
        fields = behind(fields);
    }
    return false;
}

/* A whole head is cut into strings. It has no NUL, and what is looked for is there. */

static char *cut(char **at, char end)
{
    char *string = *at;

    *at = strchr(string, end);
    *(*at)++ = '\0';
    return string;
}

/* The value that the line has, without white space around it. */
static char *cut_value(char **at)
{
    char *value = *at + strspn(*at, " \t"), *end = strchr(value, '\r');

    *at = end + strlen("\r\n");
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return value;
}

static char *move(char *to, const char *string)
{
    size_t size = strlen(string) + 1;

    memmove(to, string, size);
    return to + size;
}

static const char *cut_fields(char *at)
{
    const char *fields = at;
    char *to = at;

    while (*at != '\r') {
        to = move(to, cut(&at, ':'));
        to = move(to, cut_value(&at));
    }
    *to = '\0';
    return fields;
}

/* Where the start line begins; NULL: it is no head. */
static char *begin(char *head, size_t len)
{
    if (len == 0 || http_head_end(head, len) != (long)len)
        return NULL;
    return head + strspn(head, "\r\n");
}

static int minor_of(const char *version)
{
    return version[strlen("HTTP/1.")] != '0';
}

/* What fields say of the message. */

/* -1: it is no length. */
static long long length_of(const char *digits)
{
    unsigned long long n = 0;

    if (*digits == '\0')
        return -1;
    for (; *digits != '\0'; digits++) {
        if (!is_digit((unsigned char)*digits) || n > (LONGEST_BODY - (unsigned)(*digits - '0')) / 10)
            return -1;
        n = n * 10 + (unsigned)(*digits - '0');
    }
    return (long long)n;
}

/* Returns 1: the body is framed; 0: nothing is said of one; -1: not all read the same (RFC 9112, 6.3). */
static int body_of(const char *fields, int minor, struct http_body *b)
{
    const char *coding = http_field(fields, "Transfer-Encoding"), *length = http_field(fields, "Content-Length");
    long long bytes;

    *b = http_body_of_length(0);
    if (coding == NULL && length == NULL)
        return 0;
    if (http_field_count(fields, "Transfer-Encoding") + http_field_count(fields, "Content-Length") != 1)
        return -1;
    if (coding != NULL) {
        *b = http_body_in_chunks();
        return minor > 0 && same(coding, "chunked") ? 1 : -1;
    }
    bytes = length_of(length);
    if (bytes < 0)
        return -1;
    *b = http_body_of_length((unsigned long long)bytes);
    return 1;
}

static bool keeps_alive(const char *fields, int minor)
{
    return !lists(fields, "Connection", "close") && (minor > 0 || lists(fields, "Connection", "keep-alive"));
}

/* Of a target in absolute-form its path and query (RFC 9112, 3.2.2); NULL: it is of another scheme, or of no host. */
static const char *path_of(char *target)
{
    char *path;

    if (*target == '/' || strstr(target, "://") == NULL)
        return target;
    if (!begins(target, "http://") && !begins(target, "https://"))
        return NULL;
    target = strstr(target, "://") + strlen("://");
    path = target + strcspn(target, "/?#");
    if (path == target || *path == '#')
        return NULL;
    if (*path == '?')
        *--path = '/';
    return *path == '\0' ? "/" : path;
}

int http_request_parse(struct http_request *r, char *head, size_t len)
{
    char *at = begin(head, len);
    int framed, hosts;

    if (at == NULL || strncmp(at, "HTTP/", strlen("HTTP/")) == 0)
        return -1;
    r->method = cut(&at, ' ');
    r->target = path_of(cut(&at, ' '));
    r->minor = minor_of(cut(&at, '\r'));
    r->fields = cut_fields(at + 1);
    hosts = http_field_count(r->fields, "Host");
    framed = body_of(r->fields, r->minor, &r->body);
    if (r->target == NULL || framed < 0 || hosts > 1 || hosts < r->minor ||
        http_field_count(r->fields, "Authorization") > 1)
        return -1;
    r->has_body = framed;
    r->keep_alive = keeps_alive(r->fields, r->minor);
    r->expects_continue = r->minor > 0 && lists(r->fields, "Expect", "100-continue");
    return 0;
}

int http_answer_parse(struct http_answer *a, char *head, size_t len)
{
    char *at = begin(head, len), *line;
    int framed;

    if (at == NULL || strncmp(at, "HTTP/", strlen("HTTP/")) != 0)
        return -1;
    line = cut(&at, '\r');
    a->minor = minor_of(line);
    line += strlen("HTTP/1.1 ");
    a->status = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
    a->reason = line[3] == ' ' ? line + 4 : line + 3;
    a->fields = cut_fields(at + 1);
    framed = body_of(a->fields, a->minor, &a->body);
    if (framed < 0)
        return -1;
    a->keep_alive = keeps_alive(a->fields, a->minor);
    if (a->status < 200 || a->status == 204 || a->status == 304) {
        a->body = http_body_of_length(0);
    } else if (framed == 0) {
        a->body = (struct http_body){.kind = HTTP_BODY_RAW};
        a->keep_alive = false;
    }
    return 0;
}
