/*
 * lograte: log lines that strangers can cause at will, held to some a second.
 *
 * What is above that is counted, and the count is logged within a second:
 * `suppressed word=reject lines=9980`.
 */
#ifndef LOGRATE_H
#define LOGRATE_H

#include "addr.h"

/* Each has a count of its own. */
enum lograte { LOGRATE_REFUSE, LOGRATE_REJECT, LOGRATE_UNREADY };

/* So many lines a second of each; without this call, 20. */
void lograte_setup(int lines);

/* Logs what was counted and not said yet: before the program ends. */
void lograte_end(void);

/* One event line, as log_event's, that begins with the word `refuse`, `reject` or `unready`. */
void lograte_event(enum lograte word, const char *format, ...);

/* A connection from there is not let in, and why. */
void lograte_reject(const struct addr *from, const char *reason);

#endif
