/*
 * new_line: the lines of the protocol `new` as structures. See new_line.h.
 */
#include "new_line.h"

#include "../text.h"

#include <string.h>

static const struct {
    const char *text;
    enum new_word word;
} words[] = {
    {"HELLO", NEW_HELLO}, {"PUBLIC", NEW_PUBLIC}, {"NEW", NEW_NEW}, {"DATA", NEW_DATA},
    {"PING", NEW_PING}, {"PONG", NEW_PONG}, {"ERROR", NEW_ERROR}, {"AUTH", NEW_AUTH},
    {"PROOF", NEW_PROOF}, {"READY", NEW_READY}, {"START", NEW_START},
};

static int parse_port(const char *value, long *port)
{
    *port = text_number(value, 65535);
    return *port < 0 ? -1 : 0;
}

static int parse_id(struct new_line *line, const char *value)
{
    line->has_id = text_unhex(value, line->id, sizeof line->id) == 0;
    text_copy(line->id_text, sizeof line->id_text, value);
    return line->has_id ? 0 : -1;
}

static int parse_nonce(struct new_line *line, const char *value)
{
    unsigned char bytes[CLAIM_BYTES];

    text_copy(line->nonce, sizeof line->nonce, value);
    return text_unhex(value, bytes, sizeof bytes);
}

static int parse_proof(struct new_line *line, const char *value)
{
    line->has_proof = text_unhex(value, line->proof, sizeof line->proof) == 0;
    return line->has_proof ? 0 : -1;
}

/* A port= that the proof has to repeat is kept as it was sent. */
static int parse_own_port(struct new_line *line, const char *value)
{
    if (!text_copy(line->port_text, sizeof line->port_text, value))
        return -1;
    return parse_port(value, &line->port);
}

/* An address that is not understood, such as one with a scope, is one that is not known. */
static int parse_from(struct new_line *line, const char *value)
{
    char host[ADDR_HOST];
    long port = addr_split(value, host);

    if (port < 0 || addr_numeric(&line->from, host, (unsigned)port) != 0)
        line->from.len = 0;
    return 0;
}

static int parse_name(struct new_line *line, const char *value)
{
    if (!name_valid(value))
        return -1;
    text_copy(line->name, sizeof line->name, value);
    return 0;
}

/* Keys that are not known are ignored. */
static int parse_pair(struct new_line *line, const char *key, const char *value)
{
    if (line->word == NEW_HELLO) {
        if (strcmp(key, "v") == 0)
            return (line->version = text_number(value, 65535)) < 0 ? -1 : 0;
        if (strcmp(key, "name") == 0)
            return parse_name(line, value);
        if (strcmp(key, "port") == 0)
            return parse_own_port(line, value);
        if (strcmp(key, "want") == 0)
            return parse_port(value, &line->want);
        if (strcmp(key, "ready") == 0)
            return (line->ready = text_number(value, 65535)) < 0 ? -1 : 0;
    }
    if ((line->word == NEW_HELLO || line->word == NEW_AUTH) && strcmp(key, "nonce") == 0)
        return parse_nonce(line, value);
    if ((line->word == NEW_AUTH || line->word == NEW_DATA) && strcmp(key, "proof") == 0)
        return parse_proof(line, value);
    if ((line->word == NEW_NEW || line->word == NEW_DATA || line->word == NEW_READY) && strcmp(key, "id") == 0)
        return parse_id(line, value);
    if ((line->word == NEW_NEW || line->word == NEW_START) && strcmp(key, "from") == 0)
        return parse_from(line, value);
    return 0;
}

/* Cuts the next piece off at a space. NULL: there is none; an empty one is malformed. */
static char *next_piece(char **rest)
{
    char *piece = *rest, *space;

    if (piece == NULL)
        return NULL;
    space = strchr(piece, ' ');
    if (space != NULL)
        *space++ = '\0';
    *rest = space;
    return piece;
}

static int parse_pairs(struct new_line *line, char *rest)
{
    char *pair;

    while ((pair = next_piece(&rest)) != NULL) {
        char *equals = strchr(pair, '=');

        if (equals == NULL || equals == pair)
            return -1;
        *equals = '\0';
        if (parse_pair(line, pair, equals + 1) != 0)
            return -1;
    }
    return 0;
}

/* PORT or HOST:PORT, HOST being an IPv6 address in brackets, too. */
static int parse_address(struct new_line *line, const char *text)
{
    if (strchr(text, ':') == NULL)
        return parse_port(text, &line->port);
    line->port = addr_split(text, line->host);
    return line->port < 0 ? -1 : 0;
}

static int parse_error(struct new_line *line, char *rest, const char *bytes, size_t offset)
{
    const char *code = next_piece(&rest);

    if (code == NULL)
        return -1;
    text_copy(line->code, sizeof line->code, code);
    line->text = bytes + offset + strlen(code) + (rest != NULL ? 1 : 0);
    return 0;
}

static int parse_rest(struct new_line *line, char *rest, const char *bytes, size_t offset)
{
    char *address;

    switch (line->word) {
    case NEW_UNKNOWN:
        return 0;
    case NEW_NEW:
        address = next_piece(&rest);
        return parse_address(line, address) != 0 ? -1 : parse_pairs(line, rest);
    case NEW_PUBLIC:
        if (*rest++ != ' ')
            return -1;
        address = next_piece(&rest);
        if (parse_address(line, address) != 0 || line->host[0] == '\0')
            return -1;
        return parse_pairs(line, rest);
    default:
        if (*rest == '\0')
            return line->word == NEW_ERROR || line->word == NEW_PROOF ? -1 : 0;
        if (*rest != ' ')
            return -1;
        if (line->word == NEW_PROOF)
            return parse_proof(line, rest + 1);
        if (line->word == NEW_ERROR)
            return parse_error(line, rest + 1, bytes, offset + 1);
        return parse_pairs(line, rest + 1);
    }
}

static bool printable(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] < ' ' || bytes[i] > '~')
            return false;
    return true;
}

int new_line_parse(const char *bytes, size_t len, struct new_line *line)
{
    char copy[512];
    const char *close;
    size_t word_len;

    memset(line, 0, sizeof *line);
    line->version = line->port = line->want = line->ready = -1;
    line->port_text[0] = '0';
    if (len >= sizeof copy || len < 2 || bytes[0] != '[' || !printable(bytes, len))
        return -1;
    close = memchr(bytes, ']', len);
    if (close == NULL || close == bytes + 1 || memchr(bytes, ' ', (size_t)(close - bytes)) != NULL)
        return -1;
    word_len = (size_t)(close - bytes) - 1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].text) == word_len && memcmp(words[i].text, bytes + 1, word_len) == 0)
            line->word = words[i].word;
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return parse_rest(line, copy + word_len + 2, bytes, word_len + 2);
}
