/*
 * ptth_place: where PTTH's servers and clients find each other: SERVER/PORT,
 * the servers that listen there, and the service that keeps the clients.
 */
#ifndef PTTH_PLACE_H
#define PTTH_PLACE_H

#include "http_caller.h"
#include "ptth_path.h"

#include "../key.h"

/* Once; rules stay the caller's. -1 (ENOMEM). */
int ptth_places_setup(const struct service_rules *rules);

/* A server's request, held until there is a client; a client's, held until there is a server. k NULL: there are no keys. */
void ptth_listen(struct http_caller *c, const struct ptth_path *p, const struct key *k);
void ptth_connect(struct http_caller *c, const struct ptth_path *p, const struct key *k);

/* Whether somebody from there listens, or connects, so that more requests of his are to be expected. */
bool ptth_expects(const struct addr *source);

/* Ends the requests of those servers that may not listen any more, by the version of their key. */
void ptth_places_check(bool (*may_listen)(const char *server, unsigned version), void (*reject)(struct http_caller *c));

/* Closes them all. */
void ptth_places_stop(void);

#endif
