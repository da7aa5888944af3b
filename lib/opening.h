/*
 * opening: brings a session's two connections to where bytes can be copied:
 * waits until both are connected, and writes what each is to get first.
 */
#ifndef OPENING_H
#define OPENING_H

#include "job.h"
#include "leg.h"

/*
 * Returns 0, or -1 with a reason in why (sizeof job->why), and errno. On failure
 * of the server's side the client's has got its first bytes, if it could be
 * reached in its time, so that whoever is behind it need not wait. The legs
 * stay the caller's.
 */
int opening_run(const struct job *job, struct leg *client, struct leg *server, char *why);

#endif
