/* call: how a scenario holds a C workload. What the workload sees of a call is in rig.h. */
#ifndef RIG_BIND_CALL_H
#define RIG_BIND_CALL_H

#include <lua.h>

struct rig;
struct workload;

/* Pushes a function map(item, fixed, w) that calls whatever C function the workload has at that
 * time. Both must outlive the Lua state. */
void call_push(lua_State *L, struct rig *rig, struct workload *w);

#endif
