/*
 * control: relay-connect's control connection for one offering, of any
 * protocol: it is kept up, read, and given up.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "attach.h"
#include "server_proto.h"
#include "../line.h"
#include "../loop.h"
#include "../uplink.h"

struct control {
    /* The protocol sets these. */
    void (*begun)(struct control *c);               /* it is connected: say what is to be said */
    void (*readable)(struct control *c);            /* read it; control_read_lines where there are lines */
    void (*line)(struct control *c, struct line *line);     /* of control_read_lines: a whole one */
    void (*dropped)(struct control *c);             /* it is closed: forget what came with it; may be NULL */
    const char *proto;                              /* its name, for the log */
    const struct dial_host *hosts;                  /* the relays, as offering has them unless the port is another */
    bool forwarded;                                 /* a proxy passes its requests on: it is the one to connect to */

    struct attacher attacher;                       /* what follows is control's */
    struct uplink uplink;
    struct watch watch;                             /* fd -1: not connected */
    struct addr relay;                              /* where it goes; unset with --via and --proxy */
    char public_host[ADDR_HOST];                    /* the public address as it was told last */
    unsigned public_port;                           /* 0: it was not */
    struct line_buffer read;
    struct line one;
    struct timer deadline;                          /* of a line that has begun */
    struct timer silence;                           /* of a relay that is to be heard */
    struct control *next;
};

/* Keeps it connected until the program ends. c stays in place; o and hooks are the caller's. */
void control_start(struct control *c, const struct offering *o, const struct server_hooks *hooks);

/* Reads what is there and calls line for each line; stops where the connection is lost by that. */
void control_read_lines(struct control *c);

/* Says it, or loses the connection. */
void control_say(struct control *c, const char *text, size_t len);

/* The relay has to be heard from within the offering's time from now on. */
void control_heard(struct control *c);

/* The relay tells the public address: it serves. */
void control_public(struct control *c, const char *host, unsigned port);

/* The same of a public address that is no host and port, as text. */
void control_served(struct control *c, const char *address);

/* What attach_start is to know of the relay; the client, who is not known yet, and the data connection are the caller's to set. */
struct attach control_client(const struct control *c);

/* The connection is no good: closed, and made again in a while. The reason is for the log. */
void control_lose(struct control *c, const char *reason);

/* The connection has served its time: closed, and made again after so long. */
void control_renew(struct control *c, long long wait_ms);

/* A server_proto's stop: for a list of them, linked by next. */
void control_stop(struct control *first);

/* The same where the relay ends the sessions of a server that goes: it stays, and turns clients away. */
void control_drain(struct control *first);

#endif
