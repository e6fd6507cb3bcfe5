/* fuzz_codec: what codec_decode makes of any bytes, and whether a value that came out survives another crossing.
 *
 * The first byte says how: in a block of their own, followed by much more, with Lua's memory running out, or in memory
 * that another process writes to meanwhile, as one may in a ring (here: whenever Lua asks for memory). Promised:
 * nothing outside of the bytes; memory within a multiple of what there is of them; -EBADMSG with nothing pushed, or one
 * value, which encodes, decodes to the same value, and ends where it says (no shorter message is one).
 * Not compared: which table stands for which where tables are keys; those are counted. */
#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "bind/array.h"
#include "bind/codec.h"
#include "bind/open.h"
#include "fuzz.h"

/* What a byte of a message may cost: the dearest are pairs (two bytes, up to two places of 24 bytes each, while the
 * table grows both old and new) and empty arrays and tables of three bytes. */
#define COST_OF_A_BYTE ((size_t)160)
#define COST_OF_NONE   ((size_t)64 << 10) /* the stack grows by a run of numbers */
/* Zeros after the input, for arrays that are so long that they may stay in place. */
#define FOLLOWING ((size_t)70 << 10)

enum {
    MODE_OWNER = 1,
    MODE_NO_MEMORY = 2,
    MODE_LONG = 4,
    MODE_ALTERED = 8 /* not without memory */
};

static lua_State *L;
static struct sys sys;
static struct {
    size_t taken, peak;
    long left; /* allocations until they fail; negative: never */
} heap;

/* Who writes to the bytes meanwhile: each time to another one, `step` further on. */
static struct {
    uint8_t *bytes;
    size_t len, at, step;
    uint8_t bits;
} other;

struct bytes {
    const uint8_t *at;
    size_t len;
    struct block *owner;
};

static void *heap_alloc(void *ud, void *p, size_t old, size_t n) {
    (void)ud;
    size_t had = p == NULL ? 0 : old;
    if (n == 0) {
        heap.taken -= had;
        free(p);
        return NULL;
    }
    if (n > had && heap.left >= 0 && heap.left-- == 0) {
        heap.left = 0;
        return NULL;
    }
    void *more = realloc(p, n);
    if (more == NULL)
        return NULL;
    if (n > had && other.len > 0) {
        other.at = (other.at + other.step) % other.len;
        other.bytes[other.at] ^= other.bits;
    }
    heap.taken += n - had;
    if (heap.taken > heap.peak)
        heap.peak = heap.taken;
    return more;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    heap.left = -1;
    sys_init(&sys, &sys_kernel);
    L = lua_newstate(heap_alloc, NULL);
    luaL_openlibs(L);
    luaL_requiref(L, "rig.core", luaopen_rig_core, 0);
    lua_settop(L, 0);
    return 0;
}

/* ---- are two values the same? ------------------------------------------------------------------------------ */

#define SEEN 1 /* stack index of the table from one side's tables and arrays to the other's */

static void same(int a, int b);

/* False when this pair was met before, as it is also when the table is within itself. */
static bool is_new(int a, int b) {
    lua_pushvalue(L, a);
    bool met = lua_rawget(L, SEEN) != LUA_TNIL;
    if (met)
        PROMISE(lua_rawequal(L, -1, b));
    lua_pop(L, 1);
    lua_pushvalue(L, a);
    lua_pushvalue(L, b);
    lua_rawset(L, SEEN);
    return !met;
}

static size_t count_keys(int t, size_t *nameless) {
    size_t n = 0;
    *nameless = 0;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1), n++)
        *nameless += lua_istable(L, -2) || lua_isuserdata(L, -2);
    return n;
}

static void same_tables(int a, int b) {
    size_t nameless_a, nameless_b;
    PROMISE(count_keys(a, &nameless_a) == count_keys(b, &nameless_b));
    PROMISE(nameless_a == nameless_b);
    for (lua_pushnil(L); lua_next(L, a); lua_settop(L, -2)) {
        int value = lua_gettop(L);
        if (lua_istable(L, -2) || lua_isuserdata(L, -2))
            continue;
        lua_pushvalue(L, -2);
        lua_rawget(L, b);
        same(value, value + 1);
        lua_pop(L, 1);
    }
}

static void same_arrays(int a, int b) {
    const struct array *x = array_test(L, a), *y = array_test(L, b);
    PROMISE(x != NULL && y != NULL);
    PROMISE(x->type == y->type && x->count == y->count);
    PROMISE(x->count == 0 || memcmp(x->data, y->data, array_bytes(x)) == 0);
}

static void same(int a, int b) {
    luaL_checkstack(L, 8, "too deep to compare");
    PROMISE(lua_type(L, a) == lua_type(L, b));
    switch (lua_type(L, a)) {
    case LUA_TNUMBER: {
        double x = lua_tonumber(L, a), y = lua_tonumber(L, b);
        PROMISE(lua_isinteger(L, a) == lua_isinteger(L, b));
        PROMISE(lua_isinteger(L, a) ? lua_rawequal(L, a, b) : memcmp(&x, &y, sizeof x) == 0);
        break;
    }
    case LUA_TTABLE:
        if (is_new(a, b))
            same_tables(a, b);
        break;
    case LUA_TUSERDATA:
        if (is_new(a, b))
            same_arrays(a, b);
        break;
    default: PROMISE(lua_rawequal(L, a, b)); break;
    }
}

