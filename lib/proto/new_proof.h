/*
 * new_proof: the proofs of the protocol `new`: who has a key shows it without saying it.
 *
 * HMAC-SHA256 (RFC 2104) over texts that each name who speaks and what for, so
 * that no proof is good in another's place. Pure.
 */
#ifndef NEW_PROOF_H
#define NEW_PROOF_H

#include "../key.h"
#include "../sha256.h"

/* The relay's, over "relay\n<server nonce>\n<relay nonce>\n". */
void new_proof_relay(const char *secret, const char *server_nonce, const char *relay_nonce,
                     unsigned char proof[SHA256_BYTES]);

/* The server's, over "server\n<relay nonce>\n<server nonce>\n<name>\n<value of port=, or 0>\n". */
void new_proof_server(const char *secret, const char *relay_nonce, const char *server_nonce, const char *name,
                      const char *port, unsigned char proof[SHA256_BYTES]);

/* A data connection's, over "data\n<id>\n", the id as it is sent. */
void new_proof_data(const char *secret, const char *id, unsigned char proof[SHA256_BYTES]);

#endif
