/* codec_encode: Lua values to bytes; see codec.h. Written so that it can neither raise nor run Lua code:
 * it only reads (lua_next, lua_to...), converts nothing in place, and takes its memory from buf and memo.
 * That is what allows callers to have half a message in memory of their own. */
#include "bind/array.h"
#include "bind/codec_pack.h"
#include "bind/codec_put.h"
#include "bind/state.h"

#define RUN_MIN 4 /* fewer numbers are cheaper one by one */
#define STACK_LEVELS \
    10 /* tables within tables for which there is room on the stack at once, 3 places each */
#define GAP_MAX 16 /* nils in a list that are written out, before it ends and pairs begin */

/* A walk over a table: the table stands at index t, the current key and value above it. */
struct walk {
    int t;
    bool more;        /* there is a current pair */
    lua_Integer done; /* list elements written so far */
    lua_Integer n;    /* and how many there may be */
};

static int put_typed(struct encoder *e, int idx, int type);

static int put_string(struct encoder *e, int idx) {
    size_t len;
    const char *s = lua_tolstring(e->L, idx, &len);
    if (e->memo == NULL)
        return put_bytes(e, s, len);
    struct memo_string *m = memo_string(e->memo, s);
    if (m->s != s || m->epoch != e->memo->epoch) {
        *m = (struct memo_string){s, e->memo->epoch, MEMO_NO_NUMBER};
        return put_bytes(e, s, len);
    }
    if (m->number < REF_SHORT)
        return put_tag(e, TAG_REF0 + m->number);
    if (m->number != MEMO_NO_NUMBER)
        return put_tag_varint(e, TAG_REF, m->number);
    m->number = e->marked++;
    int err = put_tag(e, TAG_MARK);
    return err < 0 ? err : put_bytes(e, s, len);
}

/* ---- tables and arrays ------------------------------------------------------------------------- */

/* If the message holds ptr already, names it again and returns 1. Else notes it as beginning here. */
static int put_again(struct encoder *e, const void *ptr) {
    uint64_t first;
    int seen = memo_see(e->memo, ptr, e->out->len - e->start, &first);
    if (seen <= 0)
        return seen;
    e->out->data[e->start + first] |= 1; /* TAG_TABLE becomes TAG_TABLE_KEPT */
    int err = put_tag_varint(e, TAG_AGAIN, first);
    return err < 0 ? err : 1;
}

static int put_array(struct encoder *e, int idx) {
    const struct array *a = array_test(e->L, idx);
    if (a == NULL)
        return put_refusal_userdata(e, idx);
    if (a->block == NULL)
        return put_refusal(e, "this array is closed");
    int err = put_again(e, a);
    if (err != 0)
        return err < 0 ? err : 0;
    size_t bytes = array_bytes(a);
    uint8_t *p = room(e->out, 13);
    if (p == NULL)
        return -ENOMEM;
    p[0] = TAG_ARRAY;
    p[1] = (uint8_t)a->type;
    e->out->len += 2 + store_varint(p + 2, a->count);
    if (bytes < BUF_REF_MIN)
        return buf_add(e->out, a->data, bytes);
    e->out->len++;
    e->out->data[e->out->len - 1] =
        (uint8_t)(-buf_size(e->out) % BUF_ALIGN); /* what buf_add_ref adds */
    return buf_add_ref(e->out, a->block, a->data, bytes);
}

static inline void walk_on(lua_State *L, struct walk *w) {
    lua_settop(L, w->t + 1);
    w->more = lua_next(L, w->t);
}

static int put_ints(struct encoder *e, const int64_t *v, size_t n, uint64_t bits) {
    int err = 0;
    if (n < RUN_MIN) {
        for (size_t i = 0; i < n && err == 0; i++)
            err = put_integer(e, v[i]);
        return err;
    }
    unsigned width = width_of(bits);
    if (put_tag_varint(e, TAG_RUN8 + width, n) < 0)
        return -ENOMEM;
    uint8_t *p = room(e->out, n << width);
    if (p == NULL)
        return -ENOMEM;
    e->out->len += n << width;
#define NARROW(ctype)                           \
    for (size_t i = 0; i < n; i++) {            \
        ctype x = (ctype)v[i];                  \
        memcpy(p + i * sizeof x, &x, sizeof x); \
    }
    switch (width) {
    case 0: NARROW(int8_t) break;
    case 1: NARROW(int16_t) break;
    case 2: NARROW(int32_t) break;
    default: memcpy(p, v, n * sizeof *v); break;
    }
#undef NARROW
    return 0;
}

