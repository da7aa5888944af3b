/*
 * new_auth: the relay's side of the proofs of the protocol `new`: a challenge,
 * and whether the answer is good. It sends nothing.
 */
#ifndef NEW_AUTH_H
#define NEW_AUTH_H

#include "new_line.h"
#include "../key.h"
#include "../text.h"

/* One [HELLO] that is being asked for its proof, or has given it. */
struct new_auth {
    char name[NAME_SIZE];
    char port[6];
    char server_nonce[NEW_NONCE], relay_nonce[NEW_NONCE];
    unsigned version;       /* of the key that it proved to have */
};

/*
 * Makes the [AUTH] line for this [HELLO], which has a nonce. A name without a
 * key, or one that the key does not allow from this address, gets one too.
 * -1 with errno: no random bytes.
 */
int new_auth_challenge(struct new_auth *a, const struct new_line *hello, const struct addr *from, struct text *line);

/* Whether the line is that [PROOF]. */
bool new_auth_proved(struct new_auth *a, const struct new_line *proof, const struct addr *from);

/* The key that was proved; NULL: it is gone, or another, or does not allow the address any more. */
const struct key *new_auth_key(const struct new_auth *a, const struct addr *from);

/* Whether this [DATA] line, whose id is of a service of that name, proves its key. */
bool new_auth_data(const char *name, const struct new_line *data);

#endif
