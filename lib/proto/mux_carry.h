/*
 * mux_carry: the sessions that one muxado connection carries: a stream and a
 * socket each, and what goes from one to the other.
 *
 * Whoever has the connection says what came for a stream (mux's hooks), and
 * when a socket may be read or written.
 */
#ifndef MUX_CARRY_H
#define MUX_CARRY_H

#include "mux.h"
#include "../job.h"

/* One session: a stream and a socket. */
struct carried {
    bool used;
    struct mux_stream *stream;      /* NULL: it is no more */
    int fd;                         /* -1: not there yet, or no more */
    bool asked;                     /* the server's side: for that */
    bool connecting;                /* until when: deadline */
    bool known;                     /* subject is set */
    struct report_subject subject;
    bool read_end;                  /* the socket's end of file was read, and passed on */
    bool stream_end;                /* the stream's has come */
    bool write_end;                 /* and was passed on */
    bool hung_up;                   /* poll says so of the socket, and would for ever */
    unsigned char *queue;           /* from the stream, not written to the socket yet; a ring */
    size_t at, len;
    size_t returned;                /* of len, bytes that are no part of the stream's window */
    unsigned long long in, out;     /* bytes from the stream, and to it */
    long long moved_at, deadline;   /* clock_ms */
    int idle_ms, peer_seconds;      /* as copy_rules' */
};

struct carry {
    struct mux *mux;
    int reports;                    /* where ends are reported */
    bool dialler;                   /* the server's side */
    bool connected;                 /* the connection is there */
    struct carried *table;          /* what follows is mux_carry's */
    int most, used;
    int high;                       /* all that are used stand below this in the table */
};

/* The one of this process. The caller has set everything above table. */
extern struct carry carry;

/* Once: room for so many, in this format. -1 with errno. */
int carry_setup(int most, enum mux_format format);

/* A new one, which has neither stream nor socket yet; NULL: there are as many as there may be. */
struct carried *carry_new(void);

/* The one whose stream has this id, or NULL. */
struct carried *carry_find(uint32_t id);

/*
 * It gets its socket (-1: there is none, and the job says why), and what is to
 * be written there before what the stream brings.
 */
void carry_take_up(struct carried *c, const struct job *job, int fd);

/* A session that could not even begin has ended. */
void carry_report_refused(const struct job *job);

/* Both ends see a reset. text: of COPY_ERROR. */
void carry_cut(struct carried *c, enum copy_end end, const char *text);

/* It has neither a stream nor a socket, and is no more. */
void carry_forget(struct carried *c);

/* The connection is gone. What has come to its end ends well, when it has been written; the rest does not. */
void carry_disconnected(void);

/* Bytes for it, which stay in place until carry_write: they are written together with what follows. */
void carry_data(struct carried *c, struct mux_stream *s, const unsigned char *bytes, size_t len);
void carry_write(void);

/* Its stream has ended, or was reset with this code. */
void carry_ended(struct carried *c, struct mux_stream *s);
void carry_reset(struct carried *c, struct mux_stream *s, uint32_t code);

/* Its socket has an error; is connected or not; takes bytes. */
void carry_broken(struct carried *c);
void carry_connected(struct carried *c);
void carry_drain(struct carried *c);

/* Reads a frame at most from its socket. Returns whether there may be more. */
bool carry_read(struct carried *c);

#endif
