/*
 * job: a session as its process is told of it: one message, with the
 * connections of both sides beside it.
 */
#ifndef JOB_H
#define JOB_H

#include "leg.h"
#include "report.h"

#include <stddef.h>

/* Two nonces in hex and some words, or a PROXY header. */
#define JOB_FIRST 128

#define JOB_TITLE 192

struct job_leg {
    int connect_ms;         /* how long its connection may still take; 0: it is there */
    unsigned first_len;
    char first[JOB_FIRST];  /* to be written to it before anything else */
    struct framing framing; /* as the leg's: of http there are two descriptors, rfd first */
};

struct job {
    struct report_subject subject;
    uint32_t number;        /* for a transport: of a client, as REPORT_CLIENT has it; else what the two agree on */
    int idle_ms;            /* 0: no idle timeout */
    int peer_seconds;       /* as copy_rules' */
    struct job_leg client, server;
    char why[96];           /* there is no server: why the client is reset after its first bytes */
    char title[JOB_TITLE];  /* what ps shows */
};

#endif
