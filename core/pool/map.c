/* map: hands out chunks, takes in results, settles what a worker that ended leaves. Where tasks come from
 * is in batch.c and chunk.c, what ends them early in limits.c. */
#include <errno.h>
#include <string.h>

#include "pool/inside.h"

/* So much work is sent ahead to a worker, to hide the wake-up; in at most so many messages and bytes. */
#define AHEAD_NS       1e6
#define AHEAD_MESSAGES 64
#define AHEAD_BYTES    ((size_t)4 << 20)

static struct chunk_list *chunks_of(struct pool *p, struct worker *w) {
    return p->config.channel->shared ? &p->in_queue : &w->chunks;
}

/* ---- results ---------------------------------------------------------------------------------------- */

struct record {
    uint64_t task;
    enum result_status status;
    const uint8_t *value;
    uint64_t len;
    struct block *owner;
};

/* One more attempt at the i-th task of c, if it is to have one: its owner is told of the one that failed. */
static bool is_tried_again(struct chunk *c, uint32_t i, struct outcome *o) {
    struct batch *b = c->batch;
    struct pool *p = b->pool;
    if (c->attempt > p->config.retry || !account_is_open(&b->account, o->task))
        return false;
    if (chunk_try_again(c, i) < 0)
        return false; /* no memory for that: it ends as it did */
    p->count.retried++;
    o->retried = true;
    batch_tell(b, o, NULL, 0, NULL);
    return true;
}

static void end_task(struct worker *w, struct chunk *c, const struct record *r) {
    static const enum outcome_kind kinds[] = {
        [RESULT_OK] = OUTCOME_OK,
        [RESULT_FAILED] = OUTCOME_ERROR,
        [RESULT_SKIPPED] = OUTCOME_CANCELLED,
    };
    struct batch *b = c->batch;
    struct outcome o = {.task = r->task,
                        .kind = kinds[r->status],
                        .worker = w->id,
                        .attempt = c->attempt,
                        .pid = w->proc.pid,
                        .exit_code = -1};
    if (b == NULL || b->error < 0)
        return; /* given up */
    if (r->status == RESULT_FAILED) {
        o.message = (const char *)r->value;
        o.message_len = r->len;
        if (is_tried_again(c, (uint32_t)(r->task - c->first), &o))
            return;
    }
    if (account_finish(&b->account, r->task, o.kind, w->id) < 0)
        return; /* cancelled */
    batch_tell(b, &o, r->status == RESULT_OK ? r->value : NULL, r->status == RESULT_OK ? r->len : 0,
               r->owner);
}

/* Records of finished tasks, from a message or from a dead worker's slot. Those that are there a second
 * time belong to no chunk any more, or to an account that knows them. */
static int take_records(struct pool *p, struct worker *w, const struct frame_head *head,
                        const uint8_t *at, size_t size, struct block *owner) {
    const uint8_t *end = at + size;
    struct chunk_list *list = chunks_of(p, w);
    struct chunk *c = NULL;
    struct record r = {.owner = owner};
    while (at < end) {
        uint32_t number;
        if (!frame_get_record(&at, end, &number, &r.status, &r.len))
            return -EBADMSG;
        r.value = at;
        r.task = head->first + number;
        at += r.len;
        if (c == NULL || r.task < c->first + c->ended || r.task - c->first >= c->count)
            c = chunk_open(list, head->epoch, r.task);
        if (c == NULL)
            continue;
        uint32_t place = (uint32_t)(r.task - c->first);
        /* a worker runs a chunk's tasks in their order, and not before it has all of it */
        if (place > c->ended || c->message.waiting)
            return -EBADMSG;
        w->ended_tasks++;
        end_task(w, c, &r);
        if (++c->ended == c->count) {
            chunk_remove(list, c);
            chunk_release(p, c);
            c = NULL;
        }
    }
    return 0;
}

static void learn_duration(struct pool *p, const struct frame_head *h) {
    if (h->count == 0 || h->busy_ns == 0)
        return;
    double now = (double)h->busy_ns / h->count;
    p->task_ns = p->task_ns > 0 ? 0.75 * p->task_ns + 0.25 * now : now;
}

static bool is_settled(const struct chunk *c) {
    return c->batch == NULL || c->ended == c->count;
}

/* w has left its message `number` where it was told to. What it has not begun and nobody has taken goes to others. The
 * message is not there any more if all that was left of it has ended. */
static int give_back_cut(struct pool *p, struct worker *w, uint32_t number) {
    struct chunk *c = p->config.channel->shared ? NULL : w->chunks.first;
    if (c == NULL || c->number != number)
        return 0;
    if (c->message.waiting)
        return -EBADMSG;
    int err = is_settled(c) ? 0 : chunk_retry(c);
    w->given -= c->count - c->ended; /* for max_tasks: it will not run these */
    chunk_remove(&w->chunks, c);
    chunk_release(p, c);
    return err;
}