/* Can the current pair go on with a run? */
static inline bool run_goes_on(lua_State *L, const struct walk *w, size_t n) {
    return w->more && n < MEMO_RUN && w->done < w->n && lua_isinteger(L, w->t + 1) &&
           lua_tointegerx(L, w->t + 1, NULL) == w->done + 1;
}

/* The current value is an integer: writes it and those that follow it. */
static int put_int_run(struct encoder *e, struct walk *walk) {
    lua_State *L = e->L;
    struct walk w = *walk; /* its address is nobody's: it stays in registers */
    int64_t *run = e->memo->run.i;
    uint64_t bits = 0;
    size_t n = 0;
    do {
        int64_t v = lua_tointegerx(L, w.t + 2, NULL);
        run[n++] = v;
        bits |= magnitude(v);
        w.done++;
        walk_on(L, &w);
    } while (run_goes_on(L, &w, n) && lua_isinteger(L, w.t + 2));
    *walk = w;
    return put_ints(e, run, n, bits);
}

static int put_float_run(struct encoder *e, struct walk *walk) {
    lua_State *L = e->L;
    struct walk w = *walk;
    double *run = e->memo->run.f;
    size_t n = 0;
    int err = 0;
    do {
        run[n++] = lua_tonumberx(L, w.t + 2, NULL);
        w.done++;
        walk_on(L, &w);
    } while (run_goes_on(L, &w, n) && lua_type(L, w.t + 2) == LUA_TNUMBER &&
             !lua_isinteger(L, w.t + 2));
    *walk = w;
    if (n < RUN_MIN) {
        for (size_t i = 0; i < n && err == 0; i++)
            err = put_float(e, run[i]);
        return err;
    }
    err = put_tag_varint(e, TAG_RUNF, n);
    return err < 0 ? err : buf_add(e->out, run, n * sizeof *run);
}

/* How many nils would have to come before the current key if it belonged to the list; -1: it does not. */
static lua_Integer gap_before(lua_State *L, const struct walk *w) {
    if (!lua_isinteger(L, w->t + 1))
        return -1;
    lua_Integer key = lua_tointegerx(L, w->t + 1, NULL);
    if (key <= w->done || key > w->n || key - w->done > GAP_MAX)
        return -1;
    return key - w->done - 1;
}

/* The keys that come as 1, 2, 3, ..., small gaps included. All others are left to put_pairs, also those
 * that Lua keeps in another order. */
static int put_list(struct encoder *e, struct walk *w) {
    lua_State *L = e->L;
    while (w->more && w->done < w->n) {
        int err = 0;
        lua_Integer gap = gap_before(L, w);
        if (gap < 0)
            break;
        for (; gap > 0 && err == 0; gap--, w->done++)
            err = put_tag(e, TAG_NIL);
        if (err < 0)
            return err;
        int type = lua_type(L, w->t + 2);
        if (type == LUA_TNUMBER) {
            err = lua_isinteger(L, w->t + 2) ? put_int_run(e, w) : put_float_run(e, w);
        } else {
            err = put_typed(e, w->t + 2, type);
            if (err < 0)
                return put_refused_under(e, w->t + 1, err);
            w->done++;
            walk_on(L, w);
        }
        if (err < 0)
            return err;
    }
    return 0;
}

static int put_key(struct encoder *e, int idx) {
    int type = lua_type(e->L, idx);
    if (type == LUA_TSTRING)
        return put_string(e, idx);
    lua_pushvalue(e->L, idx); /* a table must be on the top */
    int err = put_typed(e, lua_gettop(e->L), type);
    lua_settop(e->L, idx + 1);
    return err;
}

static int put_pairs(struct encoder *e, struct walk *w, uint64_t *n) {
    lua_State *L = e->L;
    for (; w->more; walk_on(L, w), ++*n) {
        int err = put_key(e, w->t + 1);
        if (err == 0)
            err = put_typed(e, w->t + 2, lua_type(L, w->t + 2));
        if (err < 0)
            return put_refused_under(e, w->t + 1, err);
    }
    return 0;
}

