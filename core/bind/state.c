/* state: see state.h. */
#include "bind/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bind/host.h"
#include "bind/open.h"

static const char key; /* its address is the state's place in the registry */

static int state_collect(lua_State *L) {
    struct state *st = lua_touserdata(L, 1);
    buf_free(&st->scratch);
    return 0;
}

struct state *state_get(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
    struct state *st = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (st != NULL)
        return st;
    st = lua_newuserdatauv(L, sizeof *st, 0);
    memset(st, 0, sizeof *st);
    sys_init(&st->sys, &sys_kernel);
    st->stop.fd = -1;
    buf_init(&st->scratch, &st->sys);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    st->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, state_collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    return st;
}

#define FRAMES_MAX 12

/* By bisection: Lua finds a level by walking down to it, so asking for each would be quadratic. */
int state_depth(lua_State *L) {
    lua_Debug ar;
    int low = 0, high = 1; /* level low - 1 is active, high is perhaps not */
    while (lua_getstack(L, high - 1, &ar)) {
        low = high;
        high *= 2;
    }
    while (low + 1 < high) {
        int middle = low + (high - low) / 2;
        if (lua_getstack(L, middle - 1, &ar))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Appends the script's frames to the message: "\n  in scenarios/x.lua:12 (function 'f')". */
static void add_frames(lua_State *L, luaL_Buffer *b) {
    lua_Debug ar;
    int shown = 0;
    int own =
        state_depth(L) - state_get(L)->inherited_depth; /* below lies what a fork found there */
    for (int level = 1; level < own && shown < FRAMES_MAX && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sln", &ar);
        if (*ar.what == 'C' || embed_owns(ar.source))
            continue;
        char line[LUA_IDSIZE + 128];
        int n = snprintf(line, sizeof line, "\n  in %s:%d", ar.short_src, ar.currentline);
        if (ar.name != NULL)
            snprintf(line + n, sizeof line - (size_t)n, " (function '%.60s')", ar.name);
        luaL_addstring(b, line);
        shown++;
    }
}

/* Any error value becomes a message. Tables keep what their __tostring says. */
static int with_traceback(lua_State *L) {
    luaL_Buffer b;
    size_t n;
    lua_settop(L, 1);
    host_say_memory(L); /* luaL_Buffer raises that itself, and a handler is called */
    if (!lua_isstring(L, 1) && !luaL_getmetafield(L, 1, "__tostring"))
        lua_pushfstring(L, "(an error value of type %s)", luaL_typename(L, 1));
    else
        luaL_tolstring(L, 1, NULL);
    lua_replace(L, 1);
    lua_settop(L, 1);
    const char *text = lua_tolstring(L, 1, &n);
    luaL_buffinit(L, &b);
    luaL_addlstring(&b, text, n);
    add_frames(L, &b);
    luaL_pushresult(&b);
    return 1;
}

int state_call(lua_State *L, int nargs, int nresults) {
    int at = lua_gettop(L) - nargs;
    lua_pushcfunction(L, with_traceback);
    lua_insert(L, at);
    int status = lua_pcall(L, nargs, nresults, at);
    lua_remove(L, at);
    if (status == LUA_ERRMEM) /* raised without the handler */
        host_say_memory(L);
    return status;
}

const char *state_errname(int err) {
    static char unnamed[16];
    const char *name = strerrorname_np(err < 0 ? -err : err);
    if (name != NULL)
        return name;
    snprintf(unnamed, sizeof unnamed, "E%d", err < 0 ? -err : err);
    return unnamed;
}

int state_fail(lua_State *L, int err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lua_pushnil(L);
    lua_pushvfstring(L, fmt, args);
    va_end(args);
    lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), strerror(err < 0 ? -err : err));
    lua_remove(L, -2);
    lua_pushstring(L, state_errname(err));
    return 3;
}
