/* codec_decode: bytes to Lua values; see codec.h. The bytes may be anything at all: every length is
 * checked against what is left before memory is taken for it. They may lie in a ring, where another process
 * can still write to them: what bounds depend on is read once. Lua may raise for want of memory anywhere in
 * here, so nothing is held that is not on Lua's stack. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bind/array.h"
#include "bind/codec.h"
#include "bind/codec_pack.h"
#include "bind/codec_tags.h"

/* A list that is one run of so many numbers is made by a constructor; see get_packed. */
#define PACK_MIN 12
#define PACK_MAX 1024 /* numbers on the stack, twice: they should stay in the processor's cache */

struct decoder {
    lua_State *L;
    const uint8_t *at, *end;
    const uint8_t *start;
    struct block *owner;
    size_t skipped; /* bytes before `at` that were by reference: places do not count them */
    size_t owed;    /* bytes that the rest of the tables under way need at the least */
    int strings; /* stack index of the marked strings by number, nil before the first; 0: none can be */
    int kept; /* of the tables and arrays to be remembered, by place */
    int pack; /* of the constructor, nil before it is first needed */
    lua_Integer marked;
    unsigned depth;
};

static int get_value(struct decoder *d);

/* The next n bytes, or NULL when fewer are left. */
static inline const uint8_t *take(struct decoder *d, size_t n) {
    const uint8_t *p = d->at;
    if ((size_t)(d->end - p) < n)
        return NULL;
    d->at += n;
    return p;
}

static inline int take_varint(struct decoder *d, uint64_t *v) {
    if (d->at < d->end && *d->at < 0x80) {
        *v = *d->at++;
        return 0;
    }
    return bytes_varint(&d->at, d->end, v);
}

/* The table at stack index *table, made when it is first needed. */
static void need_table(lua_State *L, int table) {
    if (lua_isnil(L, table)) {
        lua_createtable(L, 8, 0);
        lua_replace(L, table);
    }
}

/* ---- numbers and strings ----------------------------------------------------------------------- */

static int get_number(struct decoder *d, unsigned tag) {
    static const uint8_t sizes[] = {1, 2, 4, 8, 8};
    const uint8_t *p = take(d, sizes[tag - TAG_INT8]);
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    double f;
    if (p == NULL)
        return -EBADMSG;
    switch (tag) {
#define INT(v)                  \
    memcpy(&(v), p, sizeof(v)); \
    lua_pushinteger(d->L, (v)); \
    break;
    case TAG_INT8: INT(i8)
    case TAG_INT16: INT(i16)
    case TAG_INT32: INT(i32)
    case TAG_INT64: INT(i64)
#undef INT
    default:
        memcpy(&f, p, sizeof f);
        lua_pushnumber(d->L, f);
        break;
    }
    return 0;
}

static int get_bytes(struct decoder *d, uint64_t len) {
    const uint8_t *p = len <= SIZE_MAX ? take(d, (size_t)len) : NULL;
    if (p == NULL)
        return -EBADMSG;
    lua_pushlstring(d->L, (const char *)p, (size_t)len);
    return 0;
}

static int get_string(struct decoder *d) {
    uint64_t len;
    return take_varint(d, &len) < 0 ? -EBADMSG : get_bytes(d, len);
}

static int get_marked(struct decoder *d) {
    int err = -EBADMSG;
    if (d->strings == 0 || d->at == d->end)
        return err;
    unsigned tag = *d->at++;
    if (tag >= TAG_STR0 && tag < TAG_REF0)
        err = get_bytes(d, tag - TAG_STR0);
    else if (tag == TAG_STR)
        err = get_string(d);
    if (err < 0)
        return err;
    need_table(d->L, d->strings);
    lua_pushvalue(d->L, -1);
    lua_rawseti(d->L, d->strings, ++d->marked);
    return 0;
}

static int get_reference(struct decoder *d, uint64_t number) {
    if (number >= (uint64_t)d->marked)
        return -EBADMSG;
    lua_rawgeti(d->L, d->strings, (lua_Integer)number + 1);
    return 0;
}

/* ---- tables ------------------------------------------------------------------------------------ */

