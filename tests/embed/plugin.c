/* A shared object for rig.load, built twice with another VARIANT each: its workload `scale`
 * multiplies by it. Both builds define the same names, so that a mix-up of the two shows. */
#include <stdlib.h>

#include "rig.h"

int plugin_factor(void);
int plugin_factor(void) {
    return VARIANT;
}

static int scale(rig_call_t *call, void *user) {
    int64_t item;
    int err = rig_call_int(call, RIG_ITEM, &item);
    (void)user;
    return err != RIG_OK ? err : rig_return_int(call, item * plugin_factor());
}

int rig_register(rig_t *rig) {
    if (getenv("RIG_TEST_PLUGIN_REFUSES") != NULL)
        return 9;
    return rig_workload(rig, "scale", scale, NULL);
}
