/* rig: the embedding interface of rig.h over core/bind: a Lua state of our own, what a host asks
 * of it turned into calls of rig's Lua, and every failure into a status and a message. What
 * workloads see of a call is in bind/call.c. */
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
#include "bind/program.h"
#include "bind/spawned_job.h"
#include "bind/state.h"
#include "os/pipe.h"
#include "os/spawn.h"
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

/* Runs f with the request; whatever it raises becomes a status and a message. Nothing else in
 * this file touches Lua outside of such a call, so no error of Lua's gets past it into the host. */
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
    const char *text = lua_tostring(L, -1);
    /* also where a script caught Lua's message, and raised it again with words of its own around it */
    if (status == LUA_ERRMEM || (text != NULL && strstr(text, "not enough memory") != NULL))
        status = host_fail(rig, RIG_EMEM, "out of memory");
    else
        status = host_fail(rig, RIG_EINTERNAL, "%s", text != NULL ? text : "an unknown error");
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

/* A host may not call back into a rig from within a workload: there is one Lua state. */
static int refuse(struct rig *rig, const char *what) {
    if (rig == NULL)
        return RIG_EARGUMENT;
    if (rig->state == NULL)
        return host_fail(rig, RIG_EARGUMENT, "%s: this rig did not open", what);
    if (rig->running)
        return host_fail(rig, RIG_EARGUMENT, "%s: this rig is running a scenario", what);
    return RIG_OK;
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
    const char *reserve = getenv("RIG_MEMORY_RESERVE");
    if (reserve != NULL)
        rig->alloc.reserve = strtoull(reserve, NULL, 10);
    lua_State *L = lua_newstate(alloc_lua, &rig->alloc);
    if (lua_path == NULL)
        lua_path = getenv("RIG_LUA_PATH");
    if (host_init(rig, L, lua_path) < 0 || L == NULL)
        return host_fail(rig, RIG_EMEM, "open a rig: out of memory");
    if (options->worker_program != NULL && program_set(rig, options->worker_program) < 0)
        return host_fail(rig, RIG_EMEM, "open a rig: out of memory");
    if (spawn_is_marked())
        return host_fail(rig, RIG_EARGUMENT,
                         "open a rig: this process was started to be a worker (start=spawn): its "
                         "main must call rig_worker_main first");
    rig->opened = true;
    rig->signals = options->signals != 0;
    if (options->fork_with_threads != 0)
        rig->fork_with_threads = options->fork_with_threads == 1;
    struct request request = {.rig = rig};
    int status = protect(rig, open_modules, &request);
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
    alloc_clear(&rig->alloc);
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

/* Pushes the options of rig.host's run: the text of the scenario, and the overrides as a list. */
static void push_options(lua_State *L, const struct request *request) {
    lua_newtable(L);
    if (request->source != NULL) {
        lua_pushstring(L, request->source);
        lua_setfield(L, -2, "source");
    }
    lua_newtable(L);
    for (lua_Integer i = 0; request->overrides != NULL && request->overrides[i] != NULL; i++) {
        lua_pushstring(L, request->overrides[i]);
        lua_seti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "overrides");
}

/* Keeps the document on the top and what it came to. */
static void keep_results(lua_State *L, struct request *request) {
    struct rig *rig = request->rig;
    lua_getfield(L, -1, "exit");
    rig->exit_status = (int)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    rig->results = luaL_ref(L, LUA_REGISTRYINDEX);
    if (rig->exit_status > 128)
        request->status =
            host_fail(rig, RIG_EINTERRUPTED, "interrupted by signal %d", rig->exit_status - 128);
}

static int run(lua_State *L) {
    struct request *request = lua_touserdata(L, 1);
    push_function(L, "rig.host", "run");
    lua_pushstring(L, request->path);
    push_options(L, request);
    lua_call(L, 2, 2); /* document, or nil and what is wrong with the scenario */
    if (lua_istable(L, -2)) {
        lua_pop(L, 1);
        keep_results(L, request);
        return 0;
    }
    request->rig->exit_status = 2;
    request->status = host_fail(request->rig, RIG_ESCENARIO, "%s", luaL_tolstring(L, -1, NULL));
    return 0;
}

static void forget_results(struct rig *rig) {
    luaL_unref(rig->L, LUA_REGISTRYINDEX, rig->results); /* allocates nothing: cannot raise */
    rig->results = LUA_NOREF;
    rig->exit_status = -1;
    sys_free(rig->json);
    rig->json = NULL;
}

static int run_request(struct rig *rig, struct request *request) {
    int status = refuse(rig, "run");
    if (status != RIG_OK)
        return status;
    if (request->path == NULL)
        return host_fail(rig, RIG_EARGUMENT, "run: no path or name of a scenario");
    forget_results(rig);
    request->rig = rig;
    status = protect(rig, run, request);
    interrupt_clear(rig);
    return status != RIG_OK ? status : request->status;
}

int rig_run_file(rig_t *rig, const char *path, const char *const *overrides) {
    struct request request = {.path = path, .overrides = overrides};
    return run_request(rig, &request);
}

int rig_run_string(rig_t *rig, const char *name, const char *source, const char *const *overrides) {
    struct request request = {.path = name, .source = source, .overrides = overrides};
    if (rig != NULL && source == NULL)
        return host_fail(rig, RIG_EARGUMENT, "run: no source");
    return run_request(rig, &request);
}

int rig_exit_status(const rig_t *rig) {
    return rig == NULL ? -1 : rig->exit_status;
}

static int render(lua_State *L) {
    struct request *request = lua_touserdata(L, 1);
    struct rig *rig = request->rig;
    size_t size;
    push_function(L, "rig.report.json", "render");
    lua_rawgeti(L, LUA_REGISTRYINDEX, rig->results);
    lua_call(L, 1, 2); /* text, or nil and why not */
    const char *text = lua_tolstring(L, -2, &size);
    if (text == NULL)
        return luaL_error(L, "%s", luaL_tolstring(L, -1, NULL));
    rig->json = host_copy(rig, text, size);
    rig->json_size = size;
    if (rig->json == NULL)
        request->status = host_fail(rig, RIG_EMEM, "no memory for results of %zu bytes", size);
    return 0;
}

const char *rig_results_json(rig_t *rig, size_t *size) {
    struct request request = {.rig = rig};
    if (refuse(rig, "results") != RIG_OK)
        return NULL;
    if (rig->results == LUA_NOREF) {
        host_fail(rig, RIG_EARGUMENT, "results: there was no run that has any");
        return NULL;
    }
    if (rig->json == NULL && protect(rig, render, &request) != RIG_OK)
        return NULL;
    if (size != NULL)
        *size = rig->json_size;
    return rig->json;
}

int rig_load(rig_t *rig, const char *path) {
    int status = refuse(rig, "load");
    if (status != RIG_OK)
        return status;
    if (path == NULL || path[0] == '\0')
        return host_fail(rig, RIG_EARGUMENT, "load: no path");
    return host_load(rig, path) < 0 ? rig->failed : RIG_OK;
}

void rig_interrupt(rig_t *rig, int signo) {
    if (rig != NULL)
        interrupt_raise(rig, signo);
}

/* ---- the command ---- */

enum { STDOUT = 1, STDERR = 2 };

/* What could not be written, or had no memory. */
#define EXIT_SYSTEM 5

/* None of the verdicts that scripts rely on; sysexits.h calls it EX_SOFTWARE. */
#define EXIT_INTERNAL 70

static int write_text(struct rig *rig, int fd, const char *text) {
    return fd_write_full(&rig->state->sys, fd, FD_PIPE, text, strlen(text), DEADLINE_NEVER);
}

static void complain(struct rig *rig, const char *text) {
    write_text(rig, STDERR, "rig: ");
    write_text(rig, STDERR, text);
    write_text(rig, STDERR, "\n");
}

/* Answered without any of rig's Lua: scripts ask for it often. */
static bool asks_version(int argc, char *const argv[]) {
    return argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0);
}

