/* handle: see handle.h. */
#include "bind/handle.h"

#include <errno.h>
#include <string.h>

#include "bind/watch.h"
#include "os/ready.h"

static const char magic;
static const char *const kind_names[] = {"rig.queue", "rig.pipe", "rig.process"};
static const char *const plain_names[] = {"queue", "pipe end", "process"};

struct handle *handle_push(lua_State *L, enum handle_kind kind) {
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    h->magic = &magic;
    h->kind = kind;
    h->state = state_get(L);
    h->owner = h->state->sys.pid;
    luaL_setmetatable(L, kind_names[kind]);
    return h;
}

struct handle *handle_test(lua_State *L, int idx) {
    struct handle *h = lua_touserdata(L, idx);
    bool ours = h != NULL && lua_type(L, idx) == LUA_TUSERDATA && lua_rawlen(L, idx) == sizeof *h &&
                h->magic == &magic;
    return ours ? h : NULL;
}

struct handle *handle_check(lua_State *L, int arg, enum handle_kind kind) {
    struct handle *h = handle_test(L, arg);
    if (h == NULL || h->kind != kind)
        luaL_typeerror(L, arg, kind_names[kind]);
    if (!h->open)
        luaL_error(L, "this %s is closed", plain_names[kind]);
    if (h->owner != h->state->sys.pid)
        luaL_error(L,
                   "this %s is not open in this process: give it to rig.fork, as an argument or an "
                   "upvalue of the function",
                   plain_names[kind]);
    return h;
}

static void unlink_queue(struct handle *h) {
    struct handle **at = &h->state->queues;
    while (*at != NULL && *at != h)
        at = &(*at)->next;
    if (*at == h)
        *at = h->next;
}

static void close_proc(struct handle *h) {
    if (h->u.proc.pid > 0 && proc_stop(&h->state->sys, &h->u.proc, 0, &h->end) == 1)
        h->ended = true;
}

void handle_close(struct handle *h) {
    if (h->kind == HANDLE_QUEUE)
        unlink_queue(h);
    if (!h->open || h->owner != h->state->sys.pid)
        return;
    h->open = false;
    switch (h->kind) {
    case HANDLE_QUEUE: queue_close(&h->u.queue); break;
    case HANDLE_STREAM: stream_close(&h->u.stream); break;
    case HANDLE_PROC: close_proc(h); break;
    }
}

static int handle_gc(lua_State *L) {
    handle_close(lua_touserdata(L, 1));
    return 0;
}

static int handle_tostring(lua_State *L) {
    struct handle *h = lua_touserdata(L, 1);
    const char *name = kind_names[h->kind];
    if (h->kind == HANDLE_PROC && h->u.proc.pid > 0)
        lua_pushfstring(L, "%s (pid %d)", name, (int)h->u.proc.pid);
    else
        lua_pushfstring(L, "%s (%s)", name, h->ended ? "ended" : h->open ? "open" : "closed");
    return 1;
}

void handle_methods(lua_State *L, enum handle_kind kind, const luaL_Reg *methods) {
    static const luaL_Reg meta[] = {{"__gc", handle_gc},
                                    {"__close", handle_gc},
                                    {"__tostring", handle_tostring},
                                    {NULL, NULL}};
    luaL_newmetatable(L, kind_names[kind]);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int64_t handle_deadline(lua_State *L, int arg) {
    if (lua_isnoneornil(L, arg))
        return DEADLINE_NEVER;
    lua_Number s = luaL_checknumber(L, arg);
    luaL_argcheck(L, s >= 0, arg, "a time limit must be 0 s or more");
    return clock_deadline((double)s);
}

#define WAIT_MAX 1024

int wait_flushing(struct state *st, struct pollfd *fds, size_t n, int64_t deadline) {
    struct pollfd all[WAIT_MAX];
    if (n > WAIT_MAX / 2)
        return -EINVAL;
    for (;;) {
        size_t m = n;
        if (n > 0)
            memcpy(all, fds, n * sizeof *fds);
        for (struct handle *h = st->queues; h != NULL && m < WAIT_MAX; h = h->next) {
            if (h->owner != st->sys.pid || h->u.queue.outbox.first == NULL)
                continue;
            int got = queue_flush(&h->u.queue);
            if (got == 1)
                all[m++] = (struct pollfd){.fd = queue_waits(&h->u.queue), .events = POLLOUT};
            else if (got < 0)
                return got;
        }
        int64_t look = watch_look(st);
        int got = ready_wait(&st->sys, all, m, look < deadline ? look : deadline);
        if (got < 0 || (got == 0 && deadline <= look))
            return got;
        int mine = 0;
        for (size_t i = 0; i < n; i++) {
            fds[i].revents = all[i].revents;
            mine += all[i].revents != 0;
        }
        if (mine > 0)
            return mine;
    }
}

int wait_one(struct state *st, int fd, short events, int64_t deadline) {
    struct pollfd p = {.fd = fd, .events = events};
    return wait_flushing(st, &p, 1, deadline);
}

/* The search for handles. Stack: the values, then `found` (list) and `seen` (set). */
struct search {
    int found, seen;
    int n;
    int depth;
};

#define TABLE_MAX 256
#define DEPTH_MAX 16

static void search_value(lua_State *L, struct search *s);

static bool mark_seen(lua_State *L, struct search *s) {
    lua_pushvalue(L, -1);
    bool seen = lua_rawget(L, s->seen) != LUA_TNIL;
    lua_pop(L, 1);
    if (!seen) {
        lua_pushvalue(L, -1);
        lua_pushboolean(L, 1);
        lua_rawset(L, s->seen);
    }
    return seen;
}

static void search_table(lua_State *L, struct search *s) {
    int left = TABLE_MAX;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        search_value(L, s);
        lua_pop(L, 1);
        if (--left == 0) {
            lua_pop(L, 1);
            return;
        }
    }
}

static void search_function(lua_State *L, struct search *s) {
    for (int i = 1;; i++) {
        const char *name = lua_getupvalue(L, -1, i);
        if (name == NULL)
            return;
        if (strcmp(name, "_ENV") != 0) /* all of the globals: nobody hands those to a child */
            search_value(L, s);
        lua_pop(L, 1);
    }
}

/* Looks at the value on the top and leaves it there. */
static void search_value(lua_State *L, struct search *s) {
    int type = lua_type(L, -1);
    if (type != LUA_TUSERDATA && type != LUA_TTABLE && type != LUA_TFUNCTION)
        return;
    if (s->depth >= DEPTH_MAX || mark_seen(L, s))
        return;
    luaL_checkstack(L, 8, "looking for handles to keep");
    s->depth++;
    struct handle *h = type == LUA_TUSERDATA ? handle_test(L, -1) : NULL;
    if (h != NULL && h->open && h->owner == h->state->sys.pid && h->kind != HANDLE_PROC) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, s->found, ++s->n);
    } else if (type == LUA_TTABLE) {
        search_table(L, s);
    } else if (type == LUA_TFUNCTION && !lua_iscfunction(L, -1)) {
        search_function(L, s);
    }
    s->depth--;
}

int handle_find(lua_State *L, int first) {
    int last = lua_gettop(L);
    lua_newtable(L);
    lua_newtable(L);
    struct search s = {.found = last + 1, .seen = last + 2};
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); /* modules are not searched */
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -1) == LUA_TTABLE || lua_type(L, -1) == LUA_TFUNCTION)
            mark_seen(L, &s);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    for (int i = first; i <= last; i++) {
        lua_pushvalue(L, i);
        search_value(L, &s);
        lua_pop(L, 1);
    }
    lua_pop(L, 1); /* seen */
    return s.n;
}
