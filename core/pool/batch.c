/* batch: tasks that belong together, from their source to the account of their end: begun, driven a turn
 * at a time, given up. What workers are handed and what they answer is in map.c. */
#include <errno.h>
#include <string.h>

#include "pool/inside.h"

bool batch_any_open(const struct pool *p) {
    const struct batch *b = p->batches;
    while (b != NULL && b->account.open == 0)
        b = b->next;
    return b != NULL;
}

void batch_tell(struct batch *b, const struct outcome *o, const uint8_t *value, size_t len,
                struct block *owner) {
    if (b->gone || b->error < 0)
        return;
    int err = b->io.take(b->io.ctx, o, value, len, owner);
    if (err < 0)
        b->error = err;
}

static void batch_free(struct batch *b) {
    chunk_free_all(&b->retry);
    account_free(&b->account);
    sys_free(b);
}

static void disown(struct chunk_list *l, const struct batch *b) {
    for (struct chunk *c = l->first; c != NULL; c = c->next)
        if (c->batch == b)
            c->batch = NULL;
}

/* What is still under way of it goes on without it. */
static void let_go(struct batch *b) {
    struct pool *p = b->pool;
    for (unsigned i = 0; i < p->config.workers; i++)
        disown(&p->workers[i].chunks, b);
    disown(&p->in_queue, b);
    chunk_free_all(&b->retry);
}

static void unlink_batch(struct batch *b) {
    for (struct batch **at = &b->pool->batches; *at != NULL; at = &(*at)->next)
        if (*at == b) {
            *at = b->next;
            return;
        }
}

void batch_sweep(struct pool *p) {
    for (struct batch *b = p->batches, *next; b != NULL; b = next) {
        next = b->next;
        if (!b->gone)
            continue;
        unlink_batch(b);
        batch_free(b);
    }
}

void batch_free_all(struct pool *p) {
    for (struct batch *b; (b = p->batches) != NULL;) {
        p->batches = b->next;
        batch_free(b);
    }
    if (p->map != NULL)
        batch_free(p->map);
    p->map = NULL;
}

int pool_begin(struct pool *p, const struct pool_io *io, uint64_t hint, bool eager,
               struct batch **out) {
    if (p->closed || p->broken) {
        if (p->closed || p->why[0] == '\0')
            pool_say(p, p->closed ? "the pool is closed" : "the pool is broken");
        return -EINVAL;
    }
    p->why[0] = '\0';
    struct batch *b = sys_malloc(p->sys, sizeof *b);
    if (b == NULL) {
        pool_told(p, -ENOMEM);
        return -ENOMEM;
    }
    *b = (struct batch){.pool = p, .io = *io, .hint = hint, .eager = eager, .epoch = ++p->epoch};
    b->chunks.stolen = pool_steals(p) ? 0 : -1;
    if (account_init(&b->account, p->sys, p->config.workers) < 0) {
        batch_free(b);
        pool_told(p, -ENOMEM);
        return -ENOMEM;
    }
    b->next = p->batches;
    p->batches = b;
    *out = b;
    return 0;
}

void pool_bound(struct batch *b, uint32_t window) {
    b->window = window;
}

static bool has_ended(const struct batch *b) {
    return b->exhausted && b->account.open == 0;
}

uint64_t pool_under_way(const struct batch *b) {
    return b->account.open;
}

const struct account *batch_account(const struct batch *b) {
    return &b->account;
}

/* A callback that jumps out of one of our calls leaves half of it undone. */
static int enter(struct pool *p) {
    if (p->inside && !p->broken) {
        p->broken = true;
        pool_say(p, "the pool's last call was broken off");
    }
    if (p->broken || p->closed) {
        if (p->closed)
            pool_say(p, "the pool is closed");
        return -EINVAL;
    }
    batch_sweep(p);
    p->why[0] = '\0';
    p->inside = true;
    return 0;
}

static int leave(struct pool *p, int err) {
    p->inside = false;
    if (err < 0 && err != -ECANCELED)
        p->broken = true;
    return err;
}

static uint64_t ended_of(const struct batch *b) {
    return b->account.n - b->account.open;
}

int pool_turn(struct batch *b, int64_t deadline) {
    struct pool *p = b->pool;
    if (b->error < 0) /* in somebody else's turn, perhaps */
        return pool_told(p, b->error);
    if (has_ended(b))
        return 1;
    int err = enter(p);
    if (err < 0)
        return err;
    uint64_t ended = ended_of(b);
    err = map_dispatch(p, b);
    if (ended_of(b) != ended) /* refused or cancelled: perhaps nothing else will happen */
        deadline = 0;
    if (err == 0 && b->error == 0 && !b->gone && !has_ended(b))
        err = pool_step(p, deadline);
    err = leave(p, err);
    if (b->gone && err == 0)
        return -ECANCELED;
    return pool_told(p, b->error < 0 ? b->error : err < 0 ? err : has_ended(b));
}

