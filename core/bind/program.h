/* program: which executable a rig starts the fresh workers of start=spawn from. */
#ifndef RIG_BIND_PROGRAM_H
#define RIG_BIND_PROGRAM_H

#include "bind/host.h"

/* What rig_options or rig.worker_program said, else RIG_WORKER in the environment, else this program
 * itself; with a Lua that is not ours, whose main cannot know of workers, the executable `rig` beside the
 * module, or in bin/ of where that is installed. NULL: not found. Belongs to the rig. */
const char *program_of(struct rig *rig);

/* Says which; NULL: as if nothing had been said. 0 or -ENOMEM. */
int program_set(struct rig *rig, const char *path);

#endif
