/* bind_proc: rig.fork and the process handle it gives. A forked child runs one Lua function and ends;
 * it never returns to the code that forked it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bind/handle.h"
#include "bind/open.h"
#include "bind/worker_side.h"

#define KEEP_HANDLES (PROC_KEEP_MAX / 2) /* a handle has up to two descriptors */

static void adopt(lua_State *L, int list, int n, struct state *st) {
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        struct handle *h = lua_touserdata(L, -1);
        h->owner = st->sys.pid;
        if (h->kind == HANDLE_QUEUE)
            queue_after_fork(&h->u.queue, &st->sys);
        lua_pop(L, 1);
    }
}

/* A child's queues send at once, so nothing waits here; streams are written to the end. */
static _Noreturn void run_child(lua_State *L, int nargs) {
    int status = state_call(L, nargs, 0);
    if (status != LUA_OK)
        side_print(L, lua_tostring(L, -1));
    side_leave(status == LUA_OK ? 0 : 1);
}

/* Processes by their handles, for core.children; weak, so that it keeps none of them. */
static const char children_key;

static void push_children(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &children_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &children_key);
}

/* core.children() -> set of the processes that rig.fork started here and nobody has reaped, as keys */
static int l_children(lua_State *L) {
    pid_t self = state_get(L)->sys.pid;
    lua_newtable(L);
    push_children(L);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        const struct handle *h = handle_test(L, -2);
        if (h != NULL && h->open && h->owner == self && h->u.proc.pid > 0) {
            lua_pushvalue(L, -2);
            lua_pushboolean(L, 1);
            lua_rawset(L, -6);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return 1;
}

static int keep_fds(lua_State *L, int list, int n, int *fds) {
    int count = 0;
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        struct handle *h = lua_touserdata(L, -1);
        if (h->kind == HANDLE_QUEUE) {
            queue_fds(&h->u.queue, fds + count);
            count += 2;
        } else {
            fds[count++] = h->u.stream.in;
            fds[count++] = h->u.stream.out;
        }
        lua_pop(L, 1);
    }
    return count;
}

static int fail_threads(lua_State *L, struct state *st) {
    char why[256];
    proc_say_threads(&st->sys, why, sizeof why);
    lua_pushnil(L);
    lua_pushfstring(L, "start a process: %s", why);
    lua_pushstring(L, state_errname(EDEADLK));
    return 3;
}

/* rig.fork(fn, ...) -> process | nil, message, code */
static int l_fork(lua_State *L) {
    int fds[2 * KEEP_HANDLES];
    luaL_checktype(L, 1, LUA_TFUNCTION);
    side_reserve(L);
    struct state *st = state_get(L);
    int nargs = lua_gettop(L) - 1;
    int n = handle_find(L, 1);
    int list = lua_gettop(L);
    luaL_argcheck(L, n <= KEEP_HANDLES, 1, "a child can keep at most 256 pipes and queues");
    push_children(L);
    struct handle *h = handle_push(L, HANDLE_PROC);
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, -4); /* before there is a process: this needs memory */
    pid_t pid = proc_fork(&st->sys, &h->u.proc, fds, (size_t)keep_fds(L, list, n, fds));
    if (pid == -EDEADLK)
        return fail_threads(L, st);
    if (pid < 0)
        return state_fail(
            L, pid, "start a process (the limits are those of ulimit -u and -n, and of memory)");
    if (pid == 0) {
        side_begin(L, st->worker);
        adopt(L, list, n, st);
        lua_settop(L, 1 + nargs);
        run_child(L, nargs);
    }
    h->open = true;
    return 1;
}

/* rig.fork_with_threads([allowed]) -> whether this process may be copied although it has other threads; sets it */
static int l_fork_with_threads(lua_State *L) {
    struct sys *s = &state_get(L)->sys;
    if (!lua_isnoneornil(L, 1)) {
        luaL_checktype(L, 1, LUA_TBOOLEAN);
        s->fork_with_threads = lua_toboolean(L, 1);
    }
    lua_pushboolean(L, s->fork_with_threads);
    return 1;
}

/* The handle at 1, whether its process has ended or not. */
static struct handle *check_proc(lua_State *L) {
    struct handle *h = handle_test(L, 1);
    if (h == NULL || h->kind != HANDLE_PROC)
        luaL_typeerror(L, 1, "rig.process");
    if (h->owner != h->state->sys.pid)
        luaL_error(L, "this process was started by another one: only its parent can wait for it");
    return h;
}

static int l_pid(lua_State *L) {
    struct handle *h = check_proc(L);
    if (h->u.proc.pid > 0)
        lua_pushinteger(L, h->u.proc.pid);
    else
        lua_pushnil(L);
    return 1;
}

static void set_seconds(lua_State *L, const char *name, int64_t ns) {
    lua_pushnumber(L, (lua_Number)ns / (lua_Number)NS_PER_S);
    lua_setfield(L, -2, name);
}

static void set_count(lua_State *L, const char *name, int64_t n) {
    lua_pushinteger(L, n);
    lua_setfield(L, -2, name);
}

