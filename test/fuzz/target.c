/*
 * What relay-connect offers: what is taken is written as something that is
 * taken for the same; what is not is told in half a sentence.
 */
#include "fuzz.h"

#include "../../lib/target.h"
#include "../../lib/text.h"

#include <ctype.h>

int fuzz_taken;

#define LONGEST 1024

static void check_wrong(const char *wrong)
{
    MUST(strlen(wrong) > 10 && wrong[strlen(wrong) - 1] != '.');
    for (; *wrong != '\0'; wrong++)
        MUST(isprint((unsigned char)*wrong));
}

static void write_target(struct text *t, const struct target *target)
{
    if (target->name[0] != '\0')
        text_add(t, "%s=", target->name);
    if (target->public_port != 0)
        text_add(t, "%u:", target->public_port);
    switch (target->kind) {
    case TARGET_STDIO:
        text_add(t, "-");
        break;
    case TARGET_UNIX:
        text_add(t, "%s", target->path.u.un.sun_path);
        break;
    default:
        text_add(t, strchr(target->server.host, ':') != NULL ? "[%s]:%u" : "%s:%u", target->server.host,
                 target->server.port);
    }
}

static void check_fields(const struct target *t)
{
    MUST(t->name[0] == '\0' || name_valid(t->name));
    MUST(t->public_port <= 65535 && t->command == NULL && t->kind != TARGET_COMMAND);
    if (t->kind == TARGET_UNIX)
        MUST(t->path.u.un.sun_path[0] == '/');
    if (t->kind == TARGET_TCP)
        MUST(addr_host_valid(t->server.host) && t->server.port >= 1 && t->server.port <= 65535);
}

static void check_same(const struct target *a, const struct target *b)
{
    MUST(a->kind == b->kind && strcmp(a->name, b->name) == 0 && a->public_port == b->public_port);
    MUST(strcmp(a->server.host, b->server.host) == 0 && a->server.port == b->server.port);
    MUST(strcmp(a->path.u.un.sun_path, b->path.u.un.sun_path) == 0);
}

static void check(const char *given)
{
    char again[2 * LONGEST];
    struct target target, second;
    const char *wrong = target_parse(&target, given);
    struct text t;

    fuzz_taken = wrong == NULL;
    if (wrong != NULL) {
        check_wrong(wrong);
        return;
    }
    check_fields(&target);
    text_init(&t, again, sizeof again);
    write_target(&t, &target);
    MUST(!t.cut && target_parse(&second, again) == NULL);
    check_same(&target, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text;

    if (len > LONGEST)
        return 0;
    text = fuzz_string(bytes, len);
    check(text);
    free(text);
    return 0;
}
