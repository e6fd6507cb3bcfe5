/* bind_pipe: rig.pipe and rig.socketpair: ends that carry bytes (read, write, read_into) or Lua values
 * (get, put). Both wait; while they do, what waits in queues goes out. */
#include <errno.h>
#include <string.h>

#include "bind/array.h"
#include "bind/codec.h"
#include "bind/handle.h"
#include "bind/open.h"
#include "bind/value.h"

#define PIPE_CAPACITY ((size_t)1 << 20)
#define SOCKET_BUFFER ((size_t)4 << 20)

static void open_end(struct handle *h, int in, int out, enum fd_type type) {
    struct sys *s = &h->state->sys;
    stream_init(&h->u.stream, s, in, out, type);
    if (in >= 0)
        fd_set_blocking(s, in, false);
    if (out >= 0)
        fd_set_blocking(s, out, false);
    h->open = true;
}

/* rig.pipe([capacity]) -> reader, writer | nil, message, code */
static int l_pipe(lua_State *L) {
    lua_Integer capacity = luaL_optinteger(L, 1, (lua_Integer)PIPE_CAPACITY);
    luaL_argcheck(L, capacity > 0 && capacity < INT32_MAX, 1,
                  "the capacity must be 1 to 2^31 bytes");
    struct handle *r = handle_push(L, HANDLE_STREAM), *w = handle_push(L, HANDLE_STREAM);
    int fds[2];
    int err = pipe_open(&r->state->sys, fds, (size_t)capacity);
    if (err < 0)
        return state_fail(L, err, "make a pipe");
    open_end(r, fds[0], -1, FD_PIPE);
    open_end(w, -1, fds[1], FD_PIPE);
    return 2;
}

/* rig.socketpair() -> one end, other end | nil, message, code */
static int l_socketpair(lua_State *L) {
    struct handle *a = handle_push(L, HANDLE_STREAM), *b = handle_push(L, HANDLE_STREAM);
    int fds[2];
    int err = socket_open(&a->state->sys, SOCK_STREAM, fds, SOCKET_BUFFER);
    if (err < 0)
        return state_fail(L, err, "make a socket pair");
    open_end(a, fds[0], fds[0], FD_SOCKET);
    open_end(b, fds[1], fds[1], FD_SOCKET);
    return 2;
}

static struct handle *check_end(lua_State *L, bool reads) {
    struct handle *h = handle_check(L, 1, HANDLE_STREAM);
    int fd = reads ? h->u.stream.in : h->u.stream.out;
    luaL_argcheck(L, fd >= 0, 1, reads ? "this end only writes" : "this end only reads");
    return h;
}

static int timed_out(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "timed out: nothing came through the pipe");
    lua_pushliteral(L, "ETIMEDOUT");
    return 3;
}

static int read_failed(lua_State *L, int err) {
    if (err == 0)
        return timed_out(L);
    if (err != -EPIPE)
        return state_fail(L, err, "read from a pipe");
    lua_pushnil(L);
    lua_pushliteral(L, "the other end is closed");
    lua_pushliteral(L, "EPIPE");
    return 3;
}

/* Up to n bytes once there are any: the number, 0 at the deadline, -errno. */
static ssize_t read_wait(struct handle *h, void *to, size_t n, int64_t deadline) {
    for (;;) {
        ssize_t got = stream_read(&h->u.stream, to, n);
        if (got != -EAGAIN)
            return got;
        int ready = wait_one(h->state, h->u.stream.in, POLLIN, deadline);
        if (ready <= 0)
            return ready;
    }
}

/* r:read(n | "a" [, seconds]) -> string of n bytes, or all until the other end closes; fewer only if it
 * closes | nil, message, code, what had come until then */
