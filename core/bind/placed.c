/* placed: see placed.h. */
#include "bind/placed.h"

#include "bind/codec.h"
#include "os/fds.h"

static const char placed_name[] = "rig.placed";

struct block *placed_test(lua_State *L, int idx) {
    struct block **b = luaL_testudata(L, idx, placed_name);
    return b != NULL ? *b : NULL;
}

static int encode(lua_State *L, struct buf *out) {
    struct codec_error error;
    buf_clear(out);
    int err = codec_encode(L, 1, out, &error);
    if (err < 0) {
        buf_clear(out);
        codec_raise(L, err, &error, "fixed");
    }
    return err;
}

static int write_sealed(struct state *st, bool pass_on, struct block **out) {
    int fd;
    void *addr;
    size_t n = buf_size(&st->scratch);
    int err = shm_open_sealable(&st->sys, "rig-fixed", n, &fd, &addr);
    if (err < 0)
        return err;
    buf_copy(&st->scratch, addr);
    err = shm_seal_open(&st->sys, &fd, n, &addr);
    if (err < 0)
        return err;
    err = block_adopt_sealed(&st->sys, addr, n, out);
    if (err < 0)
        map_close(&st->sys, addr, n);
    if (err == 0 && pass_on)
        block_keep_fd(*out, fd);
    else
        fds_close(&st->sys, &fd);
    return err;
}

/* core.place(value [, pass_on]) -> placed | nil, message, code; pass_on: workers of start=spawn, too, are to
 * map it, which takes a descriptor for as long as it is there */
static int l_place(lua_State *L) {
    struct state *st = state_get(L);
    luaL_checkany(L, 1);
    bool pass_on = lua_toboolean(L, 2);
    struct block **b = lua_newuserdatauv(L, sizeof *b, 0);
    *b = NULL;
    luaL_setmetatable(L, placed_name);
    encode(L, &st->scratch);
    size_t n = buf_size(&st->scratch);
    int err = write_sealed(st, pass_on, b);
    buf_clear(&st->scratch);
    if (err < 0)
        return state_fail(L, err, "place %d MB of fixed data in shared memory", (int)(n >> 20));
    return 1;
}

/* placed:get() -> the value; its large arrays are views of the mapping */
static int l_get(lua_State *L) {
    struct block **b = luaL_checkudata(L, 1, placed_name);
    size_t used;
    luaL_argcheck(L, *b != NULL, 1, "it is closed");
    if (codec_decode(L, (*b)->data, (*b)->size, *b, &used) < 0)
        return luaL_error(L, "the placed value is damaged");
    return 1;
}

static int l_close(lua_State *L) {
    struct block **b = luaL_checkudata(L, 1, placed_name);
    block_unref(*b);
    *b = NULL;
    return 0;
}

void placed_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"get", l_get}, {"close", l_close}, {NULL, NULL}};
    luaL_newmetatable(L, placed_name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_place);
    lua_setfield(L, -2, "place");
}
