/*
 * copy: moves bytes between two legs until both ends of file are passed on.
 *
 * Each direction has one buffer of fixed size and never reads what it cannot
 * write. An end of file is passed on once the buffer is empty, while the other
 * direction goes on. Whatever else ends it is a reset of both legs.
 */
#ifndef COPY_H
#define COPY_H

#include "leg.h"

enum copy_end {
    COPY_EOF,       /* both directions ended */
    COPY_RESET,     /* one side reset its connection */
    COPY_TIMEOUT,   /* one side does not answer any more */
    COPY_IDLE,      /* nothing moved for the idle timeout */
    COPY_ERROR      /* anything else */
};

struct copy_result {
    enum copy_end end;
    int error;                      /* of COPY_ERROR: errno */
    unsigned long long up, down;    /* bytes written, client to server and back */
};

struct copy_rules {
    int idle_ms;        /* nothing may move for so long; 0: as long as it likes */
    /*
     * A TCP peer that acknowledges nothing for so many seconds while bytes wait
     * for it is gone (COPY_TIMEOUT). One that is there and only does not read
     * answers window probes, every 120 s at the rarest.
     */
    int peer_seconds;
    void (*quiet)(void *owner);     /* called once when nothing has moved for a second; may be NULL */
    void *owner;
};

/*
 * Runs to the end and closes both legs. Its buffers (128 KiB in all, untouched until they are needed) are the
 * process's: one session at a time.
 */
void copy_run(struct leg *client, struct leg *server, const struct copy_rules *rules, struct copy_result *result);

#endif
