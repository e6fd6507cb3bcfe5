/* bind_pool: rig.core's pool: the C pool with a job of Lua functions. The forms that scripts use are
 * made from it in Lua (rig.pool, the runner). What it reports is in push_report.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bind/bind_pool.h"
#include "bind/codec.h"
#include "bind/items.h"
#include "bind/open.h"
#include "bind/placed.h"
#include "bind/spawned_job.h"
#include "bind/worker_side.h"
#include "pool/axes.h"

static const char pool_name[] = "rig.core.pool";

struct bind_pool *bind_pool_check(lua_State *L) {
    return bind_pool_at(L, 1);
}

struct bind_pool *bind_pool_at(lua_State *L, int idx) {
    struct bind_pool *b = luaL_checkudata(L, idx, pool_name);
    if (b->pool == NULL)
        luaL_error(L, "the pool could not be started or was terminated");
    if (b->iterating)
        luaL_error(L, "the pool is running: its items cannot use it");
    if (b->owner != b->job.state->sys.pid)
        luaL_error(L, "a pool can only be used by the process that started it");
    if (b->busy)
        luaL_error(L, "the pool is running, or its last call was broken off");
    b->job.L = L;
    return b;
}

static void release(lua_State *L, struct bind_pool *b) {
    int *refs[] = {&b->job.map,    &b->job.init,   &b->job.finish,
                   &b->job.worker, &b->job.params, &b->job.fixed};
    struct pool *p = b->pool;
    b->pool = NULL;
    pool_free(p); /* and all batches with it */
    futures_free(L, b);
    buf_free(&b->fixed);
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        luaL_unref(L, LUA_REGISTRYINDEX, *refs[i]);
        *refs[i] = LUA_NOREF;
    }
}

