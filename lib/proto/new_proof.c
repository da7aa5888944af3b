/*
 * new_proof: the proofs of the protocol `new`. See new_proof.h.
 */
#include "new_proof.h"

#include "../text.h"

#include <string.h>

/* Words, two nonces, a name and a port. */
#define LONGEST 256

static void prove(const char *secret, const struct text *t, unsigned char proof[SHA256_BYTES])
{
    hmac_sha256(secret, strlen(secret), t->data, t->len, proof);
}

void new_proof_relay(const char *secret, const char *server_nonce, const char *relay_nonce,
                     unsigned char proof[SHA256_BYTES])
{
    char buffer[LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "relay\n%s\n%s\n", server_nonce, relay_nonce);
    prove(secret, &t, proof);
}

void new_proof_server(const char *secret, const char *relay_nonce, const char *server_nonce, const char *name,
                      const char *port, unsigned char proof[SHA256_BYTES])
{
    char buffer[LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "server\n%s\n%s\n%s\n%s\n", relay_nonce, server_nonce, name, port);
    prove(secret, &t, proof);
}

void new_proof_data(const char *secret, const char *id, unsigned char proof[SHA256_BYTES])
{
    char buffer[LONGEST];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_add(&t, "data\n%s\n", id);
    prove(secret, &t, proof);
}
