/*
 * server_protos: the protocols that relay-connect speaks, a line each.
 */
#include "server_proto.h"

const struct server_proto *const server_protos[] = {
    &new_server,
    &tlsrelay_server,
    &hostpool_server,
    &muxado_server,
    &muxado2_server,
    &ptth_server,
    NULL,
};
