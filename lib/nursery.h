/*
 * nursery: a small process that forks the session children.
 *
 * It is the program itself, started afresh: it has no keys, no tables and a few
 * descriptors, and so has what it forks. It wears the children's sandbox, which
 * they inherit, one filter for all. The children are not its own but its
 * parent's: it can end at any time, and nobody is the worse for it.
 */
#ifndef NURSERY_H
#define NURSERY_H

#include <stdbool.h>
#include <sys/types.h>

/* Where main() begins as a nursery, this does not return. */
void nursery_if_asked(char **argv);

/*
 * Once, while /proc can be seen. program is for titles; reports is what children
 * report to. answered is called once for each nursery_ask that returned 0: with
 * the pid, or -1 and the reason (ENOSYS: there is no nursery, or none that
 * answers: the channel may have another owner by now, and is to be made anew).
 */
void nursery_setup(const char *program, int reports, void (*answered)(pid_t pid, int error));

/*
 * Asks for a new child of this process, which runs worker_child_run on its copy
 * of the channel. Not before the last one was answered. -1: there is no nursery.
 */
int nursery_ask(int channel);

/* Waits for the answer, a moment at most: answered has been called. Only while one is due. */
void nursery_wait(void);

/* It ends, until the next nursery_ask. */
void nursery_close(void);

#endif