/* ---- one input --------------------------------------------------------------------------------------------- */

/* 0 or -EBADMSG; on 0 the value is on the top. */
static int decode(const struct bytes *b, size_t *used) {
    int top = lua_gettop(L);
    int err = codec_decode(L, b->at, b->len, b->owner, used);
    PROMISE(err == 0 || err == -EBADMSG);
    PROMISE(lua_gettop(L) == top + (err == 0));
    PROMISE(err < 0 || *used <= b->len);
    return err;
}

/* What was made of tables that lie deeper on one way than on another may be refused; nothing else. */
static bool encode(int idx, struct buf *out) {
    struct codec_error err;
    int code = codec_encode(L, idx, out, &err);
    PROMISE(code == 0 || code == -EINVAL);
    PROMISE(code == 0 || strstr(err.what, "tables within each other") != NULL);
    return code == 0;
}

/* Another crossing of the value at idx. */
static void cross_again(int idx) {
    struct buf out;
    size_t used;
    buf_init(&out, &sys);
    if (encode(idx, &out)) {
        struct bytes flat = {.len = buf_size(&out)};
        uint8_t *copy = malloc(flat.len);
        buf_copy(&out, copy);
        flat.at = copy;
        PROMISE(decode(&flat, &used) == 0);
        PROMISE(used == flat.len);
        same(idx, lua_gettop(L));
        free(copy);
    }
    buf_free(&out);
}

/* A message that ends too soon is none. */
static void check_torn(const struct bytes *b, size_t used) {
    size_t ignored, ends[] = {used - 1, used / 2, used * 7 / 8};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct bytes torn = {b->at, ends[i], b->owner};
        PROMISE(ends[i] == used || decode(&torn, &ignored) == -EBADMSG);
    }
}

/* Protected. Light userdata 1: the bytes. */
static int take(lua_State *state) {
    const struct bytes *b = lua_touserdata(state, 1);
    size_t used, before = heap.taken;
    bool may_fail = heap.left >= 0, changes = other.len > 0;
    lua_settop(L, 0);
    lua_newtable(L);
    heap.peak = before;
    if (decode(b, &used) < 0) {
        PROMISE(heap.peak - before <= b->len * COST_OF_A_BYTE + COST_OF_NONE);
        return 0;
    }
    PROMISE(heap.peak - before <= b->len * COST_OF_A_BYTE + COST_OF_NONE);
    if (!may_fail && !changes) {
        check_torn(b, used);
        cross_again(2);
    }
    return 0;
}

/* The input, in memory of exactly its size. */
static int bytes_of(struct bytes *b, const struct input *in, unsigned mode) {
    size_t n = input_left(in), len = mode & MODE_LONG ? n + FOLLOWING : n;
    if (block_new(&sys, BLOCK_PRIVATE, len, &b->owner) < 0)
        return -1;
    memset(b->owner->data, 0, len);
    if (n > 0)
        memcpy(b->owner->data, in->at, n);
    b->at = b->owner->data;
    b->len = len;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static unsigned runs;
    struct input in = {data, data + size};
    struct bytes b;
    unsigned mode = input_byte(&in);
    bool altered = mode & MODE_ALTERED && !(mode & MODE_NO_MEMORY);
    other.step = altered ? 1 + (size_t)input_byte(&in) : 1;
    other.bits = altered ? (uint8_t)input_byte(&in) : 0;
    if (bytes_of(&b, &in, mode) < 0)
        return 0;
    struct block *memory = b.owner;
    if (!(mode & MODE_OWNER))
        b.owner = NULL;
    lua_State *state = L;
    lua_gc(L, LUA_GCSTOP); /* so that what is counted is what decoding took */
    if (altered)
        L = lua_newthread(L); /* its stack is small: Lua asks for memory more often */
    lua_pushcfunction(L, take);
    lua_pushlightuserdata(L, &b);
    heap.left = mode & MODE_NO_MEMORY ? (long)(mode >> 3) : -1;
    other.bytes = memory->data;
    other.len = altered ? b.len : 0;
    other.at = 0;
    int status = lua_pcall(L, 1, 0, 0);
    other.len = 0;
    PROMISE(status == LUA_OK || (status == LUA_ERRMEM && mode & MODE_NO_MEMORY) ||
            (status == LUA_ERRRUN && altered)); /* a key that has become nil is Lua's to refuse */
    heap.left = -1;
    L = state;
    lua_settop(L, 0);
    lua_gc(L, LUA_GCRESTART);
    block_unref(memory);
    if (++runs % 64 == 0 || heap.taken > (size_t)16 << 20)
        lua_gc(L, LUA_GCCOLLECT);
    return 0;
}
