/*
 * clock: the time.
 */
#ifndef CLOCK_H
#define CLOCK_H

/* Milliseconds on a clock that only goes forward. */
long long clock_ms(void);

#endif
