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

/* For a worker whose state was not inherited: job_init without its first step, side_begin; and the
 * error message on the top made the task's. Both return as the callbacks do. */
int job_start(struct job *j, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
              struct buf *out);
int job_say_top(lua_State *L, struct buf *out);

void job_run_all(void *ctx, struct tasks *tasks, struct buf *out);
int job_finish(void *ctx, struct buf *out);

#endif
