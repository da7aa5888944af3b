/*
 * log: one line per event on standard error. See log.h.
 */
#include "log.h"

#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* Below PIPE_BUF (512 at least, 4096 on Linux), so that lines do not mix. */
#define LINE_MAX_BYTES 2048

static const char *program_name = "relayd";
static unsigned dropped;

void log_init(const char *program)
{
    program_name = program;
}

/* Returns whether standard error took the line. */
static int put(const char *line, size_t len)
{
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&err, 1, 0) == 0)
        return 0;
    return write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static void put_line(struct text *t)
{
    if (t->len > t->size - 2)
        t->len = t->size - 2;
    t->data[t->len++] = '\n';
    if (!put(t->data, t->len))
        dropped++;
}

static void say_dropped(void)
{
    char line[64];
    struct text t;
    unsigned lost = dropped;

    text_init(&t, line, sizeof line);
    text_add(&t, "dropped lines=%u\n", lost);
    if (put(t.data, t.len))
        dropped -= lost;
}

void log_vevent(const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    struct text t;
    int saved = errno;

    if (dropped > 0)
        say_dropped();
    text_init(&t, line, sizeof line);
    text_vadd(&t, format, args);
    put_line(&t);
    errno = saved;
}

void log_event(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_vevent(format, args);
    va_end(args);
}

void log_die(int status, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    struct text t;
    va_list args;

    text_init(&t, line, sizeof line);
    text_add(&t, "%s: ", program_name);
    va_start(args, format);
    text_vadd(&t, format, args);
    va_end(args);
    put_line(&t);
    exit(status);
}
