/* map: one map over a pool: hands out chunks, takes in results, settles what a dead worker leaves,
 * enforces the time limit of a task. */
#include <errno.h>
#include <string.h>

#include "pool/inside.h"

/* Between asking a worker to end and ending it. */
#define GRACE_NS (200 * INT64_C(1000000))
/* Messages of shorter work than this are sent one ahead, to hide the wake-up. */
#define AHEAD_NS      1e6
#define QUEUED_CHUNKS 256
#define QUEUED_BYTES  ((size_t)16 << 20)

static int report(struct pool *p, const struct outcome *o, const uint8_t *value, size_t len,
                  struct block *owner) {
    return p->io->take(p->io->ctx, o, value, len, owner);
}

static struct chunk_list *chunks_of(struct pool *p, struct worker *w) {
    return p->config.channel->shared ? &p->in_queue : &w->chunks;
}

static void note_ended(struct pool *p, struct worker *w, uint64_t task) {
    struct chunk_list *l = chunks_of(p, w);
    struct chunk *c = chunk_find(l, task);
    if (c != NULL && ++c->ended == c->count) {
        chunk_remove(l, c);
        chunk_free(c);
    }
}

static int end_task(struct pool *p, struct worker *w, struct outcome *o, const uint8_t *value,
                    size_t len, struct block *owner) {
    o->worker = w->id;
    o->attempt = 1;
    if (account_finish(&p->account, o->task, o->kind, w->id) < 0)
        return 0; /* it had ended: these are the same results a second time */
    w->ended_tasks++;
    note_ended(p, w, o->task);
    return report(p, o, value, len, owner);
}

/* Records of finished tasks, from a message or from a dead worker's slot. */
static int take_records(struct pool *p, struct worker *w, const uint8_t *at, size_t size,
                        struct block *owner) {
    const uint8_t *end = at + size;
    while (at < end) {
        struct result_head r;
        if ((size_t)(end - at) < sizeof r)
            return -EBADMSG;
        memcpy(&r, at, sizeof r);
        at += sizeof r;
        if (r.len > (size_t)(end - at) || r.task >= p->account.n)
            return -EBADMSG;
        struct outcome o = {.task = r.task,
                            .kind = r.status ? OUTCOME_ERROR : OUTCOME_OK,
                            .pid = w->proc.pid,
                            .exit_code = -1};
        if (r.status != 0) {
            o.message = (const char *)at;
            o.message_len = r.len;
        }
        int err = end_task(p, w, &o, r.status ? NULL : at, r.status ? 0 : r.len, owner);
        if (err < 0)
            return err;
        at += r.len;
    }
    return 0;
}

static void learn_duration(struct pool *p, const struct frame_head *h) {
    if (h->count == 0 || h->busy_ns == 0)
        return;
    double now = (double)h->busy_ns / h->count;
    p->task_ns = p->task_ns > 0 ? 0.75 * p->task_ns + 0.25 * now : now;
}

int map_results(struct pool *p, unsigned worker, const struct received *r) {
    struct worker *w = pool_worker(p, worker);
    if (p->io == NULL || r->head.epoch != p->epoch)
        return 0;
    if (w == NULL)
        return -EBADMSG;
    learn_duration(p, &r->head);
    return take_records(p, w, r->body, r->len, r->owner);
}

static int end_dead(struct pool *p, struct worker *w, const struct proc_end *end, uint64_t task,
                    enum outcome_kind kind) {
    struct outcome o = {.task = task,
                        .kind = kind,
                        .pid = w->proc.pid,
                        .signal = end ? end->signal : 0,
                        .exit_code = end ? end->exit_code : -1};
    return end_task(p, w, &o, NULL, 0, NULL);
}

static int end_current(struct pool *p, struct worker *w, const struct proc_end *end) {
    uint64_t current = atomic_load(&w->slot->current);
    if (current == 0 || !account_is_open(&p->account, current - 1))
        return 0;
    int err = end_dead(p, w, end, current - 1, w->doomed ? w->doom : OUTCOME_DIED);
    return err < 0 ? err : 1;
}

