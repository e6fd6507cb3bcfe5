/* bind_watch: core.watch: see watch.h. What workers say about themselves is in an array that they share with the
 * coordinator (the board): a worker's element is not 0 while it is at a task, and is then the time at which that began. */
#include "bind/watch.h"

#include <string.h>

#include "bind/array.h"
#include "bind/handle.h"
#include "bind/open.h"

static const char watch_name[] = "rig.core.watch";

/* A task that ends by itself at the time limit, by a hook in its worker, is given so much to do it. */
#define GRACE_NS NS_PER_S
/* So many looks in the time limit, and not more often than this: each asks the kernel about each worker. */
#define LOOKS   4
#define LOOK_NS (NS_PER_S / 50)

enum fate { AT_LARGE, LATE, STANDS_STILL };

struct watched {
    const struct handle *proc; /* kept alive by the user value; NULL: none yet */
    int64_t still_since_ns;    /* 0: it moves */
    enum fate fate;
};

struct watch {
    struct watch *next; /* in state->watches */
    struct state *state;
    const struct array *board; /* kept alive by the other user value */
    size_t slots, at;          /* of each worker; which one of them has the time */
    int64_t limit_ns, look_ns;
    bool only_still;
    unsigned n;
    struct watched workers[];
};

static int64_t began(const struct watch *w, unsigned i) {
    const int64_t *at = (const int64_t *)w->board->data + i * w->slots + w->at;
    return w->only_still || w->board->block == NULL ? 0 : __atomic_load_n(at, __ATOMIC_RELAXED);
}

/* When this worker is due, as things are; enum fate in *why. */
static int64_t due(struct watch *w, unsigned i, int64_t now, enum fate *why) {
    struct watched *one = &w->workers[i];
    int64_t since = began(w, i);
    if (!proc_stands_still(&w->state->sys, one->proc->u.proc.pid))
        one->still_since_ns = 0;
    else if (one->still_since_ns == 0)
        one->still_since_ns = now;
    *why = since != 0 ? LATE : STANDS_STILL;
    if (since == 0)
        since = one->still_since_ns;
    return since == 0 ? DEADLINE_NEVER : since + w->limit_ns + GRACE_NS;
}

static void look(struct watch *w, int64_t now) {
    int64_t step = w->limit_ns / LOOKS > LOOK_NS ? w->limit_ns / LOOKS : LOOK_NS;
    w->look_ns = now + step;
    for (unsigned i = 0; i < w->n; i++) {
        struct watched *one = &w->workers[i];
        enum fate why;
        if (one->proc == NULL || one->fate != AT_LARGE || one->proc->u.proc.pid <= 0)
            continue;
        int64_t at = due(w, i, now, &why);
        if (at > now) {
            w->look_ns = at < w->look_ns ? at : w->look_ns;
            continue;
        }
        one->fate = why;
        proc_signal(&w->state->sys, &one->proc->u.proc, SIGKILL);
    }
}

int64_t watch_look(struct state *st) {
    int64_t next = DEADLINE_NEVER, now = st->watches != NULL ? clock_now_ns() : 0;
    for (struct watch *w = st->watches; w != NULL; w = w->next) {
        if (w->look_ns <= now)
            look(w, now);
        next = w->look_ns < next ? w->look_ns : next;
    }
    return next;
}

void watch_forget(struct state *st) {
    st->watches = NULL;
}

static void unlink_watch(struct watch *w) {
    struct watch **at = &w->state->watches;
    while (*at != NULL && *at != w)
        at = &(*at)->next;
    if (*at == w)
        *at = w->next;
}

/* core.watch(board, slots, at, seconds, workers) -> watch: element (worker - 1) * slots + at of the board, which is of
 * type i64, has the time; at = nil: only who stands still is ended */
static int l_watch(lua_State *L) {
    struct array *board = array_check(L, 1);
    lua_Integer slots = luaL_checkinteger(L, 2), at = luaL_optinteger(L, 3, 1);
    lua_Number seconds = luaL_checknumber(L, 4);
    lua_Integer n = luaL_checkinteger(L, 5);
    luaL_argcheck(L, board->type == ARRAY_I64, 1, "an array of i64 is wanted");
    luaL_argcheck(L, at >= 1 && at <= slots, 3, "no such slot");
    luaL_argcheck(L, n >= 1 && (size_t)n * (size_t)slots <= board->count, 5,
                  "more than the board has");
    luaL_argcheck(L, seconds > 0 && seconds < 1e9, 4, "a time limit must be more than 0 s");
    struct watch *w = lua_newuserdatauv(L, sizeof *w + (size_t)n * sizeof *w->workers, 2);
    memset(w, 0, sizeof *w + (size_t)n * sizeof *w->workers);
    w->state = state_get(L);
    w->board = board;
    w->slots = (size_t)slots;
    w->at = (size_t)at - 1;
    w->only_still = lua_isnoneornil(L, 3);
    w->limit_ns = (int64_t)(seconds * 1e9);
    w->n = (unsigned)n;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_createtable(L, (int)n, 0);
    lua_setiuservalue(L, -2, 2);
    luaL_setmetatable(L, watch_name);
    w->next = w->state->watches;
    w->state->watches = w;
    return 1;
}

static struct watched *check_worker(lua_State *L, struct watch **w) {
    *w = luaL_checkudata(L, 1, watch_name);
    lua_Integer id = luaL_checkinteger(L, 2);
    luaL_argcheck(L, id >= 1 && id <= (*w)->n, 2, "no such worker");
    return &(*w)->workers[id - 1];
}

/* watch:set(worker, process): it is this one from now on */
static int l_set(lua_State *L) {
    struct watch *w;
    struct watched *one = check_worker(L, &w);
    struct handle *proc = handle_check(L, 3, HANDLE_PROC);
    lua_getiuservalue(L, 1, 2);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, luaL_checkinteger(L, 2));
    *one = (struct watched){.proc = proc};
    return 0;
}

/* watch:fate(worker) -> why it was ended here: "late" (at one task), "still" (stopped), or nil: it was not */
static int l_fate(lua_State *L) {
    static const char *const names[] = {NULL, "late", "still"};
    struct watch *w;
    lua_pushstring(L, names[check_worker(L, &w)->fate]);
    return 1;
}

/* watch:close(): nobody is looked after any more */
static int l_close(lua_State *L) {
    unlink_watch(luaL_checkudata(L, 1, watch_name));
    return 0;
}

void bind_watch(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", l_close}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"set", l_set},
                                       {"fate", l_fate},
                                       {"close", l_close},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"watch", l_watch}, {NULL, NULL}};
    luaL_newmetatable(L, watch_name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
