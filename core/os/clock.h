/* clock: monotonic time in nanoseconds, and deadlines on it. Not for the date: nothing that is
 * measured or limited may move when the wall clock is set. */
#ifndef RIG_OS_CLOCK_H
#define RIG_OS_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "os/sys.h"

#define NS_PER_S       INT64_C(1000000000)
#define DEADLINE_NEVER INT64_MAX

/* Nanoseconds on CLOCK_MONOTONIC: the same for every process of this boot. */
static inline int64_t clock_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Nanoseconds that the machine has spent suspended since it was started, to within a few microseconds:
 * CLOCK_BOOTTIME goes on then, CLOCK_MONOTONIC does not. */
int64_t clock_suspended_ns(void);

/* Seconds (NaN and negative count as 0, anything over 100 years as never) from now, as a deadline. */
int64_t clock_deadline(double seconds);

/* What is left until `deadline` in *t; returns NULL for DEADLINE_NEVER, else t. Never negative. */
const struct timespec *clock_left(int64_t deadline, struct timespec *t);

/* Sleeps until `deadline`, through interrupted sleeps. 0, or -ECANCELED once `s->stop` is raised. */
int clock_sleep_until(struct sys *s, int64_t deadline);

/* Keeps this core busy for `ns` nanoseconds of wall time. */
void clock_spin(int64_t ns);

#endif
