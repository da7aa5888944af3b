/*
 * mux_child: the process that carries the sessions of one muxado connection.
 *
 * It owns the connection and its sessions' sockets. On the relay's side clients
 * are handed to it, and it opens a stream for each; on the server's side it
 * reports the streams that the relay opens, and is handed a connection to the
 * local server for each. Either way one stream that is not read stops itself
 * at its window, and no other.
 */
#ifndef MUX_CHILD_H
#define MUX_CHILD_H

#include "mux.h"
#include "../addr.h"
#include "../transport.h"

/* The longest public address, HOST:PORT. */
#define MUX_ADDRESS (ADDR_HOST + 8)

struct mux_task {
    enum mux_format format;
    bool dialler;                   /* the server's side */
    int most;                       /* streams at once */
    char host[MUX_ADDRESS];         /* the relay's side: what the server is told before the public port, a colon at its end */
    unsigned char head[4];          /* and the first bytes that it sent */
};

/*
 * A transport's body; arg is a struct mux_task. On the relay's side a job with
 * a number, and without a descriptor, tells the public port, once; the server is on hold
 * until then: its heartbeats are answered, and it hears nothing else.
 */
void mux_child_run(const struct transport_seat *seat, void *arg);

#endif
