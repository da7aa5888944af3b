/*
 * key: one line of a key file. See key.h.
 */
#include "key.h"

#include "cidr.h"
#include "name.h"
#include "text.h"

#include <string.h>

#define MOST_SESSIONS 1000000

/* Cuts the next word off. NULL: there is none. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \t");
    size_t len = strcspn(word, " \t");

    if (len == 0)
        return NULL;
    *rest = word + len;
    if (**rest != '\0')
        *(*rest)++ = '\0';
    return word;
}

/* PORT or FIRST-LAST at the start of a list, which moves behind it; NULL: it was the last. */
static int next_range(const char **list, long *first, long *last)
{
    size_t len = strcspn(*list, ",");
    char copy[16], *dash;

    if (len >= sizeof copy)
        return -1;
    memcpy(copy, *list, len);
    copy[len] = '\0';
    dash = strchr(copy, '-');
    if (dash != NULL)
        *dash = '\0';
    *first = text_number(copy, 65535);
    *last = dash != NULL ? text_number(dash + 1, 65535) : *first;
    *list = (*list)[len] == ',' ? *list + len + 1 : NULL;
    return *first < 1 || *last < *first ? -1 : 0;
}

static bool ports_valid(const char *list)
{
    long first, last;

    while (list != NULL)
        if (next_range(&list, &first, &last) != 0)
            return false;
    return true;
}

static bool names_valid(const char *list)
{
    for (;;) {
        size_t len = name_span(list);

        if (len == 0 || len >= NAME_SIZE)
            return false;
        list += len;
        if (*list == '\0')
            return true;
        if (*list++ != ',')
            return false;
    }
}

static const char *set_list(const char **list, const char *value, bool (*valid)(const char *), const char *wrong)
{
    if (*list != NULL)
        return "the same word= is there twice";
    *list = value;
    return valid(value) ? NULL : wrong;
}

static const char *parse_word(struct key *k, char *word)
{
    char *value = strchr(word, '=');

    if (value == NULL)
        return "behind NAME and KEY stand words such as ports=8080";
    *value++ = '\0';
    if (strcmp(word, "ports") == 0)
        return set_list(&k->ports, value, ports_valid, "ports= takes ports and ranges such as 8080,9000-9010");
    if (strcmp(word, "from") == 0)
        return set_list(&k->from, value, cidr_list_valid, "from= takes addresses such as 198.51.100.0/24,2001:db8::/32");
    if (strcmp(word, "to") == 0)
        return set_list(&k->to, value, names_valid, "to= takes names such as cam,web");
    if (strcmp(word, "max") == 0) {
        k->max = (int)text_number(value, MOST_SESSIONS);
        return k->max > 0 ? NULL : "max= takes a number from 1 to 1000000";
    }
    if (strcmp(word, "role") != 0)
        return "the words are role=, ports=, max=, from= and to=";
    k->client = strcmp(value, "client") == 0;
    return k->client || strcmp(value, "server") == 0 ? NULL : "role= is server or client";
}

static bool secret_valid(const char *secret)
{
    size_t len = strlen(secret);

    for (size_t i = 0; i < len; i++)
        if (secret[i] <= ' ' || secret[i] > '~')
            return false;
    return len >= KEY_SHORTEST && len <= KEY_LONGEST;
}

const char *key_parse(struct key *k, char *line)
{
    const char *wrong = NULL;
    char *word;

    memset(k, 0, sizeof *k);
    if (*line == '#')
        return NULL;
    word = next_word(&line);
    if (word == NULL)
        return NULL;
    k->name = word;
    if (!name_valid(word))
        return "NAME is 1 to 64 letters, digits, dots, dashes and underscores";
    word = next_word(&line);
    k->secret = word;
    if (word == NULL || !secret_valid(word))
        return "KEY is 16 to 128 printable ASCII characters without a space";
    while (wrong == NULL && (word = next_word(&line)) != NULL)
        wrong = parse_word(k, word);
    return wrong;
}

bool key_allows_port(const struct key *k, unsigned port)
{
    const char *list = k->ports;
    long first, last;

    while (list != NULL)
        if (next_range(&list, &first, &last) == 0 && (long)port >= first && (long)port <= last)
            return true;
    return k->ports == NULL;
}

bool key_allows_from(const struct key *k, const struct addr *from)
{
    return k->from == NULL || cidr_list_has(k->from, from);
}
