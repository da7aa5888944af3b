/*
 * loop: one pselect() over descriptors, timers and signals. See loop.h.
 */
#include "loop.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>

/* The signals a program may be given to act on are below this everywhere. */
#define SIGNALS 32

/* How long it waits where the system has no memory for pselect(), in nanoseconds. */
#define NO_MEMORY_NS 50000000

/* Where descriptors are always ready, signals are let through after so many rounds. */
#define BUSY_ROUNDS 16

#define WORD_BITS ((int)(sizeof(unsigned long) * CHAR_BIT))

/* A descriptor set as the system lays it out, only longer. */
struct fds {
    unsigned long *words;
};

static struct watch **watches;
static struct fds wanted[2], found[2];      /* read, write */
static int limit;
static int highest = -1;
static struct timer *timers;
static bool running;

static sigset_t original_mask;
static volatile sig_atomic_t caught[SIGNALS];
static void (*actions[SIGNALS])(int);

static void fds_put(struct fds *set, int fd, bool on)
{
    unsigned long bit = 1UL << (fd % WORD_BITS);

    if (on)
        set->words[fd / WORD_BITS] |= bit;
    else
        set->words[fd / WORD_BITS] &= ~bit;
}

static bool fds_has(const struct fds *set, int fd)
{
    return set->words[fd / WORD_BITS] >> (fd % WORD_BITS) & 1;
}

static size_t fds_bytes(int count)
{
    return (size_t)((count + WORD_BITS - 1) / WORD_BITS) * sizeof(unsigned long);
}

/* Some systems watch no more than FD_SETSIZE descriptors and say so with EINVAL. */
static bool system_watches(int count)
{
    struct timespec at_once = {0, 0};

    return pselect(count, (fd_set *)found[0].words, NULL, NULL, &at_once, NULL) >= 0 || errno != EINVAL;
}

int loop_init(void)
{
    struct rlimit files;
    unsigned long *words;
    size_t words_each;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return -1;
    limit = files.rlim_cur == RLIM_INFINITY || files.rlim_cur > LOOP_MAX ? LOOP_MAX : (int)files.rlim_cur;
    words_each = fds_bytes(limit) / sizeof *words;
    words = calloc(4, fds_bytes(limit));
    watches = calloc((size_t)limit, sizeof(struct watch *));
    if (words == NULL || watches == NULL)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        wanted[i].words = words + 2 * i * words_each;
        found[i].words = words + (2 * i + 1) * words_each;
    }
    sigprocmask(SIG_SETMASK, NULL, &original_mask);
    if (!system_watches(limit))
        limit = FD_SETSIZE;
    return 0;
}

int loop_limit(void)
{
    return limit;
}

int loop_add(struct watch *w, unsigned want)
{
    if (w->fd >= limit) {
        errno = EMFILE;
        return -1;
    }
    watches[w->fd] = w;
    if (w->fd > highest)
        highest = w->fd;
    loop_want(w, want);
    return 0;
}

void loop_want(struct watch *w, unsigned want)
{
    fds_put(&wanted[0], w->fd, want & LOOP_READ);
    fds_put(&wanted[1], w->fd, want & LOOP_WRITE);
}

/* What was found ready in this round is forgotten too: the number may come again at once. */
void loop_remove(struct watch *w)
{
    if (w->fd < 0 || w->fd >= limit || watches[w->fd] != w)
        return;
    for (int i = 0; i < 2; i++) {
        fds_put(&wanted[i], w->fd, false);
        fds_put(&found[i], w->fd, false);
    }
    watches[w->fd] = NULL;
    while (highest >= 0 && watches[highest] == NULL)
        highest--;
}

/* Timers: a pairing heap. link is what points to a timer, so that any can be taken out. */

static void attach(struct timer **at, struct timer *t)
{
    *at = t;
    if (t != NULL)
        t->link = at;
}

static struct timer *meld(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (b->due < a->due) {
        struct timer *swap = a;

        a = b;
        b = swap;
    }
    attach(&b->next, a->child);
    attach(&a->child, b);
    return a;
}

static struct timer *meld_pairs(struct timer *first)
{
    struct timer *pairs = NULL, *all = NULL;

