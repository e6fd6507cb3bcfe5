/* pipe: pipes and socket pairs of ours (registered, close-on-exec), and reading and writing them in
 * full: through short counts and interruptions, until a deadline, and never with a SIGPIPE. Works on
 * blocking and non-blocking ends alike. Not for messages: see pool/frame and pool/queue. */
#ifndef RIG_OS_PIPE_H
#define RIG_OS_PIPE_H

#include "os/clock.h"
#include "os/sys.h"

enum fd_type { FD_PIPE, FD_SOCKET };

/* fds[0] reads, fds[1] writes. `capacity` in bytes is a wish (0: the kernel's default): the kernel
 * may give less, to an unprivileged user down to 8 KiB. 0 or -errno, nothing open then. */
int pipe_open(struct sys *s, int fds[2], size_t capacity);

/* A connected pair, `type` SOCK_STREAM or SOCK_SEQPACKET; `buffer` bytes is a wish as above. */
int socket_open(struct sys *s, int type, int fds[2], size_t buffer);

int fd_set_blocking(struct sys *s, int fd, bool blocking);

/* One attempt, through EINTR: bytes moved, 0 at the end of the stream (reading), or -errno
 * (-EAGAIN: not now; -EPIPE: nobody reads). A short count is possible. */
ssize_t fd_read_some(struct sys *s, int fd, void *to, size_t n);
ssize_t fd_write_some(struct sys *s, int fd, enum fd_type type, const struct iovec *iov, int n);

/* All n bytes, or: -EPIPE at the end of the stream (*done says how many came before, may be NULL),
 * -ETIMEDOUT, -ECANCELED (told to stop), another -errno. */
int fd_read_full(struct sys *s, int fd, void *to, size_t n, int64_t deadline, size_t *done);
int fd_write_full(struct sys *s, int fd, enum fd_type type, const void *from, size_t n,
                  int64_t deadline);

#endif
