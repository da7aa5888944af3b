/*
 * Whole key files: what is taken is what a second reading of its lists says,
 * and is taken for the same when it is written again; a mistake is in the line
 * that is named, and in none before it.
 */
#include "fuzz.h"

#include "../../lib/keyfile.h"
#include "../../lib/name.h"
#include "../../lib/text.h"

#include <ctype.h>

int fuzz_taken;

#define LONGEST 4096

static const char *parse(struct keyfile *f, const char *bytes, size_t len, size_t *line)
{
    memset(f, 0, sizeof *f);
    f->text = fuzz_copy(bytes, len);
    f->size = len;
    f->most = LONGEST / KEY_SHORTEST;
    f->keys = calloc(f->most, sizeof *f->keys);
    MUST(f->keys != NULL);
    return keyfile_parse(f, line);
}

static void drop(struct keyfile *f)
{
    size_t size = f->size;

    keyfile_wipe(f);
    for (size_t i = 0; i < size; i++)
        MUST(f->text[i] == '\0');
    MUST(f->count == 0);
    free(f->text);
    free(f->keys);
}

/* Where the line with this number, from 1, begins; the end if there is none. */
static size_t start_of(const char *bytes, size_t len, size_t line)
{
    size_t at = 0;

    while (line > 1 && at < len)
        line -= bytes[at++] == '\n';
    return at;
}

static void check_wrong(const char *wrong, const char *bytes, size_t len, size_t line)
{
    size_t start = start_of(bytes, len, line), end = start_of(bytes, len, line + 1), at;
    struct keyfile f;

    MUST(strlen(wrong) > 10 && wrong[strlen(wrong) - 1] != '.');
    for (at = 0; wrong[at] != '\0'; at++)
        MUST(isprint((unsigned char)wrong[at]));
    MUST(line > 0 && start < end);
    MUST(parse(&f, bytes, start, &at) == NULL);
    drop(&f);
    MUST(parse(&f, bytes, end, &at) == wrong && at == line);
    drop(&f);
}

/* Whether PORT or FIRST-LAST of the list has the port; the list is known to be one. */
static bool in_list(const char *list, unsigned long port)
{
    for (;;) {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;

        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        MUST(first >= 1 && last <= 65535 && first <= last && (*end == ',' || *end == '\0'));
        if (port >= first && port <= last)
            return true;
        if (*end == '\0')
            return false;
        list = end + 1;
    }
}

static void check_ports(const struct key *k)
{
    static const unsigned some[] = {0, 1, 22, 79, 80, 81, 443, 8080, 9000, 9005, 9010, 9011, 65534, 65535};

    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        MUST(key_allows_port(k, some[i]) == (k->ports == NULL || in_list(k->ports, some[i])));
}

/* As the beginning of a longer name, too. */
static void check_found(const struct keyfile *f, const struct key *k)
{
    char longer[NAME_SIZE + 2];
    struct text t;

    MUST(keyfile_find(f, k->name, strlen(k->name)) == k);
    text_init(&t, longer, sizeof longer);
    text_add(&t, "%s.x", k->name);
    MUST(keyfile_find(f, longer, strlen(k->name)) == k);
}

static void check_key(const struct keyfile *f, const struct key *k)
{
    size_t len = strlen(k->secret);

    MUST(name_valid(k->name));
    MUST(len >= KEY_SHORTEST && len <= KEY_LONGEST);
    for (size_t i = 0; i < len; i++)
        MUST(isgraph((unsigned char)k->secret[i]));
    MUST(k->max >= 0 && k->max <= 1000000);
    check_ports(k);
    check_found(f, k);
}

static void add_word(struct text *t, const char *word, const char *value)
{
    if (value != NULL)
        text_add(t, " %s=%s", word, value);
}

static void add_line(struct text *t, const struct key *k)
{
    text_add(t, "%s %s", k->name, k->secret);
    add_word(t, "role", k->client ? "client" : NULL);
    add_word(t, "ports", k->ports);
    add_word(t, "from", k->from);
    add_word(t, "to", k->to);
    if (k->max > 0)
        text_add(t, " max=%d", k->max);
    text_add(t, "\n");
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_again(const struct keyfile *f)
{
    char again[2 * LONGEST];
    struct keyfile second;
    struct text t;
    size_t line;

    text_init(&t, again, sizeof again);
    for (size_t i = 0; i < f->count; i++)
        add_line(&t, &f->keys[i]);
    MUST(!t.cut && parse(&second, again, t.len, &line) == NULL && second.count == f->count);
    for (size_t i = 0; i < f->count; i++) {
        const struct key *a = &f->keys[i], *b = &second.keys[i];

        MUST(same(a->name, b->name) && same(a->secret, b->secret) && same(a->ports, b->ports));
        MUST(same(a->from, b->from) && same(a->to, b->to) && a->max == b->max && a->client == b->client);
    }
    drop(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct keyfile f;
    const char *wrong;
    size_t line;

    if (len > LONGEST)
        return 0;
    wrong = parse(&f, (const char *)bytes, len, &line);
    fuzz_taken = wrong == NULL;
    if (wrong != NULL) {
        check_wrong(wrong, (const char *)bytes, len, line);
    } else {
        MUST(len == 0 || memchr(bytes, '\0', len) == NULL);
        for (size_t i = 0; i < f.count; i++)
            check_key(&f, &f.keys[i]);
        check_again(&f);
    }
    drop(&f);
    return 0;
}
