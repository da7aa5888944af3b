/*
 * loop: one pselect() over descriptors, timers and signals.
 *
 * Its descriptor sets are as large as the limit on open files. Signals that it
 * was given are blocked except inside pselect(), so a handler only sets a flag
 * and no wake-up is lost. It knows nothing of what is read or written.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* A descriptor that is watched. The owner keeps it in place until loop_remove. */
struct watch {
    int fd;
    void (*ready)(void *owner, unsigned events);
    void *owner;
};

/* A timer. All zeroes is one that is not set. The owner keeps it in place while it is set. */
struct timer {
    long long due;                      /* milliseconds, of clock_ms */
    void (*fire)(void *owner);
    void *owner;
    struct timer *child, *next, **link; /* the loop's: a pairing heap */
};

/* Makes its sets as large as the limit on open files, at most LOOP_MAX. Returns -1 with errno. */
#define LOOP_MAX 1048576
int loop_init(void);

/* How many descriptors can be watched: numbers below this. */
int loop_limit(void);

/* Starts watching for some of LOOP_READ and LOOP_WRITE, or for none. -1 with EMFILE. */
int loop_add(struct watch *w, unsigned want);
void loop_want(struct watch *w, unsigned want);

/* Before the descriptor is closed. Harmless if it is not watched. */
void loop_remove(struct watch *w);

/* Calls fire once after so many milliseconds; sets it anew if it was set. */
void timer_set(struct timer *t, long long milliseconds);
void timer_stop(struct timer *t);
bool timer_is_set(const struct timer *t);

/* Calls act(signo) from the loop after the signal came. Call it before loop_run. */
void loop_signal(int signo, void (*act)(int signo));

/* What a signal does in this process, from now on: SIG_IGN, SIG_DFL or a handler. */
void loop_handle(int signo, void (*handler)(int));

/* Runs until loop_stop is called. Returns -1 with errno where the system fails. */
int loop_run(void);
void loop_stop(void);

/* In a forked child: the signals given to loop_signal do again what they do by default. */
void loop_leave(void);

#endif
