/* pool: workers that apply a job to tasks. Bytes and callbacks, no Lua: a C host uses it as it is.
 * What makes a pool fast or slow is one of its axes (how workers start, how the fixed data reaches
 * them, over which channel tasks go, in which chunks, with or without a barrier), each an entry of a
 * list in axes.h. One thread uses a pool at a time; only the process that opened it.
 *
 * Promise: every task of a map ends exactly once (see outcome.h). A worker that dies takes at most the
 * task it was running with it: results it had finished are taken from memory it shares with us, tasks
 * it had not begun go to others, and it is replaced. */
#ifndef RIG_POOL_POOL_H
#define RIG_POOL_POOL_H

#include "os/proc.h"
#include "pool/buf.h"
#include "pool/outcome.h"

struct pool;
struct start_ops;
struct channel_ops;
struct deliver_ops;

/* What the workers do. All three are called in a worker, never in the coordinator; NULL is allowed for
 * init and finish. They return 0, or 1 with a message in `out`. */
struct pool_job {
    void *ctx;
    /* `fixed` is NULL with delivery=inherit: ctx leads to it. `owner` holds the bytes if not NULL. */
    int (*init)(void *ctx, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
                struct buf *out);
    /* The task's item and, in `out`, its value. */
    int (*run)(void *ctx, uint64_t task, const uint8_t *item, size_t len, struct block *owner,
               struct buf *out);
    int (*finish)(void *ctx, struct buf *out);
};

/* Where a map's items come from and its outcomes go; called in the coordinator. */
struct pool_io {
    void *ctx;
    /* Appends the next item to `out`: 1; 0: there are no more; 2: this item cannot be sent, `out` has
     * the message instead and the task ends in error; -errno ends the map. */
    int (*next)(void *ctx, struct buf *out);
    /* A task ended; the value when it ended ok. 0, or -errno, which ends the map. */
    int (*take)(void *ctx, const struct outcome *o, const uint8_t *value, size_t len,
                struct block *owner);
};

struct pool_config {
    unsigned workers;
    const struct start_ops *start;
    const struct channel_ops *channel;
    const struct deliver_ops *deliver;
    uint32_t chunk; /* items in a message; 0: adapted to the tasks' duration */
    bool barrier;   /* for pool_wait_ready's caller; tasks go to workers that are ready anyway */
    int64_t timeout_ns;      /* for one task; 0: none */
    const struct buf *fixed; /* send and queue: the encoded fixed data; copied by reference */
    struct block *placed;    /* shm: a sealed block with the encoded fixed data */
    struct pool_job job;
};

enum worker_fate { FATE_RUNNING, FATE_EXITED, FATE_STOPPED, FATE_DIED };

struct worker_report {
    unsigned id; /* from 1; a replacement has its predecessor's */
    int32_t pid;
    int64_t started_ns, ready_ns; /* since the pool's start; ready_ns 0: never */
    uint64_t tasks, bytes_in, bytes_out, messages_in, messages_out;
    uint64_t busy_ns;                /* in tasks */
    int64_t rss_bytes, unique_bytes; /* at the last pool_sample; -1: never */
    enum worker_fate fate;
    struct proc_end end;
};

struct pool_counters {
    uint64_t tasks, messages, payload_bytes, forks, replaced;
    uint64_t undelivered_workers, undelivered_bytes;
};

/* Starts the workers. 0, or -errno: nothing is left, and `why` (of `size` bytes) says what failed. */
int pool_open(struct sys *s, const struct pool_config *c, struct pool **out, char *why,
              size_t size);

/* Blocks until every worker holds the fixed data. 0; -ECHILD: three workers in a row ended before
 * their first task; -ETIMEDOUT; -ECANCELED. pool_why says more. */
int pool_wait_ready(struct pool *p, int64_t deadline);

/* Runs one map to its end. `hint` is the number of items, 0 when it is not known. 0 when all tasks
 * ended (see pool_account for how); -ECHILD, -ECANCELED or what a callback returned: the tasks left
 * were reported as cancelled. After an error only pool_free is of use. */
int pool_map(struct pool *p, const struct pool_io *io, uint64_t hint);

const struct account *pool_account(const struct pool *p); /* of the last map */
unsigned pool_ready(const struct pool *p);                /* workers ready at its last result */
/* Time that a worker (from 1) spent in tasks of the last map, and the longest task of all: of workers
 * that lived to its end. On the clock on the wall: waiting for a processor counts. */
uint64_t pool_busy_ns(const struct pool *p, unsigned worker);
uint64_t pool_longest_ns(const struct pool *p);
const char *pool_why(const struct pool *p); /* why the last call failed */

/* Reads each worker's memory. Takes a while for large workers: not for timed regions. */
void pool_sample(struct pool *p);

/* Lets the workers finish and reaps them. Where the fixed data has not arrived, it is abandoned and
 * counted as undelivered. Returns 0 also then. */
int pool_close(struct pool *p);

/* Ends the workers at once and frees everything. Does nothing in a process that did not open it. */
void pool_free(struct pool *p);

/* One for each worker that was ever started, in order of start. Valid until the next call. */
struct worker_report *pool_reports(struct pool *p, size_t *n);
void pool_count(struct pool *p, struct pool_counters *c);

#endif
