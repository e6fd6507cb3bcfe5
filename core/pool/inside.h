/* inside: what the files of a pool share and nobody else may look at. */
#ifndef RIG_POOL_INSIDE_H
#define RIG_POOL_INSIDE_H

#include <stdatomic.h>

#include "pool/axes.h"
#include "pool/lane.h"
#include "pool/queue.h"
#include "pool/stream.h"

#define POOL_WORKERS_MAX 4096
/* Slots begin on pages of their own. */
#define SLOT_EACH    ((sizeof(struct slot) + 4095) & ~(size_t)4095)
#define SLOT_RESULTS ((size_t)32 << 10)
#define SLOT_SKIPS   8 /* a power of two */
#define SLOT_CUTS    4 /* likewise */

/* Memory that a worker shares with the coordinator, which reads it while the worker runs (times,
 * counts) and after its death (what it was doing, and results that it had not sent). Stores are
 * ordered so that a worker killed between any two of them leaves a state that is true. */
struct slot {
    _Atomic int64_t started_ns, ready_ns;
    _Atomic int64_t init_ns;   /* when its initializer began */
    _Atomic int64_t finish_ns; /* when it was told to finish */
    _Atomic uint32_t epoch;    /* the batch that all below belongs to */
    _Atomic uint64_t first;    /* results below count their tasks from here */
    _Atomic uint64_t current;  /* the task it is running, plus 1; 0: none */
    _Atomic int64_t since_ns;  /* when that one began; 0: it has ended, its result is not out yet.
                                * Kept only if there is a time limit */
    _Atomic uint64_t tasks, bytes_in, bytes_out, messages_in, messages_out;
    _Atomic uint64_t busy_ns;    /* in tasks, on the clock on the wall */
    _Atomic uint64_t longest_ns; /* its longest task of this map; the coordinator sets it to 0 */
    _Atomic uint32_t halt;       /* it is about to be ended: it must not begin another task */
    _Atomic uint32_t retired;    /* it has run max_tasks tasks, and leaves */
    _Atomic uint32_t skips;      /* how many entries of `skip` were ever made */
    _Atomic uint64_t skip[SLOT_SKIPS]; /* tasks that it must not begin: task_key */
    /* Which message of tasks it is at, << 32, and how many of them it began; and of a message, likewise, how many it is
     * to begin at most: at its number modulo SLOT_CUTS, as there may be cuts of several. See steal.c. */
    _Atomic uint64_t progress, cut[SLOT_CUTS];
    struct frame_head claim;    /* shared channel: the message it took last, see queue_get */
    _Atomic size_t results_len; /* bytes of finished results below that may not be sent yet */
    uint8_t results[SLOT_RESULTS];
};

/* A message of tasks on its way through a worker, kept until all of them have ended. */
struct chunk {
    struct chunk *next;
    struct message message; /* kept */
    struct batch *batch;    /* NULL: it was given up; what still comes of it is dropped */
    uint32_t epoch;
    uint64_t first;
    uint32_t count, ended;
    uint32_t attempt; /* from 1: which one this is of its tasks */
    uint32_t number;  /* which message of tasks to its worker this is, from 1 */
    uint32_t pass;    /* in which pass of handing out it was given */
};

struct chunk_list {
    struct chunk *first, *last;
    unsigned n;
    size_t bytes; /* of their messages */
};

/* See pool.h. */
struct batch {
    struct batch *next; /* in pool.batches */
    struct pool *pool;
    struct pool_io io;
    uint64_t hint;
    uint32_t epoch;
    uint32_t window; /* see pool_bound; 0: not bounded */
    bool exhausted;  /* io has no more items */
    bool eager;      /* may be handed out in anybody's turn */
    bool gone;       /* was given up inside one of our own calls: freed by the next one */
    int error;       /* what a callback returned */
    struct account account;
    struct chunk_list retry; /* chunks whose worker ended before it began them */
    uint32_t parts;          /* of `part` tasks each, that are still to be made; see chunk.c */
    double part;
    struct chunk_stats chunks;
};

