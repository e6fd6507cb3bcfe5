/* cpus: the processors that this process, and what it forks from now on, may run on. Not for groups or
 * quotas: those are set from outside, and only read (see lua/rig/env.lua). */
#ifndef RIG_OS_CPUS_H
#define RIG_OS_CPUS_H

#include "os/sys.h"

#define CPUS_MAX CPU_SETSIZE

/* Their numbers, ascending, in list[0..CPUS_MAX): how many, or -errno (-EINVAL: the machine has more
 * processors than CPUS_MAX). */
int cpus_allowed(struct sys *s, int *list);

/* Only on these from here on. 0 or -errno (-EINVAL: none of them is there and allowed). */
int cpus_pin(struct sys *s, const int *list, size_t n);

#endif