static int say_version(struct rig *rig) {
    int err = write_text(rig, STDOUT, "rig " RIG_VERSION " (" RIG_COMMIT ", " RIG_COMPILER ")\n");
    if (err == 0 || err == -EPIPE)
        return 0;
    host_fail(rig, RIG_ESYSTEM, "stdout: cannot be written: %s", strerror(-err));
    complain(rig, rig_error(rig));
    return EXIT_SYSTEM;
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
    if (refuse(rig, "command") != RIG_OK)
        return EXIT_INTERNAL;
    if (asks_version(argc, argv))
        return say_version(rig);
    int status = protect(rig, command, &request);
    if (status == RIG_OK)
        return request.status;
    int signo = rig->state->stop.signo;
    complain(rig, status == RIG_EMEM ? "not enough memory" : rig_error(rig));
    if (signo != 0)
        return 128 + signo;
    return status == RIG_EMEM ? EXIT_SYSTEM : EXIT_INTERNAL;
}

/* ---- workers that are fresh processes ---- */

struct fresh {
    struct job job; /* first: the callbacks of a job get its address */
    const uint8_t *bytes;
    size_t size;
    int (*setup)(rig_t *rig, void *user);
    void *user;
    rig_t *rig; /* stays open: the worker leaves by _exit */
};

