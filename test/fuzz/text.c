/*
 * Bounded texts: what a peer sent is escaped so that it can be undone, and cut
 * at the room there is; numbers are those of the C library.
 */
#include "fuzz.h"

#include "../../lib/text.h"

int fuzz_taken = -1;

/* Undoes %e. */
static size_t unescape(const char *escaped, unsigned char *to)
{
    size_t len = 0;
    unsigned byte;

    for (; *escaped != '\0'; escaped++) {
        MUST(*escaped > ' ' && *escaped < 0x7f && *escaped != '"');
        if (*escaped != '\\') {
            to[len++] = (unsigned char)*escaped;
            continue;
        }
        MUST(sscanf(escaped, "\\x%2x", &byte) == 1 && strspn(escaped + 2, "0123456789abcdef") >= 2);
        to[len++] = (unsigned char)byte;
        escaped += 3;
    }
    return len;
}

static void check_escape(const char *peers, size_t room)
{
    char whole[4 * TEXT_PEER_MAX + 1], *part = malloc(room);
    unsigned char undone[TEXT_PEER_MAX];
    size_t len = strlen(peers) < TEXT_PEER_MAX ? strlen(peers) : TEXT_PEER_MAX;
    struct text t;

    MUST(part != NULL);
    text_init(&t, whole, sizeof whole);
    text_add(&t, "%e", peers);
    MUST(!t.cut && t.len == strlen(whole));
    MUST(unescape(whole, undone) == len && memcmp(undone, peers, len) == 0);
    text_init(&t, part, room);
    text_add(&t, "%e", peers);
    MUST(t.cut == (strlen(whole) >= room));
    MUST(t.len == strlen(part) && strncmp(part, whole, room - 1) == 0);
    free(part);
}

static void check_copy(const char *s, size_t room)
{
    char *to = malloc(room);

    MUST(to != NULL);
    MUST(text_copy(to, room, s) == (strlen(s) < room));
    MUST(strlen(to) == (strlen(s) < room ? strlen(s) : room - 1) && strncmp(to, s, room - 1) == 0);
    free(to);
}

static void check_number(const char *s, long max)
{
    unsigned long long wanted = 0;
    long n = text_number(s, max);

    if (s[0] == '\0' || s[strspn(s, "0123456789")] != '\0') {
        MUST(n == -1);
        return;
    }
    for (; *s != '\0' && wanted <= 2147483647; s++)
        wanted = wanted * 10 + (unsigned)(*s - '0');
    MUST(n == (wanted <= (unsigned long)max ? (long)wanted : -1));
}

static void check_format(long long n)
{
    char ours[256], theirs[256];
    struct text t;

    text_init(&t, ours, sizeof ours);
    text_add(&t, "%d %u %x %l%%", (int)n, (unsigned)n, (unsigned)n, n);
    snprintf(theirs, sizeof theirs, "%d %u %x %lld%%", (int)n, (unsigned)n, (unsigned)n, n);
    MUST(strcmp(ours, theirs) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const long most[] = {0, 1, 5, 8, 9, 10, 11, 99, 100, 32, 128, 65535, 1000000, 2147483647};
    long long n = 0;
    size_t room;
    char *s;

    if (len == 0)
        return 0;
    room = bytes[0] + (size_t)1;
    s = fuzz_string(bytes + 1, len - 1);
    check_escape(s, room);
    check_escape(s, 2 * room);
    check_copy(s, room);
    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        check_number(s, most[i]);
    check_number(s, bytes[0]);
    memcpy(&n, bytes, len < sizeof n ? len : sizeof n);
    check_format(n);
    free(s);
    return 0;
}
