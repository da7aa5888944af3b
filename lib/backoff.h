/*
 * backoff: how long to wait before the next attempt: capped, fully jittered.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

struct backoff {
    unsigned failures;
};

/* Milliseconds to wait after one more failure: any from 0 to a bound that doubles up to 30 s. */
long long backoff_next(struct backoff *b);

/* It went well: the next failure is the first again. */
void backoff_reset(struct backoff *b);

#endif
