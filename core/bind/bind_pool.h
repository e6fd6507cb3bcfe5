/* bind_pool: what the files behind rig.core's pool share. */
#ifndef RIG_BIND_BIND_POOL_H
#define RIG_BIND_BIND_POOL_H

#include "bind/job.h"
#include "pool/pool.h"

struct bind_pool {
    struct pool *pool; /* NULL: never started, or terminated */
    pid_t owner;
    bool iterating; /* inside the iterator of a run */
    struct job job;
    struct buf fixed; /* the encoded fixed data, where the delivery sends it */
};

struct bind_pool *bind_pool_check(lua_State *L);

/* push_report.c; each pushes one table. */
void push_failure(lua_State *L, const struct outcome *o);
void push_report(lua_State *L, const struct pool *p, int failures);
void push_account(lua_State *L, const struct account *a, int failures);
int push_stats(lua_State *L, struct pool *p);

#endif
