/*
 * Frames of the protocol `hostpool` and the messages in them: fields lie in
 * their message, what is taken is in its bounds, and written it is taken for
 * the same. The first byte says what a message is read as: h, w, or a command.
 */
#include "fuzz.h"

#include "../../lib/proto/hostpool_message.h"
#include "../../lib/proto/protobuf.h"

int fuzz_taken;

#define LONGEST (2 * (HOSTPOOL_HEAD + HOSTPOOL_LONGEST))

/* Of exactly that size. */
static unsigned char *copy_of(const uint8_t *bytes, size_t len)
{
    unsigned char *copy = malloc(len > 0 ? len : 1);

    MUST(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

/* More is wanted, and never less than before, until the frame is whole or bad. */
static enum hostpool_status check_frame(const uint8_t *bytes, size_t len, size_t *frame_len)
{
    enum hostpool_status status = HOSTPOOL_MORE;
    size_t before = HOSTPOOL_HEAD;

    for (size_t part = 0; part <= len && status == HOSTPOOL_MORE; part++) {
        unsigned char *copy = copy_of(bytes, part);

        status = hostpool_frame(copy, part, frame_len);
        free(copy);
        if (status == HOSTPOOL_BAD)
            MUST(part == HOSTPOOL_HEAD);
        if (status == HOSTPOOL_WHOLE)
            MUST(part == *frame_len && part >= HOSTPOOL_HEAD && part <= HOSTPOOL_HEAD + HOSTPOOL_LONGEST);
        if (status == HOSTPOOL_MORE)
            MUST(*frame_len > part && *frame_len >= before);
        before = *frame_len;
        if (part == HOSTPOOL_HEAD && status == HOSTPOOL_MORE && *frame_len <= len)
            part = *frame_len - 1;
    }
    return status;
}

/* Whether it is well-formed. */
static bool check_fields(const unsigned char *bytes, size_t len)
{
    struct pb_in in = {bytes, len};
    size_t left = len;
    struct pb_field f;
    int got;

    while ((got = pb_next(&in, &f)) > 0) {
        MUST(in.left < left && in.bytes + in.left == bytes + len);
        left = in.left;
        MUST(f.number > 0 && f.number <= PB_NUMBER_MAX);
        MUST(f.type == PB_VARINT || f.type == PB_I64 || f.type == PB_LEN || f.type == PB_I32);
        if (f.type != PB_VARINT)
            MUST(f.bytes > bytes && f.len < len && f.bytes + f.len == in.bytes);
        MUST(f.type != PB_I64 || f.len == 8);
        MUST(f.type != PB_I32 || f.len == 4);
    }
    MUST(got == 0 || got == -1);
    return got == 0;
}

/* The message of a frame that was written. */
static const unsigned char *message_of(const unsigned char *frame, size_t len)
{
    size_t again;

    MUST(len <= HOSTPOOL_WRITTEN && hostpool_frame(frame, len, &again) == HOSTPOOL_WHOLE && again == len);
    MUST(check_fields(frame + HOSTPOOL_HEAD, len - HOSTPOOL_HEAD));
    return frame + HOSTPOOL_HEAD;
}

static bool check_hello(const unsigned char *bytes, size_t len)
{
    unsigned char frame[HOSTPOOL_WRITTEN];
    int32_t version, again = 1;
    size_t frame_len;

    if (hostpool_hello_parse(bytes, len, &version) != 0)
        return false;
    frame_len = hostpool_hello_put(version, frame);
    MUST(hostpool_hello_parse(message_of(frame, frame_len), frame_len - HOSTPOOL_HEAD, &again) == 0);
    MUST(again == version);
    return true;
}

static bool check_welcome(const unsigned char *bytes, size_t len)
{
    unsigned char frame[HOSTPOOL_WRITTEN];
    struct hostpool_welcome w, again;
    size_t frame_len;

    if (hostpool_welcome_parse(bytes, len, &w) != 0)
        return false;
    MUST(memchr(w.host, '\0', sizeof w.host) != NULL && addr_host_valid(w.host));
    MUST(w.port >= 1 && w.port <= 65535);
    frame_len = hostpool_welcome_put(&w, frame);
    MUST(hostpool_welcome_parse(message_of(frame, frame_len), frame_len - HOSTPOOL_HEAD, &again) == 0);
    MUST(again.session == w.session && strcmp(again.host, w.host) == 0 && again.port == w.port);
    return true;
}

static bool check_command(const unsigned char *bytes, size_t len)
{
    unsigned char frame[HOSTPOOL_WRITTEN];
    struct hostpool_command c, again;
    size_t frame_len;

    if (hostpool_command_parse(bytes, len, &c) != 0)
        return false;
    MUST(c.type == HOSTPOOL_OPEN || c.type == HOSTPOOL_DROP || c.session == 0);
    frame_len = hostpool_command_put(&c, frame);
    MUST(hostpool_command_parse(message_of(frame, frame_len), frame_len - HOSTPOOL_HEAD, &again) == 0);
    MUST(again.version == c.version && again.type == c.type && again.session == c.session);
    return true;
}

static bool check_message(uint8_t kind, const unsigned char *bytes, size_t len)
{
    switch (kind) {
    case 'h':
        return check_hello(bytes, len);
    case 'w':
        return check_welcome(bytes, len);
    default:
        return check_command(bytes, len);
    }
}

/* A message twice is the same message: fields that come again replace themselves, or are merged. */
static void check_twice(uint8_t kind, const unsigned char *bytes, size_t len, bool taken)
{
    unsigned char *twice = malloc(2 * len + 1);
    struct hostpool_command c, again;

    MUST(twice != NULL);
    memcpy(twice, bytes, len);
    memcpy(twice + len, bytes, len);
    if (check_fields(bytes, len))
        MUST(check_fields(twice, 2 * len) && check_message(kind, twice, 2 * len) == taken);
    if (hostpool_command_parse(bytes, len, &c) == 0)
        MUST(hostpool_command_parse(twice, 2 * len, &again) == 0 && again.version == c.version &&
             again.type == c.type && again.session == c.session);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    unsigned char *message;
    size_t frame_len;

    fuzz_taken = 0;
    if (len == 0 || len > LONGEST || check_frame(bytes + 1, len - 1, &frame_len) != HOSTPOOL_WHOLE)
        return 0;
    message = copy_of(bytes + 1 + HOSTPOOL_HEAD, frame_len - HOSTPOOL_HEAD);
    fuzz_taken = check_message(bytes[0], message, frame_len - HOSTPOOL_HEAD);
    if (fuzz_taken)
        MUST(check_fields(message, frame_len - HOSTPOOL_HEAD));
    check_twice(bytes[0], message, frame_len - HOSTPOOL_HEAD, fuzz_taken);
    free(message);
    return 0;
}
