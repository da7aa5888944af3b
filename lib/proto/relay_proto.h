/*
 * relay_proto: what relayd knows of a protocol: a name and a few functions.
 *
 * A protocol takes its control connections, says its lines and hands legs to
 * the rendezvous of its services. A new one is one file and one line in
 * relay_protos.
 */
#ifndef RELAY_PROTO_H
#define RELAY_PROTO_H

#include "../addr.h"
#include "../service.h"

/* One LISTEN of the command line. */
struct relay_listen {
    const struct relay_proto *proto;
    struct addr addr;       /* port 0: the system's choice */
    int pool;               /* how many ports above it */
    struct addr pool_addr;  /* where the pool begins; port 0: the system's choice */
    bool pool_elsewhere;    /* it is on another address than the control port's, for the log */
    bool open_to_all;       /* spelled out, not a bare port */
};

struct relay_proto {
    const char *name;
    int pool;               /* ports above the first where COUNT is not given */
    int pool_parts;         /* COUNT is a multiple of this; 0: any */
    bool pool_fixed;        /* it has no pool to choose from: COUNT is not given */
    int own_ports;          /* how many it takes beside the pool */
    bool by_name;           /* its services have no ports: there may be as many as clients and ready legs */
    bool proves;            /* a server can show that it has a key */
    /* Where it has LISTENs, once, before the first bind: tables. -1 with errno. */
    int (*setup)(const struct service_rules *rules, int listens, int ports);
    /* Binds a LISTEN's ports and logs `listen`. -1 with errno and *failed, the port. */
    int (*bind)(const struct relay_listen *listen, unsigned *failed);
    /* Begins to take connections on all that was bound. -1 with errno. */
    int (*start)(void);
    /* The key file was read again: who may not serve any more is told so. NULL: nobody has one. */
    void (*keys_changed)(void);
    /* Stops taking connections and closes all control connections. */
    void (*stop)(void);
};

/* Ends with NULL; the first is the default. */
extern const struct relay_proto *const relay_protos[];

extern const struct relay_proto new_relay, tlsrelay_relay, hostpool_relay, muxado_relay, ptth_relay;

#endif