/* Remembers the value on the top, whose tag stands at `tag`. */
static void keep(struct decoder *d, const uint8_t *tag) {
    need_table(d->L, d->kept);
    lua_pushvalue(d->L, -1);
    lua_rawseti(d->L, d->kept, (lua_Integer)((size_t)(tag - d->start) - d->skipped));
}

static int get_again(struct decoder *d) {
    uint64_t place;
    if (take_varint(d, &place) < 0 || d->kept == 0 || lua_isnil(d->L, d->kept))
        return -EBADMSG;
    return lua_rawgeti(d->L, d->kept, (lua_Integer)place) == LUA_TNIL ? -EBADMSG : 0;
}

static bool is_run(unsigned tag) {
    return tag >= TAG_RUN8 && tag <= TAG_RUNF;
}

struct run {
    unsigned tag;
    uint64_t n;
    const uint8_t *p, *end; /* the numbers */
};

/* Takes a run of at most `max` numbers. */
static int take_run(struct decoder *d, uint64_t max, struct run *r) {
    r->tag = *d->at++;
    unsigned width = r->tag == TAG_RUNF ? 3 : r->tag - TAG_RUN8;
    if (!is_run(r->tag) || take_varint(d, &r->n) < 0 || r->n == 0 || r->n > max ||
        r->n > (uint64_t)(d->end - d->at) >> width)
        return -EBADMSG;
    r->p = take(d, (size_t)r->n << width);
    r->end = d->at;
    d->owed -= (size_t)r->n;
    return 0;
}

/* Pushes each number of a run and does `also` with it. */
#define EACH(type, push, also)                                                 \
    for (const uint8_t *p = r->p, *end = r->end; p < end; p += sizeof(type)) { \
        type v;                                                                \
        memcpy(&v, p, sizeof v);                                               \
        push(L, v);                                                            \
        also;                                                                  \
    }                                                                          \
    break;
#define EACH_OF_RUN(also)                                \
    switch (r->tag) {                                    \
    case TAG_RUN8: EACH(int8_t, lua_pushinteger, also)   \
    case TAG_RUN16: EACH(int16_t, lua_pushinteger, also) \
    case TAG_RUN32: EACH(int32_t, lua_pushinteger, also) \
    case TAG_RUN64: EACH(int64_t, lua_pushinteger, also) \
    default: EACH(double, lua_pushnumber, also)          \
    }

/* Into table t, from index `to` on. */
static void set_run(lua_State *L, const struct run *r, int t, lua_Integer to) {
    EACH_OF_RUN(lua_rawseti(L, t, to++))
}

static void push_run(lua_State *L, const struct run *r) {
    EACH_OF_RUN((void)0)
}

#undef EACH_OF_RUN
#undef EACH

/* Can a table be made by get_packed? Not when a hook watches: it would be called for the constructor, may
 * raise, and here nobody expects that. */
static bool can_pack(const struct decoder *d, uint64_t list, unsigned pairs) {
    return pairs == 0 && list >= PACK_MIN && list <= PACK_MAX && d->at < d->end && is_run(*d->at) &&
           lua_gethookmask(d->L) == 0 && lua_checkstack(d->L, PACK_MAX + 8);
}

/* A list that begins with a run. Lua's own constructor, `{...}`, moves numbers from the stack into a table in
 * one go and so in half the time of lua_rawseti. 1 and the list is on the top; 0 when it is not all of one run,
 * with nothing taken; -EBADMSG. */
static int get_packed(struct decoder *d, uint64_t list) {
    lua_State *L = d->L;
    struct decoder before = *d;
    struct run r;
    if (take_run(d, list, &r) < 0)
        return -EBADMSG;
    if (r.n < list) {
        *d = before;
        return 0;
    }
    if (lua_isnil(L, d->pack)) {
        pack_push(L);
        lua_replace(L, d->pack);
    }
    lua_pushvalue(L, d->pack);
    push_run(L, &r);
    lua_call(L, (int)list, 1);
    return 1;
}

