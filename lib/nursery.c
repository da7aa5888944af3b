/*
 * nursery: a small process that forks the session children. See nursery.h.
 *
 * Why it is not the parent that forks them: a page of memory that thousands of
 * children share is looked for in each of them whenever the kernel wants to
 * know whether it is in use, and the parent's pages always are. These are cold.
 */
#include "nursery.h"

#include "child.h"
#include "handover.h"
#include "loop.h"
#include "os.h"
#include "sandbox.h"
#include "text.h"
#include "worker_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The nursery's descriptors beside the standard ones. */
enum { ASKED = 3, REPORTS, IMAGE };

/* A fork takes much less; whoever does not answer by then is stuck, or stopped. In milliseconds. */
#define ANSWER_MS 200

/* What ps shows, and how main() knows what it is. */
#define TITLE ": nursery"
#define TITLE_SIZE 32

/* Room for its children's titles, behind its own. */
#define ROOM_SIZE 224

struct answer {
    pid_t pid;
    int error;
};

static const char *program_name;
static int reports_end = -1, own_image = -1;
static struct child nursery;
static struct watch channel_to_it = {.fd = -1};
static bool asked;              /* it has not answered yet */
static void (*answered)(pid_t pid, int error);
static bool useless;            /* the system does not let it fork for its parent */

static void make_title(char title[TITLE_SIZE], const char *program, const char *what)
{
    struct text t;

    text_init(&t, title, TITLE_SIZE);
    text_add(&t, "%s%s", program, what);
}

/* In the nursery. */

static struct answer fork_one(int channel, const char *idle_title, uintptr_t *pass)
{
    pid_t pid = sandbox_fork(pass);

    if (pid == 0) {
        close(ASKED);
        worker_child_run(channel, REPORTS, idle_title);
    }
    return (struct answer){.pid = pid, .error = errno};
}

static void run(const char *program)
{
    char idle_title[TITLE_SIZE], word;
    uintptr_t pass;
    int channel;

    close(IMAGE);
    os_name(program);
    make_title(idle_title, program, ": idle");
    if (sandbox_enter_forking(&pass) != 0)
        _exit(1);
    while (handover_take(ASKED, &word, sizeof word, &channel, 1, 0) > 0) {
        struct answer answer = fork_one(channel, idle_title, &pass);

        close(channel);
        if (write(ASKED, &answer, sizeof answer) < 0)
            break;
    }
    _exit(0);
}

void nursery_if_asked(char **argv)
{
    char program[TITLE_SIZE];
    char *suffix;

    if (argv[0] == NULL || !text_copy(program, sizeof program, argv[0]))
        return;
    suffix = strchr(program, TITLE[0]);
    if (suffix == NULL || strcmp(suffix, TITLE) != 0)
        return;
    *suffix = '\0';
    run(program);
}

/* In the parent. */

void nursery_setup(const char *program, int reports, void (*then)(pid_t pid, int error))
{
    program_name = program;
    reports_end = reports;
    answered = then;
    own_image = os_own_image();
}

static void answer(pid_t pid, int error)
{
    if (!asked)
        return;
    asked = false;
    answered(pid, error);
}

void nursery_close(void)
{
    if (channel_to_it.fd < 0)
        return;
    loop_remove(&channel_to_it);
    close(channel_to_it.fd);
    channel_to_it.fd = -1;
    answer(-1, ENOSYS);
}

static void nursery_ended(struct child *c, int status)
{
    (void)status;
    c->pid = 0;
    nursery_close();
}

static void take_answer(void *unused, unsigned events)
{
    struct answer a;

    (void)unused, (void)events;
    if (handover_take(channel_to_it.fd, &a, sizeof a, NULL, 0, MSG_DONTWAIT) != (ssize_t)sizeof a) {
        nursery_close();
        return;
    }
    useless = a.pid < 0 && a.error != EAGAIN && a.error != ENOMEM;
    if (useless)
        nursery_close();
    else
        answer(a.pid, a.error);
}

/* In the forked process: its descriptors get the numbers that it expects, and it becomes a nursery. */
static void become(int channel)
{
    char title[TITLE_SIZE], room[ROOM_SIZE];
    char *argv[] = {title, room, NULL};

    make_title(title, program_name, TITLE);
    memset(room, ' ', sizeof room - 1);
    room[sizeof room - 1] = '\0';
    child_place((int[]){channel, reports_end, own_image}, own_image >= 0 ? 3 : 2);
    os_exec_image(IMAGE, argv);
    /* As a copy, then: it may not execute its own file, or a chroot has no loader for it. */
    os_title(title);
    run(program_name);
}

static int start(void)
{
    int ends[2];
    pid_t pid;

    /* The last one may not have been waited for yet. */
    if (nursery.pid != 0 || handover_pair(ends) != 0)
        return -1;
    nursery.ended = nursery_ended;
    pid = child_fork(&nursery);
    if (pid == 0)
        become(ends[1]);
    close(ends[1]);
    channel_to_it.fd = ends[0];
    channel_to_it.ready = take_answer;
    if (pid > 0 && loop_add(&channel_to_it, LOOP_READ) == 0)
        return 0;
    nursery_close();
    return -1;
}

int nursery_ask(int channel)
{
    if (useless || sandbox_fork_missing() || (channel_to_it.fd < 0 && start() != 0))
        return -1;
    asked = handover_send(channel_to_it.fd, "f", 1, &channel, 1, MSG_DONTWAIT) == 0;
    if (asked)
        return 0;
    nursery_close();
    return -1;
}

void nursery_wait(void)
{
    struct pollfd p = {.fd = channel_to_it.fd, .events = POLLIN};

    if (poll(&p, 1, ANSWER_MS) > 0) {
        take_answer(NULL, LOOP_READ);
        return;
    }
    /* It may come to itself later, and must not fork then. */
    if (nursery.pid > 0)
        kill(nursery.pid, SIGKILL);
    nursery_close();
}
