/*
 * storm: signals that change nothing, a thousand a second to each process.
 *
 *     storm SECONDS PID...
 *
 * SIGCHLD and SIGCONT in turn, and every 50th time SIGSTOP and SIGCONT, which
 * interrupts calls where no handler would. Ends when the time is over or no
 * process is left, and prints how many signals it sent.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

static bool send_to(pid_t pid, unsigned long round)
{
    if (kill(pid, round % 2 == 0 ? SIGCHLD : SIGCONT) != 0)
        return false;
    if (round % 50 == 0) {
        kill(pid, SIGSTOP);
        kill(pid, SIGCONT);
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 2 ? strtoul(argv[1], NULL, 10) * 1000 : 0, sent = 0;
    bool any = rounds > 0;

    for (unsigned long round = 0; round < rounds && any; round++) {
        any = false;
        for (int i = 2; i < argc; i++)
            if (send_to((pid_t)strtol(argv[i], NULL, 10), round)) {
                any = true;
                sent++;
            }
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    printf("%lu\n", sent);
    return argc > 2 ? 0 : 2;
}
