/* programs_lua: what programs.lua has, each in a rig of its own; the rig is closed while the fault stands. */
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "bind/host.h"
#include "rig.h"
#include "run.h"

static int l_violated(lua_State *L) {
    inject_violated("%s", luaL_checkstring(L, 1));
    return 0;
}

static int l_hits_another(lua_State *L) {
    lua_pushboolean(L, hits_another());
    return 1;
}

static int text_of(lua_State *L) {
    luaL_tolstring(L, 1, NULL);
    return 1;
}

static void say_error(lua_State *L) {
    lua_pushcfunction(L, text_of);
    lua_insert(L, -2);
    const char *text = lua_pcall(L, 1, 1, 0) == LUA_OK ? lua_tostring(L, -1) : NULL;
    if (text == NULL || text[0] == '\0')
        inject_violated("an error without words");
    else if (hits_another())
        inject_violated("a worker's fault became an error: %s", text);
    else
        fprintf(stderr, "%s\n", text);
}

static rig_t *opened(const char *name) {
    static const rig_options_t options = {.size = sizeof options,
                                          .worker_program = "/proc/self/exe"};
    rig_t *rig;
    if (rig_open(&rig, &options) != RIG_OK) {
        fprintf(stderr, "%s\n", rig_error(rig));
        rig_close(rig);
        return NULL;
    }
    lua_State *L = rig->L;
    lua_register(L, "violated", l_violated);
    lua_register(L, "hits_another", l_hits_another);
    if (luaL_loadfile(L, RIG_INJECT_SOURCE "/programs.lua") != LUA_OK ||
        lua_pcall(L, 0, 1, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        exit(3);
    }
    lua_getfield(L, -1, name);
    return rig;
}

static void run_lua(const char *name, const char *unused) {
    (void)unused;
    rig_t *rig = opened(name);
    if (rig == NULL)
        exit(3);
    inject_arm(true);
    if (lua_pcall(rig->L, 0, 0, 0) != LUA_OK) {
        inject_arm(false);
        say_error(rig->L);
        inject_arm(true);
    }
    rig_close(rig);
}

/* Opening itself, and a scenario in a string, through rig.h. */
static void run_host(const char *source, const char *unused) {
    rig_t *rig = NULL;
    (void)unused;
    inject_arm(true);
    if (rig_open(&rig, NULL) == RIG_OK) {
        int status = rig_run_string(rig, "injected", source, NULL);
        if (status != RIG_OK && rig_error(rig)[0] == '\0')
            inject_violated("the run failed without words");
        if (status == RIG_EINTERNAL)
            inject_violated("a mistake of rig's own: %s", rig_error(rig));
        if (status == RIG_OK && rig_exit_status(rig) == 0 && inject_plan->mode == INJECT_NOTHING &&
            strstr(rig_results_json(rig, NULL), "\"passed\"") == NULL)
            inject_violated("a run that passed does not say so");
    } else if (rig_error(rig)[0] == '\0') {
        inject_violated("the rig did not open and does not say why");
    }
    fprintf(stderr, "%s\n", rig_error(rig));
    rig_close(rig);
}

static const char scenario[] =
    "local rig = require 'rig'\n"
    "return rig.scenario { pool = 'builtin', workers = 2, items = 4, iterations = 1,\n"
    "  map = function(i) return i end, reduce = rig.sum, expect = 10 }\n";

const struct program lua_programs[] = {
    {"lua.map.pipe", run_lua, "map_pipe", NULL, false},
    {"lua.map.socket", run_lua, "map_socket", NULL, false},
    {"lua.map.ring", run_lua, "map_ring", NULL, false},
    {"lua.map.queue", run_lua, "map_queue", NULL, false},
    {"lua.imap.break", run_lua, "imap_break", NULL, false},
    {"lua.submit", run_lua, "submit", NULL, false},
    {"lua.custom", run_lua, "custom", NULL, false},
    {"lua.custom_lines", run_lua, "custom_lines", NULL, false},
    {"lua.primitives", run_lua, "primitives", NULL, false},
    {"lua.own_type", run_lua, "own_type", NULL, false},
    {"lua.exec", run_lua, "exec", NULL, false},
    {"lua.array", run_lua, "array", NULL, false},
    {"host", run_host, scenario, NULL, false},
    {0},
};
