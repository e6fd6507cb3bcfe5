/* futures: tasks that a program submits one by one to the C pool, and waits for, asks about or cancels later.
 * All of a pool's belong to one batch, which goes on in every turn of the pool. What a future is for a
 * script is in rig/future.lua: here it is a table that gets `outcome` and `value` or `failure`. */
#include <errno.h>
#include <string.h>

#include "bind/bind_pool.h"
#include "bind/codec.h"
#include "bind/worker_side.h"

struct waiting {
    struct waiting *next;
    uint64_t task;
    bool cancelled;
    struct buf item;
};

static void pop(struct futures *f) {
    struct waiting *w = f->first;
    f->first = w->next;
    if (f->first == NULL)
        f->last = NULL;
    buf_free(&w->item);
    sys_free(w);
}

void futures_free(lua_State *L, struct bind_pool *b) {
    struct futures *f = &b->futures;
    while (f->first != NULL)
        pop(f);
    f->batch = NULL; /* the pool has freed it */
    luaL_unref(L, LUA_REGISTRYINDEX, f->by_id);
    f->by_id = LUA_NOREF;
}

static int next_submitted(void *ctx, struct buf *out) {
    struct futures *f = &((struct bind_pool *)ctx)->futures;
    if (f->first == NULL)
        return POOL_LATER;
    bool cancelled = f->first->cancelled;
    int err = cancelled ? 0 : buf_add_buf(out, &f->first->item);
    if (err == 0)
        pop(f);
    return err < 0 ? err : cancelled ? POOL_CANCELLED : POOL_ITEM;
}

/* Pushes the value, or what is known about the failure. */
static int push_end(lua_State *L, const struct outcome *o, const uint8_t *value, size_t len,
                    struct block *owner) {
    size_t used;
    if (o->kind != OUTCOME_OK) {
        push_failure(L, o);
        return 0;
    }
    return codec_decode(L, value, len, owner, &used);
}

static int take_submitted(void *ctx, const struct outcome *o, const uint8_t *value, size_t len,
                          struct block *owner) {
    struct bind_pool *b = ctx;
    struct futures *f = &b->futures;
    lua_State *L = b->job.L;
    bool ok = o->kind == OUTCOME_OK;
    if (o->retried)
        return 0;
    if (f->applying && o->task == f->applied) {
        if (push_end(L, o, value, len, owner) < 0)
            return -EBADMSG;
        lua_replace(L, f->value_at);
        lua_pushboolean(L, ok);
        lua_replace(L, f->ended_at);
        f->applying = false;
        return 0;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, f->by_id);
    if (lua_rawgeti(L, -1, (lua_Integer)o->task + 1) == LUA_TTABLE) {
        if (push_end(L, o, value, len, owner) < 0)
            return -EBADMSG;
        lua_setfield(L, -2, ok ? "value" : "failure");
        lua_pushstring(L, outcome_names[o->kind]);
        lua_setfield(L, -2, "outcome");
        lua_pushnil(L);
        lua_rawseti(L, -3, (lua_Integer)o->task + 1);
    }
    lua_pop(L, 2);
    return 0;
}

static int begin(lua_State *L, struct bind_pool *b) {
    struct pool_io io = {.ctx = b, .next = next_submitted, .take = take_submitted};
    struct futures *f = &b->futures;
    side_reserve(L);
    if (f->batch != NULL)
        return 0;
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    int by_id = luaL_ref(L, LUA_REGISTRYINDEX);
    if (f->batch != NULL) { /* a finalizer that ran meanwhile has submitted something */
        luaL_unref(L, LUA_REGISTRYINDEX, by_id);
        return 0;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, f->by_id);
    f->by_id = by_id; /* before the batch: whoever finds that uses this */
    return pool_begin(b->pool, &io, 0, true, &f->batch);
}

