/*
 * dial: connects to a name and a port. See dial.h.
 */
#include "dial.h"

#include "clock.h"
#include "sock.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* More addresses of one name than anybody waits for. */
#define MOST_ADDRESSES 8

/* How soon a full queue is tried again. */
#define FULL_QUEUE_MS 20

int dial_addr(const struct addr *to, int seconds, char why[DIAL_WHY])
{
    long long end = clock_ms() + seconds * 1000LL;
    int fd;

    /* A unix socket whose queue is full says so and gives nothing to wait for. */
    while ((fd = sock_connect_start(to)) < 0 && errno == EAGAIN && clock_ms() < end)
        poll(NULL, 0, FULL_QUEUE_MS);
    if (fd >= 0 && sock_connect_wait(fd, seconds * 1000) == 0)
        return fd;
    text_copy(why, DIAL_WHY, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/*
 * Looks a name up. What the system allocates is not given back: only children
 * ask, and they are short. Returns how many addresses there are, or -1 with the
 * reason in why.
 */
static int resolve(const struct dial_host *to, struct addr list[MOST_ADDRESSES], char why[DIAL_WHY])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int count = 0, failed;

    if (addr_numeric(&list[0], to->host, to->port) == 0)
        return 1;
    failed = getaddrinfo(to->host, NULL, &hints, &found);
    if (failed != 0 || found == NULL) {
        text_copy(why, DIAL_WHY, failed == EAI_AGAIN ? "no name server answers" : "that host is not known");
        return -1;
    }
    for (; found != NULL && count < MOST_ADDRESSES; found = found->ai_next) {
        if (found->ai_addrlen > sizeof list->u)
            continue;
        memset(&list[count], 0, sizeof list[count]);
        memcpy(&list[count].u, found->ai_addr, found->ai_addrlen);
        list[count].len = found->ai_addrlen;
        addr_set_port(&list[count++], to->port);
    }
    return count;
}

int dial_now(const struct dial_host *to, int seconds, char why[DIAL_WHY])
{
    struct addr list[MOST_ADDRESSES];
    int count = resolve(to, list, why);

    for (int i = 0; i < count; i++) {
        int fd = dial_addr(&list[i], seconds, why);

        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* The reason goes as the message's bytes, the connection beside them (SCM_RIGHTS). */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

static void send_result(int to_parent, int fd, char *why)
{
    union control control;
    struct iovec bytes = {.iov_base = why, .iov_len = DIAL_WHY};
    struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1};

    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = &control;
        m.msg_controllen = sizeof control.space;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    sendmsg(to_parent, &m, 0);
}

static int take_result(int from_child, char why[DIAL_WHY])
{
    union control control;
    struct iovec bytes = {.iov_base = why, .iov_len = DIAL_WHY};
    struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1,
                       .msg_control = &control, .msg_controllen = sizeof control.space};
    struct cmsghdr *header;
    int fd = -1;

    text_copy(why, DIAL_WHY, "killed");
    if (recvmsg(from_child, &m, MSG_DONTWAIT) <= 0)
        return -1;
    why[DIAL_WHY - 1] = '\0';
    header = CMSG_FIRSTHDR(&m);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static void child_ended(struct child *c, int status)
{
    struct dial *d = (struct dial *)c;
    char why[DIAL_WHY];
    int fd = take_result(d->from_child, why);

    (void)status;
    close(d->from_child);
    d->done(d->owner, fd, why);
}

static void run_child(int to_parent, const struct dial_host *hosts, int count, int seconds)
{
    char why[DIAL_WHY] = "";
    int fd = -1;

    child_keep(&to_parent, 1, 0);
    for (int i = 0; i < count && fd < 0; i++)
        fd = dial_now(&hosts[i], seconds, why);
    send_result(to_parent, fd, why);
    _exit(0);
}

int dial_start(struct dial *d, const struct dial_host *hosts, int count, int seconds)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
        return -1;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    d->child.ended = child_ended;
    pid = child_fork(&d->child);
    if (pid == 0)
        run_child(ends[1], hosts, count, seconds);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -1;
    }
    d->from_child = ends[0];
    return 0;
}
