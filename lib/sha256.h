/*
 * sha256: the hash SHA-256 (FIPS 180-4) and HMAC-SHA256 over it (RFC 2104).
 *
 * Pure: bytes in, bytes out.
 */
#ifndef SHA256_H
#define SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_BLOCK 64

struct sha256 {
    uint32_t state[8];
    uint64_t len;                       /* of all that was added, in bytes */
    unsigned char block[SHA256_BLOCK];  /* what is not hashed yet */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t len);
void sha256_end(struct sha256 *s, unsigned char digest[SHA256_BYTES]);

/* HMAC-SHA256 of a message. A key of any length. */
void hmac_sha256(const void *key, size_t key_len, const void *message, size_t len, unsigned char mac[SHA256_BYTES]);

/* Whether two digests are equal; how long it takes does not tell where they differ. */
bool sha256_equal(const unsigned char a[SHA256_BYTES], const unsigned char b[SHA256_BYTES]);

#endif