static int say(struct buf *out, const char *text) {
    buf_clear(out);
    return buf_add(out, text, strlen(text)) < 0 ? -ENOMEM : 1;
}

static int open_fresh(struct fresh *f) {
    struct spawned_options from;
    int err = spawned_options(f->bytes, f->size, &from);
    if (err < 0)
        return err;
    rig_options_t options = {.size = sizeof options,
                             .lua_path = from.lua_path,
                             .huge_pages = from.huge_pages};
    return rig_open(&f->rig, &options);
}

/* All that needs Lua comes after the fixed data has been received: a worker is there at once. */
static int init_fresh(void *ctx, unsigned worker, const uint8_t *fixed, size_t len,
                      struct block *owner, struct buf *out) {
    struct fresh *f = ctx;
    if (open_fresh(f) != RIG_OK)
        return say(out, rig_error(f->rig));
    if (f->setup != NULL && f->setup(f->rig, f->user) != RIG_OK)
        return say(out, f->rig->failed != RIG_OK ? rig_error(f->rig)
                                                 : "the host could not set up a worker");
    struct spawned_start start = {.rig = f->rig,
                                  .bytes = f->bytes,
                                  .size = f->size,
                                  .worker = worker};
    return spawned_init(&f->job, &start, fixed, len, owner, out);
}

static void make_job(const uint8_t *bytes, size_t size, void *ctx, struct pool_job *out) {
    struct fresh *f = ctx;
    f->bytes = bytes;
    f->size = size;
    *out = (struct pool_job){.ctx = f,
                             .init = init_fresh,
                             .run_all = job_run_all,
                             .finish = job_finish};
}

int rig_worker_main_with(int argc, char *const argv[], int (*setup)(rig_t *rig, void *user),
                         void *user) {
    struct fresh f = {.setup = setup, .user = user};
    return pool_worker_main(argc, argv, spawned_build, make_job, &f);
}

int rig_worker_main(int argc, char *const argv[]) {
    return rig_worker_main_with(argc, argv, NULL, NULL);
}

/* ---- require "rig" ---- */

int luaopen_rig(lua_State *L) {
    luaL_checkversion(L);
    if (spawn_is_marked())
        return luaL_error(L, "this process was started to be a worker (start=spawn), and an "
                             "interpreter cannot be one: RIG_WORKER must name the executable rig");
    host_get(L);
    rig_embed_beside(L);
    embed_load(L, "rig");
    lua_pushliteral(L, "rig");
    lua_insert(L, -2);
    lua_call(L, 2, 1);
    return 1;
}
