/*
 * sock: stream sockets, non-blocking and close-on-exec. See sock.h.
 */
#include "sock.h"

#include "clock.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

/* How long a session's connection may be silent before it is probed, in seconds. */
#define SESSION_PROBE_IDLE 60
#define SESSION_PROBE_INTERVAL 15
#define SESSION_PROBES 4

/*
 * Connections that may wait to be taken. Every system lowers it to its own
 * limit; SOMAXCONN is no more than somebody's guess at that (128 in musl).
 */
#define BACKLOG 4096

static int flag(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

int sock_set_blocking(int fd, int blocking)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -1;
    return fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

bool sock_has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int bind_addr(int fd, const struct addr *a)
{
    if (a->u.any.sa_family == AF_INET6 && flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !addr_is_any(a)) != 0)
        return -1;
    if (flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return -1;
    return bind(fd, &a->u.any, a->len);
}

/*
 * A port that the system chooses (0) is bound a second time by its number:
 * Linux drops a port that nobody named when its socket stops listening.
 */
static int bind_chosen(int fd, const struct addr *a)
{
    struct addr chosen = *a;
    int scout = os_stream_socket(a->u.any.sa_family);
    int result = -1;

    if (scout < 0)
        return -1;
    chosen.len = sizeof chosen.u;
    if (bind_addr(scout, a) == 0 && getsockname(scout, &chosen.u.any, &chosen.len) == 0)
        result = bind_addr(fd, &chosen);
    close(scout);
    return result;
}

int sock_bind(const struct addr *a)
{
    int fd = os_stream_socket(a->u.any.sa_family);
    int saved;

    if (fd < 0)
        return -1;
    if ((addr_port(a) == 0 ? bind_chosen(fd, a) : bind_addr(fd, a)) == 0 &&
        flag(fd, SOL_SOCKET, SO_REUSEADDR, 0) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Accepted sockets inherit SO_REUSEADDR, else they would stand in the way of the next start, and the rest. */
int sock_listen(int fd)
{
    if (flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return -1;
    sock_session_options(fd);
    return listen(fd, BACKLOG);
}

int sock_unlisten(int fd)
{
    if (shutdown(fd, SHUT_RD) != 0)
        return -1;
    return flag(fd, SOL_SOCKET, SO_REUSEADDR, 0);
}

int sock_accept(int listener, struct addr *from)
{
    struct addr unused;
    int fd;

    if (from == NULL)
        from = &unused;
    from->len = sizeof from->u;
    fd = os_accept(listener, &from->u.any, &from->len);
    if (fd >= 0)
        addr_unmap(from);
    return fd;
}

/* On the same machine the answer is there by the time that connect() says that it is under way. */
static int progress(int fd, bool *connected)
{
    struct addr peer = {.len = sizeof peer.u};

    *connected = getpeername(fd, &peer.u.any, &peer.len) == 0;
    if (!*connected && errno == ENOTCONN)
        errno = sock_error(fd);
    return *connected || errno == 0 ? 0 : -1;
}

int sock_connect_start(const struct addr *a, bool *connected)
{
    int fd = os_stream_socket(a->u.any.sa_family);
    int saved;

    if (fd < 0)
        return -1;
    *connected = connect(fd, &a->u.any, a->len) == 0;
    if (*connected || ((errno == EINPROGRESS || errno == EINTR) && progress(fd, connected) == 0))
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Takes the connection that came from us: whoever else is on this machine may have connected, too. */
static int accept_from(int listener, const struct addr *ours)
{
    struct addr from;
    int fd;

    while ((fd = sock_accept(listener, &from)) >= 0) {
        if (addr_same_host(&from, ours) && addr_port(&from) == addr_port(ours))
            return fd;
        sock_reset(fd);
    }
    return -1;
}

int sock_pair(int ends[2])
{
    struct addr a, ours;
    bool connected;
    int listener;

    ends[0] = ends[1] = -1;
    addr_numeric(&a, "127.0.0.1", 0);
    listener = os_stream_socket(AF_INET);
    if (listener < 0)
        return -1;
    if (bind(listener, &a.u.any, a.len) == 0 && listen(listener, 1) == 0 && addr_local(&a, listener) == 0)
        ends[0] = sock_connect_start(&a, &connected);
    if (ends[0] >= 0 && addr_local(&ours, ends[0]) == 0)
        ends[1] = accept_from(listener, &ours);
    close(listener);
    if (ends[1] >= 0) {
        sock_session_options(ends[0]);
        sock_session_options(ends[1]);
        return 0;
    }
    if (ends[0] >= 0)
        close(ends[0]);
    return -1;
}

int sock_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    return error;
}

static int connect_finish(int fd)
{
    errno = sock_error(fd);
    return errno == 0 ? 0 : -1;
}

int sock_connect_wait(int fd, int milliseconds)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    long long end = clock_ms() + milliseconds;

    for (;;) {
        long long left = end - clock_ms();
        int ready = poll(&p, 1, left > 0 ? (int)left : 0);

        if (ready > 0)
            return connect_finish(fd);
        if (ready == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        if (errno != EINTR)
            return -1;
    }
}

int sock_broken(int fd)
{
    struct pollfd p = {.fd = fd, .events = 0};

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

ssize_t sock_write(int fd, const char *bytes, size_t len)
{
    ssize_t sent;

    do {
        sent = write(fd, bytes, len);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

int sock_send(int fd, const char *bytes, size_t len)
{
    ssize_t sent = sock_write(fd, bytes, len);

    if (sent == (ssize_t)len)
        return 0;
    if (sent >= 0)
        errno = EAGAIN;
    return -1;
}

static void linger(int fd, int on)
{
    struct linger how = {.l_onoff = on, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &how, sizeof how);
}

void sock_abort_on_close(int fd)
{
    linger(fd, 1);
}

void sock_close_gently(int fd)
{
    linger(fd, 0);
}

void sock_reset(int fd)
{
    linger(fd, 1);
    close(fd);
}

void sock_session_options(int fd)
{
    sock_abort_on_close(fd);
    flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void sock_probe(int fd)
{
    flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    os_keepalive(fd, SESSION_PROBE_IDLE, SESSION_PROBE_INTERVAL, SESSION_PROBES);
}

void sock_control_options(int fd, int silence)
{
    sock_close_gently(fd);
    flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    os_keepalive(fd, silence / 3, silence / 3, 2);
    os_user_timeout(fd, (unsigned)silence * 1000);
}