static int push_end(lua_State *L, const struct proc_end *e) {
    lua_createtable(L, 0, 8);
    if (e->signal != 0)
        set_count(L, "signal", e->signal);
    else
        set_count(L, "exit", e->exit_code);
    set_seconds(L, "user_s", e->user_ns);
    set_seconds(L, "sys_s", e->sys_ns);
    set_count(L, "minor_faults", e->minor_faults);
    set_count(L, "voluntary_switches", e->voluntary_switches);
    set_count(L, "involuntary_switches", e->involuntary_switches);
    set_count(L, "peak_rss_bytes", e->peak_rss_bytes);
    return 1;
}

static int after_reap(lua_State *L, struct handle *h, int got) {
    if (got == 1 || got == -ECHILD) {
        h->open = false;
        h->ended = got == 1;
    }
    if (got == 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "timed out: the process has not ended");
        lua_pushliteral(L, "ETIMEDOUT");
        return 3;
    }
    return got == 1 ? push_end(L, &h->end) : state_fail(L, got, "wait for a process");
}

/* p:wait([seconds]) -> how it ended | nil, message, code */
static int l_wait(lua_State *L) {
    struct handle *h = check_proc(L);
    if (h->ended)
        return push_end(L, &h->end);
    int64_t deadline = handle_deadline(L, 2);
    if (h->u.proc.pid <= 0) /* the host reaped it, or it is closed */
        return state_fail(L, -ECHILD, "wait for a process");
    int got = wait_one(h->state, h->u.proc.pidfd, POLLIN, deadline);
    if (got > 0)
        got = proc_reap(&h->state->sys, &h->u.proc, DEADLINE_NEVER, &h->end);
    return after_reap(L, h, got);
}

/* p:stop([grace_s]) -> how it ended | nil, message, code */
static int l_stop(lua_State *L) {
    struct handle *h = check_proc(L);
    if (h->ended)
        return push_end(L, &h->end);
    lua_Number grace = luaL_optnumber(L, 2, 0.2);
    luaL_argcheck(L, grace >= 0 && grace < 86400, 2, "the grace must be 0 s to a day");
    int got = proc_stop(&h->state->sys, &h->u.proc, (int64_t)(grace * 1e9), &h->end);
    return after_reap(L, h, got);
}

/* p:finish(seconds) -> how it ended: waits for its own end, even if this run was asked to stop; then ends it */
static int l_finish(lua_State *L) {
    struct handle *h = check_proc(L);
    if (h->ended)
        return push_end(L, &h->end);
    struct sys *s = &h->state->sys;
    struct sys_stop *stop = s->stop;
    int64_t deadline = handle_deadline(L, 2);
    s->stop = NULL;
    int got = proc_reap(s, &h->u.proc, deadline, &h->end);
    s->stop = stop;
    if (got == 0)
        got = proc_stop(s, &h->u.proc, 0, &h->end);
    return after_reap(L, h, got);
}

int handle_signal(lua_State *L, int arg) {
    if (lua_isinteger(L, arg))
        return (int)lua_tointeger(L, arg);
    const char *name = luaL_optstring(L, arg, "TERM");
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (int sig = 1; sig < 32; sig++) {
        const char *known = sigabbrev_np(sig);
        if (known != NULL && strcmp(known, name) == 0)
            return sig;
    }
    return luaL_argerror(L, arg,
                         lua_pushfstring(L, "unknown signal '%s' (TERM, KILL, STOP, CONT, ...)",
                                         name));
}

/* p:kill([signal]) -> true | nil, message, code */
static int l_kill(lua_State *L) {
    struct handle *h = check_proc(L);
    int sig = handle_signal(L, 2);
    int err = proc_signal(&h->state->sys, &h->u.proc, sig);
    if (err < 0)
        return state_fail(L, err, "send signal %d to a process", sig);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_alive(lua_State *L) {
    struct handle *h = check_proc(L);
    struct pollfd p = {.fd = h->u.proc.pidfd, .events = POLLIN};
    struct timespec now = {0, 0};
    lua_pushboolean(L, h->u.proc.pid > 0 && sys_poll(&h->state->sys, &p, 1, &now) == 0);
    return 1;
}

/* p:memory() -> { rss_bytes =, uss_bytes = } | nil, message, code */
static int l_memory(lua_State *L) {
    struct handle *h = check_proc(L);
    int64_t rss = 0, unique = 0;
    int err =
        h->u.proc.pid > 0 ? proc_memory(&h->state->sys, h->u.proc.pid, &rss, &unique) : -ESRCH;
    if (err < 0)
        return state_fail(L, err, "read the memory of a process");
    lua_createtable(L, 0, 2);
    set_count(L, "rss_bytes", rss);
    set_count(L, "uss_bytes", unique);
    return 1;
}

static int l_close(lua_State *L) {
    handle_close(check_proc(L));
    return 0;
}

void bind_proc(lua_State *L) {
    static const luaL_Reg methods[] = {{"pid", l_pid},       {"wait", l_wait},   {"stop", l_stop},
                                       {"finish", l_finish}, {"kill", l_kill},   {"alive", l_alive},
                                       {"memory", l_memory}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"fork", l_fork},
                                         {"fork_with_threads", l_fork_with_threads},
                                         {"children", l_children},
                                         {NULL, NULL}};
    handle_methods(L, HANDLE_PROC, methods);
    luaL_setfuncs(L, functions, 0);
}
