/*
 * leg: one side's connection of a session: what is read from and written to.
 *
 * A read and a write descriptor: the same one for a socket, two for files and
 * for a command. Whoever holds a leg owns its descriptors; handing the leg on
 * hands them on.
 */
#ifndef LEG_H
#define LEG_H

#include <stdbool.h>
#include <sys/types.h>

struct leg {
    int rfd, wfd;
    bool may_block;     /* reading and writing may block: poll is to be asked first */
    bool heard;         /* of a command: bytes of the other side have come through it */
    pid_t command;      /* 0: none */
};

/* A non-blocking socket, set as by sock_session_options: it is reset unless it is closed gently. */
struct leg leg_of_socket(int fd);

/* Two descriptors that may block and may be no sockets, as standard input and output. */
struct leg leg_of_files(int rfd, int wfd);

/*
 * A command's standard output and input, as sockets that do not block. A cut
 * kills it, lest it end the connection as if all were well; but not while it
 * may be connecting still: what was written before then arrives.
 */
struct leg leg_of_command(int rfd, int wfd, pid_t command);

/* Whether reading and writing have one descriptor. */
bool leg_is_socket(const struct leg *l);

/* Passes an end of file on: nothing more will be written. -1 with errno: the other side will not see it. */
int leg_end_write(struct leg *l);

/* Closes it as an ordinary end: what was written arrives. */
void leg_close(struct leg *l);

/* Closes it as a cut: the other side sees a reset. */
void leg_reset(struct leg *l);

/* Gives this process's copy up, where another process has one. The connection goes on. */
void leg_drop(struct leg *l);

/*
 * Of one from which nothing may come yet: NULL, nothing has; else a word for
 * what it was: line (bytes), eof, reset. Takes nothing.
 */
const char *leg_not_quiet(const struct leg *l);

/* Whether the other side has reset it or it has failed otherwise. */
bool leg_broken(const struct leg *l);

#endif
