/* bind_cpus: which processors this process may use, and keeping it on some of them. Not for what those
 * processors are: lua/rig/env.lua reads that. */
#include <lauxlib.h>

#include "bind/open.h"
#include "bind/state.h"
#include "os/cpus.h"

/* cpus() -> { numbers of the processors that this process may run on } | nil, message, code */
static int l_cpus(lua_State *L) {
    int list[CPUS_MAX];
    int n = cpus_allowed(&state_get(L)->sys, list);
    if (n < 0)
        return state_fail(L, n, "ask which processors this process may run on");
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushinteger(L, list[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int check_cpu(lua_State *L, int idx) {
    int integral;
    lua_Integer cpu = lua_tointegerx(L, idx, &integral);
    if (!integral || cpu < 0 || cpu >= CPUS_MAX)
        luaL_argerror(L, 1,
                      lua_pushfstring(L, "%s is no processor; give numbers from 0 to %d",
                                      luaL_tolstring(L, idx, NULL), CPUS_MAX - 1));
    return (int)cpu;
}

/* pin(cpu | { cpu, ... }) -> true | nil, message, code: this process, and what it forks from now on,
 * runs there only */
static int l_pin(lua_State *L) {
    int list[CPUS_MAX];
    size_t n = 1;
    if (lua_type(L, 1) == LUA_TTABLE) {
        n = lua_rawlen(L, 1);
        luaL_argcheck(L, n >= 1 && n <= CPUS_MAX, 1, "give at least one processor");
        for (size_t i = 0; i < n; i++) {
            lua_rawgeti(L, 1, (lua_Integer)i + 1);
            list[i] = check_cpu(L, -1);
            lua_pop(L, 1);
        }
    } else {
        list[0] = check_cpu(L, 1);
    }
    int err = cpus_pin(&state_get(L)->sys, list, n);
    if (err < 0)
        return state_fail(L, err,
                          "keep this process on processor %d%s (rig doctor shows which it may use)",
                          list[0], n > 1 ? " and others" : "");
    lua_pushboolean(L, 1);
    return 1;
}

void bind_cpus(lua_State *L) {
    static const luaL_Reg functions[] = {{"cpus", l_cpus}, {"pin", l_pin}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
