/*
 * server_proto: what relay-connect knows of a protocol: a scheme, a port and a
 * function that offers a target through a relay.
 *
 * A new one is one file and one line in server_protos.
 */
#ifndef SERVER_PROTO_H
#define SERVER_PROTO_H

#include "../dial.h"
#include "../target.h"

/* One target at one relay. */
struct offering {
    const char *name;               /* the service's whole name */
    const struct target *target;
    const struct dial_host *relays; /* tried in this order */
    int relay_count;
    const char *via;                /* reach them through this command; NULL: directly */
    const struct forward_proxy *proxy;  /* or through this, by name alone; NULL: directly */
    bool once;                      /* do not reconnect */
    int connect_seconds;            /* for the local server */
    int silence_seconds;            /* after which the relay is given up */
    int ready;                      /* connections made ahead of clients */
    int peer_seconds;               /* as copy_rules' */
    int max_sessions;               /* further clients are turned away */
    int proxy_version;              /* of the PROXY header that the local server gets; 0: none */
};

/* What a protocol tells the program. */
struct server_hooks {
    /* The public address, as often as it is told. */
    void (*public)(const struct offering *o, const char *address);
    /* The relay will not have it: the program ends with exit code 3. */
    void (*refused)(const struct offering *o, const char *code, const char *text);
    /* With once: the relay connection has ended, or the relay was never reached. */
    void (*ended)(const struct offering *o, bool reached);
    /* Of a target of one client: its session has ended. */
    void (*served)(const struct offering *o, bool well);
};

struct server_proto {
    const char *scheme;
    unsigned port;                  /* the relay's where none is given */
    unsigned ports_above;           /* how many more of the relay it connects to */
    bool proves;                    /* it knows keys */
    bool chooses;                   /* a target may ask for its public port */
    bool direct;                    /* its connection has to be a socket of its own: not with via */
    bool dials;                     /* it makes connections itself: not with a proxy */
    int ready, ready_least, ready_most; /* connections made ahead of clients: by default, and what may be asked for */
    bool ready_anyhow;              /* with via and with a proxy too */
    /* Offers it until the program ends. o and hooks stay the caller's. -1 with errno. */
    int (*offer)(const struct offering *o, const struct server_hooks *hooks);
    /* Leaves the relay: no more clients. The sessions go on. */
    void (*stop)(void);
};

/* Ends with NULL; the first is the default. */
extern const struct server_proto *const server_protos[];

extern const struct server_proto new_server, tlsrelay_server, hostpool_server, muxado_server, muxado2_server, ptth_server;

#endif
