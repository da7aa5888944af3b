/*
 * worker_child: the process that serves sessions, one at a time, each from a
 * message with both connections beside it.
 */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

/*
 * Takes jobs (struct job) from the channel until nobody can send any, and
 * leaves. Ends are told through reports. Between sessions ps shows idle_title.
 */
void worker_child_run(int channel, int reports, const char *idle_title);

#endif