struct worker {
    unsigned id;
    struct proc proc;
    struct slot *slot;
    struct stream stream; /* its own channel, unless that is shared or a ring */
    struct lane lane;     /* its own channel when it is a ring */
    int ends[3]; /* the worker's side, from before its fork until after: receive, send, fixed */
    struct chunk_list chunks;
    bool ready, leaving;
    bool heard_all;  /* its channel has ended: there is nothing to wait for but its end */
    bool stopped;    /* leaving, without having got the fixed data */
    bool oom_killed; /* it has ended, and the kernel did it for want of memory */
    enum worker_fate fate;
    bool
        doomed; /* told to end because of one task, which ends as `doom`; the others are innocent */
    enum outcome_kind doom;
    uint64_t doom_key;              /* task_key of it; 0: it had begun none */
    int64_t kill_at_ns;             /* doomed: when patience ends */
    uint64_t given, given_messages; /* what it was sent, for max_tasks */
    int64_t
        stuck_since_ns; /* it has tasks, and neither runs one nor is heard of; 0: not so. With a limit only */
    uint64_t seen_tasks;
    uint64_t busy_before_ns; /* what its slot said when the map began */
    uint64_t ended_tasks;    /* of those it ran, how many have come to their end here */
    int at_pidfd, at_in;     /* where in pool.polls; -1: not there */
    int64_t rss_bytes, unique_bytes;
};

struct pool {
    struct sys *sys;
    pid_t owner;
    struct pool_config config;
    struct buf fixed;
    struct worker *workers;
    void *slots; /* one for each worker; behind them the board */
    size_t slots_size;
    struct queue *tasks, *results, *fixed_queue; /* NULL where the axes need none */
    struct spawn *spawn;                         /* start_spawn.c's own; else NULL */
    struct rings *rings;                         /* likewise; see channel_ring.c */
    struct batch *batches;                       /* those under way */
    struct batch *map;          /* the last one of pool_map, which may have ended */
    struct chunk_list in_queue; /* shared channel: chunks that some worker has or will take */
    struct chunk_list spare;    /* chunks that are free, with the memory of their messages */
    uint32_t epoch;             /* of the newest batch */
    bool inside;                /* one of our calls is under way: a callback may come back here */
    bool crowded; /* fewer processors than workers: while one waits for a message, another works */
    double task_ns; /* smoothed duration of a task; 0: not known yet */
    unsigned ready_at_last;
    unsigned early_deaths; /* in a row, before a first task */
    int64_t opened_ns;
    int64_t
        oom_kills; /* of our cgroup, those before our time and those we know of; -1: it does not say */
    struct worker_report *past; /* workers that were replaced */
    size_t n_past;
    struct worker_report *reports; /* for pool_reports */
    struct pool_counters count;
    bool closed;
    bool finishing;     /* the workers were told to finish */
    bool broken;        /* no batch can go on: why says the reason */
    char last_end[128]; /* how the last worker ended that never ran a task */
    char *failure;      /* what a worker's initializer said last */
    char why[256];
    struct pollfd *polls;
    size_t n_polls, cap_polls; /* n_polls is 0 when there was no wait */
    int at_channel;            /* where in polls the channel's begin, as far as it cares */
    unsigned turns;            /* steps */
    uint32_t passes;           /* of handing out */
    int64_t looked_ns;         /* when the descriptors were last looked at */
    int64_t attended_ns;       /* when we last waited for workers; with a time limit only */
};

struct worker_self {
    struct pool *pool;
    struct slot *slot;
    unsigned id;
    struct stream stream; /* as in struct worker */
    struct lane lane;
    struct buf out;
    uint32_t results;        /* records in slot->results */
    uint64_t busy_ns;        /* since results were sent */
    int64_t begun_ns;        /* when the tasks began that are not in the times yet */
    uint32_t untimed;        /* how many there are of them */
    uint32_t timed_together; /* how many are timed by one reading of the clock */
    uint64_t messages;       /* of tasks, that it has taken */
};

/* A task among those of the last four thousand million batches. */
static inline uint64_t task_key(uint32_t epoch, uint64_t task) {
    return ((uint64_t)epoch << 32) ^ (task + 1);
}

