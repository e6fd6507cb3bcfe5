/* host: see host.h. */
#include "bind/host.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/dso.h"

static const char key; /* its address is the rig's place in the registry */

int host_init(struct rig *rig, lua_State *L, const char *lua_path) {
    struct alloc alloc = rig->alloc; /* in use already when the Lua state is ours */
    *rig = (struct rig){.api = &host_api, .alloc = alloc, .L = L, .thread = L};
    rig->results = LUA_NOREF;
    rig->exit_status = -1;
    if (alloc.sys.table == NULL)
        alloc_init(&rig->alloc, &sys_kernel, false);
    const char *threads = getenv("RIG_FORK_WITH_THREADS");
    rig->fork_with_threads = threads != NULL && strcmp(threads, "1") == 0;
    if (lua_path == NULL || lua_path[0] == '\0')
        return 0;
    rig->lua_path = host_copy(rig, lua_path, strlen(lua_path));
    return rig->lua_path != NULL ? 0 : -ENOMEM;
}

void host_clear(struct rig *rig) {
    struct sys *s = &rig->alloc.sys;
    while (rig->workloads != NULL) {
        struct workload *next = rig->workloads->next;
        sys_free(rig->workloads);
        rig->workloads = next;
    }
    while (rig->n_objects > 0)
        dso_close(s, rig->objects[--rig->n_objects]);
    sys_free(rig->objects);
    sys_free(rig->loaded);
    sys_free(rig->lua_path);
    sys_free(rig->worker_program);
    sys_free(rig->error);
    sys_free(rig->json);
    rig->objects = NULL;
    rig->loaded = rig->lua_path = rig->worker_program = rig->error = rig->json = NULL;
}

static int collect(lua_State *L) {
    host_clear(lua_touserdata(L, 1));
    return 0;
}

void host_set(lua_State *L, struct rig *rig) {
    lua_pushlightuserdata(L, rig);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}

struct rig *host_get(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
    struct rig *rig = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (rig != NULL)
        return rig;
    /* A Lua that is not ours: the rig lives in it as a userdata, which the registry keeps. */
    rig = lua_newuserdatauv(L, sizeof *rig, 0);
    memset(rig, 0, sizeof *rig);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    if (host_init(rig, main, getenv("RIG_LUA_PATH")) < 0)
        luaL_error(L, "not enough memory");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    return rig;
}

char *host_copy(struct rig *rig, const char *text, size_t size) {
    char *copy = sys_malloc(&rig->alloc.sys, size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

int host_fail(struct rig *rig, int status, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *text = n < 0 ? NULL : sys_malloc(&rig->alloc.sys, (size_t)n + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    sys_free(rig->error); /* only now: it may be among the arguments */
    rig->error = text;
    rig->failed = status;
    return status;
}

static int push_why(lua_State *L) {
    char text[300];
    alloc_why(lua_touserdata(L, 1), text, sizeof text);
    lua_pushstring(L, text);
    return 1;
}

void host_say_memory(lua_State *L) {
    const char *said = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    struct rig *rig = host_get(L);
    if (!rig->opened || strcmp(said, "not enough memory") != 0 || !lua_checkstack(L, 4))
        return;
    rig->alloc.generous =
        true; /* these few bytes, of the 64 MiB and more that are left to others */
    lua_pushcfunction(L, push_why);
    lua_pushlightuserdata(L, &rig->alloc);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        lua_replace(L, -2);
    else
        lua_pop(L, 1);
    rig->alloc.generous = false;
}

struct workload *host_workload(struct rig *rig, const char *name) {
    struct workload **at = &rig->workloads;
    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (*at != NULL)
        return *at;
    size_t size = strlen(name) + 1;
    struct workload *w = sys_malloc(&rig->alloc.sys, sizeof *w + size);
    if (w == NULL)
        return NULL;
    w->next = NULL;
    w->fn = NULL;
    w->user = NULL;
    memcpy(w->name, name, size);
    *at = w;
    return w;
}

/* Keeps the object open as long as the rig: its functions stand in workloads. */
static int keep_object(struct rig *rig, void *handle) {
    struct sys *s = &rig->alloc.sys;
    for (size_t i = 0; i < rig->n_objects; i++) {
        if (rig->objects[i] == handle) {
            dso_close(s, handle); /* one of the two opens is enough */
            return 0;
        }
    }
    void **more = sys_realloc(s, rig->objects, (rig->n_objects + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    rig->objects = more;
    rig->objects[rig->n_objects++] = handle;
    return 0;
}

/* For workers that start afresh, which load the same again. A path that is loaded again moves to the end:
 * its workloads have replaced what came between. */
static int keep_path(struct rig *rig, const char *path) {
    size_t size = strlen(path) + 1;
    char *more = sys_realloc(&rig->alloc.sys, rig->loaded, rig->loaded_size + size);
    if (more == NULL)
        return -ENOMEM;
    rig->loaded = more;
    char *end = more + rig->loaded_size;
    for (char *at = more; at < end; at += strlen(at) + 1) {
        if (strcmp(at, path) != 0)
            continue;
        memmove(at, at + size, (size_t)(end - at) - size);
        end -= size;
        break;
    }
    memcpy(end, path, size);
    rig->loaded_size = (size_t)(end - more) + size;
    return 0;
}

static int load_failed(struct rig *rig, int err, const char *path, const char *why) {
    const char *remedy = "";
    if (err == -ENOENT && strchr(path, '/') == NULL)
        remedy = "; write './' before the name of a file in this folder";
    else if (strstr(why, "undefined symbol: rig_") != NULL)
        remedy = "; compile it with -DRIG_PLUGIN";
    host_fail(rig, RIG_ESYSTEM, "load '%s': %s%s", path, why, remedy);
    return err;
}

int host_load(struct rig *rig, const char *path) {
    void *handle;
    const char *why;
    int err = dso_open(&rig->alloc.sys, path, &handle, &why);
    if (err < 0)
        return load_failed(rig, err, path, why);
    int (*start)(rig_t *);
    void *found = dso_find(&rig->alloc.sys, handle, "rig_register");
    memcpy(&start, &found, sizeof start); /* a cast from void * would not be ISO C */
    if (found == NULL) {
        dso_close(&rig->alloc.sys, handle);
        return load_failed(rig, -EINVAL, path, "it does not export rig_register");
    }
    err = keep_object(rig, handle);
    if (err < 0) {
        dso_close(&rig->alloc.sys, handle);
        host_fail(rig, RIG_EMEM, "load '%s': out of memory", path);
        return err;
    }
    int status = start(rig);
    if (status == RIG_OK && keep_path(rig, path) == 0)
        return 0;
    host_fail(rig, RIG_ESYSTEM, "load '%s': its rig_register returned %d", path, status);
    return -ECANCELED;
}
