/*
 * ptth_path: the paths of PTTH's requests. Pure.
 *
 *     /listen/SERVER/PORT  /connect/SERVER/PORT  /accept/ID  /upstream/ID  /downstream/ID
 */
#ifndef PTTH_PATH_H
#define PTTH_PATH_H

#include "../claim.h"
#include "../name.h"

enum ptth_endpoint { PTTH_LISTEN, PTTH_CONNECT, PTTH_ACCEPT, PTTH_UPSTREAM, PTTH_DOWNSTREAM, PTTH_ENDPOINTS };

struct ptth_path {
    enum ptth_endpoint endpoint;
    bool by_id;                         /* it has an id; else server and service */
    unsigned char id[CLAIM_BYTES];
    char server[NAME_SIZE];
    char service[SERVICE_NAME_SIZE];    /* SERVER/PORT */
};

/* The field of answers that has the id (RFC 9110, 5.1: names are in any case). */
#define PTTH_ID_FIELD "Relay-Connection-Id"

/* Whether its requests have a body. */
bool ptth_streams(enum ptth_endpoint endpoint);

/* Its first part, without slashes. */
extern const char *const ptth_endpoints[PTTH_ENDPOINTS];

/* Returns 0, or -1: there is no such path. */
int ptth_path_parse(struct ptth_path *p, const char *path);

/* Of 32 hex digits: 0, or -1. */
int ptth_id_parse(unsigned char id[CLAIM_BYTES], const char *text);

/* SERVER/PORT, each a name: whether text is that. server gets the first. */
bool ptth_service_valid(const char *text, char server[NAME_SIZE]);

#endif
