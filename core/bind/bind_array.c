/* bind_array: arrays in Lua. core.array, core.shared_array, core.is_array, and an array's methods and
 * metamethods. What an array is, is in array.h; how it crosses processes, in codec.h. Misuse raises, and
 * so does a lack of memory: a nil from a scenario's `fixed` would be overlooked too easily. */
#include <stdio.h>
#include <string.h>

#include "bind/array.h"
#include "bind/open.h"
#include "bind/state.h"

#define BYTES_MAX  ((uint64_t)1 << 47) /* what a process can address */
#define CHECK_FROM ((uint64_t)64 << 20)

/* ---- messages ---------------------------------------------------------------------------------- */

static void refuse_more(lua_State *L, int max) {
    luaL_argcheck(L, lua_gettop(L) <= max, max + 1, "too many arguments");
}

/* Pushes "array i64 x 100". */
static const char *push_name(lua_State *L, const struct array *a) {
    const char *shared = a->block != NULL && a->block->kind != BLOCK_PRIVATE ? "shared " : "";
    const char *name = array_kinds[a->type].name;
    if (a->block == NULL)
        return lua_pushfstring(L, "array %s (closed)", name);
    return lua_pushfstring(L, "%sarray %s x %I", shared, name, (lua_Integer)a->count);
}

/* Pushes the value at idx as it may stand in a message: 5, nil, 'text', a table. */
static const char *push_value_text(lua_State *L, int idx) {
    size_t len;
    if (lua_type(L, idx) == LUA_TNUMBER || lua_isnil(L, idx) || lua_isboolean(L, idx))
        return luaL_tolstring(L, idx, NULL);
    if (lua_type(L, idx) != LUA_TSTRING)
        return lua_pushfstring(L, "a %s", luaL_typename(L, idx));
    const char *s = lua_tolstring(L, idx, &len);
    lua_pushlstring(L, s, len < 40 ? len : 40);
    return lua_pushfstring(L, "'%s'", lua_tostring(L, -1));
}

static int raise_value(lua_State *L, const struct array *a, size_t i, int idx) {
    const struct array_kind *k = &array_kinds[a->type];
    lua_Integer at = (lua_Integer)i + 1;
    if (lua_isnil(L, idx))
        return luaL_error(L, "array %s: element %I is nil; %s holds %s", k->name, at, k->name,
                          k->holds);
    const char *value = push_value_text(L, idx);
    return luaL_error(L, "array %s: %s at index %I does not fit; %s holds %s", k->name, value, at,
                      k->name, k->holds);
}

static int raise_index(lua_State *L, const struct array *a, int idx) {
    const char *index = push_value_text(L, idx);
    if (a->block == NULL || a->count == 0)
        return luaL_error(L, "%s has no index %s", push_name(L, a), index);
    return luaL_error(L, "%s has no index %s; its indices are 1 to %I", push_name(L, a), index,
                      (lua_Integer)a->count);
}

/* Making Lua objects may run finalizers, and one of them may have closed the array at work. */
static int raise_closed(lua_State *L) {
    return luaL_error(L, "the array was closed by a finalizer while it was read");
}

/* ---- elements ---------------------------------------------------------------------------------- */

/* What is not a plain read within bounds. Upvalue 1: the methods. */
static int index_otherwise(lua_State *L) {
    const struct array *a = array_test(L, 1);
    int integral;
    if (a == NULL)
        return luaL_typeerror(L, 1, "array");
    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
            return luaL_error(
                L,
                "an array has no method '%s'; it has bytes, close, copy, fill, slice, sum, "
                "table, type",
                lua_tostring(L, 2));
        return 1;
    }
    if (lua_type(L, 2) != LUA_TNUMBER)
        return raise_index(L, a, 2);
    lua_Unsigned i = (lua_Unsigned)lua_tointegerx(L, 2, &integral) - 1;
    if (!integral || i > a->count || a->block == NULL)
        return raise_index(L, a, 2);
    if (i == a->count)
        lua_pushnil(L); /* one past the end: this is where ipairs stops */
    else
        array_get(L, a, i);
    return 1;
}

