/* call: one call of a C workload, from map(item, fixed, w) to its result: the accessors of rig.h
 * over the Lua values, and the closure that scenarios hold. No Lua error passes through the
 * workload's own frames: what it is handed is looked at, what it returns is kept here until it is
 * back. */
#include "bind/call.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "bind/array.h"
#include "bind/host.h"
#include "bind/state.h"

#define MESSAGE_MAX 512

enum { AT_ITEM = 1, AT_FIXED = 2, AT_WORKER = 3 };

enum result { RESULT_NIL, RESULT_INT, RESULT_NUM, RESULT_BYTES };

struct rig_call {
    const struct rig_api *api; /* first: plug-ins find their functions here */
    lua_State *L;
    struct state *state;
    unsigned worker;
    int64_t index;
    enum result kind;
    int64_t integer;
    double number;
    char message[MESSAGE_MAX];
};

static int position(enum rig_value which) {
    return which == RIG_FIXED ? AT_FIXED : AT_ITEM;
}

enum rig_type rig_call_type(const rig_call_t *call, enum rig_value which) {
    int at = position(which);
    switch (lua_type(call->L, at)) {
    case LUA_TNIL: return RIG_NIL;
    case LUA_TBOOLEAN: return RIG_BOOLEAN;
    case LUA_TNUMBER: return lua_isinteger(call->L, at) ? RIG_INTEGER : RIG_NUMBER;
    case LUA_TSTRING: return RIG_STRING;
    case LUA_TTABLE: return RIG_TABLE;
    default: return array_test(call->L, at) != NULL ? RIG_ARRAY : RIG_OTHER;
    }
}

static int wrong_type(rig_call_t *call, enum rig_value which, const char *wanted) {
    static const char *const names[] = {"nil",      "a boolean", "an integer", "a number",
                                        "a string", "an array",  "a table",    "of another type"};
    snprintf(call->message, sizeof call->message, "%s is %s; it wants %s",
             which == RIG_FIXED ? "the fixed data" : "the item", names[rig_call_type(call, which)],
             wanted);
    return RIG_ETYPE;
}

int rig_call_bytes(rig_call_t *call, enum rig_value which, const void **data, size_t *size) {
    if (lua_type(call->L, position(which)) == LUA_TSTRING) {
        *data = lua_tolstring(call->L, position(which), size);
        return RIG_OK;
    }
    const struct array *a = array_test(call->L, position(which));
    if (a == NULL)
        return wrong_type(call, which, "a string or a rig.array");
    *data = a->data;
    *size = array_bytes(a);
    return RIG_OK;
}

int rig_call_int(rig_call_t *call, enum rig_value which, int64_t *value) {
    int ok = 0;
    lua_Integer got = 0;
    if (lua_type(call->L, position(which)) == LUA_TNUMBER)
        got = lua_tointegerx(call->L, position(which), &ok);
    if (!ok)
        return wrong_type(call, which, "an integer");
    *value = got;
    return RIG_OK;
}

int rig_call_num(rig_call_t *call, enum rig_value which, double *value) {
    if (lua_type(call->L, position(which)) != LUA_TNUMBER)
        return wrong_type(call, which, "a number");
    *value = lua_tonumber(call->L, position(which));
    return RIG_OK;
}

unsigned rig_call_worker(const rig_call_t *call) {
    return call->worker;
}

int64_t rig_call_index(const rig_call_t *call) {
    return call->index;
}

int rig_return_nil(rig_call_t *call) {
    call->kind = RESULT_NIL;
    return RIG_OK;
}

int rig_return_int(rig_call_t *call, int64_t value) {
    call->kind = RESULT_INT;
    call->integer = value;
    return RIG_OK;
}

int rig_return_num(rig_call_t *call, double value) {
    call->kind = RESULT_NUM;
    call->number = value;
    return RIG_OK;
}

int rig_return_bytes(rig_call_t *call, const void *data, size_t size) {
    if (data == NULL && size > 0) {
        snprintf(call->message, sizeof call->message, "it returns %zu bytes at NULL", size);
        return RIG_EARGUMENT;
    }
    buf_clear(&call->state->scratch);
    if (size > 0 && buf_add(&call->state->scratch, data, size) < 0) {
        snprintf(call->message, sizeof call->message, "no memory for a result of %zu bytes", size);
        return RIG_EMEM;
    }
    call->kind = RESULT_BYTES;
    return RIG_OK;
}

int rig_fail(rig_call_t *call, const char *message) {
    snprintf(call->message, sizeof call->message, "%s", message != NULL ? message : "failed");
    return RIG_EFAILED;
}

/* Fields of w that are not there count as 0: a script may call the closure itself. */
static int64_t field(lua_State *L, const char *name) {
    lua_getfield(L, AT_WORKER, name);
    int64_t value = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

static void look_at_worker(rig_call_t *call) {
    call->worker = call->state->worker;
    call->index = 0;
    if (lua_type(call->L, AT_WORKER) == LUA_TTABLE) {
        call->worker = (unsigned)field(call->L, "id");
        call->index = field(call->L, "index");
    }
}

static int push_result(rig_call_t *call) {
    struct buf *bytes = &call->state->scratch;
    switch (call->kind) {
    case RESULT_NIL: lua_pushnil(call->L); break;
    case RESULT_INT: lua_pushinteger(call->L, call->integer); break;
    case RESULT_NUM: lua_pushnumber(call->L, call->number); break;
    case RESULT_BYTES: lua_pushlstring(call->L, (const char *)bytes->data, bytes->len); break;
    }
    return 1;
}

/* map(item, fixed, w); upvalues: the workload and its rig */
static int map(lua_State *L) {
    const struct workload *w = lua_touserdata(L, lua_upvalueindex(1));
    struct rig *rig = lua_touserdata(L, lua_upvalueindex(2));
    rig_call_t call;
    if (w->fn == NULL)
        return luaL_error(L,
                          "workload '%s' is not registered: rig.load the shared object that has "
                          "it, or let the host "
                          "call rig_workload",
                          w->name);
    lua_settop(L, AT_WORKER);
    call.api = rig->api;
    call.L = L;
    call.state = rig->state;
    call.kind = RESULT_NIL;
    call.message[0] = '\0';
    look_at_worker(&call);
    bool was_running = rig->running;
    rig->running = true;
    int status = w->fn(&call, w->user);
    rig->running = was_running;
    if (status == RIG_OK)
        return push_result(&call);
    if (call.message[0] == '\0')
        snprintf(call.message, sizeof call.message, "returned %d", status);
    lua_pushfstring(L, "workload '%s': %s", w->name, call.message);
    return lua_error(L);
}

void call_push(lua_State *L, struct rig *rig, struct workload *w) {
    lua_pushlightuserdata(L, w);
    lua_pushlightuserdata(L, rig);
    lua_pushcclosure(L, map, 2);
}