    while (first != NULL) {
        struct timer *a = first, *b = a->next;

        first = b != NULL ? b->next : NULL;
        a->next = NULL;
        if (b != NULL)
            b->next = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs != NULL) {
        struct timer *next = pairs->next;

        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = next;
    }
    return all;
}

void timer_stop(struct timer *t)
{
    struct timer *rest;

    if (t->link == NULL)
        return;
    attach(t->link, t->next);
    rest = meld_pairs(t->child);
    t->child = NULL;
    t->next = NULL;
    t->link = NULL;
    attach(&timers, meld(timers, rest));
}

void timer_set(struct timer *t, long long milliseconds)
{
    timer_stop(t);
    t->due = clock_ms() + milliseconds;
    attach(&timers, meld(timers, t));
}

bool timer_is_set(const struct timer *t)
{
    return t->link != NULL;
}

static void fire_timers(void)
{
    long long now = clock_ms();

    while (timers != NULL && timers->due <= now) {
        struct timer *t = timers;

        timer_stop(t);
        t->fire(t->owner);
    }
}

static void catch(int signo)
{
    caught[signo] = 1;
}

void loop_handle(int signo, void (*handler)(int))
{
    struct sigaction how;

    memset(&how, 0, sizeof how);
    how.sa_handler = handler;
    sigemptyset(&how.sa_mask);
    sigaction(signo, &how, NULL);
}

void loop_signal(int signo, void (*act)(int signo))
{
    sigset_t one;

    actions[signo] = act;
    loop_handle(signo, catch);
    sigemptyset(&one);
    sigaddset(&one, signo);
    sigprocmask(SIG_BLOCK, &one, NULL);
    sigdelset(&original_mask, signo);       /* whoever started the program may have blocked it */
}

static void act_on_signals(void)
{
    for (int signo = 1; signo < SIGNALS; signo++) {
        if (!caught[signo])
            continue;
        caught[signo] = 0;
        actions[signo](signo);
    }
}

static void dispatch(int count)
{
    for (int fd = 0; fd < count; fd++) {
        unsigned events;

        if (fd % WORD_BITS == 0 && found[0].words[fd / WORD_BITS] == 0 &&
            found[1].words[fd / WORD_BITS] == 0) {
            fd += WORD_BITS - 1;
            continue;
        }
        events = (fds_has(&found[0], fd) ? LOOP_READ : 0) | (fds_has(&found[1], fd) ? LOOP_WRITE : 0);
        if (events != 0 && watches[fd] != NULL)
            watches[fd]->ready(watches[fd]->owner, events);
    }
}

/* pselect() that finds descriptors ready at once may not look at signals at all, and does not on Linux. */
static void let_signals_through(int ready)
{
    static int busy;
    struct timespec at_once = {0, 0};

    busy = ready > 0 ? busy + 1 : 0;
    if (busy < BUSY_ROUNDS)
        return;
    busy = 0;
    pselect(0, NULL, NULL, NULL, &at_once, &original_mask);
}

static int wait_once(void)
{
    struct timespec until = {0, 0};
    int count = highest + 1, ready;

    if (timers != NULL) {
        long long left = timers->due - clock_ms();

        if (left > 0) {
            until.tv_sec = (time_t)(left / 1000);
            until.tv_nsec = (long)(left % 1000) * 1000000;
        }
    }
    log_flush();
    for (int i = 0; i < 2; i++)
        memcpy(found[i].words, wanted[i].words, fds_bytes(count));
    ready = pselect(count, (fd_set *)found[0].words, (fd_set *)found[1].words, NULL,
                    timers != NULL ? &until : NULL, &original_mask);
    if (ready < 0 && (errno == ENOMEM || errno == EAGAIN))
        nanosleep(&(struct timespec){0, NO_MEMORY_NS}, NULL);
    else if (ready < 0 && errno != EINTR)
        return -1;
    let_signals_through(ready);
    act_on_signals();
    if (ready > 0)
        dispatch(count);
    return 0;
}

int loop_run(void)
{
    running = true;
    while (running) {
        if (wait_once() != 0)
            return -1;
        fire_timers();
    }
    return 0;
}

void loop_stop(void)
{
    running = false;
}

void loop_leave(void)
{
    for (int signo = 1; signo < SIGNALS; signo++)
        if (actions[signo] != NULL)
            loop_handle(signo, SIG_DFL);
    sigprocmask(SIG_SETMASK, &original_mask, NULL);
}