static int m_index(lua_State *L) {
    const struct array *a = array_test(L, 1);
    if (a != NULL && lua_isinteger(L, 2)) {
        lua_Unsigned i = (lua_Unsigned)lua_tointegerx(L, 2, NULL) - 1;
        if (i < a->count) {
            array_get(L, a, i);
            return 1;
        }
    }
    return index_otherwise(L);
}

static int newindex_otherwise(lua_State *L) {
    const struct array *a = array_test(L, 1);
    int integral = 0;
    lua_Unsigned i = 0;
    if (a == NULL)
        return luaL_typeerror(L, 1, "array");
    if (lua_type(L, 2) == LUA_TNUMBER)
        i = (lua_Unsigned)lua_tointegerx(L, 2, &integral) - 1;
    if (!integral || i >= a->count)
        return raise_index(L, a, 2);
    struct array *to = array_check_writable(L, 1);
    if (!array_set(L, to, i, 3))
        return raise_value(L, a, i, 3);
    return 0;
}

static int m_newindex(lua_State *L) {
    struct array *a = array_test(L, 1);
    if (a != NULL && lua_isinteger(L, 2)) {
        lua_Unsigned i = (lua_Unsigned)lua_tointegerx(L, 2, NULL) - 1;
        if (i < a->count && array_write_bar(a) == NULL && array_set(L, a, i, 3))
            return 0;
    }
    return newindex_otherwise(L);
}

static int next_element(lua_State *L) {
    const struct array *a = array_check(L, 1);
    lua_Unsigned i = (lua_Unsigned)luaL_checkinteger(L, 2);
    if (i >= a->count)
        return 0;
    lua_pushinteger(L, (lua_Integer)i + 1);
    array_get(L, a, i);
    return 2;
}

