/* array_value: between Lua values and elements, for array.c and array_bulk.c only. The list of element
 * types from which everything that differs by type is made, and the conversions that both need. */
#ifndef RIG_BIND_ARRAY_VALUE_H
#define RIG_BIND_ARRAY_VALUE_H

#include <math.h>
#include <string.h>

#include "bind/array.h"

/* X(type, C type) */
#define ARRAY_INT_TYPES(X) \
    X(ARRAY_I8, int8_t)    \
    X(ARRAY_I16, int16_t)  \
    X(ARRAY_I32, int32_t)  \
    X(ARRAY_I64, int64_t)  \
    X(ARRAY_U8, uint8_t)   \
    X(ARRAY_U16, uint16_t) \
    X(ARRAY_U32, uint32_t) \
    X(ARRAY_U64, uint64_t)
#define ARRAY_FLOAT_TYPES(X) \
    X(ARRAY_F32, float)      \
    X(ARRAY_F64, double)

static inline bool array_value_int(lua_State *L, int idx, enum array_type type, int64_t *v) {
    int ok;
    if (lua_type(L, idx) != LUA_TNUMBER)
        return false;
    *v = lua_tointegerx(L, idx, &ok);
    if (!ok) {
        double d = lua_tonumber(L, idx);
        if (type != ARRAY_U64 || !(d >= 0x1p63 && d < 0x1p64)) /* all integral from 2^53 on */
            return false;
        *v = (int64_t)(uint64_t)d;
    }
    return *v >= array_kinds[type].min && *v <= array_kinds[type].max;
}

static inline bool array_value_float(lua_State *L, int idx, enum array_type type, double *v) {
    if (lua_type(L, idx) != LUA_TNUMBER)
        return false;
    *v = lua_tonumber(L, idx);
    return type == ARRAY_F64 || isinf(*v) || !isinf((float)*v);
}

/* v is of the right kind and in range. */
static inline void array_store_ints(struct array *a, size_t at, const int64_t *v, size_t n) {
    switch (a->type) {
#define X(name, ctype)                             \
    case name: {                                   \
        ctype *to = (ctype *)(void *)a->data + at; \
        for (size_t i = 0; i < n; i++)             \
            to[i] = (ctype)v[i];                   \
        break;                                     \
    }
        ARRAY_INT_TYPES(X)
#undef X
    default: break;
    }
}

static inline void array_store_floats(struct array *a, size_t at, const double *v, size_t n) {
    if (a->type == ARRAY_F64) {
        memcpy((double *)(void *)a->data + at, v, n * sizeof *v);
        return;
    }
    float *to = (float *)(void *)a->data + at;
    for (size_t i = 0; i < n; i++)
        to[i] = (float)v[i];
}

#endif
