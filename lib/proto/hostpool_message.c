/*
 * hostpool_message: the messages of the protocol `hostpool` as structures. See
 * hostpool_message.h.
 */
#include "hostpool_message.h"

#include "../text.h"
#include "protobuf.h"

#include <string.h>

/* Fields by their numbers. The first one of Hello, OPEN and DROP is the only one. */
enum { ONLY = 1 };
enum { WELCOME_SESSION = 1, WELCOME_HOST = 2, WELCOME_PORT = 3 };
enum { COMMAND_VERSION = 1, COMMAND_TYPE = 2, COMMAND_OPEN = 3, COMMAND_DROP = 4 };

enum hostpool_status hostpool_frame(const unsigned char *bytes, size_t len, size_t *frame_len)
{
    uint32_t message_len;

    *frame_len = HOSTPOOL_HEAD;
    if (len < HOSTPOOL_HEAD)
        return HOSTPOOL_MORE;
    message_len = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (message_len > HOSTPOOL_LONGEST)
        return HOSTPOOL_BAD;
    *frame_len += message_len;
    return len < *frame_len ? HOSTPOOL_MORE : HOSTPOOL_WHOLE;
}

/* Reading. */

static bool is(const struct pb_field *f, uint32_t number, enum pb_type type)
{
    return f->number == number && f->type == type;
}

/* A message of one int32, which keeps its value where the field is not there: so embedded ones are merged. */
static int parse_only(const unsigned char *bytes, size_t len, int32_t *n)
{
    struct pb_in in = {bytes, len};
    struct pb_field f;
    int got;

    while ((got = pb_next(&in, &f)) > 0)
        if (is(&f, ONLY, PB_VARINT))
            *n = pb_int32(f.value);
    return got;
}

int hostpool_hello_parse(const unsigned char *bytes, size_t len, int32_t *version)
{
    *version = 0;
    return parse_only(bytes, len, version);
}

/* A field as a string, which has to fit and to have no NUL. */
static int copy_string(char *to, size_t size, const struct pb_field *f)
{
    if (f->len == 0 || f->len >= size || memchr(f->bytes, '\0', f->len) != NULL)
        return -1;
    memcpy(to, f->bytes, f->len);
    to[f->len] = '\0';
    return 0;
}

int hostpool_welcome_parse(const unsigned char *bytes, size_t len, struct hostpool_welcome *welcome)
{
    struct pb_in in = {bytes, len};
    struct pb_field f, host = {0}, port = {0};
    char port_text[6];
    long n;
    int got;

    memset(welcome, 0, sizeof *welcome);
    while ((got = pb_next(&in, &f)) > 0) {
        if (is(&f, WELCOME_SESSION, PB_VARINT))
            welcome->session = pb_int32(f.value);
        else if (is(&f, WELCOME_HOST, PB_LEN))
            host = f;
        else if (is(&f, WELCOME_PORT, PB_LEN))
            port = f;
    }
    if (got != 0 || copy_string(welcome->host, sizeof welcome->host, &host) != 0 || !addr_host_valid(welcome->host) ||
        copy_string(port_text, sizeof port_text, &port) != 0)
        return -1;
    n = text_number(port_text, 65535);
    if (n <= 0)
        return -1;
    welcome->port = (unsigned)n;
    return 0;
}

int hostpool_command_parse(const unsigned char *bytes, size_t len, struct hostpool_command *command)
{
    struct pb_in in = {bytes, len};
    struct pb_field f;
    int32_t opened = 0, dropped = 0;
    int got;

    memset(command, 0, sizeof *command);
    while ((got = pb_next(&in, &f)) > 0) {
        if (is(&f, COMMAND_VERSION, PB_VARINT))
            command->version = pb_int32(f.value);
        else if (is(&f, COMMAND_TYPE, PB_VARINT))
            command->type = pb_int32(f.value);
        else if (is(&f, COMMAND_OPEN, PB_LEN) && parse_only(f.bytes, f.len, &opened) != 0)
            return -1;
        else if (is(&f, COMMAND_DROP, PB_LEN) && parse_only(f.bytes, f.len, &dropped) != 0)
            return -1;
    }
    if (command->type == HOSTPOOL_OPEN)
        command->session = opened;
    if (command->type == HOSTPOOL_DROP)
        command->session = dropped;
    return got;
}

/* Writing. */

static struct pb_out begin_frame(unsigned char out[HOSTPOOL_WRITTEN])
{
    struct pb_out o = {out + HOSTPOOL_HEAD, HOSTPOOL_WRITTEN - HOSTPOOL_HEAD, 0, false};

    return o;
}

static size_t end_frame(const struct pb_out *o, unsigned char out[HOSTPOOL_WRITTEN])
{
    out[0] = out[1] = 0;
    out[2] = (unsigned char)(o->len >> 8);
    out[3] = (unsigned char)o->len;
    return HOSTPOOL_HEAD + o->len;
}

size_t hostpool_hello_put(int32_t version, unsigned char out[HOSTPOOL_WRITTEN])
{
    struct pb_out o = begin_frame(out);

    pb_put_int32(&o, ONLY, version);
    return end_frame(&o, out);
}

size_t hostpool_welcome_put(const struct hostpool_welcome *welcome, unsigned char out[HOSTPOOL_WRITTEN])
{
    struct pb_out o = begin_frame(out);
    struct text port;
    char port_text[6];

    text_init(&port, port_text, sizeof port_text);
    text_add(&port, "%u", welcome->port);
    pb_put_int32(&o, WELCOME_SESSION, welcome->session);
    pb_put_bytes(&o, WELCOME_HOST, welcome->host, strlen(welcome->host));
    pb_put_bytes(&o, WELCOME_PORT, port_text, port.len);
    return end_frame(&o, out);
}

size_t hostpool_command_put(const struct hostpool_command *command, unsigned char out[HOSTPOOL_WRITTEN])
{
    unsigned char session[11];
    struct pb_out o = begin_frame(out), inner = {session, sizeof session, 0, false};

    pb_put_int32(&o, COMMAND_VERSION, command->version);
    pb_put_int32(&o, COMMAND_TYPE, command->type);
    pb_put_int32(&inner, ONLY, command->session);
    if (command->type == HOSTPOOL_OPEN)
        pb_put_bytes(&o, COMMAND_OPEN, session, inner.len);
    if (command->type == HOSTPOOL_DROP)
        pb_put_bytes(&o, COMMAND_DROP, session, inner.len);
    return end_frame(&o, out);
}
