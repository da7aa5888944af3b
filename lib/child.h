/*
 * child: forked processes, their descriptors, and their ends.
 *
 * It knows nothing of what a child does.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* The owner keeps it in place until ended was called. */
struct child {
    pid_t pid;
    void (*ended)(struct child *c, int status);     /* status is waitpid's */
    bool leads_group;                               /* signals go to its process group too */
    struct child *next;
};

/*
 * Sets SIGCHLD up, and opens /dev/null for the children and in place of
 * standard descriptors that are closed, lest a socket be taken for one. Call
 * it before any socket is made. -1 with errno.
 */
int child_init(void);

/*
 * fork(). In the child (0) signals are as loop_leave leaves them. In the parent
 * c is kept until the child's end. -1 with errno.
 */
pid_t child_fork(struct child *c);

/*
 * A process that was made otherwise is this one's child, too: c is kept until
 * its end. -1 with errno: it has ended, and was waited for.
 */
int child_adopt(struct child *c, pid_t pid);

/* Called in every child that is forked from now on: what children must not know is forgotten there. */
void child_forgets(void (*forget)(void));

/* Which of a child's standard descriptors stay as they are; the others become /dev/null. */
enum { CHILD_STDIN = 1, CHILD_STDOUT = 2, CHILD_STDERR = 4 };

/* In a child: closes every descriptor but the standard ones and these (-1 is skipped). */
void child_keep(const int *fds, int count, unsigned stdio);

/*
 * In a child: these, CHILD_PLACED at most, become the first descriptors behind the standard ones, in
 * this order, and stay open over exec; all others are closed. The standard
 * ones become /dev/null.
 */
#define CHILD_PLACED 3
void child_place(const int *fds, int count);

/* In the parent: a child has its standard input and output now; here they become /dev/null. */
void child_has_stdio(void);

/* Sends all children that live a signal. */
void child_signal_all(int signo);

#endif
