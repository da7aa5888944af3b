/*
 * protobuf: fields in protobuf's wire format. See protobuf.h.
 */
#include "protobuf.h"

#include <string.h>

/* Groups, which are older than messages in messages, begin and end with a tag. */
enum { GROUP = 3, GROUP_END = 4 };

/* A varint has 7 bits in a byte: 5 bytes for 32 bits, 10 for 64. */
enum { SHORT = 5, LONG = 10 };

/* Reading. */

static int take_varint(struct pb_in *in, int longest, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < longest && in->left > 0; i++) {
        unsigned char byte = *in->bytes++;

        in->left--;
        *value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80)
            return 0;
    }
    return -1;
}

static int take_bytes(struct pb_in *in, struct pb_field *field, uint64_t len)
{
    if (len > in->left)
        return -1;
    field->bytes = in->bytes;
    field->len = (size_t)len;
    in->bytes += field->len;
    in->left -= field->len;
    return 0;
}

/* Returns the wire type, or -1. Of a group only its tag is taken. */
static int take_field(struct pb_in *in, struct pb_field *field)
{
    uint64_t tag, len;
    int type;

    if (take_varint(in, SHORT, &tag) != 0 || tag >> 3 == 0 || tag >> 3 > PB_NUMBER_MAX)
        return -1;
    type = (int)(tag & 7);
    field->number = (uint32_t)(tag >> 3);
    switch (type) {
    case PB_VARINT:
        return take_varint(in, LONG, &field->value) == 0 ? type : -1;
    case PB_I64:
        return take_bytes(in, field, 8) == 0 ? type : -1;
    case PB_LEN:
        return take_varint(in, SHORT, &len) == 0 && take_bytes(in, field, len) == 0 ? type : -1;
    case PB_I32:
        return take_bytes(in, field, 4) == 0 ? type : -1;
    case GROUP:
    case GROUP_END:
        return type;
    default:
        return -1;
    }
}

int pb_next(struct pb_in *in, struct pb_field *field)
{
    uint32_t open[PB_GROUPS];
    size_t depth = 0;

    while (in->left > 0) {
        int type = take_field(in, field);

        if (type < 0)
            return -1;
        if (type == GROUP) {
            if (depth == PB_GROUPS)
                return -1;
            open[depth++] = field->number;
        } else if (type == GROUP_END) {
            if (depth == 0 || open[--depth] != field->number)
                return -1;
        } else if (depth == 0) {
            field->type = (enum pb_type)type;
            return 1;
        }
    }
    return depth == 0 ? 0 : -1;
}

int32_t pb_int32(uint64_t value)
{
    return (int32_t)(uint32_t)value;
}

/* Writing. */

static void put(struct pb_out *out, const void *bytes, size_t len)
{
    if (len > out->size - out->len)
        out->cut = true;
    if (out->cut || len == 0)
        return;
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static void put_varint(struct pb_out *out, uint64_t value)
{
    unsigned char bytes[LONG];
    size_t len = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (unsigned char)(value | 0x80);
    bytes[len++] = (unsigned char)value;
    put(out, bytes, len);
}

void pb_put_int32(struct pb_out *out, uint32_t number, int32_t value)
{
    put_varint(out, (uint64_t)number << 3 | PB_VARINT);
    put_varint(out, (uint64_t)(int64_t)value);
}

void pb_put_bytes(struct pb_out *out, uint32_t number, const void *bytes, size_t len)
{
    put_varint(out, (uint64_t)number << 3 | PB_LEN);
    put_varint(out, len);
    put(out, bytes, len);
}
