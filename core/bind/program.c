/* program: see program.h. */
#include "bind/program.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bind/open.h"
#include "bind/state.h"
#include "os/dso.h"
#include "os/spawn.h"

#define NAME "rig"

static bool is_executable(struct sys *s, const char *path) {
    mode_t mode;
    return sys_mode(s, path, true, &mode) == 0 && S_ISREG(mode) && (mode & 0111) != 0;
}

/* /usr/lib/x/lua/5.4/rig.so: beside it while it is being built, /usr/bin/rig once it is installed. */
static bool find_beside(struct sys *s, char path[PATH_MAX]) {
    static const char key;
    char module[PATH_MAX];
    const char *file = dso_file(&key);
    if (file == NULL || strlen(file) >= sizeof module)
        return false;
    strcpy(module, file);
    char *slash = strrchr(module, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    int n = snprintf(path, PATH_MAX, "%s/" NAME, module);
    if (n < PATH_MAX && is_executable(s, path))
        return true;
    for (char *lib = strstr(module, "/lib"); lib != NULL; lib = strstr(lib + 1, "/lib")) {
        n = snprintf(path, PATH_MAX, "%.*s/bin/" NAME, (int)(lib - module), module);
        if (n < PATH_MAX && is_executable(s, path))
            return true;
    }
    return false;
}

int program_set(struct rig *rig, const char *path) {
    char *copy = path != NULL ? host_copy(rig, path, strlen(path)) : NULL;
    if (path != NULL && copy == NULL)
        return -ENOMEM;
    sys_free(rig->worker_program);
    rig->worker_program = copy;
    return 0;
}

const char *program_of(struct rig *rig) {
    char path[PATH_MAX];
    const char *said = getenv("RIG_WORKER");
    if (rig->worker_program != NULL)
        return rig->worker_program;
    if (said != NULL && said[0] != '\0')
        return said;
    if (rig->opened)
        return SPAWN_SELF;
    if (find_beside(&rig->alloc.sys, path))
        program_set(rig, path);
    return rig->worker_program;
}

/* worker_program([path]) -> path or nil: what start=spawn runs for each worker */
static int l_worker_program(lua_State *L) {
    struct rig *rig = host_get(L);
    if (!lua_isnoneornil(L, 1) && program_set(rig, luaL_checkstring(L, 1)) < 0)
        return luaL_error(L, "not enough memory");
    lua_pushstring(L, program_of(rig));
    return 1;
}

void bind_program(lua_State *L) {
    static const luaL_Reg functions[] = {{"worker_program", l_worker_program}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
