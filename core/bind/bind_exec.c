/* bind_exec: rig.exec: runs a command, feeds it, collects what it writes, measures it, and ends it at its
 * deadline. The command leads its own process group and ends when we do. parse="json" is done in Lua. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "bind/handle.h"
#include "bind/open.h"
#include "os/fds.h"
#include "os/pipe.h"

#define ARGS_MAX   4096
#define OUTPUT_MAX ((size_t)1 << 30)

/* A running command; a userdata, so that an error raised in between leaves nothing. */
struct command {
    struct state *state;
    pid_t owner;
    struct proc proc;
    int in, out[2]; /* our ends: its stdin, stdout and stderr; -1: none or done */
    int theirs[3];
    struct buf text[2];
    const char *input;
    size_t input_len;
    int64_t started_ns;
    struct proc_end end;
    bool reaped, timed_out;
};

static const char command_name[] = "rig.command";

static void close_ends(struct command *c) {
    struct sys *s = &c->state->sys;
    fds_close(s, &c->in);
    fds_close(s, &c->out[0]);
    fds_close(s, &c->out[1]);
    for (int i = 0; i < 3; i++)
        fds_close(s, &c->theirs[i]);
}

static int command_gc(lua_State *L) {
    struct command *c = luaL_checkudata(L, 1, command_name);
    if (c->owner != c->state->sys.pid)
        return 0;
    if (c->proc.pid > 0)
        /* asked to stop: so is it, and may tidy up */
        proc_stop(&c->state->sys, &c->proc, c->state->stop.signo != 0 ? NS_PER_S : 0, NULL);
    close_ends(c);
    buf_free(&c->text[0]);
    buf_free(&c->text[1]);
    return 0;
}

static struct command *push_command(lua_State *L) {
    struct command *c = lua_newuserdatauv(L, sizeof *c, 1);
    memset(c, 0, sizeof *c);
    c->state = state_get(L);
    c->owner = c->state->sys.pid;
    c->proc = PROC_NONE;
    c->in = c->out[0] = c->out[1] = -1;
    c->theirs[0] = c->theirs[1] = c->theirs[2] = -1;
    buf_init(&c->text[0], &c->state->sys);
    buf_init(&c->text[1], &c->state->sys);
    luaL_setmetatable(L, command_name);
    return c;
}

/* Strings of the list part of the table at 1, as a NULL-terminated array kept by a userdata that is
 * left on the stack. */
static char **push_argv(lua_State *L, int table, bool pairs) {
    lua_Integer n = luaL_len(L, table);
    luaL_argcheck(L, n <= ARGS_MAX, 1, "at most 4096 arguments");
    char **argv = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *argv, 1);
    lua_newtable(L); /* keeps numbers that became strings */
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, table, i + 1);
        if (!lua_isstring(L, -1))
            luaL_error(L, "exec: %s %d is a %s, it must be a string",
                       pairs ? "variable" : "argument", (int)i + 1, luaL_typename(L, -1));
        argv[i] = (char *)(uintptr_t)lua_tostring(L, -1);
        lua_rawseti(L, -2, i + 1);
    }
    argv[n] = NULL;
    lua_setiuservalue(L, -2, 1);
    return argv;
}

static int open_stdio(struct command *c) {
    struct sys *s = &c->state->sys;
    int fds[2];
    if (c->input != NULL) {
        int err = pipe_open(s, fds, 0);
        if (err < 0)
            return err;
        c->theirs[0] = fds[0];
        c->in = fds[1];
        fd_set_blocking(s, c->in, false);
    } else {
        c->theirs[0] = fds_own(s, sys_open(s, "/dev/null", O_RDONLY, 0));
        if (c->theirs[0] < 0)
            return c->theirs[0];
    }
    for (int i = 0; i < 2; i++) {
        int err = pipe_open(s, fds, 0);
        if (err < 0)
            return err;
        c->out[i] = fds[0];
        c->theirs[i + 1] = fds[1];
        fd_set_blocking(s, c->out[i], false);
    }
    return 0;
}

static int collect(struct command *c, int i) {
    uint8_t bytes[65536];
    ssize_t got = fd_read_some(&c->state->sys, c->out[i], bytes, sizeof bytes);
    if (got == -EAGAIN)
        return 0;
    if (got <= 0)
        fds_close(&c->state->sys, &c->out[i]);
    else if (buf_size(&c->text[i]) + (size_t)got > OUTPUT_MAX)
        return -EFBIG;
    else
        return buf_add(&c->text[i], bytes, (size_t)got);
    return 0;
}

/* What it had written until it was ended. Somebody who left its group may hold the outputs open for ever. */
static int collect_rest(struct command *c) {
    for (int i = 0; i < 2; i++) {
        for (size_t before = SIZE_MAX; c->out[i] >= 0 && before != c->text[i].len;) {
            before = c->text[i].len;
            int err = collect(c, i);
            if (err < 0)
                return err;
        }
        fds_close(&c->state->sys, &c->out[i]);
    }
    return 0;
}

static void feed(struct command *c) {
    struct iovec iov = {.iov_base = (void *)(uintptr_t)c->input, .iov_len = c->input_len};
    ssize_t put = c->input_len > 0 ? fd_write_some(&c->state->sys, c->in, FD_PIPE, &iov, 1) : 0;
    if (put > 0) {
        c->input += put;
        c->input_len -= (size_t)put;
    }
    if (c->input_len == 0 || (put < 0 && put != -EAGAIN))
        fds_close(&c->state->sys, &c->in);
}

