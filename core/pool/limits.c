/* limits: ends workers because of one of their tasks: it has had its time, or is not wanted any more.
 * Nobody else's task may suffer for it. */
#include "pool/inside.h"

/* Between asking a worker to end and ending it. */
#define GRACE_NS (200 * INT64_C(1000000))
/* Less than this part of the time limit between two looks is no absence. */
#define ABSENCES 4

static void doom(struct pool *p, struct worker *w, enum outcome_kind kind, uint64_t key) {
    w->doomed = true;
    w->doom = kind;
    w->doom_key = key;
    w->kill_at_ns = clock_now_ns() + GRACE_NS;
    proc_signal(p->sys, &w->proc, SIGTERM);
}

/* The worker looks at `halt` after it has said which task it is about to begin, we look at that after
 * setting `halt`: whichever comes first, no task begins between our look and the signal. */
bool limits_end_task(struct pool *p, struct worker *w, uint32_t epoch, uint64_t task,
                     enum outcome_kind kind) {
    struct slot *slot = w->slot;
    if (w->doomed)
        return false;
    atomic_store(&slot->halt, 1);
    if (atomic_load(&slot->epoch) != epoch || atomic_load(&slot->current) != task + 1) {
        atomic_store(&slot->halt, 0);
        return false;
    }
    doom(p, w, kind, task_key(epoch, task));
    return true;
}

/* Whether there is something for w to do, if it only came and did it. */
static bool has_tasks(struct pool *p, struct worker *w) {
    if (!p->config.channel->shared)
        return w->chunks.n > 0;
    struct frame_head claim = w->slot->claim;
    if (frame_check(&claim) == 0 && claim.type == FRAME_TASKS &&
        chunk_of(&p->in_queue, &claim) != NULL)
        return true;
    return w->ready && queue_has_waiting(p->tasks); /* it does not come and take it */
}

/* A worker that has nothing to wait for begins at once, on a busy machine somewhat later; one that is
 * stopped does not. Those that are sent the data wait as long as that takes, unless they were stopped. */
#define START_NS (10 * NS_PER_S)

static int64_t limit_of_start(struct pool *p, struct worker *w, int64_t now) {
    int64_t patience = p->config.timeout_ns > START_NS ? p->config.timeout_ns : START_NS;
    if (w->stuck_since_ns == 0)
        w->stuck_since_ns = now;
    int64_t at = w->stuck_since_ns + patience;
    if (at > now || !p->config.deliver->by_bytes || proc_stands_still(p->sys, w->proc.pid))
        return at;
    w->stuck_since_ns = now;
    return now + patience;
}

/* When w's task has had its time: the running one since it began; one that it does not even begin, or
 * whose result does not come any further (stopped, say), since it was seen so. */
static int64_t limit_of(struct pool *p, struct worker *w, int64_t now) {
    int64_t init_ns = atomic_load(&w->slot->init_ns);
    if (!w->ready && atomic_load(&w->slot->ready_ns) != 0)
        return DEADLINE_NEVER;     /* its word is there, and we have not been */
    if (!w->ready && init_ns != 0) /* its initializer has the time of one task */
        return init_ns + p->config.timeout_ns;
    if (!w->ready)
        return limit_of_start(p, w, now);
    uint64_t tasks = atomic_load(&w->slot->tasks);
    bool running = atomic_load(&w->slot->current) != 0;
    int64_t since = running ? atomic_load(&w->slot->since_ns) : 0;
    bool has = running ? since == 0 : has_tasks(p, w);
    if (!has || tasks != w->seen_tasks)
        w->stuck_since_ns = 0;
    w->seen_tasks = tasks;
    if (since != 0)
        return since + p->config.timeout_ns;
    if (!has)
        return DEADLINE_NEVER;
    if (w->stuck_since_ns == 0)
        w->stuck_since_ns = now;
    return w->stuck_since_ns + p->config.timeout_ns;
}

/* Its time has come; returns when to look again. */
static int64_t enforce(struct pool *p, struct worker *w, int64_t now) {
    if (w->doomed) {
        proc_signal(p->sys, &w->proc, SIGKILL);
        w->kill_at_ns = now + GRACE_NS;
        return w->kill_at_ns;
    }
    uint64_t current = atomic_load(&w->slot->current);
    int64_t since = atomic_load(&w->slot->since_ns);
    if (current == 0 || !w->ready)
        doom(p, w, OUTCOME_TIMEOUT, 0);
    else if (since != 0 && since + p->config.timeout_ns > now)
        return since + p->config.timeout_ns; /* another one, which has only begun */
    else if (!limits_end_task(p, w, atomic_load(&w->slot->epoch), current - 1, OUTCOME_TIMEOUT))
        return now; /* it has just come to its end */
    return w->kill_at_ns;
}

/* While nobody looked after the pool, a worker may have been kept waiting by that alone. */
static void forgive_absence(struct pool *p, int64_t now) {
    int64_t away = now - p->attended_ns;
    if (away < p->config.timeout_ns / ABSENCES)
        return;
    for (unsigned i = 0; i < p->config.workers; i++)
        if (p->workers[i].stuck_since_ns != 0)
            p->workers[i].stuck_since_ns += away;
}

int64_t map_limits(struct pool *p) {
    int64_t next = DEADLINE_NEVER;
    int64_t now = p->config.timeout_ns > 0 ? clock_now_ns() : 0;
    if (now != 0)
        forgive_absence(p, now);
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        if (w->proc.pid <= 0 || (!w->doomed && (w->leaving || p->config.timeout_ns == 0)))
            continue;
        if (now == 0)
            now = clock_now_ns();
        int64_t at = w->doomed ? w->kill_at_ns : limit_of(p, w, now);
        if (at <= now)
            at = enforce(p, w, now);
        next = at < next ? at : next;
    }
    return next;
}
