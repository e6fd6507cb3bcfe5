/* array_bulk: arrays as a whole: repeating, tables, sums, comparing. See array.h. Loops are written in
 * blocks of a constant length, because the compilers vectorise those at -O2 already. */
#include <string.h>

#include "bind/array.h"
#include "bind/array_value.h"

#define BLOCK 64 /* elements; a multiple of every vector length */
#define CHUNK 512

void array_repeat(struct array *a, size_t from, size_t n) {
    size_t size = array_kinds[a->type].size;
    uint8_t pattern[64];
    uint8_t *to = a->data + from * size;
    size_t bytes = n * size;
    if (n == 0)
        return;
    for (size_t i = 0; i < sizeof pattern; i += size)
        memcpy(pattern + i, to, size);
    for (; bytes >= sizeof pattern; bytes -= sizeof pattern, to += sizeof pattern)
        memcpy(to, pattern, sizeof pattern);
    memcpy(to, pattern, bytes);
}

/* ---- tables ------------------------------------------------------------------------------------ */

static size_t read_integers(lua_State *L, const struct array *a, int idx, size_t at, int64_t *v,
                            size_t n) {
    const struct array_kind *k = &array_kinds[a->type];
    size_t i = 0;
    for (bool good = true; i < n && good; i += good) {
        lua_rawgeti(L, idx, (lua_Integer)(at + i + 1));
        if (lua_isinteger(L, -1)) {
            v[i] = lua_tointegerx(L, -1, NULL);
            good = v[i] >= k->min && v[i] <= k->max;
        } else {
            good = array_value_int(L, -1, a->type, &v[i]);
        }
        lua_pop(L, 1);
    }
    return i;
}

static size_t read_floats(lua_State *L, const struct array *a, int idx, size_t at, double *v,
                          size_t n) {
    size_t i = 0;
    for (bool good = true; i < n && good; i += good) {
        lua_rawgeti(L, idx, (lua_Integer)(at + i + 1));
        good = array_value_float(L, -1, a->type, &v[i]);
        lua_pop(L, 1);
    }
    return i;
}

size_t array_from_table(lua_State *L, struct array *a, int idx) {
    union {
        int64_t i[CHUNK];
        double f[CHUNK];
    } v;
    size_t at = 0;
    while (at < a->count) {
        size_t want = a->count - at < CHUNK ? a->count - at : CHUNK;
        size_t got;
        if (array_kinds[a->type].is_float) {
            got = read_floats(L, a, idx, at, v.f, want);
            array_store_floats(a, at, v.f, got);
        } else {
            got = read_integers(L, a, idx, at, v.i, want);
            array_store_ints(a, at, v.i, got);
        }
        at += got;
        if (got < want)
            break;
    }
    return at;
}

bool array_to_table(lua_State *L, const struct array *a, size_t from, size_t n) {
    lua_createtable(L, n < INT32_MAX ? (int)n : INT32_MAX, 0);
    if (a->block == NULL)
        return false;
    switch (a->type) {
#define FILL(push, vtype, ctype)                                          \
    for (size_t i = 0; i < n; i++) {                                      \
        push(L, (vtype)((const ctype *)(const void *)a->data)[from + i]); \
        lua_rawseti(L, -2, (lua_Integer)i + 1);                           \
    }
#define X(name, ctype) \
    case name: FILL(lua_pushinteger, lua_Integer, ctype) break;
        ARRAY_INT_TYPES(X)
#undef X
#define X(name, ctype) \
    case name: FILL(lua_pushnumber, lua_Number, ctype) break;
        ARRAY_FLOAT_TYPES(X)
#undef X
#undef FILL
    default: break;
    }
    return true;
}

/* ---- whole arrays ------------------------------------------------------------------------------ */

int64_t array_sum_int(const struct array *a) {
    uint64_t sum = 0; /* unsigned, so that it wraps without being undefined */
    size_t i = 0;
    switch (a->type) {
#define X(name, ctype)                                         \
    case name: {                                               \
        const ctype *v = (const ctype *)(const void *)a->data; \
        for (; a->count - i >= BLOCK; i += BLOCK) {            \
            uint64_t part = 0;                                 \
            for (size_t j = 0; j < BLOCK; j++)                 \
                part += (uint64_t)(int64_t)v[i + j];           \
            sum += part;                                       \
        }                                                      \
        for (; i < a->count; i++)                              \
            sum += (uint64_t)(int64_t)v[i];                    \
        break;                                                 \
    }
        ARRAY_INT_TYPES(X)
#undef X
    default: break;
    }
    return (int64_t)sum;
}

/* Up to CHUNK elements, in eight lanes. */
static double sum_chunk(const struct array *a, size_t from, size_t n) {
    double lane[8] = {0};
    size_t i = 0;
    if (a->type == ARRAY_F64) {
        const double *v = (const double *)(const void *)a->data + from;
        for (; n - i >= 8; i += 8)
            for (size_t j = 0; j < 8; j++)
                lane[j] += v[i + j];
        for (; i < n; i++)
            lane[0] += v[i];
    } else {
        const float *v = (const float *)(const void *)a->data + from;
        for (; n - i >= 8; i += 8)
            for (size_t j = 0; j < 8; j++)
                lane[j] += (double)v[i + j];
        for (; i < n; i++)
            lane[0] += (double)v[i];
    }
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static double sum_pairwise(const struct array *a, size_t from, size_t n) {
    if (n <= CHUNK)
        return sum_chunk(a, from, n);
    size_t half = n / 2 / CHUNK * CHUNK;
    if (half == 0)
        half = CHUNK;
    return sum_pairwise(a, from, half) + sum_pairwise(a, from + half, n - half);
}

double array_sum_float(const struct array *a) {
    return sum_pairwise(a, 0, a->count);
}

bool array_same(const struct array *a, const struct array *b) {
    if (a->type != b->type || a->count != b->count)
        return false;
    if (!array_kinds[a->type].is_float)
        return a->count == 0 || memcmp(a->data, b->data, array_bytes(a)) == 0;
    for (size_t i = 0; i < a->count; i++) {
        bool same;
        if (a->type == ARRAY_F64)
            same = ((double *)(void *)a->data)[i] == ((double *)(void *)b->data)[i];
        else
            same = ((float *)(void *)a->data)[i] == ((float *)(void *)b->data)[i];
        if (!same)
            return false;
    }
    return true;
}
