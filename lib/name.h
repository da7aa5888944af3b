/*
 * name: what a service may be called: 1 to 64 of A-Z a-z 0-9 . _ -
 */
#ifndef NAME_H
#define NAME_H

#include <stdbool.h>
#include <stddef.h>

/* The longest name and a NUL. */
#define NAME_SIZE 65

/* What a service is called: a name, or two with a slash between them. */
#define SERVICE_NAME_SIZE (2 * NAME_SIZE)

/* How many bytes at the beginning of text may stand in a name. */
size_t name_span(const char *text);

bool name_valid(const char *text);

#endif
