/*
 * options: command-line options from one table. See options.h.
 */
#include "options.h"

#include "log.h"
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The column at which the help's explanations begin. */
#define HELP_COLUMN 30

static void put(const struct text *t)
{
    if (write(STDOUT_FILENO, t->data, t->len) != (ssize_t)t->len)
        exit(EXIT_FAILED);
}

void options_mistake(const struct program *p, const char *format, ...)
{
    char buffer[512];
    struct text t;
    va_list args;

    text_init(&t, buffer, sizeof buffer);
    va_start(args, format);
    text_vadd(&t, format, args);
    va_end(args);
    log_die(EXIT_USAGE, "%s; see %s --help", buffer, p->name);
}

static void add_option(struct text *t, char letter, const char *name, const char *value, const char *help)
{
    char short_form[] = {'-', letter, ',', ' ', '\0'};
    size_t start = t->len;

    text_add(t, "  %s--%s%s%s", letter != 0 ? short_form : "    ", name, value != NULL ? " " : "",
             value != NULL ? value : "");
    do {
        text_add(t, " ");
    } while (t->len - start < HELP_COLUMN);
    text_add(t, "%s\n", help);
}

static void help(const struct program *p)
{
    char buffer[4096];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "usage:\n%s\noptions:\n", p->synopsis);
    for (const struct option *o = p->options; o->name != NULL; o++)
        add_option(&t, o->letter, o->name, o->value, o->help);
    add_option(&t, 0, "help", NULL, "this");
    add_option(&t, 0, "version", NULL, "the version");
    text_add(&t, "\n%s", p->closing);
    put(&t);
    exit(EXIT_TOLD);
}

static void version(const struct program *p)
{
    char buffer[64];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "%s %s\n", p->name, RELAY_VERSION);
    put(&t);
    exit(EXIT_TOLD);
}

static void set(const struct program *p, const struct option *o, const char *value)
{
    if (o->flag != NULL)
        *o->flag = true;
    if (o->text != NULL)
        *o->text = value;
    if (o->number != NULL) {
        long n = text_number(value, o->max);

        if (n < o->min)
            options_mistake(p, "--%s takes a number from %d to %d, not '%e'", o->name, o->min, o->max, value);
        *o->number = (int)n;
    }
}

static const struct option *find_long(const struct program *p, const char *name, size_t len)
{
    for (const struct option *o = p->options; o->name != NULL; o++)
        if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static const struct option *find_short(const struct program *p, char letter)
{
    for (const struct option *o = p->options; o->name != NULL; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static const char *value_of(const struct program *p, const struct option *o, char **argv, int *at)
{
    if (argv[*at + 1] == NULL)
        options_mistake(p, "--%s needs a value: %s", o->name, o->value);
    return argv[++*at];
}

static void parse_long(const struct program *p, char **argv, int *at)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    const struct option *o = find_long(p, name, equals != NULL ? (size_t)(equals - name) : strlen(name));

    if (strcmp(name, "help") == 0)
        help(p);
    if (strcmp(name, "version") == 0)
        version(p);
    if (o == NULL || (o->value == NULL && equals != NULL))
        options_mistake(p, "%e is not an option", argv[*at]);
    else if (o->value == NULL)
        set(p, o, NULL);
    else
        set(p, o, equals != NULL ? equals + 1 : value_of(p, o, argv, at));
}

static void parse_short(const struct program *p, char **argv, int *at)
{
    for (const char *letter = argv[*at] + 1; *letter != '\0'; letter++) {
        const struct option *o = find_short(p, *letter);
        char name[] = {'-', *letter, '\0'};

        if (o == NULL) {
            options_mistake(p, "%e is not an option", name);
        } else if (o->value == NULL) {
            set(p, o, NULL);
        } else {
            set(p, o, letter[1] != '\0' ? letter + 1 : value_of(p, o, argv, at));
            return;
        }
    }
}

int options_parse(const struct program *p, int argc, char **argv)
{
    int at;

    for (at = 1; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
        if (strcmp(argv[at], "--") == 0)
            return at + 1;
        if (argv[at][1] == '-')
            parse_long(p, argv, &at);
        else
            parse_short(p, argv, &at);
    }
    return at;
}
