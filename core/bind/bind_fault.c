/* bind_fault: faults made on purpose, for scenarios that say so (lua/rig/faults/inside.lua decides when),
 * and the words by which workers of the C pool and its coordinator agree on what has happened already.
 * Not for what a pool does about a fault: nothing here knows of tasks. */
#include <errno.h>

#include "bind/bind_pool.h"
#include "bind/handle.h"
#include "bind/open.h"
#include "bind/worker_side.h"
#include "os/fault.h"

/* core.fault_raise(signal): in this very process. -> nil, message, code, if it is still there */
static int l_raise(lua_State *L) {
    int sig = handle_signal(L, 1);
    int err = fault_raise(&state_get(L)->sys, sig);
    return state_fail(L, err, "raise signal %d", sig);
}

/* core.fault_exit(status): as os.exit does in a worker. */
static int l_exit(lua_State *L) {
    side_leave((int)luaL_checkinteger(L, 1));
    return 0;
}

/* core.fault_stop(seconds): this process stands still for so long; 0: until somebody ends or continues it.
 * -> true | nil, message, code */
static int l_stop(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= 1e6, 1, "must be from 0 to 1e6 seconds");
    int err = fault_stand_still(&state_get(L)->sys, (int64_t)(seconds * 1e9));
    if (err < 0)
        return state_fail(L, err, "stand still");
    lua_pushboolean(L, 1);
    return 1;
}

/* core.fault_tear(bytes): this process is killed once it has written so many more. */
static int l_tear(lua_State *L) {
    lua_Integer bytes = luaL_checkinteger(L, 1);
    luaL_argcheck(L, bytes >= 0, 1, "must not be negative");
    fault_tear_after((uint64_t)bytes);
    return 0;
}

/* core.fault_send(pid, signal): to a child of this process that nobody has reaped, and to no other process.
 * -> true | nil, message, code */
static int l_send(lua_State *L) {
    struct sys *s = &state_get(L)->sys;
    pid_t pid = (pid_t)luaL_checkinteger(L, 1);
    int sig = handle_signal(L, 2);
    int err = sys_ended(s, pid); /* its number is its own until it is reaped */
    if (err == -EAGAIN)
        err = sys_kill(s, pid, sig);
    else if (err == 0)
        err = -ESRCH;
    if (err < 0)
        return state_fail(L, err, "send signal %d to process %d", sig, (int)pid);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- the board ------------------------------------------------------------------------------------------- */

static _Atomic int64_t *word(lua_State *L, _Atomic int64_t *board, size_t n, int arg) {
    lua_Integer i = luaL_checkinteger(L, arg);
    if (board == NULL)
        luaL_error(L, "there is no board here");
    luaL_argcheck(L, i >= 1 && (size_t)i <= n, arg, "there is no such word on the board");
    return &board[i - 1];
}

static _Atomic int64_t *own_word(lua_State *L) {
    size_t n = 0;
    _Atomic int64_t *board = pool_board(NULL, &n);
    return word(L, board, n, 1);
}

/* core.board_get(i) -> integer; core.board_set(i, v): of the pool whose worker this process is */
static int l_get(lua_State *L) {
    lua_pushinteger(L, atomic_load(own_word(L)));
    return 1;
}

static int l_set(lua_State *L) {
    atomic_store(own_word(L), luaL_checkinteger(L, 2));
    return 0;
}

static _Atomic int64_t *pool_word(lua_State *L) {
    size_t n = 0;
    _Atomic int64_t *board = pool_board(bind_pool_check(L)->pool, &n);
    return word(L, board, n, 2);
}

int pool_board_get(lua_State *L) {
    lua_pushinteger(L, atomic_load(pool_word(L)));
    return 1;
}

int pool_board_set(lua_State *L) {
    atomic_store(pool_word(L), luaL_checkinteger(L, 3));
    return 0;
}

void bind_fault(lua_State *L) {
    static const luaL_Reg functions[] = {{"fault_exit", l_exit}, {"fault_raise", l_raise},
                                         {"fault_stop", l_stop}, {"fault_tear", l_tear},
                                         {"fault_send", l_send}, {"board_get", l_get},
                                         {"board_set", l_set},   {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
