/* bind_workload: core.workload and core.load for scripts, and the table through which plug-ins
 * reach the functions of rig.h. A call of a workload itself is in call.c; the list of workloads
 * in host.c. */
#include <lauxlib.h>

#include "bind/call.h"
#include "bind/host.h"
#include "bind/open.h"
#include "bind/state.h"
#include "rig_build.h"

const char *rig_version(const rig_t *rig) {
    (void)rig;
    return RIG_VERSION;
}

int rig_workload(rig_t *rig, const char *name, rig_workload_fn fn, void *user) {
    if (rig == NULL)
        return RIG_EARGUMENT;
    if (name == NULL || name[0] == '\0')
        return host_fail(rig, RIG_EARGUMENT, "a workload needs a name");
    if (fn == NULL)
        return host_fail(rig, RIG_EARGUMENT, "workload '%s' needs a function", name);
    struct workload *w = host_workload(rig, name);
    if (w == NULL)
        return host_fail(rig, RIG_EMEM, "no memory for workload '%s'", name);
    w->fn = fn;
    w->user = user;
    return RIG_OK;
}

const struct rig_api host_api = {
    .size = sizeof host_api,
    .version = rig_version,
    .workload = rig_workload,
    .call_type = rig_call_type,
    .call_bytes = rig_call_bytes,
    .call_int = rig_call_int,
    .call_num = rig_call_num,
    .call_worker = rig_call_worker,
    .call_index = rig_call_index,
    .return_nil = rig_return_nil,
    .return_int = rig_return_int,
    .return_num = rig_return_num,
    .return_bytes = rig_return_bytes,
    .fail = rig_fail,
};

/* core.workload(name) -> function(item, fixed, w). The name is looked up at each call, so it may
 * be registered later, and what is loaded later replaces what was there. */
static int l_workload(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    luaL_argcheck(L, name[0] != '\0', 1, "the name of a workload is empty");
    struct rig *rig = host_get(L);
    struct workload *w = host_workload(rig, name);
    if (w == NULL)
        return luaL_error(L, "not enough memory");
    call_push(L, rig, w);
    return 1;
}

/* core.load(path) -> true | nil, message, code */
static int l_load(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    struct rig *rig = host_get(L);
    int err = host_load(rig, path);
    if (err == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, rig->error != NULL ? rig->error : "out of memory");
    lua_pushstring(L, state_errname(err));
    return 3;
}

void bind_workload(lua_State *L) {
    static const luaL_Reg functions[] = {{"workload", l_workload}, {"load", l_load}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
