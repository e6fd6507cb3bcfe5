/* state: what one Lua state with rig in it carries: its system calls and counts, scratch memory,
 * and the one place where C calls a script (protected, with a traceback of the script's own frames).
 * Every binding gets its `struct state` from here. */
#ifndef RIG_BIND_STATE_H
#define RIG_BIND_STATE_H

#include <lauxlib.h>
#include <lua.h>

#include "pool/buf.h"

struct handle;
struct watch;

struct state {
    struct sys sys;
    struct sys_stop stop;
    struct buf scratch;    /* for encoding; cleared by whoever uses it, before use */
    lua_State *main;       /* the main thread of this Lua state */
    uint64_t inherited_kb; /* size of the Lua heap at the fork, in a worker */
    int inherited_depth;   /* call levels of its parent that a worker stands on */
    unsigned worker;       /* number of this worker, 0 in the coordinator */
    struct handle *queues; /* open queues: what waits in them goes out whenever we wait */
    struct watch *watches; /* workers that are looked after whenever we wait: see watch.h */
    bool force; /* --force: arrays are made even when they do not seem to fit in memory */
};

/* The state of this Lua universe; made by luaopen_rig_core, never NULL after that. */
struct state *state_get(lua_State *L);

/* Calls the function under `nargs` arguments on the stack like lua_pcall; on error the value on the
 * top is a message string with the traceback of the script's own frames below it (rig's modules and
 * C functions left out). Every call from C into a script goes through here. */
int state_call(lua_State *L, int nargs, int nresults);

/* How many calls are active in this thread. */
int state_depth(lua_State *L);

/* Pushes nil, "what: why", "ECODE" for a world's failure (err is -errno); returns 3. `fmt` is what was
 * being done, with its value. */
int state_fail(lua_State *L, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "ENOENT" for ENOENT and so on; "E123" for one without a name. err may be negative. */
const char *state_errname(int err);

#endif
