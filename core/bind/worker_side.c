/* worker_side: see worker_side.h. */
#include "bind/worker_side.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bind/handle.h"
#include "bind/watch.h"
#include "os/pipe.h"

/* A child may grow by this much, or by a quarter of what it inherited, before it collects. */
#define GROWTH_KB (32 << 10)

static void write_all(struct state *st, const char *text, size_t n) {
    fd_write_full(&st->sys, 2, FD_PIPE, text, n, DEADLINE_NEVER);
}

void side_print(lua_State *L, const char *text) {
    struct state *st = state_get(L);
    char head[32] = "";
    if (st->worker > 0)
        snprintf(head, sizeof head, "[worker %u] ", st->worker);
    buf_clear(&st->scratch);
    if (buf_add(&st->scratch, head, strlen(head)) == 0 &&
        buf_add(&st->scratch, text, strlen(text)) == 0 && buf_add_u8(&st->scratch, '\n') == 0)
        write_all(st, (const char *)st->scratch.data, st->scratch.len);
}

static int child_print(lua_State *L) {
    luaL_Buffer b;
    int n = lua_gettop(L);
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    side_print(L, lua_tostring(L, -1));
    return 0;
}

/* os.exit([code]): exit handlers are the parent's, and so is what closing the Lua state would do. */
static int child_exit(lua_State *L) {
    int code = lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, 0);
    side_leave(code);
    return 0;
}

#define STACK_SLOTS 256 /* a few calls of a script's functions, and what job.c asks for */

void side_reserve(lua_State *L) {
    luaL_checkstack(L, STACK_SLOTS, "a process of its own");
}

/* A negative step lowers the collector's debt: it starts after so much more has been allocated. */
static void delay_collector(lua_State *L) {
    int inherited = lua_gc(L, LUA_GCCOUNT);
    int growth = inherited / 4 > GROWTH_KB ? inherited / 4 : GROWTH_KB;
    lua_gc(L, LUA_GCSTEP, -growth);
}

void side_begin(lua_State *L, unsigned id) {
    struct state *st = state_get(L);
    st->worker = id;
    st->inherited_kb = (uint64_t)lua_gc(L, LUA_GCCOUNT);
    st->inherited_depth = state_depth(L);
    for (struct handle *h = st->queues; h != NULL; h = h->next)
        outbox_free(&h->u.queue.outbox); /* ours to forget: thaws what waits to be sent */
    st->queues = NULL;
    watch_forget(st);
    lua_sethook(L, NULL, 0, 0); /* limits and signals are the parent's */
    /* Stores into tables that are there already: nothing is allocated that a fork would make fail. */
    lua_pushcfunction(L, child_print);
    lua_setglobal(L, "print");
    if (lua_getglobal(L, "os") == LUA_TTABLE) {
        lua_pushcfunction(L, child_exit);
        lua_setfield(L, -2, "exit");
    }
    lua_pop(L, 1);
    delay_collector(L);
}

_Noreturn void side_leave(int code) {
    fflush(NULL);
    sys_exit(code);
}
