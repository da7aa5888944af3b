/*
 * new_port: which public port a [HELLO] of the protocol `new` gets.
 */
#ifndef NEW_PORT_H
#define NEW_PORT_H

#include "../key.h"
#include "../name.h"
#include "../portpool.h"

/* What a [HELLO] asks for. */
struct new_wish {
    char name[NAME_SIZE];
    long port, want;        /* port= and want=; 0 or less: any */
    long ready;             /* ready=; 0 or less: none */
};

/*
 * The port for a wish: free, or the one that its service has now (NULL: none),
 * and one of those its key allows (NULL: there are no keys). NULL: it cannot
 * be, and *code is the protocol's word for why.
 */
struct port *new_port_choose(const struct portpool *pool, const struct new_wish *wish, const struct key *key,
                             struct port *now, const char **code);

/* The sentence for such a code (static). */
const char *new_port_explain(const char *code);

#endif