/* Until it has ended and closed its outputs. A process that it leaves behind with them open is in its
 * group, and goes when it is reaped. */
static int converse(struct command *c, int64_t deadline) {
    struct state *st = c->state;
    while (!c->reaped || c->out[0] >= 0 || c->out[1] >= 0) {
        struct pollfd p[4] = {{.fd = c->reaped ? -1 : c->proc.pidfd, .events = POLLIN},
                              {.fd = c->out[0], .events = POLLIN},
                              {.fd = c->out[1], .events = POLLIN},
                              {.fd = c->in, .events = POLLOUT}};
        int got = wait_flushing(st, p, 4, deadline);
        if (got < 0)
            return got;
        if (got == 0) {
            c->timed_out = true;
            if (!c->reaped)
                proc_stop(&st->sys, &c->proc, NS_PER_S / 5, &c->end);
            c->reaped = true;
            return collect_rest(c);
        }
        int err = 0;
        for (int i = 0; i < 2 && err == 0; i++)
            err = c->out[i] >= 0 && p[i + 1].revents != 0 ? collect(c, i) : 0;
        if (err < 0)
            return err;
        if (c->in >= 0 && p[3].revents != 0)
            feed(c);
        if (!c->reaped && p[0].revents != 0) {
            err = proc_reap(&st->sys, &c->proc, DEADLINE_NEVER, &c->end);
            if (err < 0)
                return err;
            c->reaped = true;
        }
    }
    return 0;
}

static void set_int(lua_State *L, const char *name, int64_t v) {
    lua_pushinteger(L, v);
    lua_setfield(L, -2, name);
}

static void set_seconds(lua_State *L, const char *name, int64_t ns) {
    lua_pushnumber(L, (lua_Number)ns / 1e9);
    lua_setfield(L, -2, name);
}

static void push_result(lua_State *L, const struct command *c, int64_t wall_ns) {
    static const char *const names[] = {"stdout", "stderr"};
    lua_createtable(L, 0, 10);
    if (c->end.signal != 0)
        set_int(L, "signal", c->end.signal);
    else
        set_int(L, "status", c->end.exit_code);
    for (int i = 0; i < 2; i++) {
        lua_pushlstring(L, c->text[i].data ? (const char *)c->text[i].data : "", c->text[i].len);
        lua_setfield(L, -2, names[i]);
    }
    set_seconds(L, "wall_s", wall_ns);
    set_seconds(L, "user_s", c->end.user_ns);
    set_seconds(L, "sys_s", c->end.sys_ns);
    set_int(L, "peak_rss_bytes", c->end.peak_rss_bytes);
}

static const char *text_field(lua_State *L, const char *name, size_t *n) {
    int type = lua_getfield(L, 1, name);
    if (type != LUA_TNIL && type != LUA_TSTRING)
        luaL_error(L, "exec: %s is a %s, it must be a string", name, lua_typename(L, type));
    const char *text = lua_tolstring(L, -1, n);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static int64_t timeout_field(lua_State *L) {
    lua_getfield(L, 1, "timeout");
    int64_t deadline = handle_deadline(L, -1);
    lua_pop(L, 1);
    return deadline;
}

static char **env_field(lua_State *L) {
    if (lua_getfield(L, 1, "env") == LUA_TNIL)
        return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    return push_argv(L, lua_gettop(L), true);
}

/* exec{ "command", "argument", ..., stdin =, timeout = seconds, cwd =, env = { "NAME=value", ... } }
 * -> { status or signal, stdout, stderr, wall_s, user_s, sys_s, peak_rss_bytes } | nil, message, code
 * (ETIMEDOUT: it was ended, the table comes as a fourth value) */
static int l_exec(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct command *c = push_command(L);
    char **argv = push_argv(L, 1, false);
    luaL_argcheck(L, argv[0] != NULL, 1, "a command is wanted");
    struct proc_command what = {.argv = argv, .cwd = text_field(L, "cwd", NULL)};
    c->input = text_field(L, "stdin", &c->input_len);
    int64_t deadline = timeout_field(L);
    what.envp = env_field(L);
    int err = open_stdio(c);
    memcpy(what.stdio, c->theirs, sizeof what.stdio);
    c->started_ns = clock_now_ns();
    if (err == 0)
        err = proc_exec(&c->state->sys, &c->proc, &what);
    if (err < 0) {
        close_ends(c);
        return state_fail(L, err, "run '%s'", argv[0]);
    }
    for (int i = 0; i < 3; i++)
        fds_close(&c->state->sys, &c->theirs[i]);
    err = converse(c, deadline);
    int64_t wall_ns = clock_now_ns() - c->started_ns;
    fds_close(&c->state->sys, &c->in);
    if (err < 0) {
        lua_pushcfunction(L, command_gc);
        lua_pushvalue(L, 2);
        lua_call(L, 1, 0);
        return state_fail(L, err, "run '%s'", argv[0]);
    }
    int n = c->timed_out ? state_fail(L, -ETIMEDOUT, "run '%s'", argv[0]) : 0;
    push_result(L, c, wall_ns);
    buf_free(&c->text[0]);
    buf_free(&c->text[1]);
    return n + 1;
}

void bind_exec(lua_State *L) {
    static const luaL_Reg functions[] = {{"exec", l_exec}, {NULL, NULL}};
    luaL_newmetatable(L, command_name);
    lua_pushcfunction(L, command_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