static int get_list(struct decoder *d, int t, uint64_t n) {
    for (uint64_t i = 0; i < n;) {
        if (d->at == d->end)
            return -EBADMSG;
        unsigned tag = *d->at;
        if (is_run(tag)) {
            struct run r;
            if (take_run(d, n - i, &r) < 0)
                return -EBADMSG;
            set_run(d->L, &r, t, (lua_Integer)i + 1);
            i += r.n;
            continue;
        }
        i++;
        d->owed--;
        if (tag == TAG_NIL) {
            d->at++;
            continue;
        }
        if (get_value(d) < 0)
            return -EBADMSG;
        lua_rawseti(d->L, t, (lua_Integer)i);
    }
    return 0;
}

/* One pair; Lua raises for the keys that are refused here. */
static int get_pair(struct decoder *d, int t) {
    if (d->at == d->end || *d->at == TAG_NIL)
        return -EBADMSG;
    bool is_float = *d->at == TAG_FLOAT;
    if (get_value(d) < 0 || (is_float && isnan(lua_tonumber(d->L, -1))))
        return -EBADMSG;
    if (get_value(d) < 0)
        return -EBADMSG;
    lua_rawset(d->L, t);
    return 0;
}

static int get_pairs(struct decoder *d, int t, uint64_t n) {
    for (; n > 0; n--) {
        d->owed -= 2;
        if (get_pair(d, t) < 0)
            return -EBADMSG;
    }
    return 0;
}

/* Pairs until the end tag: at least `least`, at most `most`. */
static int get_many_pairs(struct decoder *d, int t, uint64_t least, uint64_t most) {
    if (get_pairs(d, t, least) < 0)
        return -EBADMSG;
    for (uint64_t n = least; d->at < d->end; n++) {
        if (*d->at == TAG_END) {
            d->at++;
            return 0;
        }
        if (n == most || get_pair(d, t) < 0)
            return -EBADMSG;
    }
    return -EBADMSG;
}

static inline int clamp(uint64_t n) {
    return n < INT32_MAX ? (int)n : INT32_MAX;
}

/* Reserves the bytes that a table still to come needs at the least, an element one and a pair two: thus
 * all tables under way together never take more memory than the message's size allows for. */
static int owe(struct decoder *d, uint64_t list, uint64_t pairs) {
    size_t left = (size_t)(d->end - d->at);
    if (left < d->owed || list > left - d->owed || pairs > (left - d->owed - list) / 2)
        return -EBADMSG;
    d->owed += (size_t)(list + 2 * pairs);
    return 0;
}

static int get_table(struct decoder *d, bool kept) {
    lua_State *L = d->L;
    const uint8_t *tag = d->at - 1;
    uint64_t list;
    if (d->depth == CODEC_DEPTH_MAX || take_varint(d, &list) < 0 || d->at == d->end)
        return -EBADMSG;
    unsigned k = *d->at++;
    if (k > PAIRS_EXACT + PAIRS_EXPONENT_MAX || k == PAIRS_EXACT)
        return -EBADMSG;
    uint64_t most = k < PAIRS_EXACT ? k : UINT64_C(1) << (k - PAIRS_EXACT);
    uint64_t least = k < PAIRS_EXACT ? k : most / 2 + 1;
    if (owe(d, list, least) < 0)
        return -EBADMSG;
    int err = can_pack(d, list, k) ? get_packed(d, list) : 0;
    if (err != 0) {
        if (err > 0 && kept)
            keep(d, tag);
        return err < 0 ? err : 0;
    }
    luaL_checkstack(L, 8, "cannot decode a nested table");
    lua_createtable(L, clamp(list), clamp(most));
    int t = lua_gettop(L);
    if (kept)
        keep(d, tag);
    d->depth++;
    err = get_list(d, t, list);
    if (err == 0)
        err = k < PAIRS_EXACT ? get_pairs(d, t, k) : get_many_pairs(d, t, least, most);
    d->depth--;
    return err;
}

