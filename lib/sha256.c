/*
 * sha256: SHA-256 and HMAC-SHA256. See sha256.h.
 */
#include "sha256.h"

#include "wipe.h"

#include <string.h>

/* FIPS 180-4, 4.2.2. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* FIPS 180-4, 6.2.2: the 64 words of the message schedule. */
static void schedule(uint32_t w[64], const unsigned char block[SHA256_BLOCK])
{
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
               block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t early = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t late = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;

        w[t] = late + w[t - 7] + early + w[t - 16];
    }
}

/* The variables a to h of FIPS 180-4 are v[0] to v[7]. */
static void hash_block(struct sha256 *s, const unsigned char block[SHA256_BLOCK])
{
    uint32_t w[64], v[8];

    schedule(w, block);
    memcpy(v, s->state, sizeof v);
    for (int t = 0; t < 64; t++) {
        uint32_t sum1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + sum1 + choice + constants[t] + w[t];
        uint32_t sum0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + sum0 + majority;
    }
    for (int i = 0; i < 8; i++)
        s->state[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
    /* FIPS 180-4, 5.3.3. */
    static const uint32_t start[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };

    memcpy(s->state, start, sizeof s->state);
    s->len = 0;
}

void sha256_add(struct sha256 *s, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;

    while (len > 0) {
        size_t used = s->len % SHA256_BLOCK, part = SHA256_BLOCK - used;

        if (part > len)
            part = len;
        memcpy(s->block + used, from, part);
        s->len += part;
        from += part;
        len -= part;
        if (s->len % SHA256_BLOCK == 0)
            hash_block(s, s->block);
    }
}

static void put_big_endian(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        to[i] = value & 0xff;
        value >>= 8;
    }
}

/* FIPS 180-4, 5.1.1: a one bit, zeroes, and the length in bits. */
void sha256_end(struct sha256 *s, unsigned char digest[SHA256_BYTES])
{
    static const unsigned char padding[SHA256_BLOCK] = {0x80};
    unsigned char bits[8];

    put_big_endian(bits, s->len * 8, 8);
    sha256_add(s, padding, 1 + (2 * SHA256_BLOCK - 9 - s->len % SHA256_BLOCK) % SHA256_BLOCK);
    sha256_add(s, bits, sizeof bits);
    for (int i = 0; i < 8; i++)
        put_big_endian(digest + 4 * i, s->state[i], 4);
}

/* One of the two hashes of RFC 2104: over the padded key, and then what is given. */
static void keyed_hash(const unsigned char padded[SHA256_BLOCK], unsigned char pad, const void *bytes, size_t len,
                       unsigned char digest[SHA256_BYTES])
{
    unsigned char block[SHA256_BLOCK];
    struct sha256 s;

    for (int i = 0; i < SHA256_BLOCK; i++)
        block[i] = padded[i] ^ pad;
    sha256_init(&s);
    sha256_add(&s, block, sizeof block);
    sha256_add(&s, bytes, len);
    sha256_end(&s, digest);
    wipe(block, sizeof block);
    wipe(&s, sizeof s);
}

void hmac_sha256(const void *key, size_t key_len, const void *message, size_t len, unsigned char mac[SHA256_BYTES])
{
    unsigned char padded[SHA256_BLOCK] = {0}, inner[SHA256_BYTES];
    struct sha256 s;

    if (key_len > sizeof padded) {
        sha256_init(&s);
        sha256_add(&s, key, key_len);
        sha256_end(&s, padded);
    } else {
        memcpy(padded, key, key_len);
    }
    keyed_hash(padded, 0x36, message, len, inner);
    keyed_hash(padded, 0x5c, inner, sizeof inner, mac);
    wipe(padded, sizeof padded);
}

bool sha256_equal(const unsigned char a[SHA256_BYTES], const unsigned char b[SHA256_BYTES])
{
    volatile unsigned char different = 0;

    for (int i = 0; i < SHA256_BYTES; i++)
        different |= a[i] ^ b[i];
    return different == 0;
}
