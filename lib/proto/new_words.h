/*
 * new_words: what the lines of the protocol `new` do at the relay, and silence.
 */
#ifndef NEW_WORDS_H
#define NEW_WORDS_H

#include "new_conn.h"

/* A line of a connection that is asking, or serving. It may be gone afterwards. */
void new_words_line(struct new_conn *c, const struct new_line *line);

/* One that is none: code is the protocol's word for why. It is gone or leaving afterwards. */
void new_words_bad(struct new_conn *c, const char *code);

/* Nothing was said: a plain server. It is told nothing, whatever happens. */
void new_words_silence(void *conn);

/* The key file was read again: who may not serve any more is told so. */
void new_words_keys_changed(void);

#endif
