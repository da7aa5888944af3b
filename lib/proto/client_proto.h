/*
 * client_proto: what relay-connect knows of a protocol whose clients need a
 * terminator of their own: a local port that stands for a service.
 *
 * A new one is one file and one line in client_protos.
 */
#ifndef CLIENT_PROTO_H
#define CLIENT_PROTO_H

#include "../dial.h"
#include "../listener.h"

/* One local port, and the service that it stands for. */
struct calling {
    const char *service;            /* as the URL names it, behind HOST:PORT/ */
    const struct dial_host *relay;
    struct addr listen;             /* port 0: the system's choice */
    const char *via;                /* reach it through this command; NULL: not so */
    const struct forward_proxy *proxy;  /* or through this; NULL: not so */
    int silence_seconds;            /* after which the relay is given up */
    int peer_seconds;               /* as copy_rules' */
    int max_sessions;               /* further clients are turned away */
};

struct client_proto {
    const char *scheme;
    unsigned port;                  /* the relay's where none is given */
    bool (*service_valid)(const char *service);
    /* Serves until the program ends; *at is where. c stays the caller's. -1 with errno. */
    int (*start)(const struct calling *c, struct addr *at);
    /* Takes no more clients. The sessions go on. */
    void (*stop)(void);
};

/* Ends with NULL. */
extern const struct client_proto *const client_protos[];

extern const struct client_proto ptth_client;

#endif
