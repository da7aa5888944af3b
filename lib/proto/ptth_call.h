/*
 * ptth_call: PTTH's requests, as both of its terminators make them of a relay.
 *
 * Heads are made where the key is known; the calls of a session are made in its
 * process, where waiting harms nobody.
 */
#ifndef PTTH_CALL_H
#define PTTH_CALL_H

#include "ptth_path.h"

#include "../dial.h"
#include "../http_head.h"
#include "../leg.h"

/* Stands for an id that is not known yet. */
#define PTTH_NO_ID "00000000000000000000000000000000"

/* The longest head of a request. */
#define PTTH_HEAD 2048

/* Which relay, and how it is reached. What it points to is the caller's. */
struct ptth_way {
    const struct dial_host *relay;
    const struct addr *to;              /* its address, where that is known and nothing stands between; or NULL */
    const char *via;                    /* through a command; NULL: not so */
    const struct forward_proxy *proxy;  /* the requests go to this one; NULL: not so */
    int seconds;                        /* how long the relay may be silent */
};

/* What is asked of a relay: SERVER/PORT or an id, as text. */
void ptth_head(char out[PTTH_HEAD], const struct ptth_way *way, enum ptth_endpoint endpoint, const char *what);

/* ptth://HOST[:PORT]/SERVER/PORT. */
#define PTTH_URL (ADDR_HOST + SERVICE_NAME_SIZE + 16)
const char *ptth_url(char out[PTTH_URL], const struct dial_host *relay, const char *service);

/* An answer that is not the one hoped for, for people: the relay says 404 Not Found. */
void ptth_explain(char why[DIAL_WHY], const struct http_answer *a);

/*
 * A server's leg: accept and downstream, whose heads these are. Blocks until the
 * relay has let it in. The heads are wiped. -1 with the reason in why.
 */
int ptth_call_server(const struct ptth_way *way, char *accept, char *downstream, struct leg *leg, char why[DIAL_WHY]);

/*
 * A client's leg: connect, whose head this is, and upstream, whose head is made
 * for PTTH_NO_ID. local is the client's connection: where that breaks
 * meanwhile, nothing is waited for any more. As above.
 */
int ptth_call_client(const struct ptth_way *way, char *connect, char *upstream, int local, struct leg *leg,
                     char why[DIAL_WHY]);

#endif
