/* rigtest.outside, a Lua module of rig-lua: see outside.c. */
#ifndef RIG_TESTS_OUTSIDE_H
#define RIG_TESTS_OUTSIDE_H

#include <lua.h>

int outside_open(lua_State *L);

#endif