/* pool.c */
int worker_begin(struct pool *p, struct worker *w);
/* Settles the accounts of a worker that was reaped and replaces it, if the pool goes on. */
int worker_ended(struct pool *p, struct worker *w, const struct proc_end *end);
/* In a worker: pool_board finds it. */
void pool_show_board(const struct pool *p);
/* "worker 3 was ended by signal 11" */
void worker_say_end(const struct worker *w, const struct proc_end *end, char *text, size_t size);
void pool_say(struct pool *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Passes err on; a failure that nobody has put into words yet gets those of its errno. */
int pool_told(struct pool *p, int err);

/* worker.c: the life of a worker. */
_Noreturn void worker_run(struct pool *p, struct worker *w);

/* step.c: one turn of the coordinator's loop: sends what can go, waits until the deadline or an event,
 * and handles it. 0, -ECANCELED, -ECHILD (broken), what a callback returned, -errno. */
int pool_step(struct pool *p, int64_t deadline);

/* For the channels: what arrived from worker `id` is dealt with. 0; -EBADMSG: no message of a worker;
 * another -errno. */
int step_take(struct pool *p, unsigned id, const struct received *r);
/* A worker that sends what is no message (-EBADMSG) is not to be trusted further: it dies, with its task. 0,
 * or the error when it is another one. */
int step_distrust(struct pool *p, struct worker *w, int err);
/* For channel_ops.watch and what follows: adds a descriptor (-1: none) to the next wait and returns where
 * it stands; whether that wait found it ready. */
#define STEP_PARTS_MAX 256 /* room for so many that a channel adds itself */
int step_watch(struct pool *p, int fd, short events);
bool step_came(const struct pool *p, int at);
struct worker *pool_worker(struct pool *p, unsigned id);

/* batch.c */
bool batch_any_open(const struct pool *p); /* a task is under way */
/* Hands an outcome to the batch's owner; an error of the callback ends the batch. */
void batch_tell(struct batch *b, const struct outcome *o, const uint8_t *value, size_t len,
                struct block *owner);
/* Frees those that were given up while we were inside. */
void batch_sweep(struct pool *p);
void batch_free_all(struct pool *p);

/* map.c */
int map_results(struct pool *p, unsigned worker, const struct received *r);
/* Settles the tasks of a worker that ended: finished, died, to be given to others. *had_task: it ran
 * one when it ended. */
int map_worker_ended(struct pool *p, struct worker *w, const struct proc_end *end, bool *had_task);
/* Gives waiting tasks to workers: those of b, and those that can go in anybody's turn. */
int map_dispatch(struct pool *p, struct batch *b);

/* limits.c */
/* Deals with time limits; returns when to look again. */
int64_t map_limits(struct pool *p);
/* Ends what w runs now, if that is this task; false when it is not. Its outcome will be `kind`. */
bool limits_end_task(struct pool *p, struct worker *w, uint32_t epoch, uint64_t task,
                     enum outcome_kind kind);

/* chunk.c */
/* The next tasks of b, at most `most` of them: 1, 0: none now or none left, -errno */
int chunk_next(struct batch *b, uint32_t most, struct chunk **out);
/* The same of those only that come back from a worker and were not cancelled meanwhile. */
int chunk_again(struct batch *b, uint32_t most, struct chunk **out);
void chunk_append(struct chunk_list *l, struct chunk *c);
/* The one in which the task has not ended: an attempt at it that failed may lie in another. */
struct chunk *chunk_open(const struct chunk_list *l, uint32_t epoch, uint64_t task);
/* The one of a message whose head this is. */
struct chunk *chunk_of(const struct chunk_list *l, const struct frame_head *head);
void chunk_remove(struct chunk_list *l, struct chunk *c);
/* Keeps it for the next one. */
void chunk_release(struct pool *p, struct chunk *c);
void chunk_free_all(struct chunk_list *l);
struct chunk *chunk_pop(struct chunk_list *l);
/* Puts the tasks of c that have not ended on its batch's `retry`. */
int chunk_retry(const struct chunk *c);
/* Puts one task of c, the i-th from 0, there for another attempt. */
int chunk_try_again(const struct chunk *c, uint32_t i);
/* Puts its tasks from the i-th on there, and leaves c as it is. */
int chunk_split(const struct chunk *c, uint32_t i);
/* What chunk_split did, and nothing came in between. */
void chunk_unsplit(const struct chunk *c);

/* Counts a message of n tasks. */
void chunk_note(struct batch *b, uint32_t n);

/* steal.c */
/* Tasks can be taken back: each worker has messages of its own, and we chose how large they are. */
static inline bool pool_steals(const struct pool *p) {
    return p->config.chunk == 0 && !p->config.channel->shared;
}
/* For a worker that has nothing to do: puts tasks of b that another has and has not begun on its `retry`. False: there
 * are none. */
bool steal_tasks(struct pool *p, struct batch *b);

#endif
