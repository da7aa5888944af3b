/*
 * protobuf: the few parts of its wire format that the messages here need
 * (https://protobuf.dev/programming-guides/encoding/).
 *
 * Pure: bytes in, fields out, and the other way round. What a field's number
 * means is the caller's; who does not know one goes on to the next.
 */
#ifndef PROTOBUF_H
#define PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest number of a field, 2^29 - 1; the lowest is 1 (proto3 guide, "Assigning Field Numbers"). */
#define PB_NUMBER_MAX 0x1fffffff

/* How deep groups may be in each other: the default of protobuf's own parsers (CodedInputStream::SetRecursionLimit). */
#define PB_GROUPS 100

/* Those that are returned; groups are not. */
enum pb_type { PB_VARINT = 0, PB_I64 = 1, PB_LEN = 2, PB_I32 = 5 };

struct pb_field {
    uint32_t number;
    enum pb_type type;
    uint64_t value;                 /* of PB_VARINT */
    const unsigned char *bytes;     /* of the others, in what is read; 8 of PB_I64, 4 of PB_I32 */
    size_t len;                     /* of bytes */
};

/* What is not read yet of a message. The bytes stay the caller's. */
struct pb_in {
    const unsigned char *bytes;
    size_t left;
};

/*
 * Takes the next field. Returns 1, 0 at the end, or -1: malformed, and then
 * nothing of the message counts. Groups are skipped. A tag and a length have
 * 5 bytes at most, a varint 10, of which 64 bits count; so it is in protobuf's C++ parser,
 * but for a tag of more than 32 bits, which that cuts off and which is malformed here.
 */
int pb_next(struct pb_in *in, struct pb_field *field);

/* A value as int32: its low 32 bits. */
int32_t pb_int32(uint64_t value);

struct pb_out {
    unsigned char *bytes;   /* the caller's */
    size_t size;            /* of bytes */
    size_t len;             /* of what was written */
    bool cut;               /* something did not fit; nothing behind it counts */
};

/* Adds a field: an int32 (10 bytes if it is negative); bytes, a string or a message that was written before. */
void pb_put_int32(struct pb_out *out, uint32_t number, int32_t value);
void pb_put_bytes(struct pb_out *out, uint32_t number, const void *bytes, size_t len);

#endif