int map_results(struct pool *p, unsigned worker, const struct received *r) {
    struct worker *w = pool_worker(p, worker);
    if (w == NULL)
        return -EBADMSG;
    learn_duration(p, &r->head);
    int err = take_records(p, w, &r->head, r->body, r->len, r->owner);
    return err == 0 && (r->head.flags & FRAME_CUT) != 0 ? give_back_cut(p, w, r->head.number) : err;
}

/* ---- a worker has ended -------------------------------------------------------------------------------- */

/* The chunk that w was at, if it has not ended. */
static struct chunk *chunk_at(struct pool *p, struct worker *w) {
    if (!p->config.channel->shared)
        return w->chunks.first;
    const struct frame_head *claim = &w->slot->claim;
    if (frame_check(claim) < 0 || claim->type != FRAME_TASKS)
        return NULL;
    return chunk_of(&p->in_queue, claim);
}

/* The next task of c has ended with its worker. */
static void end_dead(struct worker *w, struct chunk *c, const struct proc_end *end,
                     enum outcome_kind kind) {
    uint32_t place = c->ended++;
    struct outcome o = {.task = c->first + place,
                        .kind = kind,
                        .worker = w->id,
                        .attempt = c->attempt,
                        .pid = w->proc.pid,
                        .signal = end ? end->signal : 0,
                        .exit_code = end ? end->exit_code : -1};
    char text[128];
    if (w->oom_killed && kind == OUTCOME_DIED) {
        worker_say_end(w, end, text, sizeof text);
        o.message = text;
        o.message_len = strlen(text);
    }
    if (c->batch == NULL || (kind != OUTCOME_CANCELLED && is_tried_again(c, place, &o)))
        return;
    if (account_finish(&c->batch->account, o.task, kind, w->id) == 0)
        batch_tell(c->batch, &o, NULL, 0, NULL);
}

/* Tasks that w finished and whose results could not be read (it sent what is no message): they must not run
 * a second time. They are the first of what it had been given that have not ended. */
static void end_lost(struct pool *p, struct worker *w, const struct proc_end *end, uint64_t lost) {
    struct chunk *c = chunk_at(p, w);
    while (c != NULL && lost > 0) {
        if (c->ended == c->count) {
            c = p->config.channel->shared ? NULL : c->next;
            continue;
        }
        end_dead(w, c, end, OUTCOME_DIED);
        lost--;
    }
}

/* The task that it was running. One that it was about to begin when it was told not to has not begun. */
static bool end_current(struct pool *p, struct worker *w, const struct proc_end *end) {
    uint32_t epoch = atomic_load(&w->slot->epoch);
    uint64_t current = atomic_load(&w->slot->current);
    if (current == 0 || (w->doomed && w->doom_key != task_key(epoch, current - 1)))
        return false;
    struct chunk *c = chunk_open(chunks_of(p, w), epoch, current - 1);
    if (c == NULL || c->first + c->ended != current - 1)
        return false; /* its result is here */
    if (!p->config.channel->shared && atomic_load(&w->slot->progress) >> 32 != c->number)
        return false; /* it was about to begin it in an earlier message, from which it was taken */
    end_dead(w, c, end, w->doomed ? w->doom : OUTCOME_DIED);
    return true;
}

/* What it had been given and not begun goes to others. */
static int give_back(struct pool *p, struct worker *w) {
    int err = 0;
    if (!p->config.channel->shared) {
        for (struct chunk *c; err == 0 && (c = chunk_pop(&w->chunks)) != NULL;) {
            err = is_settled(c) ? 0 : chunk_retry(c);
            chunk_release(p, c);
        }
        return err;
    }
    struct chunk *c = chunk_at(p, w);
    if (c == NULL)
        return 0;
    chunk_remove(&p->in_queue, c);
    queue_forget(p->tasks, &c->message);
    err = is_settled(c) ? 0 : chunk_retry(c);
    chunk_release(p, c);
    return err;
}

int map_worker_ended(struct pool *p, struct worker *w, const struct proc_end *end, bool *had_task) {
    struct slot *slot = w->slot;
    size_t len = atomic_load_explicit(&slot->results_len, memory_order_acquire);
    struct frame_head head = {.first = atomic_load(&slot->first),
                              .epoch = atomic_load(&slot->epoch)};
    int err = 0;
    /* All that it finished has arrived: what lies there it had sent, and not forgotten yet. To an attempt that
     * followed one of these it must not be given. */
    bool is_known = atomic_load(&slot->current) == 0 && atomic_load(&slot->tasks) == w->ended_tasks;
    if (len <= SLOT_RESULTS && !is_known)
        err = take_records(p, w, &head, slot->results, len, NULL);
    if (err ==
        -EBADMSG) /* a gone-wild worker's: whatever it says, its tasks have not ended otherwise */
        err = 0;
    uint64_t done = atomic_load(&slot->tasks);
    if (err == 0 && done > w->ended_tasks)
        end_lost(p, w, end, done - w->ended_tasks);
    *had_task = err == 0 && end_current(p, w, end);
    return err < 0 ? err : give_back(p, w);
}

