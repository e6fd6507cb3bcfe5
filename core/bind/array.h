/* array: packed numbers over a counted block of memory, as Lua sees them (a userdata). Here are the
 * structure, the reading and writing of elements and the making of arrays; the methods that scripts
 * call are in bind_array.c. Not for sharing between processes: a block may be shared memory, but who
 * may write when is the caller's business. */
#ifndef RIG_BIND_ARRAY_H
#define RIG_BIND_ARRAY_H

#include <lauxlib.h>
#include <lua.h>

#include "pool/block.h"

/* The numbers are in messages: add at the end only. */
enum array_type {
    ARRAY_I8,
    ARRAY_I16,
    ARRAY_I32,
    ARRAY_I64,
    ARRAY_U8,
    ARRAY_U16,
    ARRAY_U32,
    ARRAY_U64,
    ARRAY_F32,
    ARRAY_F64,
    ARRAY_TYPES
};

struct array_kind {
    const char *name; /* "i64" */
    size_t size;      /* bytes of one element */
    bool is_float;
    int64_t min, max;  /* of the integer types; u64 takes every 64-bit pattern, see array_set */
    const char *holds; /* for messages: "integers from -128 to 127" */
};

extern const struct array_kind array_kinds[ARRAY_TYPES];

struct array_heap;

struct array {
    const void *magic;   /* says that a userdata of this size is one of ours */
    struct block *block; /* NULL once closed; one reference is ours */
    uint8_t *data;       /* inside block, aligned to the size of an element */
    size_t count;        /* elements */
    enum array_type type;
    bool readonly;           /* sealed memory: writing there would be SIGSEGV */
    size_t charged;          /* bytes that `heap` counts for this array */
    struct array_heap *heap; /* tells Lua's collector about memory it cannot see */
};

static inline size_t array_bytes(const struct array *a) {
    return a->count * array_kinds[a->type].size;
}

/* The type called `name` in *type; false when there is none. */
bool array_type_find(const char *name, enum array_type *type);

/* Prepares this Lua state for arrays: `metatable` stands on the top and is popped. */
void array_open(lua_State *L);

/* The array at idx (closed ones too), or NULL. Neither raises nor allocates. */
struct array *array_test(lua_State *L, int idx);

/* The array at argument `arg`; raises when it is none or closed. */
struct array *array_check(lua_State *L, int arg);

/* Why `a` must not be written now, as the end of a sentence; NULL when it may be. */
const char *array_write_bar(const struct array *a);

/* The same, but also raises if it may not be written. */
struct array *array_check_writable(lua_State *L, int arg);

/* Pushes a new array of `count` elements; those of a fresh mapping are zero, others are not set
 * (`*zeroed`, if not NULL, says which). Raises when there is no memory. */
struct array *array_push_new(lua_State *L, enum block_kind kind, enum array_type type, size_t count,
                             bool *zeroed);

/* Pushes an array over elements that lie in `block` already, from `data` on, aligned to an element's
 * size; takes a reference of its own. The caller's must outlast the call: memory of Lua's is allocated, so
 * finalizers may run, and they may do anything. */
struct array *array_push_view(lua_State *L, struct block *block, const void *data, size_t count,
                              enum array_type type);

/* Pushes an array over elements [from, from + n) of another. False when a finalizer closed that one
 * meanwhile; what is pushed is closed then too. */
bool array_push_slice(lua_State *L, const struct array *of, size_t from, size_t n);

/* Gives the memory back; the array is empty from then on. Again is allowed. */
void array_close(struct array *a);

/* Pushes element i (from 0, below count). Values of u64 from 2^63 on come out negative, the same 64
 * bits, which is Lua's own convention for unsigned integers (math.ult, "%u"). */
void array_get(lua_State *L, const struct array *a, size_t i);

/* Writes the value at idx to element i (from 0, below count). False when it does not fit the type: not
 * a number, not integral, or out of range. A u64 takes negative integers as their 64 bits and floats
 * below 2^64; f32 rounds to nearest, but takes no finite value that would become infinite. */
bool array_set(lua_State *L, struct array *a, size_t i, int idx);

/* Writes elements [from, from + n) like the element at `from`. */
void array_repeat(struct array *a, size_t from, size_t n);

/* From a sequence: element i is t[i + 1], t at idx. Returns how many were written: less than a->count
 * when the next one does not fit (array_set's rules). */
size_t array_from_table(lua_State *L, struct array *a, int idx);

/* Pushes a table of elements [from, from + n). False when a finalizer closed the array meanwhile. */
bool array_to_table(lua_State *L, const struct array *a, size_t from, size_t n);

/* Sum of an integer type, modulo 2^64 (what Lua's own addition gives). */
int64_t array_sum_int(const struct array *a);

/* Sum of a float type, pairwise in double precision (Higham, Accuracy and Stability of Numerical
 * Algorithms, 4.2: the error grows with log2 of the count). */
double array_sum_float(const struct array *a);

/* Same type, same count, and the same values (as == compares them: NaN differs, 0.0 is -0.0). */
bool array_same(const struct array *a, const struct array *b);

#endif