static int take_function(lua_State *L, const char *name, bool needed) {
    int type = lua_getfield(L, 1, name);
    if (type == LUA_TNIL && !needed) {
        lua_pop(L, 1);
        return LUA_NOREF;
    }
    if (type != LUA_TFUNCTION)
        luaL_error(L, "pool: %s is a %s, it must be a function", name, lua_typename(L, type));
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int take_value(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    return luaL_ref(L, LUA_REGISTRYINDEX); /* LUA_REFNIL for nil: rawgeti gives nil back */
}

static lua_Number take_number(lua_State *L, const char *name, lua_Number otherwise,
                              lua_Number max) {
    int type = lua_getfield(L, 1, name);
    lua_Number v = type == LUA_TNIL ? otherwise : lua_tonumber(L, -1);
    bool ok = (type == LUA_TNIL || type == LUA_TNUMBER) && v >= 0 && v <= max;
    if (!ok)
        luaL_error(L, "pool: %s is %s, it must be a number from 0 to %f", name,
                   luaL_tolstring(L, -1, NULL), max);
    lua_pop(L, 1);
    return v;
}

static const char *take_name(lua_State *L, const char *name, const char *otherwise) {
    int type = lua_getfield(L, 1, name);
    const char *got = type == LUA_TNIL ? otherwise : lua_tostring(L, -1);
    if (got == NULL)
        luaL_error(L, "pool: %s is a %s, it must be a name", name, lua_typename(L, type));
    lua_pop(L, 1); /* the configuration keeps it */
    return got;
}

static void take_axes(lua_State *L, struct pool_config *c) {
    const char *start = take_name(L, "start", "fork");
    const char *channel = take_name(L, "channel", "socket");
    const char *deliver = take_name(L, "delivery", "inherit");
    c->start = start_find(start);
    c->channel = channel_find(channel);
    c->deliver = deliver_find(deliver);
    if (c->start == NULL)
        luaL_error(L, "pool: there is no start '%s'", start);
    if (c->channel == NULL)
        luaL_error(L, "pool: there is no channel '%s'", channel);
    if (c->deliver == NULL)
        luaL_error(L, "pool: there is no delivery '%s'", deliver);
}

/* Fixed data as the delivery wants it: bytes, a sealed block, or the value itself. */
static void take_fixed(lua_State *L, struct bind_pool *b, struct pool_config *c) {
    lua_getfield(L, 1, "fixed");
    struct block *placed = placed_test(L, -1);
    if (c->deliver == &deliver_shm) {
        if (placed == NULL)
            luaL_error(L, "pool: with delivery=shm the fixed data must come from core.place");
        if (c->start == &start_spawn && placed->fd < 0)
            luaL_error(L,
                       "pool: with start=spawn the fixed data must come from core.place(v, true)");
        c->placed = placed;
    } else if (c->deliver->by_bytes) {
        struct codec_error error;
        int err = codec_encode(L, -1, &b->fixed, &error);
        if (err < 0)
            codec_raise(L, err, &error, "fixed");
        c->fixed = &b->fixed;
    }
    lua_pop(L, 1);
    b->job.fixed = take_value(L, "fixed"); /* also keeps what is referred to alive */
}

static void take_config(lua_State *L, struct bind_pool *b, struct pool_config *c) {
    struct job *j = &b->job;
    take_axes(L, c);
    c->workers = (unsigned)take_number(L, "workers", 1, 1e6);
    c->chunk = (uint32_t)take_number(L, "chunk", 0, UINT32_MAX);
    c->max_tasks = (uint64_t)take_number(L, "max_tasks", 0, 1e15);
    c->max_messages = (uint64_t)take_number(L, "max_messages", 0, 1e15);
    c->board = (size_t)take_number(L, "board", 0, 1e7);
    c->retry = (uint32_t)take_number(L, "retry", 0, 1e6);
    c->timeout_ns = (int64_t)(take_number(L, "timeout", 0, 1e9) * 1e9);
    lua_getfield(L, 1, "barrier");
    c->barrier = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (c->start != &start_spawn) {
        j->map = take_function(L, "map", true);
        j->init = take_function(L, "init", false);
        j->finish = take_function(L, "finish", false);
        j->worker = take_function(L, "worker", false);
        j->params = take_value(L, "p");
    }
    take_fixed(L, b, c);
    if (c->start == &start_spawn)
        spawned_describe(L, c); /* last: what it pushes is to stay */
    c->job =
        (struct pool_job){.ctx = j, .init = job_init, .run_all = job_run_all, .finish = job_finish};
}

static struct bind_pool *push_new(lua_State *L) {
    struct bind_pool *b = lua_newuserdatauv(L, sizeof *b, 0);
    memset(b, 0, sizeof *b);
    b->job.state = state_get(L);
    b->job.L = L;
    b->owner = b->job.state->sys.pid;
    b->job.map = b->job.init = b->job.finish = b->job.worker = LUA_NOREF;
    b->job.params = b->job.fixed = b->futures.by_id = LUA_NOREF;
    buf_init(&b->fixed, &b->job.state->sys);
    luaL_setmetatable(L, pool_name);
    return b;
}

/* core.pool{...} -> pool | nil, message, code */
static int l_pool(lua_State *L) {
    char why[300];
    struct pool_config config = {0};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    side_reserve(L);
    struct bind_pool *b = push_new(L);
    take_config(L, b, &config);
    int err = pool_open(&b->job.state->sys, &config, &b->pool, why, sizeof why);
    buf_free(&b->fixed); /* the pool has its own references, until it closes */
    lua_settop(L, 2);
    if (err == 0)
        return 1;
    lua_pushnil(L);
    lua_pushfstring(L, "the pool did not start: %s", why);
    lua_pushstring(L, state_errname(err));
    return 3;
}

int bind_pool_fail(lua_State *L, struct bind_pool *b, int err) {
    const char *why = pool_why(b->pool);
    lua_pushnil(L);
    if (err == -ECANCELED)
        lua_pushliteral(L, "interrupted");
    else
        lua_pushfstring(L, "%s%s%s", *why ? why : "the pool failed", *why ? "" : ": ",
                        *why ? "" : strerror(-err));
    lua_pushstring(L, state_errname(err));
    return 3;
}

/* pool:wait_ready() -> true | nil, message, code */
static int l_wait_ready(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    side_reserve(L);
    b->busy = true; /* results of submitted tasks may come: finalizers must not use the pool now */
    int err = pool_wait_ready(b->pool, DEADLINE_NEVER);
    b->busy = false;
    if (err < 0)
        return bind_pool_fail(L, b, err);
    lua_pushboolean(L, 1);
    return 1;
}

/* One run: where items come from and where results go. Lives on the stack of l_run. */
struct run {
    struct items items;
    struct bind_pool *b;
    int results, failures;
    lua_Integer n_failures;
};

static int next_item(void *ctx, struct buf *out) {
    struct run *r = ctx;
    return items_next(&r->items, r->b, out);
}

#define FAILURES_MAX 100

static int take_outcome(void *ctx, const struct outcome *o, const uint8_t *value, size_t len,
                        struct block *owner) {
    struct run *r = ctx;
    lua_State *L = r->b->job.L;
    size_t used;
    if (o->kind == OUTCOME_OK) {
        if (codec_decode(L, value, len, owner, &used) < 0)
            return -EBADMSG;
        lua_rawseti(L, r->results, (lua_Integer)o->task + 1);
    } else if (r->n_failures < (o->retried ? FAILURES_MAX / 2 : FAILURES_MAX)) {
        push_failure(L, o);
        lua_rawseti(L, r->failures, ++r->n_failures);
    }
    return 0;
}

/* pool:run(items) -> results, report | nil, message, code, report */
static int l_run(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    struct run r = {.b = b, .results = 3, .failures = 4};
    items_check(L, 2, &r.items);
    lua_settop(L, 2);
    side_reserve(L); /* for workers that replace others */
    lua_Integer count = r.items.count;
    lua_createtable(L, count > 0 && count < INT32_MAX ? (int)count : 0, 0);
    lua_newtable(L);
    struct pool_io io = {.ctx = &r, .next = next_item, .take = take_outcome};
    b->busy = true;
    int err = pool_map(b->pool, &io, count > 0 ? (uint64_t)count : 0);
    b->busy = false;
    if (r.items.raised)
        return lua_error(L);
    int n = 0;
    if (err < 0)
        n = bind_pool_fail(L, b, err);
    else
        lua_pushvalue(L, r.results);
    push_report(L, b->pool, r.failures);
    return err < 0 ? n + 1 : 2;
}

static int l_sample(lua_State *L) {
    pool_sample(bind_pool_check(L)->pool);
    return 0;
}

/* pool:close() -> true | nil, message, code */
static int l_close(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    int err = pool_close(b->pool);
    if (err != 0)
        return bind_pool_fail(L, b, err > 0 ? -EREMOTEIO : err);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_terminate(lua_State *L) {
    struct bind_pool *b = luaL_checkudata(L, 1, pool_name);
    if (b->iterating)
        luaL_error(L, "the pool is running: its items cannot use it");
    if (!b->busy ||
        b->owner != b->job.state->sys
                        .pid) /* a finalizer, in the middle of a call: the pool's own comes later */
        release(L, b);
    return 0;
}

/* Nobody can call it any more: no call is under way, though an error may have broken the last one off. */
static int l_gc(lua_State *L) {
    release(L, luaL_checkudata(L, 1, pool_name));
    return 0;
}

static int l_stats(lua_State *L) {
    return push_stats(L, bind_pool_check(L)->pool);
}

static int l_tostring(lua_State *L) {
    struct bind_pool *b = luaL_checkudata(L, 1, pool_name);
    lua_pushfstring(L, "%s (%s)", pool_name, b->pool ? "open" : "closed");
    return 1;
}

void bind_pool(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", l_gc},
                                    {"__close", l_terminate},
                                    {"__tostring", l_tostring},
                                    {NULL, NULL}};
    static const luaL_Reg methods[] = {{"wait_ready", l_wait_ready},
                                       {"run", l_run},
                                       {"sample", l_sample},
                                       {"close", l_close},
                                       {"terminate", l_terminate},
                                       {"stats", l_stats},
                                       {"board_get", pool_board_get},
                                       {"board_set", pool_board_set},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"pool", l_pool}, {NULL, NULL}};
    luaL_newmetatable(L, pool_name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    futures_open(L);
    lazy_open(L);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    placed_open(L);
}