/* The chunk of a shared channel that w took last, if it has not ended. */
static struct chunk *claimed(struct pool *p, struct worker *w) {
    const struct frame_head *claim = &w->slot->claim;
    if (frame_check(claim) < 0 || claim->type != FRAME_TASKS || claim->epoch != p->epoch)
        return NULL;
    struct chunk *c = chunk_find(&p->in_queue, claim->first);
    return c != NULL && c->first == claim->first && c->count == claim->count ? c : NULL;
}

/* Tasks that w finished and whose results could not be read (it sent what is no message): they must not run
 * a second time. They are the first of what it had been given that have not ended. */
static int end_lost(struct pool *p, struct worker *w, const struct proc_end *end, uint64_t lost) {
    const bool shared = p->config.channel->shared;
    struct chunk *next;
    for (struct chunk *c = shared ? claimed(p, w) : w->chunks.first; c != NULL && lost > 0;
         c = next) {
        uint64_t stop = c->first + c->count;
        next = shared ? NULL : c->next;
        for (uint64_t task = c->first; task < stop && lost > 0; task++) { /* the last one frees c */
            if (!account_is_open(&p->account, task))
                continue;
            int err = end_dead(p, w, end, task, OUTCOME_DIED);
            if (err < 0)
                return err;
            lost--;
        }
    }
    return 0;
}

/* What it had been given and not begun goes to others. */
static int give_back(struct pool *p, struct worker *w) {
    int err = 0;
    if (!p->config.channel->shared) {
        for (struct chunk *c; err == 0 && (c = chunk_pop(&w->chunks)) != NULL;) {
            err = chunk_retry(p, c);
            chunk_free(c);
        }
        return err;
    }
    struct chunk *c = claimed(p, w);
    if (c == NULL)
        return 0;
    chunk_remove(&p->in_queue, c);
    queue_forget(p->tasks, &c->message);
    err = chunk_retry(p, c);
    chunk_free(c);
    return err;
}

int map_worker_ended(struct pool *p, struct worker *w, const struct proc_end *end, bool *had_task) {
    struct slot *slot = w->slot;
    bool same = atomic_load(&slot->epoch) == p->epoch;
    int err = 0;
    *had_task = false;
    if (p->io == NULL)
        return 0;
    size_t len = atomic_load_explicit(&slot->results_len, memory_order_acquire);
    if (same && len <= SLOT_RESULTS)
        err = take_records(p, w, slot->results, len, NULL);
    uint64_t done = atomic_load(&slot->tasks);
    if (same && err == 0 && done > w->ended_tasks)
        err = end_lost(p, w, end, done - w->ended_tasks);
    if (same && err == 0) {
        err = end_current(p, w, end);
        *had_task = err == 1;
    }
    return err < 0 ? err : give_back(p, w);
}

static unsigned depth(const struct pool *p) {
    uint32_t n = p->config.chunk > 0 ? p->config.chunk : 1;
    return p->task_ns > 0 && p->task_ns * n < AHEAD_NS ? 2 : 1;
}

static int dispatch_shared(struct pool *p) {
    while (p->in_queue.n < QUEUED_CHUNKS + p->config.workers &&
           p->tasks->outbox.bytes < QUEUED_BYTES) {
        struct chunk *c;
        int got = chunk_next(p, &c);
        if (got <= 0)
            return got;
        chunk_append(&p->in_queue, c);
        p->config.channel->send(p, NULL, &c->message);
    }
    return 0;
}

int map_dispatch(struct pool *p) {
    if (p->config.channel->shared)
        return dispatch_shared(p);
    /* Everybody gets a first message before anybody gets one ahead. */
    for (unsigned level = 1; level <= depth(p); level++) {
        for (unsigned i = 0; i < p->config.workers; i++) {
            struct worker *w = &p->workers[i];
            if (!w->ready || w->doomed || w->chunks.n >= level)
                continue;
            struct chunk *c;
            int got = chunk_next(p, &c);
            if (got <= 0)
                return got;
            chunk_append(&w->chunks, c);
            p->config.channel->send(p, w, &c->message);
        }
    }
    return 0;
}

static void doom(struct pool *p, struct worker *w, int64_t now) {
    w->doomed = true;
    w->doom = OUTCOME_TIMEOUT;
    w->kill_at_ns = now + GRACE_NS;
    proc_signal(p->sys, &w->proc, SIGTERM);
}

