/*
 * fuzz: what the fuzz targets share.
 *
 * A target is one file. It gives a parser the bytes that it gets, and checks
 * what holds for all of them. clang's libFuzzer calls it (make fuzz), and so
 * does replay.c with the seeds (make test).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/*
 * Whether the last input was taken (1) or refused (0); each target defines it,
 * as -1 where it is not about that. So replay.c knows of seeds called mistake-*.
 */
extern int fuzz_taken;

/* Ends the program, and thereby finds the input, if it is not so. */
#define MUST(what) ((what) ? (void)0 : fuzz_wrong(#what, __FILE__, __LINE__))

static inline void fuzz_wrong(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/*
 * A copy with a NUL behind it, of exactly that size, so that a sanitizer sees a
 * read beyond. To be freed.
 */
static inline char *fuzz_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len + 1);

    MUST(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

/* The same, up to the first NUL. */
static inline char *fuzz_string(const void *bytes, size_t len)
{
    const char *nul = len > 0 ? memchr(bytes, '\0', len) : NULL;

    return fuzz_copy(bytes, nul != NULL ? (size_t)(nul - (const char *)bytes) : len);
}

#endif