static int l_read(lua_State *L) {
    struct handle *h = check_end(L, true);
    bool all = lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "a") == 0;
    lua_Integer want = all ? LUA_MAXINTEGER : luaL_checkinteger(L, 2);
    int64_t deadline = handle_deadline(L, 3);
    luaL_argcheck(L, want > 0, 2, "the number of bytes must be 1 or more");
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    lua_Integer have = 0;
    while (have < want) {
        lua_Integer n = want - have < 65536 ? want - have : 65536;
        ssize_t got = read_wait(h, luaL_prepbuffsize(&b, (size_t)n), (size_t)n, deadline);
        if (got == -EPIPE && (have > 0 || all))
            break;
        if (got <= 0) {
            luaL_pushresult(&b); /* what had come is not lost: it is the fourth value */
            int pushed = read_failed(L, (int)got);
            lua_pushvalue(L, -1 - pushed);
            return pushed + 1;
        }
        luaL_addsize(&b, (size_t)got);
        have += got;
    }
    luaL_pushresult(&b);
    return 1;
}

/* r:read_into(array [, seconds]) -> bytes read (fewer than the array's only if the other end closes) */
static int l_read_into(lua_State *L) {
    struct handle *h = check_end(L, true);
    struct array *a = array_check_writable(L, 2);
    int64_t deadline = handle_deadline(L, 3);
    size_t have = 0, want = array_bytes(a);
    while (have < want) {
        ssize_t got = read_wait(h, a->data + have, want - have, deadline);
        if (got == -EPIPE && have > 0)
            break;
        if (got <= 0)
            return read_failed(L, (int)got);
        have += (size_t)got;
    }
    lua_pushinteger(L, (lua_Integer)have);
    return 1;
}

static int write_failed(lua_State *L, int err) {
    if (err != -EPIPE && err != -ECONNRESET)
        return state_fail(L, err, "write to a pipe");
    lua_pushnil(L);
    lua_pushliteral(L, "the other end is closed");
    lua_pushliteral(L, "EPIPE");
    return 3;
}

