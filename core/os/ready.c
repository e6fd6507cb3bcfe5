/* ready: see ready.h. */
#include "os/ready.h"

#include <errno.h>
#include <string.h>

static bool stop_raised(const struct sys *s) {
    return s->stop != NULL && s->stop->signo != 0;
}

/* The stop descriptor is polled beside the caller's, so a signal between the check and the wait is
 * not lost. */
int ready_wait(struct sys *s, struct pollfd *fds, size_t n, int64_t deadline) {
    if (n > READY_MAX)
        return -EINVAL;
    struct pollfd all[n + 1];
    if (n > 0)
        memcpy(all, fds, n * sizeof *fds);
    bool can_stop = s->stop != NULL && s->stop->fd >= 0;
    if (can_stop)
        all[n] = (struct pollfd){.fd = s->stop->fd, .events = POLLIN};
    for (;;) {
        struct timespec t;
        if (stop_raised(s))
            return -ECANCELED;
        int got = sys_poll(s, all, n + can_stop, clock_left(deadline, &t));
        if (got == -EINTR)
            continue;
        if (got < 0)
            return got;
        if (stop_raised(s))
            return -ECANCELED;
        if (n > 0)
            memcpy(fds, all, n * sizeof *fds);
        return got - (can_stop && all[n].revents != 0);
    }
}

int ready_one(struct sys *s, int fd, short events, int64_t deadline) {
    struct pollfd p = {.fd = fd, .events = events};
    int got = ready_wait(s, &p, 1, deadline);
    return got < 0 ? got : got > 0;
}
