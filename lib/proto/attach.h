/*
 * attach: a client that was announced becomes a session of the local server.
 *
 * It opens the data connection to the relay, if there is none yet, and one to
 * the local server, or runs the command, and starts the process that serves
 * both. It knows no protocol.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include "server_proto.h"
#include "../session.h"
#include "../transport.h"

/* Who has clients served: one for each offering. */
struct attacher {
    const struct offering *offering;
    const struct server_hooks *hooks;
    bool busy;                          /* the one client of a TARGET_STDIO is served */
    bool leaving;                       /* no more clients are */
};

struct attach {
    const struct addr *client;          /* its len is 0 where nobody knows */
    const struct addr *relay;           /* where the control connection goes; unset with --via and --proxy */
    const char *public_host;            /* the public address, for a PROXY header and UCSPI */
    unsigned public_port;               /* 0: not known */
    int data_fd;                        /* the data connection; -1: one is to be made: */
    struct addr to;                     /* there; its len is 0 where a name is to be looked up: */
    struct dial_host host;              /* this one. What a command of --via is told, and a proxy of --proxy */
    /* Or in the process of the session: makes the relay's leg, whatever that is made of. -1 with the reason. NULL: as above. */
    int (*open)(void *arg, struct leg *leg, char why[DIAL_WHY]);
    void *arg;
    const char *claim;                  /* what is said on it first */
    size_t claim_len;                   /* JOB_FIRST at most */
};

/*
 * Serves the client; where that cannot be, it is claimed and reset, so that it
 * need not wait. data_fd stays the caller's. -1: the relay will not hear of it
 * either, which has been logged.
 */
int attach_start(struct attacher *by, const struct attach *a);

/*
 * The same for a client that a transport has brought, which knows it by this
 * number: it is handed the connection to the local server.
 */
void attach_carry(struct attacher *by, const struct attach *a, struct transport *carrier, uint32_t number);

#endif