/* Encodes the item at index 2 and puts it at the end of those that wait; raises if it cannot cross. */
static int submit(lua_State *L, struct bind_pool *b) {
    struct futures *f = &b->futures;
    struct codec_error error;
    struct sys *sys = &b->job.state->sys;
    struct waiting *w = sys_malloc(sys, sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    *w = (struct waiting){.next = NULL};
    buf_init(&w->item, sys);
    int err = codec_encode(L, 2, &w->item, &error);
    if (err < 0) {
        buf_free(&w->item);
        sys_free(w);
        return err == -EINVAL ? codec_raise(L, err, &error, "item") : err;
    }
    if (f->last != NULL)
        f->last->next = w;
    else
        f->first = w;
    f->last = w;
    w->task = f->next++;
    return 0;
}

static int turn(struct bind_pool *b, int64_t deadline) {
    b->busy = true;
    int err = pool_turn(b->futures.batch, deadline);
    b->busy = false;
    return err;
}

/* pool:submit(item, future) -> number of the task | nil, message, code */
static int l_submit(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    struct futures *f = &b->futures;
    luaL_checkany(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    int err = begin(L, b);
    if (err == 0)
        err = submit(L, b);
    if (err < 0)
        return bind_pool_fail(L, b, err);
    lua_Integer number = (lua_Integer)f->next;
    lua_rawgeti(L, LUA_REGISTRYINDEX, f->by_id);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, number);
    err = turn(b, clock_now_ns()); /* out with it, if there is somebody for it */
    if (err < 0)
        return bind_pool_fail(L, b, err);
    lua_pushinteger(L, number);
    return 1;
}

/* pool:apply(item) -> true, value | false, failure | nil, message, code */
static int l_apply(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    struct futures *f = &b->futures;
    luaL_checkany(L, 2);
    lua_settop(L, 4);
    int err = begin(L, b);
    if (err == 0)
        err = submit(L, b);
    if (err < 0)
        return bind_pool_fail(L, b, err);
    f->applying = true;
    f->applied = f->next - 1;
    f->ended_at = 3;
    f->value_at = 4;
    while (f->applying && err == 0)
        err = turn(b, DEADLINE_NEVER);
    f->applying = false;
    if (err < 0)
        return bind_pool_fail(L, b, err);
    return 2;
}

static int64_t deadline_after(lua_State *L, int idx) {
    lua_Number seconds = luaL_optnumber(L, idx, -1);
    if (lua_isnoneornil(L, idx) || seconds > 1e9)
        return DEADLINE_NEVER;
    luaL_argcheck(L, seconds >= 0, idx, "a time in seconds from 0 on");
    return clock_now_ns() + (int64_t)(seconds * 1e9);
}

static bool has_ended(lua_State *L, int future) {
    bool ended = lua_getfield(L, future, "outcome") != LUA_TNIL;
    lua_pop(L, 1);
    return ended;
}

/* pool:await(future [, seconds]) -> whether it has ended | nil, message, code */
static int l_await(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    int64_t deadline = deadline_after(L, 3);
    int err = begin(L, b);
    bool last = false;
    while (err == 0 && !has_ended(L, 2) && !last) {
        last = deadline != DEADLINE_NEVER && clock_now_ns() >= deadline;
        err = turn(b, deadline);
    }
    if (err < 0)
        return bind_pool_fail(L, b, err);
    lua_pushboolean(L, has_ended(L, 2));
    return 1;
}

/* One that waits with us is asked for by the pool later, and told of then: here and now it ends. */
static void cancel_waiting(lua_State *L, struct bind_pool *b, uint64_t task) {
    struct outcome o = {.task = task, .kind = OUTCOME_CANCELLED, .attempt = 1, .exit_code = -1};
    for (struct waiting *w = b->futures.first; w != NULL; w = w->next)
        if (w->task == task && !w->cancelled) {
            w->cancelled = true;
            buf_free(&w->item);
            b->job.L = L;
            b->busy = true; /* finalizers must not use the pool now */
            take_submitted(b, &o, NULL, 0, NULL);
            b->busy = false;
            return;
        }
}

/* pool:cancel(number of the task) -> whether it ends as cancelled | nil, message, code */
static int l_cancel(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    lua_Integer number = luaL_checkinteger(L, 2);
    struct futures *f = &b->futures;
    luaL_argcheck(L, number >= 1 && (uint64_t)number <= f->next, 2, "no such task");
    side_reserve(L);
    uint64_t task = (uint64_t)number - 1;
    if (task >= batch_account(f->batch)->n) {
        cancel_waiting(L, b, task);
        lua_pushboolean(L, 1);
        return 1;
    }
    b->busy = true;
    int err = pool_cancel(f->batch, task);
    b->busy = false;
    if (err < 0)
        return bind_pool_fail(L, b, err);
    lua_pushboolean(L, err);
    return 1;
}

/* pool:drain() -> true | nil, message, code: until all that was submitted has ended */
static int l_drain(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    struct futures *f = &b->futures;
    int err = 0;
    side_reserve(L);
    while (err == 0 && f->batch != NULL && (f->first != NULL || pool_under_way(f->batch) > 0))
        err = turn(b, DEADLINE_NEVER);
    if (err < 0)
        return bind_pool_fail(L, b, err);
    lua_pushboolean(L, 1);
    return 1;
}

void futures_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"submit", l_submit}, {"apply", l_apply}, {"await", l_await},
                                       {"cancel", l_cancel}, {"drain", l_drain}, {NULL, NULL}};
    luaL_setfuncs(L, methods, 0);
}
