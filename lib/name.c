/*
 * name: what a service may be called. See name.h.
 */
#include "name.h"

static bool allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

size_t name_span(const char *text)
{
    size_t len = 0;

    while (allowed(text[len]))
        len++;
    return len;
}

bool name_valid(const char *text)
{
    size_t len = name_span(text);

    return len > 0 && len < NAME_SIZE && text[len] == '\0';
}
