/* pipe: see pipe.h. */
#include "os/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "os/fault.h"
#include "os/fds.h"
#include "os/ready.h"

/* With the registry held, which it releases: a child of another thread would keep an end open that it does not know of, and
 * nobody would see the stream end. Both or none: on failure what was opened is closed again. */
static int own_both(struct sys *s, int fds[2], int err) {
    for (int i = 0; err == 0 && i < 2; i++)
        fds[i] = fds_own_held(s, fds[i]);
    fds_release();
    if (err < 0 || (fds[0] >= 0 && fds[1] >= 0))
        return err;
    fds_close(s, &fds[0]);
    fds_close(s, &fds[1]);
    return -ENOMEM;
}

int pipe_open(struct sys *s, int fds[2], size_t capacity) {
    fds[0] = fds[1] = -1;
    fds_hold();
    int err = own_both(s, fds, sys_pipe(s, fds, 0));
    if (err == 0 && capacity > 0 && capacity <= INT_MAX)
        sys_fcntl(s, fds[1], F_SETPIPE_SZ, (long)capacity);
    return err;
}

/* Privileged users may pass the system's limit; the others get the limit. */
static void set_buffer(struct sys *s, int fd, int name, int force_name, size_t bytes) {
    int n = bytes > INT_MAX ? INT_MAX : (int)bytes;
    if (sys_setsockopt(s, fd, force_name, n) < 0)
        sys_setsockopt(s, fd, name, n);
}

int socket_open(struct sys *s, int type, int fds[2], size_t buffer) {
    fds[0] = fds[1] = -1;
    fds_hold();
    int err = own_both(s, fds, sys_socketpair(s, type, fds));
    for (int i = 0; err == 0 && buffer > 0 && i < 2; i++)
        set_buffer(s, fds[i], SO_SNDBUF, SO_SNDBUFFORCE, buffer);
    return err;
}

int fd_set_blocking(struct sys *s, int fd, bool blocking) {
    int flags = sys_fcntl(s, fd, F_GETFL, 0);
    if (flags < 0)
        return flags;
    int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return wanted == flags ? 0 : sys_fcntl(s, fd, F_SETFL, wanted);
}

ssize_t fd_read_some(struct sys *s, int fd, void *to, size_t n) {
    for (;;) {
        ssize_t got = sys_read(s, fd, to, n > SSIZE_MAX ? SSIZE_MAX : n);
        if (got != -EINTR || (s->stop != NULL && s->stop->signo != 0))
            return got;
    }
}

/* Piece by piece, until the process is told that it has written enough. */
static ssize_t write_torn(struct sys *s, int fd, enum fd_type type, const struct iovec *iov,
                          int n) {
    while (n > 1 && iov->iov_len == 0)
        iov++, n--;
    struct iovec part = {.iov_base = iov->iov_base, .iov_len = fault_room(s, iov->iov_len)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t put = type == FD_SOCKET ? sys_sendmsg(s, fd, &m, 0) : sys_writev_quiet(s, fd, &part, 1);
    if (put > 0)
        fault_wrote(s, (size_t)put);
    return put;
}

ssize_t fd_write_some(struct sys *s, int fd, enum fd_type type, const struct iovec *iov, int n) {
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    for (;;) {
        if (fault_is_set())
            return write_torn(s, fd, type, iov, n);
        ssize_t put =
            type == FD_SOCKET ? sys_sendmsg(s, fd, &m, 0) : sys_writev_quiet(s, fd, iov, n);
        if (put != -EINTR || (s->stop != NULL && s->stop->signo != 0))
            return put;
    }
}

static int wait_for(struct sys *s, int fd, short events, int64_t deadline) {
    int got = ready_one(s, fd, events, deadline);
    return got < 0 ? got : got == 0 ? -ETIMEDOUT : 0;
}

int fd_read_full(struct sys *s, int fd, void *to, size_t n, int64_t deadline, size_t *done) {
    size_t have = 0;
    int err = 0;
    while (have < n && err == 0) {
        /* A blocking end must not be read before it is ready, or the deadline would not hold. */
        if (deadline != DEADLINE_NEVER)
            err = wait_for(s, fd, POLLIN, deadline);
        if (err < 0)
            break;
        ssize_t got = fd_read_some(s, fd, (char *)to + have, n - have);
        if (got > 0)
            have += (size_t)got;
        else if (got == 0)
            err = -EPIPE;
        else if (got == -EAGAIN)
            err = wait_for(s, fd, POLLIN, deadline);
        else
            err = got == -EINTR ? -ECANCELED : (int)got;
    }
    if (done != NULL)
        *done = have;
    return err;
}

int fd_write_full(struct sys *s, int fd, enum fd_type type, const void *from, size_t n,
                  int64_t deadline) {
    const char *at = from;
    int err = 0;
    while (n > 0 && err == 0) {
        struct iovec iov = {.iov_base = (void *)(uintptr_t)at, .iov_len = n};
        if (deadline != DEADLINE_NEVER) {
            err = wait_for(s, fd, POLLOUT, deadline);
            /* A blocking end takes so much at once without waiting for its reader, and no more. */
            iov.iov_len = n < PIPE_BUF ? n : PIPE_BUF;
        }
        if (err < 0)
            break;
        ssize_t put = fd_write_some(s, fd, type, &iov, 1);
        if (put >= 0) {
            at += put;
            n -= (size_t)put;
        } else if (put == -EAGAIN) {
            err = wait_for(s, fd, POLLOUT, deadline);
        } else {
            err = put == -EINTR ? -ECANCELED : (int)put;
        }
    }
    return err;
}
