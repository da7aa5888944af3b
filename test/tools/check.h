/*
 * check: counts what is as it should be, and says what is not.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>

static int checks, wrong;

static void check(bool good, const char *what, const char *about)
{
    checks++;
    if (good)
        return;
    wrong++;
    printf("wrong: %s: %s\n", what, about);
}

#endif
