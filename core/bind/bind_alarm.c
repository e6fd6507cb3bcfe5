/* bind_alarm: the time limit of a whole run, which has to reach the coordinator itself, and what
 * a run that was stopped needs in order to clean up. The limits of tasks are the pool's. */
#include <errno.h>
#include <lauxlib.h>

#include "bind/host.h"
#include "bind/open.h"
#include "bind/state.h"
#include "os/alarm.h"

/* core.alarm(seconds) -> true | nil, message, code: in that time the run is asked to stop with
 * SIGALRM; 0 takes it back. Only where the program gave rig the process's timer. */
static int l_alarm(lua_State *L) {
    struct rig *rig = host_get(L);
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0, 1, "seconds must be 0 or more");
    if (!rig->signals) {
        lua_pushnil(L);
        lua_pushliteral(L, "a time limit for the whole run is not available in a host");
        lua_pushliteral(L, "ENOTSUP");
        return 3;
    }
    int err = alarm_set(&rig->state->sys, seconds);
    if (err < 0)
        return state_fail(L, err, "set a timer of %g s", seconds);
    lua_pushboolean(L, 1);
    return 1;
}

/* core.calm(): from here on scripts run undisturbed although the run was asked to stop, until the
 * next signal: for hooks that clean up. Waits still end at once. */
static int l_calm(lua_State *L) {
    host_get(L)->hold_scripts = 1;
    return 0;
}

void bind_alarm(lua_State *L) {
    static const luaL_Reg functions[] = {{"alarm", l_alarm}, {"calm", l_calm}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
