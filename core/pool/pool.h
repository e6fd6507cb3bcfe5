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

#include <stdatomic.h>

#include "os/proc.h"
#include "pool/buf.h"
#include "pool/outcome.h"

struct pool;
struct start_ops;
struct channel_ops;
struct deliver_ops;

/* The tasks of one message, in a worker: begun and ended one after the other. */
struct tasks;
struct task {
    uint64_t number;
    const uint8_t *item;
    size_t len;
    struct block *owner; /* holds the bytes if not NULL */
};

/* Begins the next task: false when there is none, or sending a result failed. */
bool tasks_next(struct tasks *t, struct task *task);
/* Ends the one begun last; `status` is 0, or 1 for a failure. `out` has its value or the message, and is
 * cleared. */
void tasks_end(struct tasks *t, int status, struct buf *out);

/* What the workers do. All are called in a worker, never in the coordinator; NULL is allowed for init,
 * finish, and one of run and run_all. They return 0, or 1 with a message in `out`. */
struct pool_job {
    void *ctx;
    /* `fixed` is NULL with delivery=inherit: ctx leads to it. `owner` holds the bytes if not NULL. */
    int (*init)(void *ctx, unsigned worker, const uint8_t *fixed, size_t len, struct block *owner,
                struct buf *out);
    /* The task's item and, in `out`, its value. */
    int (*run)(void *ctx, uint64_t task, const uint8_t *item, size_t len, struct block *owner,
               struct buf *out);
    /* For a job that can do better than one call a task: runs them all; `out` is for its use. */
    void (*run_all)(void *ctx, struct tasks *t, struct buf *out);
    int (*finish)(void *ctx, struct buf *out);
};

/* What `next` of pool_io returns. */
enum { POOL_NO_ITEM, POOL_ITEM, POOL_REFUSED, POOL_LATER, POOL_CANCELLED };

/* Where a batch's items come from and its outcomes go; called in the coordinator. */
struct pool_io {
    void *ctx;
    /* Appends the next item to `out`: POOL_ITEM; POOL_NO_ITEM: there are no more; POOL_LATER: none now;
     * POOL_REFUSED: this item cannot be sent, `out` has the message instead and the task ends in error;
     * POOL_CANCELLED: it ends as cancelled; -errno ends the batch. */
    int (*next)(void *ctx, struct buf *out);
    /* A task ended, or an attempt at it that is followed by another (o->retried); the value when it ended ok.
     * 0, or -errno, which ends the batch. */
    int (*take)(void *ctx, const struct outcome *o, const uint8_t *value, size_t len,
                struct block *owner);
};

/* start=spawn: what a worker is made from. Copied. */
struct pool_spawn {
    const char *program; /* a path; its main calls pool_worker_main */
    const char *build;   /* what it must have been built from: version and commit */
    const void *job;     /* what it makes its pool_job from */
    size_t job_size;
    int64_t patience_ns; /* for the first worker to say what it is; 0: as long as is reasonable */
};

struct pool_config {
    unsigned workers;
    const struct start_ops *start;
    const struct channel_ops *channel;
    const struct deliver_ops *deliver;
    uint32_t chunk; /* items in a message; 0: adapted to the tasks' duration */
    bool barrier;   /* for pool_wait_ready's caller; tasks go to workers that are ready anyway */
    uint64_t max_tasks;    /* a worker leaves after so many, and is replaced; 0: never */
    uint64_t max_messages; /* the same in messages of tasks */
    int64_t timeout_ns;    /* for one task; 0: none */
    uint32_t retry;        /* a task that failed, took too long or died is tried so often again */
    size_t board; /* words that the job's workers and the coordinator share; all 0 at first */
    const struct buf *fixed; /* send and queue: the encoded fixed data; copied by reference */
    struct block *placed;    /* shm: a sealed block with the encoded fixed data */
    struct pool_job job;     /* not with spawn */
    struct pool_spawn spawn; /* with spawn only */
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
    uint64_t tasks, messages, payload_bytes, forks;
    uint64_t replaced; /* workers that died */
    uint64_t renewed;  /* workers that had run as many tasks as they were to */
    uint64_t retried;  /* attempts that failed and were followed by another */
    uint64_t undelivered_workers, undelivered_bytes;
};

