/*
 * sticky: which port a name had last.
 *
 * Remembers the last STICKY_NAMES names and forgets the one used longest ago.
 */
#ifndef STICKY_H
#define STICKY_H

#define STICKY_NAMES 1024

void sticky_remember(const char *name, unsigned port);

/* The port, or 0 for a name that is not remembered. */
unsigned sticky_port(const char *name);

#endif
