/* rig: the embedding interface of rig.h over core/bind: a Lua state of our own, what a host asks of it turned into calls
 * of rig's Lua, and every failure into a status and a message. What workloads see of a call is in bind/call.c. */
#include "rig.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/host.h"
#include "bind/interrupt.h"
#include "bind/open.h"
#include "bind/state.h"
#include "os/pipe.h"
#include "rig_build.h"

/* ---- calling Lua ---- */

/* What a host asks for: handed to a protected function as its one argument. */
struct request {
    struct rig *rig;
    const char *path;   /* or the name that stands for a source */
    const char *source; /* NULL: in the file */
    const char *const *overrides;
    int argc;
    char *const *argv;
    int status; /* the answer: an enum rig_status, or an exit status */
};

static int text_of_error(lua_State *L) {
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Runs f with the request; whatever it raises becomes a status and a message. Nothing else in this file touches Lua
 * outside of such a call, so no error of Lua's gets past it into the host. */
static int protect(struct rig *rig, lua_CFunction f, struct request *request) {
    lua_State *L = rig->L;
    int base = lua_gettop(L);
    bool was_running = rig->running;
    rig->running = true;
    lua_pushcfunction(L, text_of_error);
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, request);
    int status = lua_pcall(L, 1, 0, base + 1);
    rig->running = was_running;
    if (status == LUA_OK) {
        lua_settop(L, base);
        return RIG_OK;
    }
    int signo = rig->state != NULL ? rig->state->stop.signo : 0;
    const char *text = lua_tostring(L, -1);
    if (status == LUA_ERRMEM)
        status = host_fail(rig, RIG_EMEM, "out of memory");
    else
        status = host_fail(rig, signo != 0 ? RIG_EINTERRUPTED : RIG_ESCENARIO, "%s",
                           text != NULL ? text : "an error without a message");
    lua_settop(L, base);
    return status;
}

