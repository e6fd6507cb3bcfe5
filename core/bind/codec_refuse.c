/* codec_refuse: why the encoder could not go on, and the path to the value. See codec_put.h. Like all of
 * the encoder it must not raise, so it makes no Lua strings. */
#include <lauxlib.h>
#include <stdio.h>

#include "bind/codec_put.h"

int put_refusal(struct encoder *e, const char *what) {
    e->err->path[0] = '\0';
    snprintf(e->err->what, sizeof e->err->what, "%s", what);
    return -EINVAL;
}

/* The metatable's __name of a userdata, found without making the string "__name", which could raise. */
static const char *type_name(lua_State *L, int idx) {
    const char *name = "userdata";
    if (!lua_getmetatable(L, idx))
        return name;
    int t = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, t); lua_settop(L, t + 1))
        if (lua_type(L, t + 1) == LUA_TSTRING && lua_type(L, t + 2) == LUA_TSTRING &&
            strcmp(lua_tostring(L, t + 1), "__name") == 0)
            name = lua_tostring(L, t + 2);
    lua_settop(L, t - 1);
    return name;
}

int put_refusal_userdata(struct encoder *e, int idx) {
    char what[sizeof e->err->what];
    snprintf(what, sizeof what,
             "a %.60s cannot cross processes; send what it holds as plain values",
             type_name(e->L, idx));
    return put_refusal(e, what);
}

static void key_text(lua_State *L, int idx, char *text, size_t size) {
    switch (lua_type(L, idx)) {
    case LUA_TSTRING: {
        const char *s = lua_tostring(L, idx);
        size_t word = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
        bool name = word > 0 && word == lua_rawlen(L, idx) && (s[0] < '0' || s[0] > '9');
        snprintf(text, size, name ? ".%.60s" : "[\"%.60s\"]", s);
        break;
    }
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx))
            snprintf(text, size, "[" LUA_INTEGER_FMT "]", lua_tointegerx(L, idx, NULL));
        else
            snprintf(text, size, "[%.14g]", lua_tonumber(L, idx));
        break;
    case LUA_TBOOLEAN:
        snprintf(text, size, "[%s]", lua_toboolean(L, idx) ? "true" : "false");
        break;
    default: snprintf(text, size, "[a %s]", lua_typename(L, lua_type(L, idx))); break;
    }
}

/* A path that grows too long loses its middle. */
int put_refused_under(struct encoder *e, int idx, int code) {
    char text[96], *path = e->err->path;
    if (code != -EINVAL)
        return code;
    key_text(e->L, idx, text, sizeof text);
    size_t len = strlen(path), add = strlen(text), keep = 64;
    if (len + add + 4 > sizeof e->err->path) {
        memmove(path + 3, path + len - keep, keep + 1);
        memcpy(path, "...", 3);
        len = keep + 3;
    }
    memmove(path + add, path, len + 1);
    memcpy(path, text, add);
    return code;
}

void codec_error_text(const struct codec_error *err, const char *root, char *text, size_t size) {
    snprintf(text, size, "%s%s: %s", root, err->path, err->what);
}

int codec_raise(lua_State *L, int code, const struct codec_error *err, const char *root) {
    char text[sizeof *err + 128];
    if (code == -ENOMEM)
        return luaL_error(L, "not enough memory to encode %s", root);
    codec_error_text(err, root, text, sizeof text);
    return luaL_error(L, "%s", text);
}
