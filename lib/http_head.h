/*
 * http_head: heads of HTTP/1.1 messages (RFC 9112, 2 to 6), requests and
 * answers.
 *
 * Pure, and strict where leniency lets two readers see two messages: bare CR
 * or LF, folded lines, a space before a colon, a length that is repeated,
 * signed or beside Transfer-Encoding are all refused. It knows of no field but
 * those that say where the message ends and what becomes of the connection.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http_body.h"

/* Where none is given (RFC 9110, 4.2.1). */
#define HTTP_PORT 80

/* The longest head, its empty line included. */
#define HTTP_HEAD_LONGEST 8192

/*
 * Where the head ends that these bytes begin with: its length, the empty line
 * included. 0: it is not whole, and all these bytes are part of it. -1: no bytes
 * behind these can make it one. Empty lines before it are part of it (2.2).
 */
long http_head_end(const char *bytes, size_t len);

struct http_request {
    const char *method;
    const char *target;         /* its path and query; "*", or an authority, as it came */
    int minor;                  /* HTTP/1.minor: 0, or 1 for 1 and above */
    bool keep_alive;            /* more requests may follow on the connection */
    bool expects_continue;      /* Expect: 100-continue; never of HTTP/1.0 */
    bool has_body;              /* it has a length, 0 perhaps, or is in chunks */
    struct http_body body;      /* of has_body; else one that is over */
    const char *fields;         /* for http_field */
};

struct http_answer {
    int status;                 /* 100 to 999 */
    const char *reason;         /* as it came, "" perhaps */
    int minor;
    bool keep_alive;            /* the connection may be used again; never of a body that is HTTP_BODY_RAW */
    struct http_body body;      /* HTTP_BODY_RAW: to the end of the connection. Of 1xx, 204 and 304: one that is over */
    const char *fields;
};

/*
 * Takes a whole head apart, as http_head_end measured it, cutting it into
 * strings that the structure points to. Returns 0, or -1: it is malformed, or
 * its body has no end that all agree on.
 */
int http_request_parse(struct http_request *r, char *head, size_t len);
int http_answer_parse(struct http_answer *a, char *head, size_t len);

/* The value of the first field of this name, in whatever case, without white space around it; NULL: there is none. */
const char *http_field(const char *fields, const char *name);

/* How many fields of this name there are. */
int http_field_count(const char *fields, const char *name);

#endif
