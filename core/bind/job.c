/* job: see job.h. */
#include "bind/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bind/codec.h"
#include "bind/worker_side.h"

/* Stack slots in a worker, above job->base: the tasks of a message as one function, and w. */
enum { AT_TASKS = 1, AT_W };

/* Upvalues of run_tasks. */
enum { UP_MAP = 1, UP_FIXED, UP_W, UP_INDEX };

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
int job_say_top(lua_State *L, struct buf *out) {
    const char *text = lua_tostring(L, -1);
    int got = say(out, text ? text : "error");
    lua_pop(L, 1);
    return got;
}

/* Pushes the value; raises. */
static void decode(lua_State *L, const struct encoded *e) {
    size_t used;
    if (codec_decode(L, e->bytes, e->len, e->owner, &used) < 0)
        luaL_error(L, "the bytes of a value are damaged");
}

static int decode_alone(lua_State *L) {
    decode(L, lua_touserdata(L, 1));
    return 1;
}

/* The tasks of one message. */
struct running {
    struct tasks *tasks;
    struct buf *out;
    bool open; /* a task has begun and not ended */
};

static int encode_result(lua_State *L, struct buf *out);

/* All tasks of a message in one protected call: one for each would cost more than a small task. Left by an
 * error, which ends one task; called again for the others. */
static int run_tasks(lua_State *L) {
    struct running *r = lua_touserdata(L, 1);
    struct task task;
    while (tasks_next(r->tasks, &task)) {
        struct encoded e = {task.item, task.len, task.owner};
        r->open = true;
        lua_pushvalue(L, lua_upvalueindex(UP_INDEX));
        lua_pushinteger(L, (lua_Integer)task.number + 1);
        lua_rawset(L, lua_upvalueindex(UP_W));
        lua_pushvalue(L, lua_upvalueindex(UP_MAP));
        decode(L, &e);
        lua_pushvalue(L, lua_upvalueindex(UP_FIXED));
        lua_pushvalue(L, lua_upvalueindex(UP_W));
        lua_call(L, 3, 1);
        int status = encode_result(L, r->out);
        r->open = false;
        tasks_end(r->tasks, status, r->out);
    }
    return 0;
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
 * code of the parent. -> the tasks as one function, w */
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
    lua_pushcclosure(L, run_tasks, 4);
    lua_pushvalue(L, 3);
    return 2;
}

int job_init(void *ctx, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
             struct buf *out) {
    struct job *j = ctx;
    side_begin(j->L, worker);
    return job_start(j, worker, fixed, len, owner, out);
}

int job_start(struct job *j, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
              struct buf *out) {
    lua_State *L = j->L;
    struct start s = {.job = j, .worker = worker, .fixed = {fixed, len, owner}};
    if (!lua_checkstack(L, 64))
        return say(out, "no memory for the stack");
    j->base = lua_gettop(L);
    lua_pushcfunction(L, start_job);
    lua_pushlightuserdata(L, &s);
    return state_call(L, 1, 2) == LUA_OK ? 0 : job_say_top(L, out);
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

void job_run_all(void *ctx, struct tasks *tasks, struct buf *out) {
    struct job *j = ctx;
    lua_State *L = j->L;
    struct running r = {.tasks = tasks, .out = out};
    for (;;) {
        lua_pushvalue(L, j->base + AT_TASKS);
        lua_pushlightuserdata(L, &r);
        if (state_call(L, 1, 0) == LUA_OK)
            return;
        job_say_top(L, out);
        if (!r.open)
            sys_exit(126); /* between two tasks: nobody's fault but ours */
        r.open = false;
        tasks_end(tasks, 1, out);
    }
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
    return ok ? 0 : job_say_top(L, out);
}
