/*
 * leg: one side's connection of a session: what is read from and written to.
 *
 * A read and a write descriptor: the same one for a socket, two for files and
 * for a command. Whoever holds a leg owns its descriptors; handing the leg on
 * hands them on.
 */
#ifndef LEG_H
#define LEG_H

#include "http_body.h"

/* Of the request whose body a leg has: who hears that all of it has arrived. */
enum leg_answer {
    LEG_NO_ANSWER,
    LEG_GIVES,      /* what is read is a request's body, which is answered at its end */
    LEG_AWAITS,     /* what is written is one: the other side answers when it has all of it */
    LEG_ANSWERED    /* so it has */
};

/* How HTTP carries a leg's bytes. All zeroes: it does not. */
struct framing {
    bool http;              /* rfd and wfd are sockets of their own, a body each: */
    struct http_body in;    /* what is read */
    bool chunked;           /* what is written is in chunks; else it ends with the connection */
    enum leg_answer answer;
    unsigned short refused; /* LEG_AWAITS: the status of an answer that says that it has not; 0: there was none */
};

struct leg {
    int rfd, wfd;
    struct framing framing;
    bool may_block;     /* reading and writing may block: poll is to be asked first */
    bool heard;         /* through a command: bytes of the other side have come */
    pid_t command;      /* 0: none */
    bool by_commands;   /* of two bodies: each goes through a command, which ends with this process */
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

/*
 * Two sockets that do not block, for two bodies. Their heads have passed; what
 * is said at the end of each body is said by what is below.
 */
struct leg leg_of_bodies(int rfd, int wfd, const struct framing *framing);

/* Whether reading and writing have one descriptor. */
bool leg_is_socket(const struct leg *l);

/*
 * Passes an end of file on: nothing more will be written; the last chunk was,
 * where there are chunks. -1 with errno: the other side will not see it.
 */
int leg_end_write(struct leg *l);

/* LEG_GIVES: its body has been read and passed on to its end. Its sender is told so, if he is there yet. */
void leg_give_answer(const struct leg *l);

/*
 * LEG_AWAITS: wfd can be read. ended: the body has been written to its end, so
 * that an answer is due. -1 with errno (EPROTO: it is not what it ought to be).
 */
int leg_take_answer(struct leg *l, bool ended);

/* What went wrong with it, for the log: an answer, else this errno. */
void leg_explain(const struct leg *l, int error, char *why, size_t size);

/* Closes it as an ordinary end: what was written arrives. */
void leg_close(struct leg *l);

/*
 * Closes it as a cut: the other side sees a reset. by_commands, and nothing was heard:
 * waits, 10 s at most, until what was written has gone, and its command has ended.
 */
void leg_reset(struct leg *l);

/* Gives this process's copy up, where another process has one. The connection goes on. */
void leg_drop(struct leg *l);

/*
 * Of one from which nothing may come yet: NULL, nothing has; else a word for
 * what it was: line (bytes), eof, reset. Takes nothing.
 */
const char *leg_not_quiet(const struct leg *l);

/* A peer that has nothing to say for long is asked whether it is there. */
void leg_probe(const struct leg *l);

/*
 * Whether bytes wait for an acknowledgement while nothing at all was acknowledged
 * for so many seconds. *waits becomes true where any wait.
 */
bool leg_silent(const struct leg *l, unsigned seconds, bool *waits);

/* Whether the other side has reset it or it has failed otherwise. */
bool leg_broken(const struct leg *l);

#endif
