/*
 * report: what a session's process tells the parent, over a socket that all of
 * them share and that keeps messages apart.
 */
#ifndef REPORT_H
#define REPORT_H

#include "addr.h"
#include "copy.h"

#include <stdint.h>

/* What a process says of its session when that has ended. */
struct session_report {
    struct copy_result copy;
    char why[96];       /* of COPY_ERROR, for the log; "": nothing to say */
};

/* Which session it is, and a number that only its process was told, so that no other can speak of it. */
struct report_subject {
    uint64_t token;
    uint32_t session;
};

enum report_kind {
    REPORT_END,     /* the session has ended */
    REPORT_QUIET,   /* nothing moves: this process takes no job after this session */
    /* Of a transport, whose subject is no session: */
    REPORT_PUBLIC,  /* its peer tells the public address: text */
    REPORT_CLIENT,  /* its peer has brought a client: number */
    REPORT_LEAVING, /* its peer takes no more clients */
    REPORT_OVER     /* it is over: text says why */
};

/* HOST:PORT, at its longest. */
#define REPORT_TEXT (ADDR_HOST + 8)

struct report {
    struct report_subject subject;
    enum report_kind kind;
    uint32_t number;                /* of REPORT_CLIENT: which one */
    struct session_report end;      /* of REPORT_END */
    char text[REPORT_TEXT];
};

/*
 * Waits while there is no room. -1 with errno: nobody reads it any more. Who
 * cannot report an end must end itself, which tells the parent, too.
 */
int report_send(int to, const struct report *r);

#endif
