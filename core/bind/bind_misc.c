/* bind_misc: small things the Lua side needs from the system: time, the terminal, files written whole,
 * what the machine has, what this rig has asked of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/handle.h"
#include "bind/host.h"
#include "bind/open.h"
#include "bind/worker_side.h"
#include "os/fds.h"
#include "os/file.h"
#include "rig_build.h"

static int l_now(lua_State *L) {
    lua_pushnumber(L, (lua_Number)clock_now_ns() / 1e9);
    return 1;
}

static int l_now_ns(lua_State *L) {
    lua_pushinteger(L, clock_now_ns());
    return 1;
}

/* suspended_ns() -> nanoseconds that the machine has spent suspended since it was started */
static int l_suspended_ns(lua_State *L) {
    lua_pushinteger(L, clock_suspended_ns());
    return 1;
}

static lua_Number check_seconds(lua_State *L) {
    lua_Number s = luaL_checknumber(L, 1);
    luaL_argcheck(L, s >= 0 && s < 1e9, 1, "a duration must be 0 to 1e9 s");
    return s;
}

/* sleep(seconds) -> true | nil, message, code (ECANCELED: told to stop) */
static int l_sleep(lua_State *L) {
    int err = wait_flushing(state_get(L), NULL, 0, clock_deadline(check_seconds(L)));
    if (err < 0)
        return state_fail(L, err, "sleep");
    lua_pushboolean(L, 1);
    return 1;
}

/* spin(seconds): keeps one core busy so long */
static int l_spin(lua_State *L) {
    int64_t left = (int64_t)(check_seconds(L) * 1e9);
    struct state *st = state_get(L);
    while (left > 0 && (st->sys.stop == NULL || st->stop.signo == 0)) {
        int64_t step = left < 10000000 ? left : 10000000;
        clock_spin(step);
        left -= step;
    }
    return 0;
}

/* write(fd, text) -> true | nil, message, code */
static int l_write(lua_State *L) {
    size_t n;
    int fd = (int)luaL_checkinteger(L, 1);
    const char *text = luaL_checklstring(L, 2, &n);
    int err = file_put(&state_get(L)->sys, fd, text, n);
    if (err < 0)
        return state_fail(L, err, "write %d bytes to descriptor %d", (int)n, fd);
    lua_pushboolean(L, 1);
    return 1;
}

/* write_file(path, text) -> true | nil, message, code; old or new contents, never a part */
static int l_write_file(lua_State *L) {
    size_t n;
    const char *path = luaL_checkstring(L, 1);
    const char *text = luaL_checklstring(L, 2, &n);
    int err = file_write(&state_get(L)->sys, path, text, n);
    if (err < 0)
        return state_fail(L, err, "write '%s'", path);
    lua_pushboolean(L, 1);
    return 1;
}

/* probe_file(path) -> true | nil, message, code: whether write_file could */
static int l_probe_file(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    int err = file_probe(&state_get(L)->sys, path);
    if (err < 0)
        return state_fail(L, err, "write '%s'", path);
    lua_pushboolean(L, 1);
    return 1;
}

/* file_kind(path) -> "file", "folder" or "other" | nil, message, code. Links are followed; nothing is
 * opened, as that would wait for a FIFO's other end. */
static int l_file_kind(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    mode_t mode;
    int err = sys_mode(&state_get(L)->sys, path, true, &mode);
    if (err < 0)
        return state_fail(L, err, "find '%s'", path);
    lua_pushstring(L, S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "folder" : "other");
    return 1;
}

/* real_path(path) -> path without links | nil, message, code. Opens nothing for reading: what a FIFO's
 * name stands for is told at once. */
