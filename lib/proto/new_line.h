/*
 * new_line: the lines of the protocol `new` as structures.
 *
 * Pure: bytes in, fields out. No socket, no state.
 */
#ifndef NEW_LINE_H
#define NEW_LINE_H

#include "../addr.h"
#include "../claim.h"
#include "../name.h"
#include "../sha256.h"

#include <stdbool.h>
#include <stddef.h>

enum new_word {
    NEW_UNKNOWN,    /* a word in brackets that is none of these: to be ignored */
    NEW_HELLO,
    NEW_PUBLIC,
    NEW_NEW,
    NEW_DATA,
    NEW_PING,
    NEW_PONG,
    NEW_ERROR,
    NEW_AUTH,
    NEW_PROOF,
    NEW_READY,
    NEW_START
};

#define NEW_VERSION 1
#define NEW_CODE 16

/* A nonce: 128 random bits as 32 hex digits, and a NUL. Proofs are over the text, so that is what is kept. */
#define NEW_NONCE CLAIM_TEXT

struct new_line {
    enum new_word word;
    long version;                   /* v=; -1: not given, as with all numbers */
    long port, want;                /* port= and want=, or PORT of [NEW] and [PUBLIC] */
    long ready;                     /* ready= */
    char host[ADDR_HOST];           /* HOST of [NEW] and [PUBLIC]; "" where it is not given */
    char port_text[6];              /* port= as it was sent; "0": not given */
    char name[NAME_SIZE];           /* name= */
    char nonce[NEW_NONCE];          /* nonce=; "": not given */
    unsigned char id[CLAIM_BYTES];  /* id= */
    char id_text[CLAIM_TEXT];       /* as it was sent */
    bool has_id;
    unsigned char proof[SHA256_BYTES];  /* proof=, or what [PROOF] has */
    bool has_proof;
    struct addr from;               /* from=; len 0: not given */
    char code[NEW_CODE];            /* of [ERROR] */
    const char *text;               /* of [ERROR]: what stands behind the code, in the bytes parsed */
};

/*
 * Parses a line without its newline; a NUL stands behind it. Returns 0, or -1
 * if it is malformed.
 */
int new_line_parse(const char *bytes, size_t len, struct new_line *line);

#endif
