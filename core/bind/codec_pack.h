/* codec_pack: Lua's own way of making a list of what is on the stack. The public API has none: lua_rawseti
 * takes one element a call and looks its place up each time. For the decoder only. */
#ifndef RIG_BIND_CODEC_PACK_H
#define RIG_BIND_CODEC_PACK_H

#include <lua.h>

/* Prepares this Lua state; must come first. */
void pack_open(lua_State *L);

/* Pushes the function: it takes any number of values and returns a table with them at 1, 2, 3... It runs as a
 * Lua function does, so a hook would be called for it. */
void pack_push(lua_State *L);

#endif
