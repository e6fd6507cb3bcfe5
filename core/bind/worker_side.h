/* worker_side: what Lua in a forked child does differently: print and os.exit, and when it collects
 * garbage. Not for what a child runs: see bind_proc and bind_job. */
#ifndef RIG_BIND_WORKER_SIDE_H
#define RIG_BIND_WORKER_SIDE_H

#include "bind/state.h"

/* To be called before a fork: room on Lua's stack for what a child's own code puts there. A stack that only grew in
 * the child would be copied in every child. Raises when there is no memory for it. */
void side_reserve(lua_State *L);

/* To be called first in a child; `id` is its worker number, 0 for none. From here on `print` writes whole
 * lines to stderr, os.exit ends at once, and the collector waits until the child's own growth is worth
 * a walk over what it inherited, which would copy every page with an object in it. */
void side_begin(lua_State *L, unsigned id);

/* One whole write to stderr: "[worker id] text". */
void side_print(lua_State *L, const char *text);

/* Ends the child: what it wrote through io goes out, nothing of its parent's is run. */
_Noreturn void side_leave(int code);

#endif