static int m_pairs(lua_State *L) {
    array_check(L, 1);
    lua_pushcfunction(L, next_element);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

/* ---- making ------------------------------------------------------------------------------------ */

/* A size of n elements from argument 2, or raises. */
static size_t check_count(lua_State *L, enum array_type type) {
    const struct array_kind *k = &array_kinds[type];
    int integral;
    lua_Integer n = lua_tointegerx(L, 2, &integral);
    lua_Number bytes = lua_tonumber(L, 2) * (lua_Number)k->size;
    const char *text = push_value_text(L, 2);
    if (bytes > (lua_Number)BYTES_MAX)
        luaL_error(L, "array size %s is too large; %s elements go up to %I", text, k->name,
                   (lua_Integer)(BYTES_MAX / k->size));
    if (!integral || n < 1)
        luaL_error(L, "array size %s is not a number of elements; give a whole number from 1 on",
                   text);
    lua_pop(L, lua_gettop(L) - 3);
    return (size_t)n;
}

static void check_memory(lua_State *L, enum array_type type, size_t count) {
    struct state *st = state_get(L);
    uint64_t bytes = count * array_kinds[type].size;
    if (bytes <= CHECK_FROM || st->force || bytes <= memory_available(&st->sys))
        return;
    lua_gc(L, LUA_GCCOLLECT); /* arrays that nobody holds any more count as taken until then */
    uint64_t available = memory_available(&st->sys);
    if (bytes > available) {
        char text[200];
        snprintf(
            text, sizeof text,
            "array %s x %zu needs %.2f GB and %.2f GB are available; make it smaller, or allow it "
            "with --force",
            array_kinds[type].name, count, (double)bytes / 1e9, (double)available / 1e9);
        luaL_error(L, "%s", text);
    }
}

static struct array *push_checked(lua_State *L, enum block_kind kind, enum array_type type,
                                  size_t count, bool *zeroed) {
    check_memory(L, type, count);
    return array_push_new(L, kind, type, count, zeroed);
}

static int make_filled(lua_State *L, enum block_kind kind, enum array_type type) {
    bool zeroed;
    struct array *a = push_checked(L, kind, type, check_count(L, type), &zeroed);
    if (lua_isnil(L, 3)) {
        if (!zeroed)
            memset(a->data, 0, array_bytes(a));
        return 1;
    }
    if (!array_set(L, a, 0, 3))
        return raise_value(L, a, 0, 3);
    array_repeat(a, 0, a->count);
    return 1;
}

static int make_from_table(lua_State *L, enum block_kind kind, enum array_type type) {
    struct array *a = push_checked(L, kind, type, lua_rawlen(L, 2), NULL);
    size_t n = array_from_table(L, a, 2);
    if (n == a->count)
        return 1;
    lua_rawgeti(L, 2, (lua_Integer)n + 1);
    return raise_value(L, a, n, -1);
}

static int make_from_array(lua_State *L, enum block_kind kind, enum array_type type) {
    const struct array *from = array_check(L, 2);
    struct array *a = push_checked(L, kind, type, from->count, NULL);
    if (from->count != a->count)
        return raise_closed(L);
    if (type == from->type) {
        if (a->count > 0)
            memcpy(a->data, from->data, array_bytes(a));
        return 1;
    }
    for (size_t i = 0; i < a->count; i++) {
        array_get(L, from, i);
        if (!array_set(L, a, i, -1))
            return raise_value(L, a, i, -1);
        lua_pop(L, 1);
    }
    return 1;
}

static int make(lua_State *L, enum block_kind kind) {
    enum array_type type;
    refuse_more(L, 3);
    lua_settop(L, 3);
    if (lua_type(L, 1) != LUA_TSTRING || !array_type_find(lua_tostring(L, 1), &type))
        return luaL_error(
            L, "%s is not an array type; there are i8, i16, i32, i64, u8, u16, u32, u64, f32, f64",
            push_value_text(L, 1));
    if (lua_type(L, 2) == LUA_TNUMBER)
        return make_filled(L, kind, type);
    luaL_argcheck(L, lua_isnil(L, 3), 3, "a fill value goes with a number of elements only");
    if (lua_type(L, 2) == LUA_TTABLE)
        return make_from_table(L, kind, type);
    if (array_test(L, 2) != NULL)
        return make_from_array(L, kind, type);
    return luaL_typeerror(L, 2, "number of elements, table or array");
}

/* core.array(type, n [, fill]), (type, table) or (type, array): in private memory, which forked
 * processes copy when they write. Without `fill` elements are 0, and large arrays take no memory until
 * they are written. */
static int f_array(lua_State *L) {
    return make(L, BLOCK_PRIVATE);
}

/* The same in memory that forked processes share. */
static int f_shared_array(lua_State *L) {
    return make(L, BLOCK_SHARED);
}

static int f_is_array(lua_State *L) {
    lua_pushboolean(L, array_test(L, 1) != NULL);
    return 1;
}

/* ---- methods ----------------------------------------------------------------------------------- */

/* Optional arguments arg and arg + 1: the first and last index of a range, which may be empty. Returns
 * how many elements it has. */
static size_t check_range(lua_State *L, const struct array *a, int arg, size_t *from) {
    lua_Integer count = (lua_Integer)a->count;
    lua_Integer first = luaL_optinteger(L, arg, 1);
    lua_Integer last = luaL_optinteger(L, arg + 1, count);
    if (first < 1 || first > count + 1 || last < first - 1 || last > count)
        luaL_error(L, "%I to %I is not a range of this %s", first, last, push_name(L, a));
    *from = (size_t)first - 1;
    return (size_t)(last - first + 1);
}

/* a:slice(i [, j]): elements i to j of the same memory, nothing copied. */
static int a_slice(lua_State *L) {
    const struct array *a = array_check(L, 1);
    size_t from;
    refuse_more(L, 3);
    luaL_checkinteger(L, 2);
    size_t n = check_range(L, a, 2, &from);
    return array_push_slice(L, a, from, n) ? 1 : raise_closed(L);
}

/* a:fill(value [, i, j]) -> a */
static int a_fill(lua_State *L) {
    struct array *a = array_check_writable(L, 1);
    size_t from;
    refuse_more(L, 4);
    luaL_checkany(L, 2);
    size_t n = check_range(L, a, 3, &from);
    if (n > 0 && !array_set(L, a, from, 2))
        return raise_value(L, a, from, 2);
    array_repeat(a, from, n);
    lua_settop(L, 1);
    return 1;
}

/* a:table([i, j]) -> a plain table */
static int a_table(lua_State *L) {
    const struct array *a = array_check(L, 1);
    size_t from;
    refuse_more(L, 3);
    size_t n = check_range(L, a, 2, &from);
    return array_to_table(L, a, from, n) ? 1 : raise_closed(L);
}

/* a:copy() -> a private array of its own memory */
static int a_copy(lua_State *L) {
    const struct array *a = array_check(L, 1);
    refuse_more(L, 1);
    struct array *copy = push_checked(L, BLOCK_PRIVATE, a->type, a->count, NULL);
    if (a->count != copy->count)
        return raise_closed(L);
    if (a->count > 0)
        memcpy(copy->data, a->data, array_bytes(a));
    return 1;
}

/* a:sum(): of an integer type an integer, which wraps at 64 bits as Lua's own addition does; else a
 * float. */
static int a_sum(lua_State *L) {
    const struct array *a = array_check(L, 1);
    refuse_more(L, 1);
    if (array_kinds[a->type].is_float)
        lua_pushnumber(L, array_sum_float(a));
    else
        lua_pushinteger(L, array_sum_int(a));
    return 1;
}

/* a:type() -> "i64" */
static int a_type(lua_State *L) {
    const struct array *a = array_check(L, 1);
    refuse_more(L, 1);
    lua_pushstring(L, array_kinds[a->type].name);
    return 1;
}

/* a:bytes() -> what its elements take */
static int a_bytes(lua_State *L) {
    const struct array *a = array_check(L, 1);
    refuse_more(L, 1);
    lua_pushinteger(L, (lua_Integer)array_bytes(a));
    return 1;
}

/* a:close(), __close and __gc: gives the memory back, unless slices or messages still hold it. */
static int a_close(lua_State *L) {
    struct array *a = array_test(L, 1);
    if (a == NULL)
        return luaL_typeerror(L, 1, "array");
    array_close(a);
    return 0;
}

static int m_len(lua_State *L) {
    const struct array *a = array_check(L, 1);
    lua_pushinteger(L, (lua_Integer)a->count);
    return 1;
}

static int m_eq(lua_State *L) {
    const struct array *a = array_test(L, 1), *b = array_test(L, 2);
    bool open = a != NULL && b != NULL && a->block != NULL && b->block != NULL;
    lua_pushboolean(L, open && array_same(a, b));
    return 1;
}

static int m_tostring(lua_State *L) {
    const struct array *a = array_test(L, 1);
    if (a == NULL)
        return luaL_typeerror(L, 1, "array");
    push_name(L, a);
    return 1;
}

/* core.set_force(on): --force, make arrays even when they do not seem to fit in memory. */
static int f_set_force(lua_State *L) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    state_get(L)->force = lua_toboolean(L, 1);
    return 0;
}

static const luaL_Reg functions[] = {{"array", f_array},
                                     {"shared_array", f_shared_array},
                                     {"is_array", f_is_array},
                                     {"set_force", f_set_force},
                                     {NULL, NULL}};

static const luaL_Reg methods[] = {{"bytes", a_bytes}, {"close", a_close}, {"copy", a_copy},
                                   {"fill", a_fill},   {"slice", a_slice}, {"sum", a_sum},
                                   {"table", a_table}, {"type", a_type},   {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__newindex", m_newindex}, {"__len", m_len},
                                       {"__pairs", m_pairs},       {"__eq", m_eq},
                                       {"__tostring", m_tostring}, {"__gc", a_close},
                                       {"__close", a_close},       {NULL, NULL}};

void bind_array(lua_State *L) {
    luaL_newlib(L, metamethods);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, m_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "array"); /* keeps scripts from changing what all arrays do */
    lua_setfield(L, -2, "__metatable");
    array_open(L);
    luaL_setfuncs(L, functions, 0);
}
