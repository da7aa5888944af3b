/*
 * wipe: overwrites what must not stay in memory.
 */
#ifndef WIPE_H
#define WIPE_H

#include <stddef.h>

/* Fills the bytes with zeroes, also where a compiler finds that useless. */
void wipe(void *bytes, size_t len);

/* Overwrites what calls that have returned left on the stack, a kilobyte of it. */
void wipe_stack(void);

#endif
