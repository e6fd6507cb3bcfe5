/*
 * rig-lua SCRIPT [ARGS...]: the interpreter that runs tests/lua. A plain Lua with rig's modules built in, as in the
 * executable but without its command line, and with luaunit watched by rigtest.lua, so that every test case is
 * checked for what it leaves in this process. For tests only; scenarios are run by rig.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "names.h"
#include "outside.h"

void rig_embed_preload(lua_State *L);

/* Static, because os.exit leaves without closing the state: what it holds must stay reachable for leak checkers. */
static lua_State *L;

static int push_names(lua_State *state, void (*collect)(struct names *)) {
    struct names list = {0};
    collect(&list);
    lua_createtable(state, (int)list.n, 0);
    for (size_t i = 0; i < list.n; i++) {
        lua_pushstring(state, list.at[i]);
        lua_rawseti(state, -2, (lua_Integer)i + 1);
    }
    names_free(&list);
    return 1;
}

static int l_all(lua_State *state) {
    return push_names(state, names_of_all);
}

static int l_children(lua_State *state) {
    return push_names(state, names_of_children);
}

static int l_descriptors(lua_State *state) {
    return push_names(state, names_of_descriptors);
}

static int l_mappings(lua_State *state) {
    size_t bytes;
    lua_pushinteger(state, (lua_Integer)mappings_count(&bytes));
    lua_pushinteger(state, (lua_Integer)bytes);
    return 2;
}

static int open_inventory(lua_State *state) {
    static const luaL_Reg functions[] = {
        {"all", l_all},
        {"children", l_children},
        {"descriptors", l_descriptors},
        {"mappings", l_mappings},
        {NULL, NULL},
    };
    luaL_newlib(state, functions);
    return 1;
}

static int traceback(lua_State *state) {
    luaL_traceback(state, state, luaL_tolstring(state, 1, NULL), 1);
    return 1;
}

static void set_arguments(int argc, char **argv) {
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
}

/* Not through LUA_PATH, which rig, run by a test, would see as well. */
static void find_support(void) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s", RIG_TESTS_SUPPORT, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

/* rigtest changes luaunit in place, so a test keeps saying require "luaunit". */
static int run(lua_State *state) {
    lua_getglobal(state, "require");
    lua_pushliteral(state, "rigtest");
    lua_call(state, 1, 0);
    if (luaL_loadfile(state, lua_touserdata(state, 1)) != LUA_OK)
        return lua_error(state);
    lua_call(state, 0, 0);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: rig-lua script [arguments]\n");
        return 2;
    }
    L = luaL_newstate();
    if (!L)
        return 2;
    luaL_openlibs(L);
    rig_embed_preload(L);
    luaL_requiref(L, "rigtest.inventory", open_inventory, 0);
    luaL_requiref(L, "rigtest.outside", outside_open, 0);
    lua_pop(L, 2);
    find_support();
    set_arguments(argc, argv);
    lua_pushcfunction(L, traceback);
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, argv[1]);
    int failed = lua_pcall(L, 1, 0, 1) != LUA_OK;
    if (failed)
        fprintf(stderr, "rig-lua: %s\n", lua_tostring(L, -1));
    lua_close(L);
    return failed;
}
