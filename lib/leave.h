/*
 * leave: how a program ends that has session children.
 *
 * SIGTERM: at once, and the sessions go on. SIGUSR1: nothing new is taken, and
 * the end comes with that of the last session. SIGINT and SIGQUIT: the same,
 * and the sessions are ended. SIGHUP ends nothing, SIGPIPE neither.
 */
#ifndef LEAVE_H
#define LEAVE_H

/* Sets the signals up. stop is called once, when nothing new is to be taken. */
void leave_on_signals(void (*stop)(void));

#endif
