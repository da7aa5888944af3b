/*
 * new_claim: the line that claims an id of the protocol `new`, with the proof
 * where there is a key for the service.
 */
#ifndef NEW_CLAIM_H
#define NEW_CLAIM_H

#include "../claim.h"
#include "../text.h"

/* A [DATA] line with id and proof. */
#define NEW_CLAIM 128

/* Adds the line. It is over the id as it is sent, in lower case. Only the parent knows keys. */
void new_claim_line(struct text *line, const char *service, const unsigned char id[CLAIM_BYTES]);

#endif
