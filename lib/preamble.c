/*
 * preamble: PROXY headers before anybody else sees a connection. See preamble.h.
 */
#include "preamble.h"

#include "cidr.h"
#include "listener.h"
#include "lograte.h"
#include "newcomers.h"
#include "proxy.h"
#include "slab.h"
#include "sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection whose header is not whole yet. */
struct held {
    struct watch watch;
    struct listener *at;        /* NULL: not in use */
    struct addr from;           /* the proxy */
    struct timer deadline;
    struct newcomer place;
    size_t len;
    unsigned char bytes[PROXY_LONGEST];
};

enum taking { TAKEN, WAITS, BAD, OVER };

static const char *believed;
static int header_seconds;      /* from the connection to the header's last byte */
static struct slab table;
static const struct addr *destination;  /* of the connection that is handed on just now */

/* Forgets it; its descriptor is the caller's. */
static int held_release(struct held *h)
{
    int fd = h->watch.fd;

    loop_remove(&h->watch);
    timer_stop(&h->deadline);
    newcomers_drop(&h->place);
    slab_put(&table, h);
    return fd;
}

static void reject(int fd, const struct addr *from, const char *reason)
{
    lograte_reject(from, reason);
    sock_reset(fd);
}

static ssize_t receive(int fd, unsigned char *to, size_t len, int flags)
{
    ssize_t got;

    do {
        got = recv(fd, to, len, flags);
    } while (got < 0 && errno == EINTR);
    return got;
}

/*
 * Takes what is there of a header, behind the *len bytes that are there
 * already, and not a byte beyond.
 */
static enum taking take(int fd, unsigned char *bytes, size_t *len, struct proxy_header *header)
{
    ssize_t got = receive(fd, bytes + *len, PROXY_LONGEST - *len, MSG_PEEK);
    enum proxy_status status;
    size_t end;

    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return WAITS;
    if (got <= 0)
        return OVER;
    end = *len + (size_t)got;
    status = proxy_parse(bytes, end, header);
    if (status == PROXY_BAD)
        return BAD;
    if (status == PROXY_WHOLE)
        end = header->len;
    if (receive(fd, bytes + *len, end - *len, 0) != (ssize_t)(end - *len))
        return OVER;
    *len = end;
    return status == PROXY_WHOLE ? TAKEN : WAITS;
}

static void hand_on(struct listener *l, int fd, const struct addr *from, const struct proxy_header *header)
{
    destination = header->known ? &header->destination : NULL;
    l->accepted(l->owner, fd, header->known ? &header->source : from);
    destination = NULL;
}

static void readable(void *owner, unsigned events)
{
    struct held *h = owner;
    struct listener *at = h->at;
    struct addr from = h->from;
    struct proxy_header header;

    (void)events;
    switch (take(h->watch.fd, h->bytes, &h->len, &header)) {
    case TAKEN:
        hand_on(at, held_release(h), &from, &header);
        break;
    case BAD:
        reject(held_release(h), &from, "proxy");
        break;
    case OVER:
        close(held_release(h));
        break;
    case WAITS:
        break;
    }
}

static void leave(struct held *h, const char *reason)
{
    struct addr from = h->from;

    reject(held_release(h), &from, reason);
}

static void too_slow(void *owner)
{
    leave(owner, "slow");
}

static void make_room(void *owner)
{
    leave(owner, "full");
}

/*
 * The proxy is not held to a source's quarter: all that come through it would
 * share that. Who is behind it is, once that is known.
 */
static void hold(struct listener *l, int fd, const struct addr *from, const unsigned char *bytes, size_t len)
{
    struct held *h = slab_get(&table);

    if (h != NULL)
        h->place = (struct newcomer){.evict = make_room, .owner = h};
    if (h == NULL || newcomers_add(&h->place, NULL) != 0) {
        if (h != NULL)
            slab_put(&table, h);
        reject(fd, from, "full");
        return;
    }
    h->watch = (struct watch){.fd = fd, .ready = readable, .owner = h};
    h->at = l;
    h->from = *from;
    h->deadline = (struct timer){.fire = too_slow, .owner = h};
    memcpy(h->bytes, bytes, len);
    h->len = len;
    loop_add(&h->watch, LOOP_READ);
    timer_set(&h->deadline, header_seconds * 1000LL);
}

/* Mostly the header comes with the connection, and nothing has to be waited for. */
static bool screen(struct listener *l, int fd, const struct addr *from)
{
    static unsigned char bytes[PROXY_LONGEST];
    struct proxy_header header;
    size_t len = 0;

    if (!cidr_list_has(believed, from))
        return false;
    switch (take(fd, bytes, &len, &header)) {
    case TAKEN:
        hand_on(l, fd, from, &header);
        break;
    case BAD:
        reject(fd, from, "proxy");
        break;
    case OVER:
        close(fd);
        break;
    case WAITS:
        hold(l, fd, from, bytes, len);
        break;
    }
    return true;
}

/* Nobody takes connections there any more: they go as those in the backlog do. */
static void stopped(struct listener *l)
{
    struct held *h;

    for (size_t i = 0; (h = slab_at(&table, i)) != NULL; i++)
        if (h->at == l)
            sock_reset(held_release(h));
}

int preamble_setup(const char *list, int most, int seconds)
{
    static const struct listener_screen ours = {.screen = screen, .stopped = stopped};

    believed = list;
    header_seconds = seconds;
    if (slab_init(&table, sizeof(struct held), (size_t)most + 1) != 0)
        return -1;
    listener_set_screen(&ours);
    return 0;
}

const struct addr *preamble_reached(void)
{
    return destination;
}

int preamble_locate(struct addr *reached, int fd)
{
    if (destination == NULL)
        return addr_local(reached, fd);
    *reached = *destination;
    return 0;
}
