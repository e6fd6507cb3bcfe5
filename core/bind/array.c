/* array: see array.h. Here: what types there are, making and closing arrays, and one element at a time.
 * Everything over many elements is in array_bulk.c. */
#include "bind/array.h"

#include <string.h>

#include "bind/array_value.h"
#include "bind/state.h"

/* Memory that arrays may hold before they make Lua collect: a userdata of 100 bytes looks harmless to
 * it while a gigabyte hangs on it. */
#define HEAP_STEP ((size_t)256 << 20)

const struct array_kind array_kinds[ARRAY_TYPES] = {
    {"i8", 1, false, INT8_MIN, INT8_MAX, "integers from -128 to 127"},
    {"i16", 2, false, INT16_MIN, INT16_MAX, "integers from -32768 to 32767"},
    {"i32", 4, false, INT32_MIN, INT32_MAX, "integers from -2147483648 to 2147483647"},
    {"i64", 8, false, INT64_MIN, INT64_MAX, "integers of 64 bits"},
    {"u8", 1, false, 0, UINT8_MAX, "integers from 0 to 255"},
    {"u16", 2, false, 0, UINT16_MAX, "integers from 0 to 65535"},
    {"u32", 4, false, 0, UINT32_MAX, "integers from 0 to 4294967295"},
    {"u64", 8, false, INT64_MIN, INT64_MAX, "integers of 64 bits and floats below 2^64"},
    {"f32", 4, true, 0, 0, "numbers up to 3.4e38"},
    {"f64", 8, true, 0, 0, "numbers"},
};

struct array_heap {
    size_t alive; /* bytes held by arrays that Lua has not collected yet */
    size_t limit; /* of alive, from where on a new array collects first */
    pid_t pid;
};

static const char magic;    /* its address marks our userdata, and is the metatable's key */
static const char heap_key; /* the array_heap's key */

bool array_type_find(const char *name, enum array_type *type) {
    for (int i = 0; i < ARRAY_TYPES; i++) {
        if (strcmp(name, array_kinds[i].name) == 0) {
            *type = (enum array_type)i;
            return true;
        }
    }
    return false;
}

void array_open(lua_State *L) {
    lua_rawsetp(L, LUA_REGISTRYINDEX, &magic);
    struct array_heap *heap = lua_newuserdatauv(L, sizeof *heap, 0);
    *heap = (struct array_heap){.limit = HEAP_STEP, .pid = state_get(L)->sys.pid};
    lua_rawsetp(L, LUA_REGISTRYINDEX, &heap_key);
}

struct array *array_test(lua_State *L, int idx) {
    struct array *a = lua_touserdata(L, idx);
    if (a == NULL || lua_rawlen(L, idx) != sizeof *a || a->magic != &magic)
        return NULL;
    return a;
}

struct array *array_check(lua_State *L, int arg) {
    struct array *a = array_test(L, arg);
    if (a == NULL)
        luaL_typeerror(L, arg, "array");
    if (a->block == NULL)
        luaL_argerror(L, arg, "the array is closed");
    return a;
}

const char *array_write_bar(const struct array *a) {
    if (a->readonly)
        return "is read-only shared memory; write to a copy (a:copy())";
    if (a->block != NULL && a->block->frozen > 0)
        return "is still being sent; flush the queue before writing, or send a copy (a:copy())";
    return NULL;
}

struct array *array_check_writable(lua_State *L, int arg) {
    struct array *a = array_check(L, arg);
    const char *bar = array_write_bar(a);
    if (bar != NULL) {
        const char *name = array_kinds[a->type].name;
        luaL_error(L, "array %s x %I %s", name, (lua_Integer)a->count, bar);
    }
    return a;
}

/* ---- making ------------------------------------------------------------------------------------ */

static struct array_heap *heap_get(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &heap_key);
    struct array_heap *heap = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (heap == NULL)
        luaL_error(L, "arrays need the module rig.core; require it first");
    return heap;
}

static void heap_raise_limit(struct array_heap *heap) {
    size_t step = heap->alive > HEAP_STEP ? heap->alive : HEAP_STEP;
    heap->limit = heap->alive + step;
}

/* Collects when arrays have doubled what they hold since the last time. What a forked child inherited
 * is not its own growth: collecting that would only dirty the pages it shares with its parent. */
