/*
 * target: what relay-connect offers: a local server, a command, or its own
 * standard input and output.
 */
#ifndef TARGET_H
#define TARGET_H

#include "command.h"
#include "dial.h"
#include "leg.h"
#include "name.h"

enum target_kind { TARGET_TCP, TARGET_UNIX, TARGET_COMMAND, TARGET_STDIO };

struct target {
    enum target_kind kind;
    char name[NAME_SIZE];    /* "": not given */
    unsigned public_port;       /* 0: any */
    struct dial_host server;    /* TARGET_TCP */
    struct addr path;           /* TARGET_UNIX */
    char **command;             /* TARGET_COMMAND: execvp's arguments, not copied */
};

/*
 * Parses [NAME=][PUBLIC:]HOST:PORT, [NAME=][PUBLIC:]/path/of/socket or -.
 * Returns NULL, or what is wrong with it as half a sentence (static).
 */
const char *target_parse(struct target *t, const char *text);

/*
 * Opens the local end of a session: a server's connection, or standard input
 * and output. Blocks, at most so many seconds for each address. Returns -1
 * with the reason in why.
 */
int target_open(const struct target *t, int seconds, struct leg *leg, char why[DIAL_WHY]);

/*
 * The i-th address of a server that is known without asking anybody: a socket's
 * path, a numeric address, localhost (RFC 6761, 6.3). -1: there is none.
 */
int target_addr(const struct target *t, int i, struct addr *a);

/*
 * Makes the PROXY header of this version that tells a server who its client is,
 * TARGET_HEADER bytes at most, and returns its length. The destination is the
 * public address where its host is numeric, else its port at the relay's address.
 */
#define TARGET_HEADER 107
size_t target_header(int version, const struct command_peers *peers, char *header);

#endif
