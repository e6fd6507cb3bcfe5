/* fault: see fault.h. */
#include "os/fault.h"

#include <signal.h>

uint64_t fault_left = FAULT_NEVER;

int fault_raise(struct sys *s, int sig) {
    return sys_kill(s, s->pid, sig);
}

int fault_stand_still(struct sys *s, int64_t ns) {
    int err = ns > 0 ? sys_continue_after(s, ns) : 0;
    return err < 0 ? err : sys_kill(s, s->pid, SIGSTOP);
}

void fault_tear_after(uint64_t bytes) {
    fault_left = bytes;
}

static void end_if_spent(struct sys *s) {
    while (fault_left == 0)
        sys_kill(s, s->pid, SIGKILL);
}

size_t fault_room(struct sys *s, size_t n) {
    end_if_spent(s);
    return n < fault_left ? n : (size_t)fault_left;
}

void fault_wrote(struct sys *s, size_t n) {
    fault_left -= n < fault_left ? n : fault_left;
    end_if_spent(s);
}
