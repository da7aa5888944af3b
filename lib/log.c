/*
 * log: one line per event on standard error. See log.h.
 */
#include "log.h"

#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

/* What is written at once: PIPE_BUF on Linux, so that what poll() lets through does not block, and lines do not mix. */
#define PENDING_BYTES 4096

static const char *program_name = "relayd";
static char pending[PENDING_BYTES];
static size_t pending_len;
static unsigned pending_lines, dropped;

void log_init(const char *program)
{
    program_name = program;
}

/* Returns whether standard error took it all. */
static int put(const char *lines, size_t len)
{
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&err, 1, 0) == 0)
        return 0;
    return write(STDERR_FILENO, lines, len) == (ssize_t)len;
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

void log_flush(void)
{
    int saved = errno;

    if (pending_len == 0)
        return;
    if (dropped > 0)
        say_dropped();
    if (!put(pending, pending_len))
        dropped += pending_lines;
    pending_len = 0;
    pending_lines = 0;
    errno = saved;
}

static void add_line(struct text *t)
{
    if (t->len > t->size - 2)
        t->len = t->size - 2;
    t->data[t->len++] = '\n';
    if (pending_len + t->len > sizeof pending)
        log_flush();
    memcpy(pending + pending_len, t->data, t->len);
    pending_len += t->len;
    pending_lines++;
}

void log_vevent(const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    struct text t;
    int saved = errno;

    text_init(&t, line, sizeof line);
    text_vadd(&t, format, args);
    add_line(&t);
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
    add_line(&t);
    log_flush();
    exit(status);
}
