/*
 * client_protos: the protocols that relay-connect speaks for clients, a line each.
 */
#include "client_proto.h"

const struct client_proto *const client_protos[] = {
    &ptth_client,
    NULL,
};
