/* job: what a pool's workers run when the job is Lua functions: items and fixed data from bytes to
 * values, the calls of init, map and finish, results back to bytes. Runs in workers only. */
#ifndef RIG_BIND_JOB_H
#define RIG_BIND_JOB_H

#include "bind/state.h"
#include "pool/pool.h"

struct job {
    struct state *state;
    lua_State *L; /* the thread that last entered the pool: a worker forked there goes on with it */
    int map, init, finish, worker, params, fixed; /* registry references; LUA_NOREF */
    int base; /* in the worker: stack index below what the tasks need */
};

/* The callbacks of pool.h; ctx is a struct job. */
int job_init(void *ctx, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
             struct buf *out);
void job_run_all(void *ctx, struct tasks *tasks, struct buf *out);
int job_finish(void *ctx, struct buf *out);

#endif
