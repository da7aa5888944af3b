/*
 * new_auth: the relay's side of the proofs of the protocol `new`. See new_auth.h.
 */
#include "new_auth.h"

#include "new_proof.h"
#include "../keys.h"
#include "../os.h"

#include <string.h>

/* The key with which this name may serve from this address, or NULL. */
static const struct key *serving_key(const char *name, const struct addr *from)
{
    const struct key *k = keys_of_service(name);

    return k != NULL && !k->client && key_allows_from(k, from) ? k : NULL;
}

/* A key that nobody has, for a name that has none: the answer looks and takes as long as any. */
static int random_secret(char secret[NEW_NONCE])
{
    unsigned char bytes[CLAIM_BYTES];
    struct text t;

    if (os_random(bytes, sizeof bytes) != 0)
        return -1;
    text_init(&t, secret, NEW_NONCE);
    text_hex(&t, bytes, sizeof bytes);
    return 0;
}

int new_auth_challenge(struct new_auth *a, const struct new_line *hello, const struct addr *from, struct text *line)
{
    const struct key *k = serving_key(hello->name, from);
    unsigned char proof[SHA256_BYTES];
    char nobodys[NEW_NONCE];

    text_copy(a->name, sizeof a->name, hello->name);
    text_copy(a->port, sizeof a->port, hello->port_text);
    text_copy(a->server_nonce, sizeof a->server_nonce, hello->nonce);
    if (random_secret(a->relay_nonce) != 0 || random_secret(nobodys) != 0)
        return -1;
    new_proof_relay(k != NULL ? k->secret : nobodys, a->server_nonce, a->relay_nonce, proof);
    text_add(line, "[AUTH] nonce=%s proof=", a->relay_nonce);
    text_hex(line, proof, sizeof proof);
    text_add(line, "\n");
    return 0;
}

bool new_auth_proved(struct new_auth *a, const struct new_line *proof, const struct addr *from)
{
    const struct key *k = serving_key(a->name, from);
    unsigned char wanted[SHA256_BYTES];

    new_proof_server(k != NULL ? k->secret : a->relay_nonce, a->relay_nonce, a->server_nonce, a->name, a->port,
                     wanted);
    if (!sha256_equal(wanted, proof->proof) || k == NULL)
        return false;
    a->version = k->version;
    return true;
}

const struct key *new_auth_key(const struct new_auth *a, const struct addr *from)
{
    const struct key *k = serving_key(a->name, from);

    return k != NULL && k->version == a->version ? k : NULL;
}

bool new_auth_data(const char *name, const struct new_line *data)
{
    const struct key *k = keys_of_service(name);
    unsigned char wanted[SHA256_BYTES];

    if (k == NULL || !data->has_proof)
        return false;
    new_proof_data(k->secret, data->id_text, wanted);
    return sha256_equal(wanted, data->proof);
}
