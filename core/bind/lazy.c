/* lazy: maps whose results are taken one by one, while items are asked for only as they are: imap. What is
 * under way is bounded in items and in bytes, so neither a source without end nor a slow consumer fills
 * the memory. */
#include <errno.h>
#include <string.h>

#include "bind/items.h"
#include "bind/worker_side.h"

static const char lazy_name[] = "rig.core.lazy";

/* Upvalues of the iterator. */
enum { UP_LAZY = 1, UP_RAISE };
/* User values. */
enum { HAS_POOL = 1, HAS_ITEMS };
/* Stack of the iterator while it waits. */
enum { AT_ITEMS = 1 };

enum arrival { ARRIVED_NOT, ARRIVED_INTEGER, ARRIVED_VALUE, ARRIVED_FAILURE };

/* A result that waits to be taken. Unless it is an integer its value is in the table `results`, at the same
 * place. */
struct place {
    uint64_t task;
    int64_t integer;
    uint32_t len; /* UINT32_MAX: or more */
    enum arrival arrival;
};

struct lazy {
    struct batch *batch; /* NULL: it has come to its end */
    struct bind_pool *b;
    struct items items;
    int error;   /* registry reference: what the items' iterator raised */
    int results; /* registry reference: they may come while somebody else waits */
    bool ordered;
    bool turning;    /* inside its own turn, in which items are asked for */
    uint32_t ahead;  /* tasks asked for and not taken, at most */
    uint32_t window; /* as many or a few more, a power of two: places */
    size_t most_bytes;
    uint64_t taken, arrived;         /* tasks */
    int64_t turned_ns;               /* when the pool was last looked after */
    size_t held_bytes;               /* of results that wait */
    double item_bytes, result_bytes; /* of one, about */
    struct place *places;
};

/* About as many bytes as the largest of the last ones. */
static void learn_bytes(double *about, size_t len) {
    double now = (double)len;
    *about = now > *about ? now : *about + (now - *about) / 64;
}

static bool has_room(const struct lazy *z) {
    uint64_t asked = batch_account(z->batch)->n, out = pool_under_way(z->batch);
    if (asked - z->taken >= z->ahead)
        return false;
    unsigned workers = batch_account(z->batch)->workers;
    if (asked - z->taken < workers)
        return true;
    if (z->arrived == 0) /* how large results are is not known yet */
        return out < 2 * (uint64_t)workers;
    double each = z->item_bytes > z->result_bytes ? z->item_bytes : z->result_bytes;
    return (double)z->held_bytes + (double)(out + 1) * each < (double)z->most_bytes;
}

static int next_item(void *ctx, struct buf *out) {
    struct lazy *z = ctx;
    if (!has_room(z))
        return POOL_LATER;
    size_t before = buf_size(out);
    int got = items_next(&z->items, z->b, out);
    if (got == POOL_ITEM)
        learn_bytes(&z->item_bytes, buf_size(out) - before);
    if (got < 0 && z->items.raised) { /* comes after the results of the items before it */
        z->error = luaL_ref(z->b->job.L, LUA_REGISTRYINDEX);
        return POOL_NO_ITEM;
    }
    return got;
}

static int take_result(void *ctx, const struct outcome *o, const uint8_t *value, size_t len,
                       struct block *owner) {
    struct lazy *z = ctx;
    lua_State *L = z->b->job.L;
    size_t used;
    if (o->retried)
        return 0;
    uint64_t n = z->ordered ? o->task : z->arrived;
    struct place *place = &z->places[n % z->window];
    bool ok = o->kind == OUTCOME_OK;
    *place = (struct place){.task = o->task, .len = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX};
    if (ok && codec_read_integer(value, len, &place->integer) > 0) {
        place->arrival = ARRIVED_INTEGER;
    } else {
        if (!ok)
            push_failure(L, o);
        else if (codec_decode(L, value, len, owner, &used) < 0)
            return -EBADMSG;
        lua_rawgeti(L, LUA_REGISTRYINDEX, z->results);
        lua_insert(L, -2);
        lua_rawseti(L, -2, (lua_Integer)(n % z->window) + 1);
        lua_pop(L, 1);
        place->arrival = ok ? ARRIVED_VALUE : ARRIVED_FAILURE;
    }
    z->held_bytes += place->len;
    z->arrived++;
    learn_bytes(&z->result_bytes, len);
    return 0;
}

/* ---- the iterator ------------------------------------------------------------------------------------ */

static struct lazy *lazy_at(lua_State *L, int idx) {
    return luaL_checkudata(L, idx, lazy_name);
}

/* Gives the batch up. */
static void stop(lua_State *L, struct lazy *z) {
    if (z->batch != NULL && z->b->pool != NULL && z->b->owner == z->b->job.state->sys.pid)
        pool_end(z->batch);
    z->batch = NULL;
    sys_free(z->places);
    z->places = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, z->results);
    z->results = LUA_NOREF;
}

static int turn(struct lazy *z, int64_t deadline) {
    z->b->busy = z->turning = true;
    int err = pool_turn(z->batch, deadline);
    z->b->busy = z->turning = false;
    z->turned_ns = clock_now_ns();
    return err;
}

/* Until a result can be taken: 1, 0 when all have been, -errno. */
static int wait_for_one(struct lazy *z) {
    const struct account *a = batch_account(z->batch);
    while (z->places[z->taken % z->window].arrival == ARRIVED_NOT) {
        int err = turn(z, DEADLINE_NEVER);
        if (err < 0)
            return err;
        if (err == 1 && z->taken == a->n)
            return 0;
    }
    return 1;
}

