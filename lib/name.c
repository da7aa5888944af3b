/*
 * name: what a service may be called. See name.h.
 */
#include "name.h"

#include <string.h>

size_t name_span(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}

bool name_valid(const char *text)
{
    size_t len = name_span(text);

    return len > 0 && len < NAME_SIZE && text[len] == '\0';
}
