/*
 * dial_host: where to connect to, by name, and why that failed.
 */
#ifndef DIAL_HOST_H
#define DIAL_HOST_H

#include "addr.h"

/* For the log, which escapes it: others' words may be in it. */
#define DIAL_WHY 96

struct dial_host {
    char host[ADDR_HOST];
    unsigned port;
};

#endif
