/* n processes that end at once, with nothing of rig's around them: what pool_life.lua and workers.lua measure pools
 * against. They build and load it themselves, where there is a C compiler:
 *
 *   cc -O2 -shared -fPIC -DRIG_PLUGIN -I core/include -o forks.so scenarios/bench/forks.c */
#include "rig.h"

#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

/* The item is n; the result is how many of them ended well. */
static int forks(rig_call_t *call, void *user) {
    int64_t n, well = 0;
    int err = rig_call_int(call, RIG_ITEM, &n);
    (void)user;
    for (int64_t i = 0; err == RIG_OK && i < n; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid < 0)
            n = i; /* those that there are must be waited for all the same */
    }
    for (int64_t i = 0, status; err == RIG_OK && i < n; i++) {
        int how = 0;
        status = waitpid(0, &how, 0) > 0 && how == 0;
        well += status;
    }
    return err == RIG_OK ? rig_return_int(call, well) : err;
}

int rig_register(rig_t *rig) {
    return rig_workload(rig, "forks", forks, NULL);
}
