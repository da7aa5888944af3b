/*
 * claim: ids that whoever they were told to gives back once.
 *
 * 128 random bits each (protocols.md). An id is good until it is revoked; who
 * finds one revokes it when the claim is good, so that it is used once.
 */
#ifndef CLAIM_H
#define CLAIM_H

#define CLAIM_BYTES 16
#define CLAIM_TEXT (2 * CLAIM_BYTES + 1)

/* The owner keeps it in place while it is issued. All zeroes is not issued. */
struct claim {
    unsigned char id[CLAIM_BYTES];
    void *owner;
    int kind;           /* what the owner is, where there are several; nothing to this file */
    struct claim *next, **link;
};

/* Gives it a new id; an earlier one is dead. Returns -1 with errno: no random bytes. */
int claim_issue(struct claim *c);

/* The id is dead. Harmless if none was issued. */
void claim_revoke(struct claim *c);

/* The claim with this id, or NULL. */
struct claim *claim_find(const unsigned char id[CLAIM_BYTES]);

#endif