static void heap_collect_if_due(lua_State *L, struct array_heap *heap) {
    pid_t pid = state_get(L)->sys.pid;
    if (heap->pid != pid) {
        heap->pid = pid;
        heap_raise_limit(heap);
    }
    if (heap->alive < heap->limit || !lua_gc(L, LUA_GCISRUNNING))
        return;
    lua_gc(L, LUA_GCCOLLECT);
    heap_raise_limit(heap);
}

/* A closed array, so that its metatable can close it from the first moment on. */
static struct array *push_closed(lua_State *L, struct array_heap *heap, enum array_type type) {
    struct array *a = lua_newuserdatauv(L, sizeof *a, 0);
    *a = (struct array){.magic = &magic, .type = type, .heap = heap};
    lua_rawgetp(L, LUA_REGISTRYINDEX, &magic);
    lua_setmetatable(L, -2);
    return a;
}

static void hold(struct array *a, struct block *block, uint8_t *data, size_t count) {
    a->block = block;
    a->data = data;
    a->count = count;
    a->readonly = block->kind == BLOCK_SEALED;
    a->charged = array_bytes(a);
    a->heap->alive += a->charged;
}

struct array *array_push_new(lua_State *L, enum block_kind kind, enum array_type type, size_t count,
                             bool *zeroed) {
    struct array_heap *heap = heap_get(L);
    struct block *block = NULL;
    size_t bytes;
    heap_collect_if_due(L, heap);
    struct array *a = push_closed(L, heap, type);
    int err = -1;
    if (!__builtin_mul_overflow(count, array_kinds[type].size, &bytes)) {
        struct sys *sys = &state_get(L)->sys;
        err = block_new(sys, kind, bytes, &block);
        if (err < 0) { /* arrays that nobody holds any more may be in the way */
            lua_gc(L, LUA_GCCOLLECT);
            err = block_new(sys, kind, bytes, &block);
        }
    }
    if (err < 0) {
        const char *name = array_kinds[type].name;
        luaL_error(L, "not enough memory for an array %s x %I", name, (lua_Integer)count);
    }
    hold(a, block, block->data, count);
    if (zeroed != NULL)
        *zeroed = block->mapped;
    return a;
}

struct array *array_push_view(lua_State *L, struct block *block, const void *data, size_t count,
                              enum array_type type) {
    struct array_heap *heap = heap_get(L);
    heap_collect_if_due(L, heap);
    struct array *a = push_closed(L, heap, type);
    hold(a, block_ref(block), (uint8_t *)(uintptr_t)data, count);
    return a;
}

bool array_push_slice(lua_State *L, const struct array *of, size_t from, size_t n) {
    struct array *a = push_closed(L, of->heap, of->type);
    if (of->block == NULL) /* making a userdata may run finalizers, and they may close arrays */
        return false;
    hold(a, block_ref(of->block), of->data + from * array_kinds[of->type].size, n);
    return true;
}

void array_close(struct array *a) {
    a->heap->alive -= a->charged;
    block_unref(a->block);
    a->charged = 0;
    a->block = NULL;
    a->data = NULL;
    a->count = 0;
}

/* ---- elements ---------------------------------------------------------------------------------- */

void array_get(lua_State *L, const struct array *a, size_t i) {
    switch (a->type) {
#define X(name, ctype) \
    case name: lua_pushinteger(L, (lua_Integer)((const ctype *)(const void *)a->data)[i]); break;
        ARRAY_INT_TYPES(X)
#undef X
#define X(name, ctype) \
    case name: lua_pushnumber(L, (lua_Number)((const ctype *)(const void *)a->data)[i]); break;
        ARRAY_FLOAT_TYPES(X)
#undef X
    default: lua_pushnil(L); break;
    }
}

bool array_set(lua_State *L, struct array *a, size_t i, int idx) {
    if (array_kinds[a->type].is_float) {
        double d;
        if (!array_value_float(L, idx, a->type, &d))
            return false;
        array_store_floats(a, i, &d, 1);
    } else {
        int64_t v;
        if (!array_value_int(L, idx, a->type, &v))
            return false;
        array_store_ints(a, i, &v, 1);
    }
    return true;
}