/* For main, before anything else: is this process a worker of start=spawn? -1: no. Otherwise it lives a
 * worker's life and does not return: `make` turns the job's bytes, which stay where they are, into
 * what to run. 2: the arguments look like a worker's and are not from a pool. */
int pool_worker_main(int argc, char *const argv[], const char *build,
                     void (*make)(const uint8_t *job, size_t size, void *ctx, struct pool_job *out),
                     void *ctx);

/* Starts the workers. 0, or -errno: nothing is left, and `why` (of `size` bytes) says what failed. */
int pool_open(struct sys *s, const struct pool_config *c, struct pool **out, char *why,
              size_t size);

/* Blocks until every worker holds the fixed data. 0; -ETIMEDOUT; -ECANCELED; -ECHILD: three workers in a
 * row ended before their first task, or another -errno: the pool is broken then. pool_why says more. */
int pool_wait_ready(struct pool *p, int64_t deadline);

/* Runs one map to its end. `hint` is the number of items, 0 when it is not known. 0 when all tasks
 * ended (see pool_account for how); -ECHILD, -ECANCELED or what a callback returned: the tasks left
 * were reported as cancelled. */
int pool_map(struct pool *p, const struct pool_io *io, uint64_t hint);

/* A batch: tasks under way that the caller does not wait for all at once. Several may be, and maps among
 * them. Items are asked for in the batch's own turns; those of an `eager` one in anybody's, so its
 * `next` must be quick and must not come back to this pool. */
struct batch;

/* 0 or -errno. */
int pool_begin(struct pool *p, const struct pool_io *io, uint64_t hint, bool eager,
               struct batch **out);

/* At most so many tasks have been asked for and have not ended, so chunk=auto makes chunks that leave some
 * for every worker. The bound itself is the io's, by POOL_LATER. */
void pool_bound(struct batch *b, uint32_t window);

/* Hands out what it can; if the batch has not ended then, waits until the deadline for something to
 * happen, to any batch. 1: it has ended; 0: not yet; -errno as from pool_map. */
int pool_turn(struct batch *b, int64_t deadline);

/* Ends a task as cancelled, whatever has become of it: one that runs is stopped, with its worker, which is
 * replaced. 1: it will end as cancelled, or has; 0: it has ended otherwise; -errno. */
int pool_cancel(struct batch *b, uint64_t task);

/* Gives the batch up: tasks that have not ended are cancelled, without a word; those that workers have
 * already been sent may run. NULL is allowed. Never fails and may be called in a callback. */
void pool_end(struct batch *b);

/* Tasks asked for that have not ended. */
uint64_t pool_under_way(const struct batch *b);
const struct account *batch_account(const struct batch *b);

/* Items in the messages of a batch. */
struct chunk_stats {
    uint64_t messages;
    uint32_t least, most;
    int64_t stolen; /* tasks given to one worker and run by another; -1: none are moved here */
};

const struct account *pool_account(const struct pool *p); /* of the last map */
struct chunk_stats pool_chunks(const struct pool *p);     /* of the last map */
unsigned pool_ready(const struct pool *p);                /* workers ready at its last result */
/* Time that a worker (from 1), and those before it in its place, spent in tasks of the last map, and the longest
 * task of all. On the clock on the wall: waiting for a processor counts. */
uint64_t pool_busy_ns(const struct pool *p, unsigned worker);
uint64_t pool_longest_ns(const struct pool *p);
const char *pool_why(const struct pool *p); /* why the last call failed; never empty then */

/* Reads each worker's memory. Takes a while for large workers: not for timed regions. */
void pool_sample(struct pool *p);

/* The words of config.board and how many there are. p is NULL in a worker: those of the pool that it is one of.
 * NULL: there are none. */
_Atomic int64_t *pool_board(const struct pool *p, size_t *words);

/* Lets the workers finish and reaps them. Where the fixed data has not arrived, it is abandoned and
 * counted as undelivered. Returns 0 also then. */
int pool_close(struct pool *p);

/* Ends the workers at once and frees everything. Does nothing in a process that did not open it. */
void pool_free(struct pool *p);

/* One for each worker that was ever started, in order of start. Valid until the next call. */
struct worker_report *pool_reports(struct pool *p, size_t *n);
void pool_count(struct pool *p, struct pool_counters *c);

#endif
