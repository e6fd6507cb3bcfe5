/* job: see job.h. */
#include "bind/job.h"

#include <errno.h>
#include <string.h>

#include "bind/codec.h"
#include "bind/worker_side.h"

/* Stack slots in a worker, above job->base: the task as one function (see run_task), w and a key. */
enum { AT_TASK = 1, AT_W, AT_INDEX };

/* Upvalues of run_task. */
enum { UP_MAP = 1, UP_FIXED, UP_W };

struct encoded {
    const uint8_t *bytes;
    size_t len;
    struct block *owner;
};

static int say(struct buf *out, const char *text) {
    buf_clear(out);
    buf_add(out, text, strlen(text));
    return 1;
}

/* The error message on the top becomes the task's. */
static int say_top(lua_State *L, struct buf *out) {
    const char *text = lua_tostring(L, -1);
    int got = say(out, text ? text : "error");
    lua_pop(L, 1);
    return got;
}

/* Pushes the value of the struct encoded at argument 1; raises. */
static void decode(lua_State *L) {
    const struct encoded *e = lua_touserdata(L, 1);
    size_t used;
    if (codec_decode(L, e->bytes, e->len, e->owner, &used) < 0)
        luaL_error(L, "the bytes of a value are damaged");
}

static int decode_alone(lua_State *L) {
    decode(L);
    return 1;
}

/* Decoding and the script's function in one protected call: two would cost as much as a small task. */
static int run_task(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(UP_MAP));
    decode(L);
    lua_pushvalue(L, lua_upvalueindex(UP_FIXED));
    lua_pushvalue(L, lua_upvalueindex(UP_W));
    lua_call(L, 3, 1);
    return 1;
}

static bool push_fixed(struct job *j, const uint8_t *fixed, size_t len, struct block *owner) {
    struct encoded e = {fixed, len, owner};
    if (fixed == NULL) {
        lua_rawgeti(j->L, LUA_REGISTRYINDEX, j->fixed);
        return true;
    }
    lua_pushcfunction(j->L, decode_alone);
    lua_pushlightuserdata(j->L, &e);
    return state_call(j->L, 1, 1) == LUA_OK;
}

/* Pushes w for this worker. */
static bool push_w(struct job *j, unsigned worker) {
    lua_State *L = j->L;
    if (j->worker == LUA_NOREF) {
        lua_createtable(L, 0, 4);
        lua_pushinteger(L, worker);
        lua_setfield(L, -2, "id");
        return true;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->worker);
    lua_pushinteger(L, worker);
    return state_call(L, 1, 1) == LUA_OK;
}

/* Stack: fixed, w. w.state becomes what init returns. */
static bool run_init(struct job *j) {
    lua_State *L = j->L;
    if (j->init == LUA_NOREF)
        return true;
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->init);
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->params);
    lua_pushvalue(L, -4);
    if (state_call(L, 2, 1) != LUA_OK)
        return false;
    lua_setfield(L, -2, "state");
    return true;
}

int job_init(void *ctx, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
             struct buf *out) {
    struct job *j = ctx;
    lua_State *L = j->L;
    if (!lua_checkstack(L, 64))
        return say(out, "no memory for the stack");
    side_begin(L, worker);
    j->base = lua_gettop(L);
    if (!push_fixed(j, fixed, len, owner) || !push_w(j, worker) || !run_init(j))
        return say_top(L, out);
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->map);
    lua_pushvalue(L, j->base + 1);
    lua_pushvalue(L, j->base + 2);
    lua_pushcclosure(L, run_task, 3);
    lua_replace(L, j->base + AT_TASK);
    lua_pushliteral(L, "index");
    return 0;
}

static int encode_result(lua_State *L, struct buf *out) {
    struct codec_error error;
    char text[512];
    int err = codec_encode(L, -1, out, &error);
    lua_pop(L, 1);
    if (err == 0)
        return 0;
    if (err != -EINVAL)
        return say(out, "not enough memory for the result");
    codec_error_text(&error, "result", text, sizeof text);
    return say(out, text);
}

int job_run(void *ctx, uint64_t task, const uint8_t *item, size_t len, struct block *owner,
            struct buf *out) {
    struct job *j = ctx;
    lua_State *L = j->L;
    struct encoded e = {item, len, owner};
    lua_pushvalue(L, j->base + AT_INDEX);
    lua_pushinteger(L, (lua_Integer)task + 1);
    lua_rawset(L, j->base + AT_W);
    lua_pushvalue(L, j->base + AT_TASK);
    lua_pushlightuserdata(L, &e);
    if (state_call(L, 1, 1) != LUA_OK)
        return say_top(L, out);
    return encode_result(L, out);
}

int job_finish(void *ctx, struct buf *out) {
    struct job *j = ctx;
    lua_State *L = j->L;
    if (j->finish == LUA_NOREF)
        return 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->finish);
    lua_pushvalue(L, j->base + AT_W);
    if (state_call(L, 1, 0) == LUA_OK)
        return 0;
    return say_top(L, out);
}
