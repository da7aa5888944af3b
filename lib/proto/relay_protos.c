/*
 * relay_protos: the protocols that relayd speaks, a line each.
 */
#include "relay_proto.h"

const struct relay_proto *const relay_protos[] = {
    &new_relay,
    &tlsrelay_relay,
    &hostpool_relay,
    &muxado_relay,
    &ptth_relay,
    NULL,
};
