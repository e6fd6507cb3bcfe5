/* interrupt: how a signal stops scripts that run. The wish goes into the state's `stop`, which
 * ends waits (os/ready), and a hook raises an error in the script's own code, in whichever
 * coroutine runs, again and again until it is back in rig's Lua, which then ends the run in an
 * orderly way. While no wish is raised there is no hook, so scripts pay nothing. Not for
 * installing handlers: see main.c. */
#ifndef RIG_BIND_INTERRUPT_H
#define RIG_BIND_INTERRUPT_H

#include "bind/host.h"

/* In a Lua state of ours, once its state is open: makes the stop descriptor, lets waits of this
 * state be stopped, and has coroutine.resume and coroutine.wrap say which thread runs. 0 or
 * -errno. May raise. */
int interrupt_install(lua_State *L, struct rig *rig);

/* Before the state closes: waits cannot be stopped any more. */
void interrupt_remove(struct rig *rig);

/* Async-signal-safe. The first wish stands until it is cleared. */
void interrupt_raise(struct rig *rig, int signo);

/* The wish has been seen to: forgets it. */
void interrupt_clear(struct rig *rig);

#endif
