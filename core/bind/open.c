/* open: see open.h. */
#include "bind/open.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua-cjson.h>
#include <string.h>

#include "bind/embed.h"
#include "bind/host.h"
#include "bind/state.h"
#include "os/pipe.h"

static void (*const binders[])(lua_State *) = {
    bind_account, bind_alarm,   bind_array, bind_codec, bind_cpus,
    bind_exec,    bind_fault,   bind_misc,  bind_pipe,  bind_pool,
    bind_proc,    bind_program, bind_queue, bind_watch, bind_workload,
};

int luaopen_rig_core(lua_State *L) {
    struct rig *rig = host_get(L);
    rig->state = state_get(L);
    rig->state->sys.fork_with_threads = rig->fork_with_threads;
    lua_createtable(L, 0, 48);
    for (size_t i = 0; i < sizeof binders / sizeof *binders; i++)
        binders[i](L);
    return 1;
}

static const struct rig_embedded *find(const char *name) {
    for (size_t i = 0; i < rig_embedded_count; i++)
        if (strcmp(rig_embedded[i].name, name) == 0)
            return &rig_embedded[i];
    return NULL;
}

bool embed_owns(const char *chunk) {
    for (size_t i = 0; i < rig_embedded_count; i++)
        if (strcmp(rig_embedded[i].chunk, chunk) == 0)
            return true;
    return false;
}

static bool is_rigs(const char *name) {
    return strncmp(name, "rig", 3) == 0 && (name[3] == '\0' || name[3] == '.');
}

/* Pushes the contents of a file, or returns -errno with nothing pushed. */
static int push_file(lua_State *L, struct sys *s, const char *path) {
    luaL_Buffer b;
    int fd = sys_open(s, path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    luaL_buffinit(L, &b);
    ssize_t n;
    do {
        n = fd_read_some(s, fd, luaL_prepbuffer(&b), LUAL_BUFFERSIZE);
        if (n > 0)
            luaL_addsize(&b, (size_t)n);
    } while (n > 0);
    sys_close(s, fd);
    luaL_pushresult(&b);
    if (n < 0)
        lua_pop(L, 1);
    return (int)n;
}

static void load(lua_State *L, const char *name, const char *text, size_t size, const char *chunk) {
    if (luaL_loadbufferx(L, text, size, chunk, "t") != LUA_OK)
        luaL_error(L, "module '%s' cannot be loaded: %s", name, lua_tostring(L, -1));
    lua_pushstring(L, chunk + 1);
}

/* Releases of one version of Lua have the same virtual machine (lua.org/versions.html); one that was configured otherwise, as
 * a host's own may be, refuses the code by its head and takes the text. */
void embed_load_entry(lua_State *L, const struct rig_embedded *m) {
    const char *code = (const char *)m->code;
    if (code != NULL && luaL_loadbufferx(L, code, m->code_size, m->chunk, "b") == LUA_OK) {
        lua_pushstring(L, m->chunk + 1);
        return;
    }
    if (code != NULL)
        lua_pop(L, 1);
    load(L, m->name, (const char *)m->text, m->text_size, m->chunk);
}

/* While developing: the sources in a folder instead of those built in, under the same chunk
 * names, so that tracebacks are the same. Returns false with nothing pushed when neither file is
 * there. */
static bool load_source(lua_State *L, const char *folder, const char *name) {
    static const char *const forms[] = {"@%s.lua", "@%s/init.lua"};
    struct sys s;
    sys_init(&s, &sys_kernel);
    const char *stem = luaL_gsub(L, name, ".", "/");
    for (size_t i = 0; i < 2; i++) {
        const char *chunk = lua_pushfstring(L, forms[i], stem);
        const char *path = lua_pushfstring(L, "%s/%s", folder, chunk + 1);
        if (push_file(L, &s, path) == 0) {
            size_t size;
            const char *text = lua_tolstring(L, -1, &size);
            load(L, name, text, size, chunk);
            return true;
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return false;
}

/* Pushes loader and extra value; false with nothing pushed when `name` is none of ours. */
static bool push_module(lua_State *L, const char *name) {
    const char *folder = host_get(L)->lua_path;
    if (strcmp(name, "rig.core") == 0 || strcmp(name, "cjson") == 0) {
        lua_pushcfunction(L, name[0] == 'r' ? luaopen_rig_core : luaopen_cjson);
        lua_pushliteral(L, ":built in:");
        return true;
    }
    if (folder != NULL && is_rigs(name)) {
        /* Not the built-in one instead, nor an installed one: that would be another version. */
        if (!load_source(L, folder, name))
            luaL_error(L, "module '%s' is not in '%s', where RIG_LUA_PATH says that it is", name,
                       folder);
        return true;
    }
    const struct rig_embedded *m = find(name);
    if (m != NULL)
        embed_load_entry(L, m);
    return m != NULL;
}

void embed_load(lua_State *L, const char *name) {
    if (!push_module(L, name))
        luaL_error(L, "module '%s' is not built in", name);
}

/* A searcher of package.searchers. Upvalue: whether it answers for rig's own modules only. */
static int search(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    bool only_rigs = lua_toboolean(L, lua_upvalueindex(1));
    if (only_rigs && !is_rigs(name))
        return 0;
    if (push_module(L, name))
        return 2;
    lua_pushfstring(L, "no module '%s' in rig", name);
    return 1;
}

/* Puts a searcher at position `at`; the others move up. */
static void add_searcher(lua_State *L, lua_Integer at, bool only_rigs) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    lua_Integer n = luaL_len(L, -1);
    if (at == 0)
        at = n + 1;
    for (lua_Integer i = n; i >= at; i--) {
        lua_geti(L, -1, i);
        lua_seti(L, -2, i + 1);
    }
    lua_pushboolean(L, only_rigs);
    lua_pushcclosure(L, search, 1);
    lua_seti(L, -2, at);
    lua_pop(L, 2);
}

void rig_embed_preload(lua_State *L) {
    add_searcher(L, 2, false); /* after package.preload, before the file system */
}

void rig_embed_beside(lua_State *L) {
    add_searcher(L, 2, true);
    add_searcher(L, 0, false);
}
