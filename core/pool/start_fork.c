/* start=fork: a worker is a fork of the coordinator, with all its memory, copy-on-write. */
#include <errno.h>

#include "pool/inside.h"

static int fork_open(struct pool *p) {
    return map_open(p->sys, MAP_KIND_SHARED, p->slots_size, &p->slots);
}

static void fork_close(struct pool *p) {
    map_close(p->sys, p->slots, p->slots_size);
    p->slots = NULL;
}

static int start(struct pool *p, struct worker *w, const int *keep, size_t n) {
    pid_t pid = proc_fork(p->sys, &w->proc, keep, n);
    if (pid == 0)
        worker_run(p, w);
    if (pid == -EDEADLK)
        proc_say_threads(p->sys, p->why, sizeof p->why);
    return pid < 0 ? pid : 0;
}

const struct start_ops start_fork = {
    .name = "fork",
    .help = "a copy of the coordinator, memory copied on write",
    .open = fork_open,
    .close = fork_close,
    .start = start,
};
