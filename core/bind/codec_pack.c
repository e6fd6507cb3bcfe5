/* codec_pack: see codec_pack.h. */
#include "bind/codec_pack.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/embed.h"

static const char pack_key; /* its address finds the function */

void pack_open(lua_State *L) {
    static const char source[] = "return {...}";
    /* Named like a file of rig's own: an interrupt that comes while it runs lets those go on. */
    if (luaL_loadbufferx(L, source, strlen(source), rig_embedded[0].chunk, "t") != LUA_OK)
        lua_error(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pack_key);
}

void pack_push(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pack_key);
}
