/* bind_account: the account of outcomes for pools written in Lua. It is C's: a pool in Lua reports to it
 * by assign and finish, and what does not add up raises. */
#include <errno.h>
#include <string.h>

#include "bind/bind_pool.h"
#include "bind/open.h"

#define FAILURES_MAX 100

struct bind_account {
    struct account account;
    int failures; /* registry reference to the list of the current map */
    lua_Integer n_failures;
};

static const char account_name[] = "rig.account";

static struct bind_account *check(lua_State *L) {
    return luaL_checkudata(L, 1, account_name);
}

/* core.account(workers) -> account */
static int l_account(lua_State *L) {
    lua_Integer workers = luaL_checkinteger(L, 1);
    luaL_argcheck(L, workers >= 1 && workers <= 65536, 1,
                  "the number of workers must be 1 to 65536");
    struct bind_account *a = lua_newuserdatauv(L, sizeof *a, 0);
    memset(a, 0, sizeof *a);
    a->failures = LUA_NOREF;
    luaL_setmetatable(L, account_name);
    if (account_init(&a->account, &state_get(L)->sys, (unsigned)workers) < 0)
        return luaL_error(L, "not enough memory");
    return 1;
}

static void add(lua_State *L, struct bind_account *a, lua_Integer n) {
    if (account_add(&a->account, (uint64_t)n) < 0)
        luaL_error(L, "not enough memory for an account of %f tasks", (lua_Number)n);
}

/* a:begin([n]): a new map, of n tasks */
static int l_begin(lua_State *L) {
    struct bind_account *a = check(L);
    lua_Integer n = luaL_optinteger(L, 2, 0);
    luaL_argcheck(L, n >= 0, 2, "the number of tasks is negative");
    account_begin(&a->account);
    add(L, a, n);
    luaL_unref(L, LUA_REGISTRYINDEX, a->failures);
    lua_newtable(L);
    a->failures = luaL_ref(L, LUA_REGISTRYINDEX);
    a->n_failures = 0;
    return 0;
}

/* a:add(n) -> number of the first of n more tasks */
static int l_add(lua_State *L) {
    struct bind_account *a = check(L);
    lua_Integer n = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, n >= 0, 2, "the number of tasks is negative");
    lua_pushinteger(L, (lua_Integer)a->account.n + 1);
    add(L, a, n);
    return 1;
}

static uint64_t check_task(lua_State *L) {
    lua_Integer task = luaL_checkinteger(L, 2);
    luaL_argcheck(L, task >= 1, 2, "tasks are numbered from 1");
    return (uint64_t)task - 1;
}

/* a:assign(task, worker [, pid]) -> true, or false when the task had ended */
static int l_assign(lua_State *L) {
    struct bind_account *a = check(L);
    uint64_t task = check_task(L);
    lua_Integer worker = luaL_checkinteger(L, 3);
    int err =
        account_assign(&a->account, task, worker < 0 || worker > UINT32_MAX ? 0 : (unsigned)worker);
    if (err == -ENOENT)
        return luaL_error(L, "assign: there is no task %I, or no worker %I", (LUAI_UACINT)task + 1,
                          (LUAI_UACINT)worker);
    lua_pushboolean(L, err == 0);
    return 1;
}

static lua_Integer detail_int(lua_State *L, const char *name, lua_Integer otherwise) {
    lua_getfield(L, 4, name);
    lua_Integer v = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return v;
}

static enum outcome_kind check_kind(lua_State *L) {
    const char *name = luaL_checkstring(L, 3);
    for (int i = 0; i < OUTCOME_KINDS; i++)
        if (strcmp(outcome_names[i], name) == 0)
            return (enum outcome_kind)i;
    luaL_argerror(L, 3, "must be ok, error, timeout, died or cancelled");
    return OUTCOME_KINDS;
}

