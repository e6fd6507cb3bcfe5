/* items: what a map's items are given as (a list, a number n for 1..n, an iterator), read one after the
 * other into messages. Pools written in Lua have the same forms in pools/items.lua. */
#ifndef RIG_BIND_ITEMS_H
#define RIG_BIND_ITEMS_H

#include "bind/bind_pool.h"
#include "bind/codec.h"

struct items {
    int at;                  /* stack index */
    lua_Integer next, count; /* count: of a table or a number; -1 for an iterator */
    bool numbers;            /* 1 to count */
    bool raised;             /* the iterator's error is on the stack */
};

/* The items at an index; raises when they are none. */
void items_check(lua_State *L, int at, struct items *items);

/* As `next` of pool_io, in b->job.L. -ECANCELED when the iterator raised. */
int items_next(struct items *items, struct bind_pool *b, struct buf *out);

/* A task's item that cannot be sent: the message in place of it. -ENOMEM, or POOL_REFUSED. */
int items_refused(struct buf *out, size_t len, size_t pieces, const struct codec_error *e,
                  lua_Integer index);

#endif
