/* job: see job.h. */
#include "bind/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bind/codec.h"
#include "bind/worker_side.h"

/* Stack slots in a worker, above job->base: the task as one function (see run_task), w and a key. */
enum { AT_TASK = 1, AT_W };

/* Upvalues of run_task. */
enum { UP_MAP = 1, UP_FIXED, UP_W, UP_INDEX };

struct encoded {
    const uint8_t *bytes;
    size_t len;
    struct block *owner;
    lua_Integer index; /* of the item */
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
    lua_pushvalue(L, lua_upvalueindex(UP_INDEX));
    lua_pushinteger(L, ((const struct encoded *)lua_touserdata(L, 1))->index);
    lua_rawset(L, lua_upvalueindex(UP_W));
    lua_pushvalue(L, lua_upvalueindex(UP_MAP));
    decode(L);
    lua_pushvalue(L, lua_upvalueindex(UP_FIXED));
    lua_pushvalue(L, lua_upvalueindex(UP_W));
    lua_call(L, 3, 1);
    return 1;
}

struct start {
    struct job *job;
    unsigned worker;
    struct encoded fixed;
};

/* Leaves fixed (2) and w (3). */
static void push_arguments(lua_State *L, const struct start *s) {
    const struct job *j = s->job;
    if (s->fixed.bytes == NULL) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, j->fixed);
    } else {
        lua_pushcfunction(L, decode_alone);
        lua_pushlightuserdata(L, (void *)(uintptr_t)&s->fixed);
        lua_call(L, 1, 1);
    }
    if (j->worker != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, j->worker);
        lua_pushinteger(L, s->worker);
        lua_call(L, 1, 1);
        return;
    }
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, s->worker);
    lua_setfield(L, -2, "id");
}

/* All that may raise, without memory for one: in a fork, an error that nobody here catches would go on in the
 * code of the parent. -> the task as one function, w */
static int start_job(lua_State *L) {
    const struct start *s = lua_touserdata(L, 1);
    const struct job *j = s->job;
    push_arguments(L, s);
    if (j->init != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, j->init);
        lua_rawgeti(L, LUA_REGISTRYINDEX, j->params);
        lua_pushvalue(L, 2);
        lua_call(L, 2, 1);
        lua_setfield(L, 3, "state");
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->map);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushliteral(L, "index");
    lua_pushcclosure(L, run_task, 4);
    lua_pushvalue(L, 3);
    return 2;
}

int job_init(void *ctx, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
             struct buf *out) {
    struct job *j = ctx;
    lua_State *L = j->L;
    struct start s = {.job = j, .worker = worker, .fixed = {fixed, len, owner, 0}};
    if (!lua_checkstack(L, 64))
        return say(out, "no memory for the stack");
    side_begin(L, worker);
    j->base = lua_gettop(L);
    lua_pushcfunction(L, start_job);
    lua_pushlightuserdata(L, &s);
    return state_call(L, 1, 2) == LUA_OK ? 0 : say_top(L, out);
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
    struct encoded e = {item, len, owner, (lua_Integer)task + 1};
    lua_pushvalue(L, j->base + AT_TASK);
    lua_pushlightuserdata(L, &e);
    if (state_call(L, 1, 1) != LUA_OK)
        return say_top(L, out);
    return encode_result(L, out);
}

int job_finish(void *ctx, struct buf *out) {
    struct job *j = ctx;
    lua_State *L = j->L;
    bool ok = true;
    if (j->finish != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, j->finish);
        lua_pushvalue(L, j->base + AT_W);
        ok = state_call(L, 1, 0) == LUA_OK;
    }
    fflush(NULL); /* the worker leaves by _exit: what tasks wrote through io must be out by then */
    return ok ? 0 : say_top(L, out);
}
