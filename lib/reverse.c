/*
 * reverse: a port where a server answers the clients that it was told of. See reverse.h.
 */
#include "reverse.h"

#include "lograte.h"
#include "sock.h"

static void accepted(void *owner, int fd, const struct addr *from)
{
    struct reverse *r = owner;

    if (r->from != NULL && !addr_same_host(from, r->from)) {
        lograte_reject(from, "address");
        sock_reset(fd);
        return;
    }
    rendezvous_server(r->meeting, leg_of_socket(fd));
    if (r->answered != NULL)
        r->answered(r->owner);
}

int reverse_start(struct reverse *r, struct port *port)
{
    if (portpool_give(port) != 0)
        return -1;
    r->listener.accepted = accepted;
    r->listener.owner = r;
    r->listener.reserved = true;
    if (listener_start(&r->listener, port->fd) != 0) {
        portpool_take_back(port);
        return -1;
    }
    r->port = port;
    return 0;
}

void reverse_stop(struct reverse *r)
{
    if (r->port == NULL)
        return;
    listener_stop(&r->listener);
    portpool_take_back(r->port);
    r->port = NULL;
}
