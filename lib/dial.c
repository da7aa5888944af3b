/*
 * dial: connects to a name and a port. See dial.h.
 */
#include "dial.h"

#include "clock.h"
#include "handover.h"
#include "sock.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* More addresses of one name than anybody waits for. */
#define MOST_ADDRESSES 8

/* How soon a full queue is tried again. */
#define FULL_QUEUE_MS 20

/* How soon a further attempt begins beside those under way, how many there are, and how often that is looked at. */
#define ATTEMPT_MS 1000
#define MOST_ATTEMPTS 10
#define ATTEMPT_POLL_MS 250

/* How soon the hosts are tried again where there was no way to any. */
#define UNREACHABLE_MS 500

int dial_addr(const struct addr *to, int seconds, char why[DIAL_WHY])
{
    long long end = clock_ms() + seconds * 1000LL;
    bool connected;
    int fd;

    /* A unix socket whose queue is full says so and gives nothing to wait for. */
    while ((fd = sock_connect_start(to, &connected)) < 0 && errno == EAGAIN && clock_ms() < end)
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
 * reason in why and errno (EHOSTUNREACH: nobody could be asked).
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
        errno = failed == EAI_AGAIN ? EHOSTUNREACH : ENOENT;
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

static int dial_each(const struct dial_host *to, int seconds, char why[DIAL_WHY],
                     int (*dial)(const struct addr *to, int seconds, char why[DIAL_WHY]))
{
    struct addr list[MOST_ADDRESSES];
    int count = resolve(to, list, why);

    for (int i = 0; i < count; i++) {
        int fd = dial(&list[i], seconds, why);

        if (fd >= 0)
            return fd;
    }
    return -1;
}

int dial_now(const struct dial_host *to, int seconds, char why[DIAL_WHY])
{
    return dial_each(to, seconds, why, dial_addr);
}

/* What becomes of a connection to the proxy, or of its lack: as dial_through. */
static int go_through(const struct forward_proxy *proxy, const struct dial_host *to, int fd, int seconds,
                      char why[DIAL_WHY])
{
    char reason[DIAL_WHY];
    int saved = errno;
    struct text t;

    if (fd < 0) {
        text_copy(reason, sizeof reason, why);
        text_init(&t, why, DIAL_WHY);
        text_add(&t, "the proxy: %s", reason);
        errno = saved;
        return -1;
    }
    if (forward_proxy_connect(proxy, to, fd, seconds, why) == 0)
        return fd;
    close(fd);
    errno = ECONNREFUSED;
    return -1;
}

int dial_through(const struct forward_proxy *proxy, const struct dial_host *to, int seconds, char why[DIAL_WHY])
{
    return go_through(proxy, to, dial_now(&proxy->at, seconds, why), seconds, why);
}

/*
 * A network that comes and goes. TCP sends a lost SYN again after 1, 3, 7 s
 * (RFC 6298, 5.5), so that an attempt begun while the cable was out would
 * see it back only seconds later.
 */

/* Takes the attempts that have ended out. Returns the one that is connected, or -1; *error: why one failed, or 0. */
static int connected(struct pollfd *attempts, int *count, int *error)
{
    *error = 0;
    for (int i = 0; i < *count; i++) {
        int fd = attempts[i].fd;

        if (attempts[i].revents == 0)
            continue;
        attempts[i--] = attempts[--*count];
        *error = sock_error(fd);
        if (*error == 0)
            return fd;
        close(fd);
    }
    return -1;
}

/* One address, until seconds have passed or an attempt fails. */
static int dial_race(const struct addr *to, int seconds, char why[DIAL_WHY])
{
    struct pollfd attempts[MOST_ATTEMPTS];
    long long end = clock_ms() + seconds * 1000LL, next = 0, now;
    int count = 0, fd = -1, error = 0;
    bool at_once;

    while (fd < 0 && error == 0 && (now = clock_ms()) < end) {
        if (now >= next && count < MOST_ATTEMPTS) {
            attempts[count] = (struct pollfd){.fd = sock_connect_start(to, &at_once), .events = POLLOUT};
            if (attempts[count].fd < 0) {
                error = errno;
                break;
            }
            count++;
            next = now + ATTEMPT_MS;
        }
        if (poll(attempts, (nfds_t)count, ATTEMPT_POLL_MS) > 0)
            fd = connected(attempts, &count, &error);
    }
    while (count > 0)
        close(attempts[--count].fd);
    errno = error != 0 ? error : ETIMEDOUT;
    if (fd < 0)
        text_copy(why, DIAL_WHY, strerror(errno));
    return fd;
}

static bool unreachable(int error)
{
    switch (error) {
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return true;
    default:
        return false;
    }
}

/* What a child says: the connection, if any, goes beside it. */
struct result {
    int at;
    bool unanswered;
    char why[DIAL_WHY];
};

static int dial_once(const struct forward_proxy *proxy, const struct dial_host *to, int seconds, char why[DIAL_WHY])
{
    int fd = dial_each(proxy != NULL ? &proxy->at : to, seconds, why, dial_race);

    return proxy != NULL ? go_through(proxy, to, fd, seconds, why) : fd;
}

static int dial_patiently(const struct forward_proxy *proxy, const struct dial_host *hosts, int count, int seconds,
                          struct result *result)
{
    long long end = clock_ms() + seconds * 1000LL;

    for (;;) {
        long long pause = clock_ms() + UNREACHABLE_MS;

        result->unanswered = true;
        for (int i = 0; i < count; i++) {
            int fd = dial_once(proxy, &hosts[i], seconds, result->why);

            result->at = i;
            if (fd >= 0)
                return fd;
            if (!unreachable(errno))
                result->unanswered = false;
        }
        pause -= clock_ms();
        if (!result->unanswered)
            return -1;
        if (pause > 0)
            poll(NULL, 0, (int)pause);
        if (clock_ms() >= end)
            return -1;
    }
}

/* The reason goes as the message's bytes, the connection beside them. */
static int take_result(int from_child, struct result *result)
{
    int fd;

    if (handover_take(from_child, result, sizeof *result, &fd, 1, MSG_DONTWAIT) != (ssize_t)sizeof *result)
        *result = (struct result){.why = "killed"};
    result->why[sizeof result->why - 1] = '\0';
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static void child_ended(struct child *c, int status)
{
    struct dial *d = (struct dial *)c;
    struct result result;
    int fd = take_result(d->from_child, &result);

    (void)status;
    close(d->from_child);
    d->at = result.at;
    d->unanswered = result.unanswered;
    d->done(d->owner, fd, result.why);
}

static void run_child(int to_parent, const struct dial *d, const struct dial_host *hosts, int count, int seconds)
{
    struct result result;
    int fd;

    memset(&result, 0, sizeof result);
    child_keep(&to_parent, 1, 0);
    fd = dial_patiently(d->proxy, hosts, count, seconds, &result);
    handover_send(to_parent, &result, sizeof result, &fd, fd >= 0, 0);
    _exit(0);
}

int dial_start(struct dial *d, const struct dial_host *hosts, int count, int seconds)
{
    int ends[2];
    pid_t pid;

    if (handover_pair(ends) != 0)
        return -1;
    d->child.ended = child_ended;
    pid = child_fork(&d->child);
    if (pid == 0)
        run_child(ends[1], d, hosts, count, seconds);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -1;
    }
    d->from_child = ends[0];
    return 0;
}
