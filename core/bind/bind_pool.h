/* bind_pool: what the files behind rig.core's pool share. */
#ifndef RIG_BIND_BIND_POOL_H
#define RIG_BIND_BIND_POOL_H

#include "bind/job.h"
#include "pool/pool.h"

struct waiting; /* an item that was submitted and not sent */

/* Tasks that a program submitted one by one; see futures.c. */
struct futures {
    struct batch *batch; /* NULL before the first */
    struct waiting *first, *last;
    uint64_t next; /* number of the next task */
    int by_id;     /* registry reference: futures that somebody holds, by task + 1 */
    bool applying; /* somebody waits for the task `applied`, whose end goes to ... */
    uint64_t applied;
    int ended_at; /* ... this stack index: true or false */
    int value_at; /* ... and this one: its value or failure */
};

struct bind_pool {
    struct pool *pool; /* NULL: never started, or terminated */
    pid_t owner;
    bool iterating; /* inside the iterator of a run */
    bool busy;      /* inside a call of the pool */
    struct job job;
    struct buf fixed; /* the encoded fixed data, where the delivery sends it */
    struct futures futures;
};

struct bind_pool *bind_pool_check(lua_State *L);
/* The same for the one at an index. */
struct bind_pool *bind_pool_at(lua_State *L, int idx);

/* Pushes nil, message, code for a failed call of the pool; returns 3. */
int bind_pool_fail(lua_State *L, struct bind_pool *b, int err);

/* Each adds its methods to the table on the top. */
void futures_open(lua_State *L);
void lazy_open(lua_State *L);
void futures_free(lua_State *L, struct bind_pool *b);

/* push_report.c; each pushes one table. */
void push_failure(lua_State *L, const struct outcome *o);
void push_report(lua_State *L, const struct pool *p, int failures);
void push_account(lua_State *L, const struct account *a, int failures);
int push_stats(lua_State *L, struct pool *p);

/* bind_fault.c: methods of a pool. */
int pool_board_get(lua_State *L);
int pool_board_set(lua_State *L);

#endif
