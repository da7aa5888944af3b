/*
 * SHA-256: however the message is cut into pieces, it has one hash; and
 * HMAC-SHA256 is what RFC 2104, 2 says of two hashes.
 *
 * The first byte says how the rest is cut, and how much of it is the key.
 */
#include "fuzz.h"

#include "../../lib/sha256.h"

int fuzz_taken = -1;

static void hash(const uint8_t *bytes, size_t len, unsigned char digest[SHA256_BYTES])
{
    struct sha256 s;

    sha256_init(&s);
    sha256_add(&s, bytes, len);
    sha256_end(&s, digest);
}

static void check_pieces(const uint8_t *bytes, size_t len, unsigned seed)
{
    unsigned char whole[SHA256_BYTES], digest[SHA256_BYTES];
    struct sha256 s;

    hash(bytes, len, whole);
    sha256_init(&s);
    for (size_t at = 0, piece; at < len; at += piece) {
        seed = seed * 1103515245U + 12345U;
        piece = seed >> 16 & 0x7f;
        if (piece > len - at)
            piece = len - at;
        sha256_add(&s, bytes + at, piece);
    }
    sha256_end(&s, digest);
    MUST(memcmp(whole, digest, sizeof digest) == 0 && sha256_equal(whole, digest));
    digest[seed % SHA256_BYTES] ^= (unsigned char)(1 << (seed >> 8) % 8);
    MUST(!sha256_equal(whole, digest));
}

/* H(K xor opad, H(K xor ipad, text)), in one buffer each. */
static void check_mac(const uint8_t *key, size_t key_len, const uint8_t *message, size_t len)
{
    unsigned char padded[SHA256_BLOCK] = {0}, mac[SHA256_BYTES], wanted[SHA256_BYTES];
    unsigned char outer[SHA256_BLOCK + SHA256_BYTES], *inner = malloc(SHA256_BLOCK + len);

    MUST(inner != NULL);
    if (key_len > SHA256_BLOCK)
        hash(key, key_len, padded);
    else
        memcpy(padded, key, key_len);
    for (int i = 0; i < SHA256_BLOCK; i++) {
        inner[i] = padded[i] ^ 0x36;
        outer[i] = padded[i] ^ 0x5c;
    }
    memcpy(inner + SHA256_BLOCK, message, len);
    hash(inner, SHA256_BLOCK + len, outer + SHA256_BLOCK);
    hash(outer, sizeof outer, wanted);
    hmac_sha256(key, key_len, message, len, mac);
    MUST(sha256_equal(mac, wanted));
    free(inner);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t key_len;

    if (len == 0)
        return 0;
    key_len = bytes[0] < len - 1 ? bytes[0] : len - 1;
    check_pieces(bytes + 1, len - 1, bytes[0]);
    check_mac(bytes + 1, key_len, bytes + 1 + key_len, len - 1 - key_len);
    return 0;
}