static void take_details(lua_State *L, struct outcome *o) {
    luaL_checktype(L, 4, LUA_TTABLE);
    o->worker = (unsigned)detail_int(L, "worker", 0);
    o->pid = (int32_t)detail_int(L, "pid", 0);
    o->signal = (int)detail_int(L, "signal", 0);
    o->exit_code = (int)detail_int(L, "exit", -1);
    o->attempt = (unsigned)detail_int(L, "attempt", 1);
    if (lua_getfield(L, 4, "message") == LUA_TSTRING)
        o->message = lua_tolstring(L, -1, &o->message_len);
    lua_pop(L, 1); /* the table keeps it */
}

/* Of the first so many failures of a map, what is known. */
static void keep_failure(lua_State *L, struct bind_account *a, const struct outcome *o) {
    if (a->n_failures >= (o->retried ? FAILURES_MAX / 2 : FAILURES_MAX)) /* ends must find room */
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, a->failures);
    push_failure(L, o);
    lua_rawseti(L, -2, ++a->n_failures);
}

/* a:retried(task, outcome, { as for finish }): an attempt failed, and another one follows */
static int l_retried(lua_State *L) {
    struct bind_account *a = check(L);
    struct outcome o = {.task = check_task(L), .kind = check_kind(L), .retried = true};
    take_details(L, &o);
    if (!account_is_open(&a->account, o.task))
        return luaL_error(L, "retried: task %I has ended, or never was", (LUAI_UACINT)o.task + 1);
    keep_failure(L, a, &o);
    return 0;
}

/* a:finish(task, outcome [, worker]) or a:finish(task, outcome, { worker =, pid =, signal =, exit =, message = }]) -> true, or false when
 * the task had ended before: this second end does not count */
static int l_finish(lua_State *L) {
    struct bind_account *a = check(L);
    struct outcome o = {.task = check_task(L),
                        .kind = check_kind(L),
                        .attempt = 1,
                        .exit_code = -1};
    if (lua_isinteger(L, 4))
        o.worker = (unsigned)lua_tointeger(L, 4);
    else if (!lua_isnoneornil(L, 4))
        take_details(L, &o);
    int err = account_finish(&a->account, o.task, o.kind, o.worker);
    if (err == -ENOENT)
        return luaL_error(L, "finish: there is no task %I, or no worker %d",
                          (LUAI_UACINT)o.task + 1, (int)o.worker);
    if (err == 0 && o.kind != OUTCOME_OK)
        keep_failure(L, a, &o);
    lua_pushboolean(L, err == 0);
    return 1;
}

/* a:open() -> how many tasks have not ended; a:open(task) -> whether that one has not */
static int l_open(lua_State *L) {
    struct bind_account *a = check(L);
    if (lua_isnoneornil(L, 2))
        lua_pushinteger(L, (lua_Integer)a->account.open);
    else
        lua_pushboolean(L, account_is_open(&a->account, check_task(L)));
    return 1;
}

/* a:report() -> { n, outcomes, tasks_by_worker, failures }; raises when it does not add up */
static int l_report(lua_State *L) {
    struct bind_account *a = check(L);
    if (!account_balanced(&a->account))
        return luaL_error(L, "the outcomes do not add up: %I of %I tasks have not ended",
                          (LUAI_UACINT)a->account.open, (LUAI_UACINT)a->account.n);
    lua_rawgeti(L, LUA_REGISTRYINDEX, a->failures);
    push_account(L, &a->account, lua_gettop(L));
    return 1;
}

static int l_gc(lua_State *L) {
    struct bind_account *a = check(L);
    account_free(&a->account);
    luaL_unref(L, LUA_REGISTRYINDEX, a->failures);
    a->failures = LUA_NOREF;
    return 0;
}

void bind_account(lua_State *L) {
    static const luaL_Reg methods[] = {{"begin", l_begin},     {"add", l_add},
                                       {"assign", l_assign},   {"finish", l_finish},
                                       {"open", l_open},       {"report", l_report},
                                       {"retried", l_retried}, {NULL, NULL}};
    luaL_newmetatable(L, account_name);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_account);
    lua_setfield(L, -2, "account");
}
