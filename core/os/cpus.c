/* cpus: see cpus.h. */
#include "os/cpus.h"

#include <errno.h>

int cpus_allowed(struct sys *s, int *list) {
    cpu_set_t set;
    int err = sys_getaffinity(s, &set);
    if (err < 0)
        return err;
    int n = 0;
    for (int cpu = 0; cpu < CPUS_MAX; cpu++)
        if (CPU_ISSET((size_t)cpu, &set))
            list[n++] = cpu;
    return n;
}

int cpus_pin(struct sys *s, const int *list, size_t n) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < n; i++) {
        if (list[i] < 0 || list[i] >= CPUS_MAX)
            return -EINVAL;
        CPU_SET((size_t)list[i], &set);
    }
    return sys_setaffinity(s, &set);
}