/* Whether there is something for w to do, if it only came and did it. */
static bool has_tasks(struct pool *p, struct worker *w) {
    if (!p->config.channel->shared)
        return w->chunks.n > 0;
    struct frame_head claim = w->slot->claim;
    if (frame_check(&claim) == 0 && claim.type == FRAME_TASKS && claim.epoch == p->epoch &&
        chunk_find(&p->in_queue, claim.first) != NULL)
        return true;
    return w->ready && queue_has_waiting(p->tasks); /* it does not come and take it */
}

/* When w's task has had its time: the running one since it began; one that it does not even begin
 * (stopped, say) since it was seen to have one. */
static int64_t limit_of(struct pool *p, struct worker *w, int64_t now) {
    int64_t init_ns = atomic_load(&w->slot->init_ns);
    if (!w->ready) /* its initializer has the time of one task; until then it waits for data */
        return (init_ns != 0 ? init_ns : now) + p->config.timeout_ns; /* 0: look again then */
    uint64_t tasks = atomic_load(&w->slot->tasks);
    bool running = atomic_load(&w->slot->current) != 0;
    bool has = !running && has_tasks(p, w);
    if (!has || tasks != w->seen_tasks)
        w->stuck_since_ns = 0;
    w->seen_tasks = tasks;
    if (running)
        return atomic_load(&w->slot->since_ns) + p->config.timeout_ns;
    if (!has)
        return DEADLINE_NEVER;
    if (w->stuck_since_ns == 0)
        w->stuck_since_ns = now;
    return w->stuck_since_ns + p->config.timeout_ns;
}

int64_t map_limits(struct pool *p) {
    int64_t next = DEADLINE_NEVER;
    int64_t now = p->config.timeout_ns > 0 ? clock_now_ns() : 0;
    for (unsigned i = 0; i < p->config.workers && p->config.timeout_ns > 0; i++) {
        struct worker *w = &p->workers[i];
        if (w->proc.pid <= 0 || w->leaving)
            continue;
        int64_t at = w->doomed ? w->kill_at_ns : limit_of(p, w, now);
        if (at <= now && !w->doomed) {
            doom(p, w, now);
            at = w->kill_at_ns;
        } else if (at <= now) {
            proc_signal(p->sys, &w->proc, SIGKILL);
            at = w->kill_at_ns = now + GRACE_NS;
        }
        next = at < next ? at : next;
    }
    return next;
}

/* The map ends early: what has not ended is cancelled. */
static void cancel_rest(struct pool *p) {
    for (uint64_t task = 0; task < p->account.n && p->account.open > 0; task++) {
        if (account_finish(&p->account, task, OUTCOME_CANCELLED, 0) < 0)
            continue;
        struct outcome o = {.task = task, .kind = OUTCOME_CANCELLED, .attempt = 1, .exit_code = -1};
        report(p, &o, NULL, 0, NULL);
    }
}

static int run_to_end(struct pool *p) {
    for (;;) {
        int err = map_dispatch(p);
        if (err < 0)
            return err;
        if (p->exhausted && p->account.open == 0)
            return 0;
        err = pool_step(p, DEADLINE_NEVER);
        if (err < 0)
            return err;
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

int pool_map(struct pool *p, const struct pool_io *io, uint64_t hint) {
    if (p->closed || p->broken) {
        pool_say(p, p->closed ? "the pool is closed" : "the pool's last map was broken off");
        return -EINVAL;
    }
    p->broken = true; /* until it has ended well: a callback may leave it by a jump */
    account_begin(&p->account);
    begin_busy(p);
    p->epoch++;
    p->exhausted = false;
    p->hint = hint;
    p->io = io;
    int err = run_to_end(p);
    if (err < 0)
        cancel_rest(p);
    p->broken = err < 0;
    p->io = NULL;
    p->ready_at_last = 0;
    for (unsigned i = 0; i < p->config.workers; i++)
        p->ready_at_last += atomic_load(&p->workers[i].slot->ready_ns) != 0;
    if (err == 0 && !account_balanced(&p->account)) {
        pool_say(p, "the outcomes do not add up: %llu tasks", (unsigned long long)p->account.n);
        return -EPROTO;
    }
    p->count.tasks += p->account.n;
    return err;
}
