/* clock: see clock.h. */
#include "os/clock.h"

#include <errno.h>

#include "os/ready.h"

/* The two clocks cannot be read at once; a pair that we were kept from reading closely is read again. */
int64_t clock_suspended_ns(void) {
    int64_t best = 0, closest = INT64_MAX;
    for (int i = 0; i < 8 && closest > 5000; i++) {
        struct timespec t;
        int64_t before = clock_now_ns();
        clock_gettime(CLOCK_BOOTTIME, &t);
        int64_t between = clock_now_ns() - before;
        if (between < closest) {
            closest = between;
            best = (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec - before - between / 2;
        }
    }
    return best;
}

int64_t clock_deadline(double seconds) {
    if (!(seconds > 0))
        return clock_now_ns();
    if (seconds > 100.0 * 365 * 86400)
        return DEADLINE_NEVER;
    return clock_now_ns() + (int64_t)(seconds * (double)NS_PER_S);
}

const struct timespec *clock_left(int64_t deadline, struct timespec *t) {
    if (deadline == DEADLINE_NEVER)
        return NULL;
    int64_t left = deadline - clock_now_ns();
    if (left < 0)
        left = 0;
    t->tv_sec = left / NS_PER_S;
    t->tv_nsec = left % NS_PER_S;
    return t;
}

int clock_sleep_until(struct sys *s, int64_t deadline) {
    if (s->stop != NULL) {
        int got = ready_wait(s, NULL, 0, deadline);
        return got < 0 ? got : 0;
    }
    int err;
    do {
        err = sys_nanosleep(s, deadline);
    } while (err == -EINTR);
    return err;
}

void clock_spin(int64_t ns) {
    int64_t end = clock_now_ns() + ns;
    while (clock_now_ns() < end)
        ;
}