void pool_end(struct batch *b) {
    if (b == NULL || b->pool->owner != b->pool->sys->pid)
        return; /* a child's copy */
    b->pool->count.tasks += b->account.n - b->account.open;
    let_go(b);
    if (b->pool->inside) {
        b->gone = true;
        return;
    }
    unlink_batch(b);
    batch_free(b);
}

static int end_cancelled(struct batch *b, uint64_t task, const struct worker *w) {
    if (account_finish(&b->account, task, OUTCOME_CANCELLED, 0) < 0)
        return 0;
    struct outcome o = {.task = task,
                        .kind = OUTCOME_CANCELLED,
                        .worker = w != NULL ? w->id : 0,
                        .attempt = 1,
                        .pid = w != NULL ? w->proc.pid : 0,
                        .exit_code = -1};
    batch_tell(b, &o, NULL, 0, NULL);
    return 1;
}

/* Tells w not to begin a task that it may hold. */
static void mark_skipped(struct worker *w, uint64_t key) {
    struct slot *slot = w->slot;
    uint32_t n = atomic_load(&slot->skips);
    atomic_store(&slot->skip[n % SLOT_SKIPS], key);
    atomic_store(&slot->skips, n + 1);
}

/* The mark comes before the look: either the worker sees it, or we see the task begun. */
static int cancel_at(struct batch *b, struct worker *w, uint64_t task) {
    mark_skipped(w, task_key(b->epoch, task));
    if (atomic_load(&w->slot->epoch) == b->epoch && atomic_load(&w->slot->current) == task + 1)
        return limits_end_task(b->pool, w, b->epoch, task, OUTCOME_CANCELLED);
    return 0;
}

int pool_cancel(struct batch *b, uint64_t task) {
    struct pool *p = b->pool;
    const bool shared = p->config.channel->shared;
    if (!account_is_open(&b->account, task))
        return 0;
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        if (w->proc.pid <= 0 || (!shared && chunk_open(&w->chunks, b->epoch, task) == NULL))
            continue;
        if (w->doomed && w->doom_key == task_key(b->epoch, task))
            return w->doom == OUTCOME_CANCELLED;
        if (cancel_at(b, w, task)) /* now: its worker may still finish it, or not have begun it */
            return end_cancelled(b, task, w);
    }
    return end_cancelled(b, task, NULL);
}

/* The map ends early: what has not ended is cancelled. */
static void cancel_rest(struct batch *b) {
    b->error = 0; /* they are told in any case */
    for (uint64_t task = b->account.first_open; task < b->account.n && b->account.open > 0;
         task++) {
        end_cancelled(b, task, NULL);
        b->error = 0;
    }
}

static void begin_busy(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        w->busy_before_ns = atomic_load(&w->slot->busy_ns);
        atomic_store(&w->slot->longest_ns, 0);
    }
}

uint64_t pool_busy_ns(const struct pool *p, unsigned worker) {
    const struct worker *w = &p->workers[worker - 1];
    return atomic_load(&w->slot->busy_ns) - w->busy_before_ns;
}

uint64_t pool_longest_ns(const struct pool *p) {
    uint64_t longest = 0;
    for (unsigned i = 0; i < p->config.workers; i++) {
        uint64_t ns = atomic_load(&p->workers[i].slot->longest_ns);
        longest = ns > longest ? ns : longest;
    }
    return longest;
}

const struct account *pool_account(const struct pool *p) {
    static const struct account none;
    return p->map != NULL ? &p->map->account : &none;
}

struct chunk_stats pool_chunks(const struct pool *p) {
    return p->map != NULL ? p->map->chunks : (struct chunk_stats){0};
}

/* Keeps the account of b, which is no longer under way, until the next map. */
static void retire(struct pool *p, struct batch *b) {
    let_go(b);
    unlink_batch(b);
    if (p->map != NULL)
        batch_free(p->map);
    p->map = b;
}

int pool_map(struct pool *p, const struct pool_io *io, uint64_t hint) {
    struct batch *b;
    int err = pool_begin(p, io, hint, false, &b);
    if (err < 0)
        return err;
    begin_busy(p);
    do
        err = pool_turn(b, DEADLINE_NEVER);
    while (err == 0);
    if (err < 0)
        cancel_rest(b);
    retire(p, b);
    p->ready_at_last = 0;
    for (unsigned i = 0; i < p->config.workers; i++)
        p->ready_at_last += atomic_load(&p->workers[i].slot->ready_ns) != 0;
    if (err > 0 && !account_balanced(&b->account)) {
        pool_say(p, "the outcomes do not add up: %llu tasks", (unsigned long long)b->account.n);
        return -EPROTO;
    }
    p->count.tasks += b->account.n;
    return err < 0 ? err : 0;
}
