/* bind_codec: the codec for scripts: core.encode, core.decode and core.copy. Messages between processes do not come
 * through here: their bindings call codec.h. */
#include <lauxlib.h>

#include "bind/codec.h"
#include "bind/open.h"
#include "bind/state.h"

/* Pushes the contents of the buf at light userdata 1 as a string. */
static int push_contents(lua_State *L) {
    const struct buf *b = lua_touserdata(L, 1);
    luaL_Buffer to;
    buf_copy(b, (uint8_t *)luaL_buffinitsize(L, &to, buf_size(b)));
    luaL_pushresultsize(&to, buf_size(b));
    return 1;
}

/* The usual case: all bytes stand together, and nothing but them is held in case Lua raises. */
static void push_plain(lua_State *L, struct buf *scratch) {
    lua_pushlstring(L, (const char *)scratch->data, scratch->len);
    buf_clear(scratch);
}

/* With references into arrays: they would stay frozen if Lua raised. In a buf of its own, because making
 * the string may run finalizers, which may encode too. */
static void push_pieces(lua_State *L, struct buf *scratch) {
    struct buf own;
    buf_init(&own, scratch->sys);
    buf_move(&own, scratch);
    lua_pushcfunction(L, push_contents);
    lua_pushlightuserdata(L, &own);
    int err = lua_pcall(L, 1, 1, 0);
    buf_free(&own);
    if (err != LUA_OK)
        lua_error(L);
}

/* The only argument's bytes, in the scratch buffer; raises with the path to what cannot be encoded. */
static struct buf *encode_argument(lua_State *L) {
    struct buf *scratch = &state_get(L)->scratch;
    struct codec_error err;
    luaL_checkany(L, 1);
    luaL_argcheck(L, lua_gettop(L) == 1, 2, "too many arguments");
    buf_clear(scratch);
    int code = codec_encode(L, 1, scratch, &err);
    if (code < 0) {
        buf_clear(scratch);
        codec_raise(L, code, &err, "value");
    }
    return scratch;
}

/* core.encode(v) -> string; raises with the path to what cannot be encoded. */
static int f_encode(lua_State *L) {
    struct buf *scratch = encode_argument(L);
    if (scratch->n_pieces == 0)
        push_plain(L, scratch);
    else
        push_pieces(L, scratch);
    return 1;
}

/* core.decode(s) -> v; raises when s is not exactly one encoded value. */
static int f_decode(lua_State *L) {
    size_t len, used;
    luaL_checktype(L, 1, LUA_TSTRING);
    luaL_argcheck(L, lua_gettop(L) == 1, 2, "too many arguments");
    const char *s = lua_tolstring(L, 1, &len);
    if (codec_decode(L, (const uint8_t *)s, len, NULL, &used) < 0)
        return luaL_argerror(L, 1, "these bytes are not a value that encode made");
    if (used < len)
        return luaL_error(L, "%I bytes follow the encoded value; decode takes exactly one",
                          (lua_Integer)(len - used));
    return 1;
}

/* A value on its way through core.copy. */
struct passage {
    struct buf bytes;
    struct block *owner; /* of bytes with large arrays, as they would have arrived; else NULL */
};

static int decode_passage(lua_State *L) {
    const struct passage *p = lua_touserdata(L, 1);
    const uint8_t *bytes = p->owner ? p->owner->data : p->bytes.data;
    size_t used;
    if (codec_decode(L, bytes, buf_size(&p->bytes), p->owner, &used) < 0)
        return luaL_error(L, "the bytes of a value are damaged");
    return 1;
}

/* The bytes stay ours while they are decoded, whatever finalizers do to the scratch meanwhile. */
static int push_copy(lua_State *L, struct buf *scratch) {
    struct passage p = {.owner = NULL};
    int err = 0;
    buf_init(&p.bytes, scratch->sys);
    buf_move(&p.bytes, scratch);
    if (p.bytes.n_pieces > 0)
        err = block_new(scratch->sys, BLOCK_PRIVATE, buf_size(&p.bytes), &p.owner);
    if (err == 0) {
        if (p.owner != NULL)
            buf_copy(&p.bytes, p.owner->data);
        lua_pushcfunction(L, decode_passage);
        lua_pushlightuserdata(L, &p);
        err = lua_pcall(L, 1, 1, 0);
    }
    block_unref(p.owner);
    buf_clear(&p.bytes);
    buf_move(scratch, &p.bytes);
    if (err < 0)
        return luaL_error(L, "not enough memory to copy value");
    return err == LUA_OK ? 1 : lua_error(L);
}

/* core.copy(v) -> v as it would come out in another process; raises with the path to what cannot cross. */
static int f_copy(lua_State *L) {
    struct buf *scratch = encode_argument(L);
    return push_copy(L, scratch);
}

static const luaL_Reg functions[] = {{"encode", f_encode},
                                     {"decode", f_decode},
                                     {"copy", f_copy},
                                     {NULL, NULL}};

void bind_codec(lua_State *L) {
    codec_open(L);
    luaL_setfuncs(L, functions, 0);
}
