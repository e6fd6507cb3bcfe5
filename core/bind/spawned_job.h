/* spawned_job: the job of a pool with start=spawn, on both sides: what the coordinator writes down of
 * it, and how a worker, in whose Lua state nothing has happened yet, makes functions of that again.
 * Which functions they are is for lua/rig/spawned.lua to say. */
#ifndef RIG_BIND_SPAWNED_JOB_H
#define RIG_BIND_SPAWNED_JOB_H

#include "bind/host.h"
#include "bind/job.h"

/* What a worker must have been built from, to understand what it is handed. */
extern const char spawned_build[];

/* In the coordinator: fills in c->spawn from the field `job` of the table at 1. Pushes one value, which
 * must stay on the stack until the pool is open. Raises. */
void spawned_describe(lua_State *L, struct pool_config *c);

/* What a worker's rig is opened with; points into the job's bytes. */
struct spawned_options {
    const char *lua_path; /* NULL: none */
    int huge_pages;       /* as in rig_options_t */
};

/* In a worker. 0, or -EBADMSG. */
int spawned_options(const uint8_t *bytes, size_t size, struct spawned_options *o);

struct spawned_start {
    struct rig *rig;
    const uint8_t *bytes; /* of the job */
    size_t size;
    unsigned worker;
};

/* In a worker, once its rig is open: makes *j, and does what job_init does in a fork. */
int spawned_init(struct job *j, const struct spawned_start *start, const uint8_t *fixed, size_t len,
                 struct block *owner, struct buf *out);

#endif
