/*
 * sandbox: what a session child gives up for good before it copies.
 *
 * Linux: no_new_privs, no new processes, no core files, and a seccomp filter
 * that ends the process with SIGSYS at any system call which copying and the
 * report do not make. Elsewhere nothing: the fallback is in the same file.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Why children run without the filter, as one word for the log: "architecture"
 * (its numbers are not known here), "kernel" (it has none) or "build"
 * (-DNO_SECCOMP). NULL: there is one.
 */
const char *sandbox_missing(void);

/*
 * Call it when nothing is left to open, to start or to connect. Regular files
 * can be written afterwards only with writes_files. What the system does not
 * have is left out without a word.
 */
void sandbox_enter(bool writes_files);

/*
 * The same for a process that forks such children and does nothing else: they
 * inherit it. Fork is let through where it is called with a number that only
 * this process knows, *pass. -1 with errno: there are no random bytes.
 */
int sandbox_enter_forking(uintptr_t *pass);

/*
 * fork(), after sandbox_enter_forking; but the child is one of the caller's parent. It
 * cannot fork: *pass is wiped there. -1 with errno.
 */
pid_t sandbox_fork(uintptr_t *pass);

/* Whether the system has no such fork. */
bool sandbox_fork_missing(void);

#endif
