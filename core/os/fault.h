/* fault: what a process does to itself when it is told to, so that somebody can see whether others recover:
 * it ends by a signal, stands still, or ends in the middle of what it writes. Only for processes that were
 * made to be lost (workers of a scenario with faults); not for making system calls fail, which is the
 * table's (sys.h). Neighbours: pipe and ring ask `fault_room` while a tear is set. */
#ifndef RIG_OS_FAULT_H
#define RIG_OS_FAULT_H

#include "os/sys.h"

/* Sends this process a signal. 0 or -errno, if it is still there. */
int fault_raise(struct sys *s, int sig);

/* Stops this process as SIGSTOP does; after `ns` (0: never) it goes on, unless it was ended meanwhile. 0 or
 * -errno. */
int fault_stand_still(struct sys *s, int64_t ns);

/* After so many more bytes have been written to pipes, sockets and rings, this process is killed: the next
 * byte is not written. It belongs to the process, not to a rig: it is the process that ends. */
void fault_tear_after(uint64_t bytes);

#define FAULT_NEVER UINT64_MAX
extern uint64_t fault_left; /* of those bytes; FAULT_NEVER: no tear is set */

static inline bool fault_is_set(void) {
    return __builtin_expect(fault_left != FAULT_NEVER, 0);
}

/* Of n bytes, how many may still be written; does not return when there are none. */
size_t fault_room(struct sys *s, size_t n);
/* So many were written. */
void fault_wrote(struct sys *s, size_t n);

#endif
