/*
 * http_caller: connections on which HTTP requests come to relayd.
 *
 * It takes each head, within its time, and hands it to the protocol, which
 * answers, holds the caller until there is an answer, or takes the connection
 * over. It knows no path and no protocol.
 */
#ifndef HTTP_CALLER_H
#define HTTP_CALLER_H

#include "../http_head.h"
#include "../loop.h"
#include "../newcomers.h"
#include "../service.h"

struct http_reader;

struct http_caller {
    struct watch watch;
    struct addr from, reached;
    int minor;                      /* of the last request, HTTP/1.minor */
    enum { HTTP_CALLER_FREE, HTTP_CALLER_ASKS, HTTP_CALLER_HELD, HTTP_CALLER_LEAVES } state;
    bool served;                    /* it has had an answer */
    bool keep_alive;                /* it may ask again */
    bool head_alone;                /* it asked for no body */
    bool unread;                    /* its request has a body that nobody has read */
    size_t waste;                   /* of what it still sends, read away */
    struct http_reader *reader;     /* of a head that has begun; NULL: none has */
    struct newcomer place;
    struct timer deadline;
    bool until_fin;                 /* while it is held its end of file is its end, too */
    void (*gone)(void *owner);
    void *owner;
};

struct http_caller_hooks {
    /* A request: it is to be answered, held or taken over. Its strings are good until this returns. */
    void (*asks)(struct http_caller *c, const struct http_request *r);
    /* Whether this source is expected, so that it may have more than a quarter of those who have not asked yet. */
    bool (*expected)(const struct addr *source);
};

/* Once. rules and hooks stay the caller's; so many may be held at once beside those who ask. -1 (ENOMEM). */
int http_callers_setup(const struct service_rules *rules, int held, const struct http_caller_hooks *hooks);

/* For a listener: the connection is http_caller's. */
void http_caller_accept(int fd, const struct addr *from);

/*
 * Answers: fields are whole lines, "" perhaps. The text is sent as it is; of 204
 * there is none. c may be closed by that, or it asks again. -1: it was not there.
 */
int http_caller_answer(struct http_caller *c, int status, const char *fields, const char *text);

/* The same for one that is not let in, or has asked for what there is not; reason is for the log. */
void http_caller_reject(struct http_caller *c, int status, const char *fields, const char *text, const char *reason);

/*
 * It has to wait. gone is called, once, when it has left before it was answered or
 * taken over: it is closed by then. What it sends meanwhile stays in the kernel.
 */
void http_caller_hold(struct http_caller *c, bool until_fin, void (*gone)(void *owner), void *owner);

/* Whether one that is held has left, which gone may not have told yet. */
bool http_caller_left(const struct http_caller *c);

/* Sends the head of an answer whose body follows, or 100 Continue, and holds it as before. -1 with errno. */
int http_caller_say(struct http_caller *c, const char *head);

/* Forgets it: its connection is the caller's. */
int http_caller_release(struct http_caller *c);

/* Closes the connection as a cut. */
void http_caller_reset(struct http_caller *c);

/* Closes all that have nothing to wait for. */
void http_callers_stop(void);

#endif
