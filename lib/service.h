/*
 * service: what a server offers: a name, a public port, its clients.
 *
 * It takes clients from the public port, holds them to the limits and gives
 * them to the service's rendezvous. It knows no protocol.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "listener.h"
#include "portpool.h"
#include "rendezvous.h"
#include "session.h"

/* What the command line decides; the same for all services. */
struct service_rules {
    const char *public_host;    /* NULL: the address that the server reached */
    int claim_seconds;
    int idle_seconds;           /* 0: never */
    int max_sessions;           /* these count clients that wait too */
    int max_per_service;
    int max_per_source;
    int max_waiting;            /* per service */
    int max_unknown;            /* connections that have not said who they are */
    int max_ready;              /* server legs that stand by, of all services */
    int line_seconds;           /* to begin a line, and from its first byte to its last */
    int poll_seconds;           /* how long a server's HTTP request is held */
    int ping_seconds;           /* how often a server is asked whether it is there */
    int silence_seconds;        /* after which it is not */
    bool plain;                 /* servers that cannot prove who they are, in spite of keys */
    bool any_reverse;           /* a server's reverse connections may come from any address */
};

struct service {
    char name[SERVICE_NAME_SIZE];
    bool named;                 /* false: called by its public port */
    bool open;
    struct port *port;          /* NULL: its clients come another way */
    struct listener listener;
    struct rendezvous meeting;
    int clients;                /* waiting or in a session */
    int max;                    /* of them, by its key; 0: only the rules count */
    int (*announce)(void *owner, struct waiter *client);    /* as in struct rendezvous_hooks */
    void (*ended)(void *owner, uint32_t mark);              /* so too; NULL where no leg has a mark */
    void (*turned_away)(void *party, const char *reason);   /* so too; NULL where no client has a party */
    void *owner;                /* the protocol's; NULL while it is not open: ended may be called yet */
};

/* Once. So many services may be open; rules stay the caller's. -1 with errno. */
int service_setup(const struct service_rules *rules, int services);

/*
 * Opens a service on a free port; port NULL: on none, and its clients come by
 * service_client. name NULL: it is called by its port. The caller sets announce and
 * owner, and the other hooks that it needs, at once. NULL with errno.
 */
struct service *service_open(const char *name, struct port *port);

/*
 * A client that has come another way than by the port: held to the limits, and
 * given to the rendezvous with its party. Returns NULL; or why it is not let in,
 * as a word for the log that stands there already: the leg is the caller's then.
 */
const char *service_client(struct service *s, struct leg leg, const struct addr *from, void *party);

/* Gives it another name, or another free port (-1 with errno: it keeps the one it has). */
void service_rename(struct service *s, const char *name);
int service_move(struct service *s, struct port *port);

/* Ends its sessions, as killed. */
void service_end_sessions(struct service *s);

/* Closes its port, refuses its waiting clients and logs why, unless that is NULL. Its sessions go on. */
void service_close(struct service *s, const char *reason);

/* The host that servers are told: out, or the one of the command line. */
const char *service_host(const struct addr *reached, char out[ADDR_TEXT]);

/* HOST:PORT as servers are told it, of the port with this number. Returns out. */
const char *service_address(const struct addr *reached, unsigned port, char out[ADDR_HOST + 8]);

#endif
