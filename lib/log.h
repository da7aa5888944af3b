/*
 * log: one line per event on standard error.
 *
 * An event is a word and key=value pairs; a start-up mistake is a sentence
 * behind the program's name. Formats are those of text_add: give what a peer
 * sent as %e. Logging never blocks: a line that standard error does not take
 * is dropped, and the next one that it takes is preceded by how many were.
 */
#ifndef LOG_H
#define LOG_H

#include <stdarg.h>

/* The program's name, for sentences. The string is not copied. */
void log_init(const char *program);

/* One event line, written with the next log_flush, or sooner. Leaves errno as it was. */
void log_event(const char *format, ...);
void log_vevent(const char *format, va_list args);

/* Writes what is pending: the loop does, before it waits. Leaves errno as it was. */
void log_flush(void);

/* "PROGRAM: sentence" and exit with this status. */
void log_die(int status, const char *format, ...);

#endif
