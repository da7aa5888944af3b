/*
 * lograte: log lines held to some a second. See lograte.h.
 */
#include "lograte.h"

#include "clock.h"
#include "log.h"
#include "loop.h"

#include <stdarg.h>
#include <stddef.h>

#define WINDOW_MS 1000

static int most = 20;

static struct rate {
    const char *word;
    long long since;        /* clock_ms at which the window began */
    int lines;              /* in it */
    unsigned suppressed;
    struct timer report;
} rates[] = {
    [LOGRATE_REFUSE] = {.word = "refuse"},
    [LOGRATE_REJECT] = {.word = "reject"},
    [LOGRATE_UNREADY] = {.word = "unready"},
};

void lograte_setup(int lines)
{
    most = lines;
}

static void report(void *owner)
{
    struct rate *r = owner;

    log_event("suppressed word=%s lines=%u", r->word, r->suppressed);
    r->suppressed = 0;
}

void lograte_end(void)
{
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rates[i].suppressed > 0)
            report(&rates[i]);
}

static void suppress(struct rate *r)
{
    r->suppressed++;
    r->report.fire = report;
    r->report.owner = r;
    if (!timer_is_set(&r->report))
        timer_set(&r->report, WINDOW_MS);
}

void lograte_event(enum lograte word, const char *format, ...)
{
    struct rate *r = &rates[word];
    long long now = clock_ms();
    va_list args;

    if (r->lines == 0 || now - r->since >= WINDOW_MS) {
        r->since = now;
        r->lines = 0;
    }
    if (r->lines >= most) {
        suppress(r);
        return;
    }
    r->lines++;
    va_start(args, format);
    log_vevent(format, args);
    va_end(args);
}

void lograte_reject(const struct addr *from, const char *reason)
{
    char text[ADDR_TEXT];

    lograte_event(LOGRATE_REJECT, "reject from=%s reason=%s", addr_text(from, text), reason);
}
