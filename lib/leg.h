/*
 * leg: one side's connection of a session: what is read from and written to.
 *
 * A read and a write descriptor, the same one for a socket. Whoever holds a
 * leg owns its descriptors; handing the leg on hands them on.
 */
#ifndef LEG_H
#define LEG_H

#include <stdbool.h>

struct leg {
    int rfd, wfd;
};

/* A non-blocking connected socket; it is set to be reset unless it is closed gently. */
struct leg leg_of_socket(int fd);

/* Two descriptors that may block and may be no sockets, as standard input and output. */
struct leg leg_of_files(int rfd, int wfd);

/* Whether reading and writing never block. */
bool leg_is_socket(const struct leg *l);

/* Passes an end of file on: nothing more will be written. -1 with errno: the other side will not see it. */
int leg_end_write(struct leg *l);

/* Closes it as an ordinary end: what was written arrives. */
void leg_close(struct leg *l);

/* Closes it as a cut: the other side sees a reset. */
void leg_reset(struct leg *l);

/* Gives this process's copy up, where another process has one. The connection goes on. */
void leg_drop(struct leg *l);

/* Whether the other side has reset it or it has failed otherwise. */
bool leg_broken(const struct leg *l);

#endif
