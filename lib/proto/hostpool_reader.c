/*
 * hostpool_reader: takes frames from a connection. See hostpool_reader.h.
 */
#include "hostpool_reader.h"

#include "../slab.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct slab longest;

int hostpool_reader_setup(void)
{
    return slab_init(&longest, HOSTPOOL_HEAD + HOSTPOOL_LONGEST, HOSTPOOL_FAR);
}

static unsigned char *bytes_of(struct hostpool_reader *r)
{
    return r->far != NULL ? r->far : r->near;
}

/* Makes room for a frame of that length. Returns 0, or -1 (ENOBUFS). */
static int reserve(struct hostpool_reader *r, size_t frame_len)
{
    if (frame_len <= sizeof r->near || r->far != NULL)
        return 0;
    r->far = slab_get(&longest);
    if (r->far == NULL) {
        errno = ENOBUFS;
        return -1;
    }
    memcpy(r->far, r->near, r->len);
    return 0;
}

enum hostpool_read hostpool_read(struct hostpool_reader *r, int fd)
{
    for (;;) {
        size_t frame_len;
        ssize_t got;

        switch (hostpool_frame(bytes_of(r), r->len, &frame_len)) {
        case HOSTPOOL_WHOLE:
            return HOSTPOOL_READ;
        case HOSTPOOL_BAD:
            return HOSTPOOL_LONG;
        case HOSTPOOL_MORE:
            break;
        }
        if (reserve(r, frame_len) != 0)
            return HOSTPOOL_ERROR;
        got = read(fd, bytes_of(r) + r->len, frame_len - r->len);
        if (got == 0)
            return HOSTPOOL_END;
        if (got < 0 && errno != EINTR)
            return errno == EAGAIN || errno == EWOULDBLOCK ? HOSTPOOL_WAIT : HOSTPOOL_ERROR;
        if (got > 0)
            r->len += (size_t)got;
    }
}

const unsigned char *hostpool_message(const struct hostpool_reader *r, size_t *len)
{
    *len = r->len - HOSTPOOL_HEAD;
    return (r->far != NULL ? r->far : r->near) + HOSTPOOL_HEAD;
}

void hostpool_forget(struct hostpool_reader *r)
{
    if (r->far != NULL)
        slab_put(&longest, r->far);
    r->far = NULL;
    r->len = 0;
}