/* w:write(string | array) -> true | nil, message, code */
static int l_write(lua_State *L) {
    struct handle *h = check_end(L, false);
    struct stream *st = &h->u.stream;
    const struct array *a = array_test(L, 2);
    size_t n;
    const char *bytes =
        a != NULL ? (const char *)array_check(L, 2)->data : luaL_checklstring(L, 2, &n);
    if (a != NULL)
        n = array_bytes(a);
    while (n > 0) {
        struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
        ssize_t put = fd_write_some(&h->state->sys, st->out, st->type, &iov, 1);
        if (put == -EAGAIN)
            put = wait_one(h->state, st->out, POLLOUT, DEADLINE_NEVER) < 0 ? -ECANCELED : 0;
        if (put < 0)
            return write_failed(L, (int)put);
        bytes += put;
        n -= (size_t)put;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* w:put(value) -> true | nil, message, code; returns when the value is out */
static int l_put(lua_State *L) {
    struct handle *h = check_end(L, false);
    struct stream *st = &h->u.stream;
    luaL_checkany(L, 2);
    stream_send(st, value_message(L, 2, "value"));
    int got;
    while ((got = stream_flush(st)) == 1)
        if ((got = wait_one(h->state, st->out, POLLOUT, DEADLINE_NEVER)) < 0)
            break;
    if (got < 0) {
        outbox_free(&st->outbox);
        return write_failed(L, got);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* r:get([seconds]) -> value | nil, message, code */
static int l_get(lua_State *L) {
    struct handle *h = check_end(L, true);
    int64_t deadline = handle_deadline(L, 2);
    struct received r;
    for (;;) {
        int got = stream_receive(&h->u.stream, &r);
        if (got == 1)
            return value_push(L, &r, "pipe");
        if (got == 0 || got == -EAGAIN)
            got = wait_one(h->state, h->u.stream.in, POLLIN, deadline);
        if (got <= 0)
            return read_failed(L, got);
    }
}

/* r:traffic() -> messages in, messages out, bytes in, bytes out, of this process; values only */
static int l_traffic(lua_State *L) {
    const struct stream *st = &handle_check(L, 1, HANDLE_STREAM)->u.stream;
    lua_pushinteger(L, (lua_Integer)st->messages_in);
    lua_pushinteger(L, (lua_Integer)st->messages_out);
    lua_pushinteger(L, (lua_Integer)st->bytes_in);
    lua_pushinteger(L, (lua_Integer)st->bytes_out);
    return 4;
}

static int l_close(lua_State *L) {
    struct handle *h = handle_test(L, 1);
    if (h == NULL || h->kind != HANDLE_STREAM)
        return luaL_typeerror(L, 1, "rig.pipe");
    handle_close(h);
    return 0;
}

/* Where to look for what is readable: a process's end, a queue, a pipe end. */
static int poll_fd(lua_State *L, int arg, int idx, struct handle **out) {
    struct handle *h = handle_test(L, idx);
    bool usable = h != NULL && h->open && h->owner == h->state->sys.pid;
    if (h != NULL && h->kind == HANDLE_PROC && h->ended)
        usable = true;
    luaL_argcheck(L, usable, arg, "a list of open queues, pipe ends and processes is wanted");
    *out = h;
    return h->kind == HANDLE_QUEUE    ? h->u.queue.in
           : h->kind == HANDLE_STREAM ? h->u.stream.in
                                      : h->u.proc.pidfd;
}

static bool ready_already(const struct handle *h) {
    return (h->kind == HANDLE_PROC && h->ended) ||
           (h->kind == HANDLE_STREAM && stream_has_ahead(&h->u.stream));
}

#define POLL_MAX 512

/* What l_poll waits for: a handle may have several descriptors. */
struct poll_set {
    struct pollfd fds[POLL_MAX];
    short owner[POLL_MAX]; /* index of the handle in the list, from 0 */
    size_t n;
};

static void poll_add(lua_State *L, struct poll_set *set, struct handle *h, int fd, short owner) {
    luaL_argcheck(L, set->n < POLL_MAX / 2, 1, "at most 256 handles");
    set->fds[set->n] = (struct pollfd){.fd = fd, .events = POLLIN};
    set->owner[set->n++] = owner;
    if (h->kind != HANDLE_QUEUE)
        return;
    /* Large messages under way come through streams of their own. */
    size_t parts = queue_part_fds(&h->u.queue, set->fds + set->n, POLL_MAX / 2);
    for (size_t i = 0; i < parts && set->n < POLL_MAX / 2; i++)
        set->owner[set->n++] = owner;
}

/* rig.poll(handles [, seconds]) -> list of those that are ready, empty at the deadline | nil, message,
 * code. Ready: a queue or pipe end with something to get (of a large value perhaps only a part: get
 * with a time limit then), a process that has ended. */
static int l_poll(lua_State *L) {
    struct poll_set set = {.n = 0};
    bool ready[POLL_MAX] = {false};
    luaL_checktype(L, 1, LUA_TTABLE);
    struct state *st = state_get(L);
    int64_t deadline = handle_deadline(L, 2);
    lua_Integer n = luaL_len(L, 1);
    luaL_argcheck(L, n <= POLL_MAX / 2, 1, "at most 256 handles");
    for (lua_Integer i = 0; i < n; i++) {
        struct handle *h;
        lua_rawgeti(L, 1, i + 1);
        int fd = poll_fd(L, 1, -1, &h);
        poll_add(L, &set, h, fd, (short)i);
        ready[i] = ready_already(h);
        if (ready[i])
            deadline = clock_now_ns();
        lua_pop(L, 1);
    }
    luaL_argcheck(L, n > 0 || deadline != DEADLINE_NEVER, 1,
                  "nothing to wait for, and no time limit");
    int got = wait_flushing(st, set.fds, set.n, deadline);
    if (got < 0)
        return state_fail(L, got, "wait for %d handles", (int)n);
    for (size_t i = 0; i < set.n; i++)
        ready[set.owner[i]] |= set.fds[i].revents != 0;
    lua_createtable(L, got, 0);
    lua_Integer at = 0;
    for (lua_Integer i = 0; i < n; i++) {
        if (!ready[i])
            continue;
        lua_rawgeti(L, 1, i + 1);
        lua_rawseti(L, -2, ++at);
    }
    return 1;
}

void bind_pipe(lua_State *L) {
    static const luaL_Reg methods[] = {{"read", l_read},   {"read_into", l_read_into},
                                       {"write", l_write}, {"put", l_put},
                                       {"get", l_get},     {"traffic", l_traffic},
                                       {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"pipe", l_pipe},
                                         {"socketpair", l_socketpair},
                                         {"poll", l_poll},
                                         {NULL, NULL}};
    handle_methods(L, HANDLE_STREAM, methods);
    luaL_setfuncs(L, functions, 0);
}