/* ---- handing out ------------------------------------------------------------------------------------- */

static unsigned depth(const struct pool *p) {
    uint32_t n = p->config.chunk > 0 ? p->config.chunk : 1;
    if (p->task_ns <= 0)
        return 1;
    double ahead = AHEAD_NS / (p->task_ns * n);
    if (p->config.chunk == 0 && ahead > 1)
        return p->crowded ? 1 : 2;
    return ahead < 1 ? 1 : ahead < AHEAD_MESSAGES ? 1 + (unsigned)ahead : AHEAD_MESSAGES;
}

/* The next chunk of b or of a batch that can go in anybody's turn; those first that had been given to a
 * worker before. 1, 0: there is none now. What goes wrong is the batch's. */
static int next_of(struct batch *b, bool fresh, uint32_t most, struct chunk **out) {
    int got = fresh ? chunk_next(b, most, out) : chunk_again(b, most, out);
    if (got < 0)
        b->error = got;
    return got > 0;
}

static int next_chunk(struct pool *p, struct batch *b, uint32_t most, struct chunk **out) {
    for (struct batch *at = p->batches; at != NULL; at = at->next)
        if (at->retry.n > 0 && next_of(at, false, most, out))
            return 1;
    for (struct batch *at = p->batches; at != NULL; at = at->next)
        if (at->eager && at != b && next_of(at, true, most, out))
            return 1;
    return next_of(b, true, most, out);
}

static int next_for_idle(struct pool *p, struct batch *b, uint32_t most, struct chunk **out) {
    return next_chunk(p, b, most, out) || (steal_tasks(p, b) && next_chunk(p, b, most, out));
}

/* What goes out behind a message that its worker has not ended: of b itself only, which has to wait for
 * that one anyway, and not if b is submitted tasks: nobody says that the one before is short. */
static int next_ahead(struct batch *b, uint32_t most, struct chunk **out) {
    if (b->eager)
        return 0;
    return (b->retry.n > 0 && next_of(b, false, most, out)) || next_of(b, true, most, out);
}

static int dispatch_shared(struct pool *p, struct batch *b) {
    unsigned most = p->config.workers * (1 + depth(p));
    while (p->in_queue.n < most && p->tasks->outbox.bytes < AHEAD_BYTES * p->config.workers) {
        struct chunk *c;
        if (!next_chunk(p, b, UINT32_MAX, &c))
            return 0;
        chunk_append(&p->in_queue, c);
        p->config.channel->send(p, NULL, &c->message);
    }
    return 0;
}

/* How many more tasks w is to be given in its life; 0: none. */
static uint32_t may_take(const struct pool *p, const struct worker *w) {
    uint64_t limit = p->config.max_tasks;
    if (p->config.max_messages > 0 && w->given_messages >= p->config.max_messages)
        return 0;
    if (limit > 0 && w->given >= limit)
        return 0;
    return limit == 0 || limit - w->given > UINT32_MAX ? UINT32_MAX : (uint32_t)(limit - w->given);
}

static bool has_room(const struct worker *w, const struct batch *b, unsigned level) {
    if (level > 1 && (w->chunks.last == NULL || w->chunks.last->batch != b))
        return false;
    return w->ready && !w->doomed && w->chunks.n < level &&
           (w->chunks.n == 0 || w->chunks.bytes < AHEAD_BYTES);
}

/* Everybody gets a first message before anybody gets one ahead. */
static unsigned least_held(const struct pool *p) {
    unsigned least = AHEAD_MESSAGES;
    for (unsigned i = 0; i < p->config.workers; i++)
        if (p->workers[i].ready && p->workers[i].chunks.n < least)
            least = p->workers[i].chunks.n;
    return least;
}

int map_dispatch(struct pool *p, struct batch *b) {
    if (p->config.channel->shared)
        return dispatch_shared(p, b);
    unsigned most = depth(p);
    p->passes++;
    for (unsigned level = least_held(p) + 1; level <= most; level++) {
        for (unsigned i = 0; i < p->config.workers; i++) {
            struct worker *w = &p->workers[i];
            uint32_t n = may_take(p, w);
            struct chunk *c;
            if (n == 0 || !has_room(w, b, level))
                continue;
            if (!(level == 1 ? next_for_idle(p, b, n, &c) : next_ahead(b, n, &c)))
                return 0;
            w->given += c->count;
            c->number = (uint32_t)++w->given_messages;
            c->pass = p->passes;
            chunk_append(&w->chunks, c);
            p->config.channel->send(p, w, &c->message);
        }
    }
    return 0;
}
