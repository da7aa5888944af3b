/*
 * new_claim: the line that claims an id of the protocol `new`. See new_claim.h.
 */
#include "new_claim.h"

#include "new_proof.h"
#include "../keys.h"

void new_claim_line(struct text *line, const char *service, const unsigned char id[CLAIM_BYTES])
{
    const struct key *k = keys_of_service(service);
    unsigned char proof[SHA256_BYTES];
    char id_text[CLAIM_TEXT];
    struct text t;

    text_init(&t, id_text, sizeof id_text);
    text_hex(&t, id, CLAIM_BYTES);
    text_add(line, "[DATA] id=%s", id_text);
    if (k != NULL) {
        new_proof_data(k->secret, id_text, proof);
        text_add(line, " proof=");
        text_hex(line, proof, sizeof proof);
    }
    text_add(line, "\n");
}
