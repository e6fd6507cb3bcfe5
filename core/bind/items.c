/* items: see items.h. */
#include "bind/items.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void items_check(lua_State *L, int at, struct items *items) {
    int type = lua_type(L, at);
    *items = (struct items){.at = at, .count = -1};
    if (type == LUA_TTABLE)
        items->count = (lua_Integer)lua_rawlen(L, at);
    else if ((items->numbers = type == LUA_TNUMBER))
        items->count = luaL_checkinteger(L, at);
    else if (type != LUA_TFUNCTION)
        luaL_typeerror(L, at, "table of items, number of items or iterator");
    luaL_argcheck(L, type != LUA_TNUMBER || items->count >= 0, at,
                  "the number of items is negative");
}

int items_refused(struct buf *out, size_t len, size_t pieces, const struct codec_error *e,
                  lua_Integer index) {
    char text[512], root[48];
    buf_truncate(out, len, pieces);
    snprintf(root, sizeof root, "items[%lld]", (long long)index);
    codec_error_text(e, root, text, sizeof text);
    return buf_add(out, text, strlen(text)) < 0 ? -ENOMEM : POOL_REFUSED;
}

/* Pushes the next item: 1, 0 at the end, -ECANCELED when the iterator raised. */
static int push_next(struct items *items, struct bind_pool *b) {
    lua_State *L = b->job.L;
    int type = lua_type(L, items->at);
    if (items->count >= 0 && items->next >= items->count)
        return 0;
    items->next++;
    if (type == LUA_TTABLE) {
        lua_rawgeti(L, items->at, items->next);
        return 1;
    }
    lua_pushvalue(L, items->at);
    b->iterating = true;
    int status = state_call(L, 0, 1);
    b->iterating = false;
    if (status != LUA_OK) {
        items->raised = true;
        return -ECANCELED;
    }
    if (!lua_isnil(L, -1))
        return 1;
    lua_pop(L, 1);
    items->count = items->next = 0; /* it is not asked again */
    return 0;
}

/* The numbers 1 to n need not pass through Lua. */
static int next_number(struct items *items, struct buf *out) {
    if (items->next == items->count)
        return POOL_NO_ITEM;
    if (out->cap - out->len < CODEC_NUMBER_MAX && buf_reserve(out, CODEC_NUMBER_MAX) < 0)
        return -ENOMEM;
    out->len += codec_store_integer(out->data + out->len, ++items->next);
    return POOL_ITEM;
}

int items_next(struct items *items, struct bind_pool *b, struct buf *out) {
    struct codec_error error;
    if (items->numbers)
        return next_number(items, out);
    int got = push_next(items, b);
    if (got <= 0)
        return got;
    size_t len = out->len, pieces = out->n_pieces;
    int err = codec_encode(b->job.L, -1, out, &error);
    lua_pop(b->job.L, 1);
    if (err == -EINVAL)
        return items_refused(out, len, pieces, &error, items->next);
    return err < 0 ? err : POOL_ITEM;
}