static int get_array(struct decoder *d, bool kept) {
    const uint8_t *tag = d->at - 1, *p = take(d, 1);
    uint64_t count;
    size_t bytes;
    if (kept && d->kept == 0) /* nothing can name the outermost value again but a table */
        return -EBADMSG;
    enum array_type type = p != NULL ? (enum array_type) * p : ARRAY_TYPES;
    if (type >= ARRAY_TYPES || take_varint(d, &count) < 0)
        return -EBADMSG;
    size_t size = array_kinds[type].size;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > (size_t)(d->end - d->at))
        return -EBADMSG;
    if (bytes >= BUF_REF_MIN) {
        const uint8_t *pad = take(d, 1);
        if (pad == NULL || *pad >= BUF_ALIGN || take(d, *pad) == NULL)
            return -EBADMSG;
    }
    p = take(d, bytes);
    if (p == NULL)
        return -EBADMSG;
    if (bytes >= BUF_REF_MIN && d->owner != NULL && (uintptr_t)p % size == 0) {
        array_push_view(d->L, d->owner, p, count, type);
    } else {
        struct array *a = array_push_new(d->L, BLOCK_PRIVATE, type, count, NULL);
        if (bytes > 0)
            memcpy(a->data, p, bytes);
    }
    if (kept)
        keep(d, tag);
    if (bytes >= BUF_REF_MIN)
        d->skipped += bytes; /* only now: `tag` stands before them */
    return 0;
}

static int get_value(struct decoder *d) {
    lua_State *L = d->L;
    uint64_t number;
    if (d->at == d->end)
        return -EBADMSG;
    unsigned tag = *d->at++;
    if (tag < TAG_STR0) {
        lua_pushinteger(L, tag);
        return 0;
    }
    if (tag < TAG_REF0)
        return get_bytes(d, tag - TAG_STR0);
    if (tag < TAG_NIL)
        return get_reference(d, tag - TAG_REF0);
    switch (tag) {
    case TAG_NIL: lua_pushnil(L); return 0;
    case TAG_FALSE: lua_pushboolean(L, 0); return 0;
    case TAG_TRUE: lua_pushboolean(L, 1); return 0;
    case TAG_INT8:
    case TAG_INT16:
    case TAG_INT32:
    case TAG_INT64:
    case TAG_FLOAT: return get_number(d, tag);
    case TAG_STR: return get_string(d);
    case TAG_MARK: return get_marked(d);
    case TAG_REF: return take_varint(d, &number) < 0 ? -EBADMSG : get_reference(d, number);
    case TAG_TABLE: return get_table(d, false);
    case TAG_TABLE_KEPT: return get_table(d, true);
    case TAG_ARRAY: return get_array(d, false);
    case TAG_ARRAY_KEPT: return get_array(d, true);
    case TAG_AGAIN: return get_again(d);
    default: return -EBADMSG;
    }
}

/* What is not a table needs little: no more of the stack, and nothing to remember. */
static int decode_simple(lua_State *L, const uint8_t *bytes, size_t len, struct block *owner,
                         size_t *used) {
    struct decoder d = {.L = L, .at = bytes, .end = bytes + len, .start = bytes, .owner = owner};
    int top = lua_gettop(L);
    d.depth = CODEC_DEPTH_MAX; /* nor is one taken if the first byte has become a table's */
    int err = get_value(&d);
    if (err < 0)
        lua_settop(L, top);
    else
        *used = (size_t)(d.at - bytes);
    return err;
}

int codec_decode_any(lua_State *L, const uint8_t *bytes, size_t len, struct block *owner,
                     size_t *used) {
    if (len == 0 || (*bytes != TAG_TABLE && *bytes != TAG_TABLE_KEPT))
        return decode_simple(L, bytes, len, owner, used);
    int top = lua_gettop(L);
    struct decoder d = {.L = L,
                        .at = bytes + 1,
                        .end = bytes + len,
                        .start = bytes,
                        .owner = owner,
                        .strings = top + 1,
                        .kept = top + 2,
                        .pack = top + 3};
    luaL_checkstack(L, 8, "cannot decode");
    lua_settop(L, top + 3);
    int err = get_table(&d, *bytes == TAG_TABLE_KEPT);
    if (err < 0) {
        lua_settop(L, top);
        return err;
    }
    *used = (size_t)(d.at - bytes);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return 0;
}