/* Pushes the number of the item and its value; raises for one that failed, after which the next call goes on. */
static int give_one(lua_State *L, struct lazy *z) {
    lua_Integer at = (lua_Integer)(z->taken % z->window) + 1;
    struct place *place = &z->places[z->taken % z->window];
    struct place got = *place;
    place->arrival = ARRIVED_NOT;
    z->taken++;
    z->held_bytes -= got.len;
    if (got.arrival == ARRIVED_INTEGER) {
        lua_pushinteger(L, (lua_Integer)got.task + 1);
        lua_pushinteger(L, got.integer);
        return 2;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, z->results);
    lua_pushinteger(L, (lua_Integer)got.task + 1);
    lua_rawgeti(L, -2, at);
    lua_pushnil(L);
    lua_rawseti(L, -4, at);
    if (got.arrival == ARRIVED_VALUE)
        return 2;
    lua_pushvalue(L, lua_upvalueindex(UP_RAISE));
    lua_insert(L, -2);
    lua_call(L, 1, 0);
    return luaL_error(L, "a task failed");
}

/* While results wait to be taken, workers must not run dry: now and then they are looked after. */
#define LOOK_NS    50000
#define LOOK_EVERY 16

static bool is_due(const struct lazy *z) {
    return (z->taken % LOOK_EVERY == 0 || z->window <= 4 * LOOK_EVERY) &&
           clock_now_ns() - z->turned_ns > LOOK_NS;
}

/* Raises for what went wrong, or gives nothing: the end. */
static int end(lua_State *L, struct lazy *z, int err) {
    struct bind_pool *b = z->b;
    stop(L, z);
    if (z->items.raised) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, z->error);
        luaL_unref(L, LUA_REGISTRYINDEX, z->error);
        z->error = LUA_NOREF;
        z->items.raised = false;
        return lua_error(L);
    }
    if (err == 0)
        return 0;
    bind_pool_fail(L, b, err);
    return luaL_error(L, "%s", lua_tostring(L, -2));
}

static int l_next(lua_State *L) {
    struct lazy *z = lua_touserdata(L, lua_upvalueindex(UP_LAZY)); /* nobody else can call this */
    lua_settop(L, 0);
    if (z->batch == NULL)
        return 0;
    bool waits = z->places[z->taken % z->window].arrival == ARRIVED_NOT;
    if (waits || z->b->pool == NULL || is_due(z)) {
        side_reserve(L);
        lua_getiuservalue(L, lua_upvalueindex(UP_LAZY), HAS_ITEMS);
        lua_getiuservalue(L, lua_upvalueindex(UP_LAZY), HAS_POOL);
        bind_pool_at(L, 2);
        lua_settop(L, AT_ITEMS);
        int got = waits ? wait_for_one(z) : turn(z, clock_now_ns());
        if (got < 0 || (waits && got == 0))
            return end(L, z, got);
    }
    return give_one(L, z);
}

static uint32_t window_of(lua_Integer items) {
    uint32_t n = 1;
    while (n < items && n < UINT32_C(1) << 24)
        n *= 2;
    return n;
}

/* pool:lazy(items, ordered, items under way, bytes under way, raise)
 * -> iterator, handle | nil, message, code */
static int l_lazy(lua_State *L) {
    struct bind_pool *b = bind_pool_check(L);
    struct pool_io io = {.next = next_item, .take = take_result};
    struct items items;
    items_check(L, 2, &items);
    lua_Integer ahead = luaL_checkinteger(L, 4);
    uint32_t window = window_of(ahead);
    lua_Integer bytes = luaL_checkinteger(L, 5);
    luaL_checktype(L, 6, LUA_TFUNCTION);
    lua_settop(L, 6);
    struct lazy *z = lua_newuserdatauv(L, sizeof *z, 2);
    *z = (struct lazy){.b = b,
                       .items = items,
                       .results = LUA_NOREF,
                       .error = LUA_NOREF,
                       .ordered = lua_toboolean(L, 3),
                       .ahead = ahead < 1        ? 1
                                : ahead < window ? (uint32_t)ahead
                                                 : window,
                       .window = window,
                       .most_bytes = bytes > 0 ? (size_t)bytes : SIZE_MAX};
    z->items.at = AT_ITEMS;
    luaL_setmetatable(L, lazy_name);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, HAS_POOL);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, HAS_ITEMS);
    lua_createtable(L, (int)window, 0);
    z->results = luaL_ref(L, LUA_REGISTRYINDEX);
    struct sys *sys = &b->job.state->sys;
    z->places = sys_malloc(sys, window * sizeof *z->places);
    int err = z->places == NULL ? -ENOMEM : 0;
    io.ctx = z;
    if (err == 0) {
        memset(z->places, 0, window * sizeof *z->places);
        err =
            pool_begin(b->pool, &io, items.count > 0 ? (uint64_t)items.count : 0, false, &z->batch);
    }
    if (err < 0) {
        stop(L, z);
        return bind_pool_fail(L, b, err);
    }
    pool_bound(z->batch, z->ahead);
    lua_pushvalue(L, -1);
    lua_pushvalue(L, 6);
    lua_pushcclosure(L, l_next, 2);
    lua_insert(L, -2);
    return 2;
}

static int l_gc(lua_State *L) {
    struct lazy *z = lazy_at(L, 1);
    stop(L, z);
    luaL_unref(L, LUA_REGISTRYINDEX, z->error);
    z->error = LUA_NOREF;
    return 0;
}

static int l_close(lua_State *L) {
    if (lazy_at(L, 1)->turning)
        luaL_error(L, "the map is running: its items cannot give it up");
    return l_gc(L);
}

void lazy_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", l_gc}, {"__close", l_close}, {NULL, NULL}};
    luaL_newmetatable(L, lazy_name);
    luaL_setfuncs(L, meta, 0);
    lua_pop(L, 1);
    lua_pushcfunction(L, l_lazy);
    lua_setfield(L, -2, "lazy");
}