static int l_real_path(lua_State *L) {
    struct sys *s = &state_get(L)->sys;
    const char *path = luaL_checkstring(L, 1);
    char link[32], real[PATH_MAX];
    int fd = sys_open(s, path, O_PATH | O_CLOEXEC, 0);
    if (fd < 0)
        return state_fail(L, fd, "find '%s'", path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = sys_readlink(s, link, real, sizeof real);
    sys_close(s, fd);
    if (n < 0)
        return state_fail(L, (int)n, "find '%s'", path);
    lua_pushlstring(L, real, (size_t)n);
    return 1;
}

/* redirect_stdout() -> fd | nil, message, code: what was stdout, ours alone from here on; whatever
 * scripts and their workers print goes to stderr. */
static int l_redirect_stdout(lua_State *L) {
    struct sys *s = &state_get(L)->sys;
    fflush(NULL);
    int fd = fds_own(s, sys_fcntl(s, STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    int err = fd < 0 ? fd : sys_dup_to(s, STDERR_FILENO, STDOUT_FILENO);
    if (err < 0) {
        fds_close(s, &fd);
        return state_fail(L, err, "keep stdout");
    }
    lua_pushinteger(L, fd);
    return 1;
}

static int l_isatty(lua_State *L) {
    lua_pushboolean(L, file_is_terminal(&state_get(L)->sys, (int)luaL_checkinteger(L, 1)));
    return 1;
}

static int l_columns(lua_State *L) {
    int n = file_columns(&state_get(L)->sys, (int)luaL_checkinteger(L, 1));
    if (n > 0)
        lua_pushinteger(L, n);
    else
        lua_pushnil(L);
    return 1;
}

static int l_memory_available(lua_State *L) {
    uint64_t n = memory_available(&state_get(L)->sys);
    lua_pushinteger(L, n > LUA_MAXINTEGER ? LUA_MAXINTEGER : (lua_Integer)n);
    return 1;
}

/* oom_kills() -> how many processes of our cgroup the kernel has killed for want of memory, or nil */
static int l_oom_kills(lua_State *L) {
    int64_t n = memory_oom_kills(&state_get(L)->sys);
    if (n >= 0)
        lua_pushinteger(L, n);
    else
        lua_pushnil(L);
    return 1;
}

/* memory_why(message) -> the same; where it is Lua's own for want of memory, with what ran out and what to do. For
 * messages that no handler has seen: Lua calls none then. */
static int l_memory_why(lua_State *L) {
    lua_settop(L, 1);
    host_say_memory(L);
    return 1;
}

/* cores() -> processors that this process may run on */
static int l_cores(lua_State *L) {
    int n = sys_cores(&state_get(L)->sys, 0);
    lua_pushinteger(L, n > 0 ? n : 1); /* more processors than the set holds: no telling */
    return 1;
}

/* syscalls() -> { name = count } of this rig, those that were called */
static int l_syscalls(lua_State *L) {
    const struct sys *s = &state_get(L)->sys;
    lua_newtable(L);
    for (int i = 0; i < SYS_KINDS; i++) {
        if (s->count[i] == 0 || i == SYS_malloc || i == SYS_realloc)
            continue;
        lua_pushinteger(L, (lua_Integer)s->count[i]);
        lua_setfield(L, -2, sys_names[i]);
    }
    return 1;
}

static int l_getpid(lua_State *L) {
    lua_pushinteger(L, state_get(L)->sys.pid);
    return 1;
}

/* interrupted() -> the signal that asked this rig to stop, or nil */
static int l_interrupted(lua_State *L) {
    const struct state *st = state_get(L);
    if (st->sys.stop != NULL && st->stop.signo != 0)
        lua_pushinteger(L, st->stop.signo);
    else
        lua_pushnil(L);
    return 1;
}

/* worker_print(id): from here on print in this process, a child, says whose words they are. Not a second beginning: what
 * the fork found on the stack does not grow by the calls that led here. */
static int l_worker_print(lua_State *L) {
    state_get(L)->worker = (unsigned)luaL_checkinteger(L, 1);
    return 0;
}

static const char limit_key;

static void on_count(lua_State *L, lua_Debug *ar) {
    (void)ar;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &limit_key);
    lua_Integer at = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (at == 0) /* a coroutine made under a limit that is over */
        lua_sethook(L, NULL, 0, 0);
    else if (clock_now_ns() >= at) {
        /* From now on at every instruction: the script may catch the error, and must not come far. */
        lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
        luaL_error(L, "timed out");
    }
}

/* call_within(seconds, fn, ...) -> true, results... | false, message, timed_out. In this process: stops
 * Lua code only, not a C function that takes its time. */
static int l_call_within(lua_State *L) {
    int64_t deadline = clock_deadline(check_seconds(L));
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int top = lua_gettop(L);
    lua_pushinteger(L, deadline);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &limit_key);
    lua_sethook(L, on_count, LUA_MASKCOUNT, 10000);
    int status = state_call(L, top - 2, LUA_MULTRET);
    if (lua_gethook(L) == on_count) /* not the hook of an interrupt that came meanwhile */
        lua_sethook(L, NULL, 0, 0);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &limit_key);
    lua_pushboolean(L, status == LUA_OK);
    lua_replace(L, 1);
    if (status != LUA_OK) {
        lua_pushboolean(L, clock_now_ns() >= deadline);
        return 3;
    }
    return lua_gettop(L);
}

void bind_misc(lua_State *L) {
    static const luaL_Reg functions[] = {{"now", l_now},
                                         {"now_ns", l_now_ns},
                                         {"suspended_ns", l_suspended_ns},
                                         {"sleep", l_sleep},
                                         {"spin", l_spin},
                                         {"write", l_write},
                                         {"write_file", l_write_file},
                                         {"probe_file", l_probe_file},
                                         {"file_kind", l_file_kind},
                                         {"real_path", l_real_path},
                                         {"redirect_stdout", l_redirect_stdout},
                                         {"isatty", l_isatty},
                                         {"columns", l_columns},
                                         {"memory_available", l_memory_available},
                                         {"oom_kills", l_oom_kills},
                                         {"memory_why", l_memory_why},
                                         {"cores", l_cores},
                                         {"syscalls", l_syscalls},
                                         {"getpid", l_getpid},
                                         {"interrupted", l_interrupted},
                                         {"worker_print", l_worker_print},
                                         {"call_within", l_call_within},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushliteral(L, RIG_VERSION);
    lua_setfield(L, -2, "version");
    lua_createtable(L, 0, 3);
    lua_pushliteral(L, RIG_COMMIT);
    lua_setfield(L, -2, "commit");
    lua_pushliteral(L, RIG_COMPILER);
    lua_setfield(L, -2, "compiler");
    lua_pushliteral(L, RIG_FLAGS);
    lua_setfield(L, -2, "flags");
    lua_setfield(L, -2, "build");
    bind_rng(L);
}
