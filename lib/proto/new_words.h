/*
 * new_words: what the lines of the protocol `new` do at the relay, and silence.
 */
#ifndef NEW_WORDS_H
#define NEW_WORDS_H

#include "new_conn.h"

extern const struct new_conn_hooks new_words;

/* The key file was read again: who may not serve any more is told so. */
void new_words_keys_changed(void);

#endif
