/* A program that embeds rig and hands its words to it, built twice: the workload `steps` of the second does
 * EXTRA percent more. What `rig ab` compares where a library has no plug-in but a program of its own. */
#include "rig.h"

#include <stdio.h>

static int steps(rig_call_t *call, void *user) {
    int64_t n;
    volatile unsigned sum = 0;
    int err = rig_call_int(call, RIG_ITEM, &n);
    (void)user;
    if (err != RIG_OK)
        return err;
    for (int64_t i = 0; i < n * (100 + EXTRA) / 100; i++)
        sum += (unsigned)i;
    (void)sum;
    return rig_return_int(call, n);
}

int main(int argc, char **argv) {
    rig_options_t options = {.size = sizeof options};
    rig_t *rig;
    int status = 5;
    if (rig_open(&rig, &options) == RIG_OK && rig_workload(rig, "steps", steps, NULL) == RIG_OK)
        status = rig_command(rig, argc, argv);
    else
        fprintf(stderr, "ab_host: %s\n", rig_error(rig));
    rig_close(rig);
    return status;
}
