/*
 * handover: messages between processes, with descriptors beside their bytes. See handover.h.
 */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(HANDOVER_MOST * sizeof(int))];
};

/* Messages keep their bounds and their order, and an end that is gone shows. */
int handover_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    return 0;
}

int handover_send(int channel, const void *bytes, size_t len, const int *fds, int count, int flags)
{
    union control control;
    struct iovec all = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr m = {.msg_iov = &all, .msg_iovlen = 1};
    ssize_t sent;

    if (count > 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE((size_t)count * sizeof *fds);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof *fds);
        memcpy(CMSG_DATA(&control.header), fds, (size_t)count * sizeof *fds);
    }
    do {
        sent = sendmsg(channel, &m, flags);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

static void take_descriptors(struct msghdr *m, int *fds, int count)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(m);
    int came;

    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return;
    came = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof *fds);
    memcpy(fds, CMSG_DATA(header), (size_t)(came < count ? came : count) * sizeof *fds);
}

ssize_t handover_take(int channel, void *bytes, size_t size, int *fds, int count, int flags)
{
    union control control;
    struct iovec all = {.iov_base = bytes, .iov_len = size};
    struct msghdr m = {.msg_iov = &all, .msg_iovlen = 1};
    ssize_t got;

    /* No room for more descriptors than are wanted: they would stay open here. */
    if (count > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_LEN((size_t)count * sizeof *fds);
    }
    for (int i = 0; i < count; i++)
        fds[i] = -1;
    do {
        got = recvmsg(channel, &m, flags);
    } while (got < 0 && errno == EINTR);
    if (got >= 0)
        take_descriptors(&m, fds, count);
    return got;
}
