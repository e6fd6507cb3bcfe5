/* interrupt: see interrupt.h. Lua lets a signal handler call lua_sethook, on the thread that
 * runs; Lua does not say which one that is, so our own resume and wrap keep rig->thread. */
#include "bind/interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <sys/eventfd.h>

#include "bind/open.h"
#include "bind/state.h"
#include "os/fds.h"

/* How many instructions may pass before the hook looks. In a script, none: it may catch the error
 * and go on, and must not come far. In rig's own Lua many: that is ending the run and has to. */
#define LOOK_SCRIPT 1
#define LOOK_OWN    1000

static void on_hook(lua_State *L, lua_Debug *ar) {
    struct rig *rig = host_get(L);
    int signo = rig->state->stop.signo;
    if (signo == 0 || rig->hold_scripts) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    lua_getinfo(L, "S", ar);
    if (embed_owns(ar->source)) {
        lua_sethook(L, on_hook, LUA_MASKCOUNT, LOOK_OWN);
        return;
    }
    lua_sethook(L, on_hook, LUA_MASKCOUNT, LOOK_SCRIPT);
    luaL_where(L, 0);
    lua_pushfstring(L, "interrupted by signal %d", signo);
    lua_concat(L, 2);
    lua_error(L);
}

static void hook(lua_State *L) {
    lua_sethook(L, on_hook, LUA_MASKCOUNT, LOOK_SCRIPT);
}

void interrupt_raise(struct rig *rig, int signo) {
    struct state *st = rig->state;
    if (st == NULL || signo <= 0)
        return;
    rig->hold_scripts = 0;
    if (st->stop.signo == 0)
        st->stop.signo = signo;
    if (st->stop.fd >= 0) {
        uint64_t one = 1;
        /* Past the counters: they are not made for being changed in the middle of a change. It
         * cannot block: at worst the descriptor is readable already. */
        int saved = errno;
        st->sys.table->write(st->stop.fd, &one, sizeof one);
        errno = saved;
    }
    hook(rig->thread);
}

void interrupt_clear(struct rig *rig) {
    struct state *st = rig->state;
    uint64_t count;
    if (st->stop.signo == 0)
        return;
    sys_read(&st->sys, st->stop.fd, &count, sizeof count);
    rig->hold_scripts = 0;
    st->stop.signo = 0;
    lua_sethook(rig->L, NULL, 0, 0); /* a coroutine's hook removes itself when it next runs */
}

/* Runs `co` with the `nargs` values on its top and keeps rig->thread right. Returns how many
 * results are on co's top, or -1 and an error value there. */
static int resume(lua_State *L, lua_State *co, int nargs) {
    struct rig *rig = lua_touserdata(L, lua_upvalueindex(1));
    int n;
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(co, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, nargs);
    lua_State *outer = rig->thread;
    rig->thread = co;
    if (rig->state->stop.signo != 0 && !rig->hold_scripts)
        hook(co); /* the signal came before it ran */
    int status = lua_resume(co, L, nargs, &n);
    rig->thread = outer;
    if (rig->state->stop.signo != 0 && !rig->hold_scripts)
        hook(L); /* the signal came while `co` ran and reached only that */
    if (status != LUA_OK && status != LUA_YIELD)
        return -1;
    if (!lua_checkstack(L, n + 1)) {
        lua_pop(co, n);
        lua_pushliteral(co, "too many results to resume");
        return -1;
    }
    return n;
}

static int l_resume(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co != NULL, 1, "coroutine");
    if (co == L) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "cannot resume non-suspended coroutine");
        return 2;
    }
    int n = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, n >= 0);
    if (n < 0)
        n = 1;
    lua_xmove(co, L, n);
    return n + 1;
}

static int call_wrapped(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));
    int n = resume(L, co, lua_gettop(L));
    if (n >= 0) {
        lua_xmove(co, L, n);
        return n;
    }
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD)
        lua_resetthread(
            co); /* closes its variables; the error value stays, or another takes its place */
    lua_xmove(co, L, 1);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1); /* where the generator was called: its own position is in the message */
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int l_wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, call_wrapped, 2);
    return 1;
}

static void replace(lua_State *L, struct rig *rig, const char *name, lua_CFunction f) {
    lua_pushlightuserdata(L, rig);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

int interrupt_install(lua_State *L, struct rig *rig) {
    struct state *st = rig->state;
    lua_getglobal(L, "coroutine");
    replace(L, rig, "resume", l_resume);
    replace(L, rig, "wrap", l_wrap);
    lua_pop(L, 1);
    st->stop = (struct sys_stop){.signo = 0, .fd = -1};
    int fd = fds_own(&st->sys, sys_eventfd(&st->sys, EFD_NONBLOCK));
    if (fd < 0)
        return fd;
    st->stop.fd = fd;
    st->sys.stop = &st->stop;
    return 0;
}

void interrupt_remove(struct rig *rig) {
    struct state *st = rig->state;
    if (st->sys.stop == NULL) /* never installed, or in a child, which has closed it */
        return;
    st->sys.stop = NULL;
    fds_close(&st->sys, &st->stop.fd);
}