/* Pushes require(module)[name]. */
static void push_function(lua_State *L, const char *module, const char *name) {
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

/* A host may not start a second run from within a workload of the first: there is one Lua state. */
static int refuse_inside(struct rig *rig, const char *what) {
    if (!rig->running)
        return RIG_OK;
    return host_fail(rig, RIG_EARGUMENT, "%s: this rig is running; call it when that run has ended",
                     what);
}

/* ---- opening and closing ---- */

static int open_modules(lua_State *L) {
    struct request *request = lua_touserdata(L, 1);
    struct rig *rig = request->rig;
    luaL_openlibs(L);
    host_set(L, rig);
    rig_embed_preload(L);
    luaL_requiref(L, "rig.core", luaopen_rig_core, 0);
    lua_pop(L, 1);
    request->status = interrupt_install(L, rig);
    return 0;
}

static bool wants_huge_pages(const rig_options_t *options) {
    if (options->huge_pages != 0)
        return options->huge_pages == 1;
    const char *value = getenv("RIG_HUGE_PAGES");
    return value == NULL || strcmp(value, "0") != 0;
}

static int open_state(struct rig *rig, const rig_options_t *options) {
    const char *lua_path = options->lua_path;
    alloc_init(&rig->alloc, &sys_kernel, wants_huge_pages(options));
    lua_State *L = lua_newstate(alloc_lua, &rig->alloc);
    if (lua_path == NULL)
        lua_path = getenv("RIG_LUA_PATH");
    if (host_init(rig, L, lua_path) < 0 || L == NULL)
        return host_fail(rig, RIG_EMEM, "open a rig: out of memory");
    rig->signals = options->signals != 0;
    struct request request = {.rig = rig};
    int status = protect(rig, open_modules, &request);
    if (status == RIG_ESCENARIO)
        return host_fail(rig, RIG_ESYSTEM, "open a rig: %s", rig->error);
    if (status == RIG_OK && request.status < 0)
        return host_fail(rig, RIG_ESYSTEM, "open a rig: no descriptor for stopping it: %s",
                         state_errname(request.status));
    return status;
}

int rig_open(rig_t **out, const rig_options_t *options) {
    static const rig_options_t none = {.size = sizeof none};
    struct sys s;
    if (out == NULL)
        return RIG_EARGUMENT;
    *out = NULL;
    if (options == NULL)
        options = &none;
    if (options->size != sizeof none)
        return RIG_EARGUMENT;
    sys_init(&s, &sys_kernel);
    struct rig *rig = sys_malloc(&s, sizeof *rig);
    if (rig == NULL)
        return RIG_EMEM;
    memset(rig, 0, sizeof *rig);
    *out = rig;
    return open_state(rig, options);
}

void rig_close(rig_t *rig) {
    if (rig == NULL)
        return;
    if (rig->state != NULL)
        interrupt_remove(rig);
    if (rig->L != NULL)
        lua_close(rig->L);
    host_clear(rig);
    sys_free(rig);
}

const char *rig_error(const rig_t *rig) {
    if (rig == NULL)
        return "there is no rig: rig_open was given wrong options, or memory is short";
    if (rig->failed == RIG_OK)
        return "";
    return rig->error != NULL ? rig->error : "out of memory";
}

/* ---- running ---- */

static int run(lua_State *L) {
    struct request *request = lua_touserdata(L, 1);
    (void)request;
    return 0;
}

int rig_run_file(rig_t *rig, const char *path, const char *const *overrides) {
    struct request request = {.rig = rig, .path = path, .overrides = overrides};
    return protect(rig, run, &request);
}

int rig_load(rig_t *rig, const char *path) {
    if (rig == NULL)
        return RIG_EARGUMENT;
    if (path == NULL || path[0] == '\0')
        return host_fail(rig, RIG_EARGUMENT, "load: no path");
    return host_load(rig, path) < 0 ? rig->failed : RIG_OK;
}

void rig_interrupt(rig_t *rig, int signo) {
    if (rig != NULL)
        interrupt_raise(rig, signo);
}

/* ---- the command ---- */

static void write_text(struct rig *rig, int fd, const char *text) {
    fd_write_full(&rig->state->sys, fd, FD_PIPE, text, strlen(text), DEADLINE_NEVER);
}

/* Answered without any of rig's Lua: scripts ask for it often. */
static bool asks_version(int argc, char *const argv[]) {
    return argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0);
}

static int command(lua_State *L) {
    struct request *request = lua_touserdata(L, 1);
    push_function(L, "rig.cli", "main");
    lua_createtable(L, request->argc, 1);
    for (int i = 0; i < request->argc; i++) {
        lua_pushstring(L, request->argv[i]);
        lua_seti(L, -2, i);
    }
    lua_call(L, 1, 1);
    request->status = (int)luaL_checkinteger(L, -1);
    return 0;
}

int rig_command(rig_t *rig, int argc, char *const argv[]) {
    struct request request = {.rig = rig, .argc = argc, .argv = argv};
    if (asks_version(argc, argv)) {
        write_text(rig, 1, "rig " RIG_VERSION " (" RIG_COMMIT ", " RIG_COMPILER ")\n");
        return 0;
    }
    int status = protect(rig, command, &request);
    if (status == RIG_OK)
        return request.status;
    write_text(rig, 2, "rig: ");
    write_text(rig, 2, rig_error(rig));
    write_text(rig, 2, "\n");
    int signo = rig->state->stop.signo;
    return signo != 0 ? 128 + signo : 2;
}

/* ---- require "rig" ---- */

int luaopen_rig(lua_State *L) {
    luaL_checkversion(L);
    host_get(L);
    rig_embed_beside(L);
    embed_load(L, "rig");
    lua_pushliteral(L, "rig");
    lua_insert(L, -2);
    lua_call(L, 2, 1);
    return 1;
}
