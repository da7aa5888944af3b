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

/* What the owner is. All ids are in one table, and may come where those of others are due. */
enum claim_kind {
    CLAIM_WAITER = 1,       /* struct waiter, a rendezvous's */
    CLAIM_READY = 2,        /* a connection that is made ahead of its client */
    CLAIM_REQUESTS = 4      /* a connection that is made of several requests */
};

/* The owner keeps it in place while it is issued, and sets owner and kind. All zeroes is not issued. */
struct claim {
    unsigned char id[CLAIM_BYTES];
    void *owner;
    enum claim_kind kind;
    struct claim *next, **link;
};

/* Gives it a new id; an earlier one is dead. Returns -1 with errno: no random bytes. */
int claim_issue(struct claim *c);

/* The id is dead. Harmless if none was issued. */
void claim_revoke(struct claim *c);

/* The claim with this id, if it is of one of these kinds (a sum of enum claim_kind); or NULL. */
struct claim *claim_find(const unsigned char id[CLAIM_BYTES], unsigned kinds);

#endif
