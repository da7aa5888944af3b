/*
 * tlsrelay_line: the lines of tx_tlsrelay's protocol. See tlsrelay_line.h.
 */
#include "tlsrelay_line.h"

#include "../text.h"

#include <string.h>

static const struct {
    const char *word;
    bool has_address;
} words[] = {
    [TLSRELAY_PUBLIC] = {"public_listener ", true},
    [TLSRELAY_REVERSE] = {"reverse_listener ", true},
    [TLSRELAY_CLIENT] = {"new_connection", false},
    [TLSRELAY_FULL] = {"no_available_listeners", false},
};

static int parse_address(const char *text, struct tlsrelay_line *line)
{
    long port = addr_split(text, line->host);

    if (port < 1)
        return -1;
    line->port = (unsigned)port;
    return 0;
}

int tlsrelay_line_parse(const char *bytes, size_t len, struct tlsrelay_line *line)
{
    char text[ADDR_HOST + 32];

    if (len == 0 || len >= sizeof text || bytes[len - 1] != '\r' || memchr(bytes, '\0', len) != NULL)
        return -1;
    memcpy(text, bytes, len - 1);
    text[len - 1] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t word_len = strlen(words[i].word);

        line->word = (enum tlsrelay_word)i;
        if (words[i].has_address && strncmp(text, words[i].word, word_len) == 0)
            return parse_address(text + word_len, line);
        if (!words[i].has_address && strcmp(text, words[i].word) == 0)
            return 0;
    }
    return -1;
}
