/*
 * transport: a process that carries many sessions in one connection. See transport.h.
 */
#include "transport.h"

#include "handover.h"
#include "os.h"
#include "text.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *program_name;
static int reports_end;
static void (*process_died)(const struct transport *t);
static struct transport *all;

void transport_setup(const char *program, int reports, void (*died)(const struct transport *t))
{
    program_name = program;
    reports_end = reports;
    process_died = died;
}

void transport_leave(struct transport *t)
{
    if (t->channel >= 0)
        close(t->channel);
    t->channel = -1;
}

static void child_ended(struct child *c, int status)
{
    struct transport *t = (struct transport *)c;

    (void)status;
    transport_leave(t);
    process_died(t);
    *t->link = t->next;
    if (t->next != NULL)
        t->next->link = t->link;
    t->ended(t->owner);
}

/* In the forked process. */
static void become(const struct transport *t, int fd, int channel, const char *what,
                   void (*body)(const struct transport_seat *seat, void *arg), void *arg)
{
    const struct transport_seat seat = {
        .fd = fd,
        .channel = channel,
        .reports = reports_end,
        .token = t->token,
        .program = program_name,
    };
    char title[JOB_TITLE];
    struct text text;

    child_keep((int[]){fd, channel, reports_end}, 3, 0);
    text_init(&text, title, sizeof title);
    text_add(&text, "%s: %e", program_name, what);
    os_title(title);
    body(&seat, arg);
    _exit(0);
}

int transport_start(struct transport *t, int fd, const char *title,
                    void (*body)(const struct transport_seat *seat, void *arg), void *arg)
{
    int ends[2];
    pid_t pid;

    t->channel = -1;
    if (os_random(&t->token, sizeof t->token) != 0 || handover_pair(ends) != 0)
        return -1;
    t->child.ended = child_ended;
    pid = child_fork(&t->child);
    if (pid == 0)
        become(t, fd, ends[1], title, body, arg);
    close(ends[1]);
    t->channel = ends[0];
    if (pid < 0) {
        int saved = errno;

        transport_leave(t);
        errno = saved;
        return -1;
    }
    t->next = all;
    t->link = &all;
    if (all != NULL)
        all->link = &t->next;
    all = t;
    return 0;
}

int transport_give(struct transport *t, const struct job *job, int fd)
{
    if (t->channel < 0) {
        errno = EPIPE;
        return -1;
    }
    return handover_send(t->channel, job, sizeof *job, &fd, fd >= 0 ? 1 : 0, MSG_DONTWAIT);
}

struct transport *transport_of(const struct report *r)
{
    struct transport *t = all;

    while (t != NULL && t->token != r->subject.token)
        t = t->next;
    return t;
}
