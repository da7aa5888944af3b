/*
 * tlsrelay_line: the lines of tx_tlsrelay's protocol.
 *
 * Pure: bytes in, fields out. See "tlsrelay" in protocols.md.
 */
#ifndef TLSRELAY_LINE_H
#define TLSRELAY_LINE_H

#include "../addr.h"

#include <stddef.h>

enum tlsrelay_word {
    TLSRELAY_PUBLIC,        /* public_listener HOST:PORT */
    TLSRELAY_REVERSE,       /* reverse_listener HOST:PORT */
    TLSRELAY_CLIENT,        /* new_connection */
    TLSRELAY_FULL           /* no_available_listeners */
};

struct tlsrelay_line {
    enum tlsrelay_word word;
    char host[ADDR_HOST];
    unsigned port;
};

/*
 * Parses a line without its newline, but with the \r before it; a NUL stands
 * behind it. Returns 0, or -1 if it is none of these.
 */
int tlsrelay_line_parse(const char *bytes, size_t len, struct tlsrelay_line *line);

#endif