/* Overwrites a varint of `size` bytes by a smaller one of as many bytes. */
static void patch_varint(uint8_t *p, size_t size, uint64_t v) {
    for (; size > 1; size--, v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p = (uint8_t)v;
}

/* All of a table. The header promises a list as long as the table's border, and nobody can say how many pairs
 * will follow: both are put right afterwards. Without a list if the walk does not begin with one: what Lua keeps
 * as a list comes first. */
static int put_contents(struct encoder *e, struct walk *w) {
    lua_State *L = e->L;
    uint8_t *p = room(e->out, 12);
    if (p == NULL)
        return -ENOMEM;
    lua_pushnil(L);
    w->more = lua_next(L, w->t);
    w->n = w->more && lua_isinteger(L, w->t + 1) ? (lua_Integer)lua_rawlen(L, w->t) : 0;
    size_t n_size = store_varint(p + 1, (uint64_t)w->n);
    size_t head = e->out->len;
    uint64_t pairs = 0;
    p[0] = TAG_TABLE;
    e->out->len += n_size + 2;
    int err = w->n > 0 ? put_list(e, w) : 0;
    if (err == 0 && w->more)
        err = put_pairs(e, w, &pairs);
    if (err < 0)
        return err;
    if (w->done < w->n)
        patch_varint(e->out->data + head + 1, n_size, (uint64_t)w->done);
    uint8_t *k = e->out->data + head + 1 + n_size;
    if (pairs < PAIRS_EXACT) {
        *k = (uint8_t)pairs;
        return 0;
    }
    *k = (uint8_t)(PAIRS_EXACT + 64 - (unsigned)__builtin_clzll(pairs - 1));
    return put_tag(e, TAG_END);
}

/* The table stands on the top, at index t. */
static int put_table(struct encoder *e, int t) {
    lua_State *L = e->L;
    if (lua_getmetatable(L, t)) {
        lua_settop(L, t);
        return put_refusal(e,
                           "a table with a metatable cannot cross processes; send a plain table");
    }
    int err = put_again(e, lua_topointer(L, t));
    if (err != 0)
        return err < 0 ? err : 0;
    if (e->depth == CODEC_DEPTH_MAX)
        return put_refusal(e, "more than 100 tables within each other; send a flatter structure");
    if (e->depth % STACK_LEVELS == 0 && !lua_checkstack(L, 3 * STACK_LEVELS + 8))
        return -ENOMEM;
    struct walk w = {.t = t};
    e->depth++;
    err = put_contents(e, &w);
    e->depth--;
    return err;
}

static int put_typed(struct encoder *e, int idx, int type) {
    lua_State *L = e->L;
    switch (type) {
    case LUA_TNIL: return put_tag(e, TAG_NIL);
    case LUA_TBOOLEAN: return put_tag(e, lua_toboolean(L, idx) ? TAG_TRUE : TAG_FALSE);
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx))
            return put_integer(e, lua_tointegerx(L, idx, NULL));
        return put_float(e, lua_tonumber(L, idx));
    case LUA_TSTRING: return put_string(e, idx);
    case LUA_TTABLE: return put_table(e, idx);
    case LUA_TUSERDATA: return put_array(e, idx);
    case LUA_TFUNCTION:
        return put_refusal(
            e, "a function cannot cross processes; send data, and define the function where "
               "it is used");
    case LUA_TTHREAD:
        return put_refusal(e, "a coroutine cannot cross processes; send what it yields");
    default: return put_refusal(e, "a pointer cannot cross processes; send what it points to");
    }
}

/* ---- a message --------------------------------------------------------------------------------- */

static const char memo_key; /* its address finds this Lua state's memo */

/* Encoding may go on after this, in finalizers that run later, but nothing is kept then. */
static int memo_gc(lua_State *L) {
    struct memo *m = lua_touserdata(L, 1);
    memo_free(m);
    m->dead = true;
    return 0;
}

void codec_open(lua_State *L) {
    memo_init(lua_newuserdatauv(L, sizeof(struct memo), 0), &state_get(L)->sys);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, memo_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &memo_key);
    pack_open(L);
}

int codec_encode_any(lua_State *L, int idx, struct buf *out, struct codec_error *err) {
    int type = lua_type(L, idx), top = lua_gettop(L);
    struct encoder e = {.L = L, .out = out, .err = err, .start = out->len};
    if (type != LUA_TTABLE && type != LUA_TUSERDATA)
        return put_typed(&e, idx, type);
    size_t pieces = out->n_pieces;
    if (!lua_checkstack(L, 8))
        return -ENOMEM;
    lua_pushvalue(L, idx);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &memo_key);
    e.memo = lua_touserdata(L, -1);
    lua_settop(L, top + 1);
    memo_begin(e.memo);
    int code = put_typed(&e, top + 1, type);
    memo_end(e.memo);
    lua_settop(L, top);
    if (code < 0)
        buf_truncate(out, e.start, pieces);
    return code;
}
