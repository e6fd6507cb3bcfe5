/* ready: waiting for descriptors until a deadline, through interruptions, and giving up when the
 * rig is told to stop. Not for reading or writing: see pipe. */
#ifndef RIG_OS_READY_H
#define RIG_OS_READY_H

#include "os/clock.h"
#include "os/sys.h"

/* Fills in revents. Returns how many are ready, 0 at the deadline, -ECANCELED when s->stop was
 * raised, or another -errno. At most READY_MAX entries. */
#define READY_MAX 8192
int ready_wait(struct sys *s, struct pollfd *fds, size_t n, int64_t deadline);

/* The same for one descriptor: 1, 0 or -errno. */
int ready_one(struct sys *s, int fd, short events, int64_t deadline);

#endif
