/* open: rig's modules in a Lua state: `rig.core`, whose functions the binders below add, and the
 * Lua modules built into the binary. Not for state, hosts or what the functions do. */
#ifndef RIG_BIND_OPEN_H
#define RIG_BIND_OPEN_H

#include <lua.h>
#include <stdbool.h>

/* The C module `rig.core`, for require. */
int luaopen_rig_core(lua_State *L);

/* Lets require find rig's modules, cjson and argparse in the binary, before it looks anywhere
 * else. With RIG_LUA_PATH (or rig_open's lua_path) rig's own are read from that folder. */
void rig_embed_preload(lua_State *L);

/* The same for a Lua that is not ours: there cjson and argparse of the binary are only what is
 * used when no others are installed. */
void rig_embed_beside(lua_State *L);

/* Pushes the built-in module `name` as a loaded chunk and its file name, as a searcher does;
 * raises when there is none or it is broken. */
void embed_load(lua_State *L, const char *name);

/* The same for an entry of the table: its code where this Lua takes it, else its text. */
struct rig_embedded;
void embed_load_entry(lua_State *L, const struct rig_embedded *m);

/* Is this chunk name ("@rig/plan.lua") that of one of rig's own modules? */
bool embed_owns(const char *chunk);

/* Each adds its functions to the table on the top of the stack. */
void bind_account(lua_State *L);
void bind_alarm(lua_State *L);
void bind_array(lua_State *L);
void bind_codec(lua_State *L);
void bind_cpus(lua_State *L);
void bind_exec(lua_State *L);
void bind_fault(lua_State *L);
void bind_misc(lua_State *L);
void bind_pipe(lua_State *L);
void bind_pool(lua_State *L);
void bind_proc(lua_State *L);
void bind_program(lua_State *L);
void bind_queue(lua_State *L);
void bind_rng(lua_State *L);
void bind_watch(lua_State *L);
void bind_workload(lua_State *L);

#endif
