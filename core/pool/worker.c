/* worker: the life of a worker, from its fork to its exit: receive the fixed data, run the
 * initializer, take chunks and run their tasks, finish. Everything it finishes is first put into its
 * slot, which the coordinator can read after its death, and then sent. */
#include <errno.h>
#include <string.h>

#include "pool/inside.h"

#define GIVE_IOV 32

static void store(_Atomic uint64_t *to, uint64_t v) {
    atomic_store_explicit(to, v, memory_order_relaxed);
}

/* ---- times ----------------------------------------------------------------------------------------- */

/* Reading the clock takes as long as the smallest tasks. Those that take less than this are timed so many
 * together, until they take longer again. */
#define SHORT_NS       1000
#define TIMED_TOGETHER 16

/* In the slot before the results can be out: whoever has taken all results in may read it. */
static void note_busy(struct worker_self *self) {
    struct slot *slot = self->slot;
    if (self->untimed == 0)
        return;
    int64_t now = clock_now_ns();
    uint64_t ns = (uint64_t)(now - self->begun_ns);
    self->begun_ns = now;
    self->busy_ns += ns;
    store(&slot->busy_ns, atomic_load_explicit(&slot->busy_ns, memory_order_relaxed) + ns);
    /* of several, one may have taken nearly all the time */
    bool is_short = ns < (uint64_t)SHORT_NS * self->untimed;
    uint64_t longest = is_short ? ns / self->untimed : ns;
    if (longest > atomic_load_explicit(&slot->longest_ns, memory_order_relaxed))
        store(&slot->longest_ns, longest);
    self->timed_together = is_short && self->pool->config.timeout_ns == 0 ? TIMED_TOGETHER : 1;
    self->untimed = 0;
}

/* ---- results ---------------------------------------------------------------------------------------- */

static int give(struct worker_self *self, struct frame_head *head, const struct iovec *iov, int n) {
    head->worker = (uint16_t)self->id;
    head->len = 0;
    for (int i = 0; i < n; i++)
        head->len += iov[i].iov_len;
    struct slot *slot = self->slot;
    store(&slot->messages_out, atomic_load(&slot->messages_out) + 1);
    store(&slot->bytes_out, atomic_load(&slot->bytes_out) + head->len);
    int err = self->pool->config.channel->give(self, head, iov, n);
    self->begun_ns = clock_now_ns(); /* sending is no part of the next task */
    return err;
}

/* Sends the results that lie in the slot. They are forgotten only after they are out: killed in
 * between, they are there twice, and the coordinator takes the first. */
static int send_results(struct worker_self *self, uint8_t flags) {
    struct slot *slot = self->slot;
    note_busy(self);
    struct iovec iov = {.iov_base = slot->results, .iov_len = atomic_load(&slot->results_len)};
    struct frame_head head = {.type = FRAME_RESULTS,
                              .flags = flags,
                              .count = self->results,
                              .epoch = atomic_load(&slot->epoch),
                              .first = atomic_load(&slot->first),
                              .busy_ns = self->busy_ns,
                              .number = (uint32_t)self->messages};
    int err = give(self, &head, &iov, 1);
    if (err < 0)
        return err; /* the coordinator takes them from the slot */
    atomic_store_explicit(&slot->results_len, 0, memory_order_release);
    self->results = 0;
    self->busy_ns = 0;
    return err;
}

static int flush_results(struct worker_self *self) {
    return self->results > 0 ? send_results(self, 0) : 0;
}

/* A result too large for the slot goes out on its own, from where it lies. */
static int give_large(struct worker_self *self, const uint8_t *record, size_t record_len,
                      const struct buf *out) {
    note_busy(self);
    struct iovec iov[GIVE_IOV + 1] = {{(void *)(uintptr_t)record, record_len}};
    struct frame_head head = {.type = FRAME_RESULTS,
                              .count = 1,
                              .epoch = atomic_load(&self->slot->epoch),
                              .first = atomic_load(&self->slot->first)};
    int n = buf_iov(out, 0, iov + 1, GIVE_IOV);
    size_t sum = 0, len = buf_size(out);
    for (int i = 1; i <= n; i++)
        sum += iov[i].iov_len;
    if (sum == len)
        return give(self, &head, iov, n + 1);
    uint8_t *whole = sys_malloc(self->pool->sys, len); /* in more pieces than fit a message */
    if (whole == NULL)
        return -ENOMEM;
    buf_copy(out, whole);
    iov[1] = (struct iovec){.iov_base = whole, .iov_len = len};
    int err = give(self, &head, iov, 2);
    sys_free(whole);
    return err;
}

static int keep_result(struct worker_self *self, uint32_t number, enum result_status status,
                       const struct buf *out) {
    struct slot *slot = self->slot;
    uint8_t record[RECORD_MAX];
    size_t len = buf_size(out), head = frame_put_record(record, number, status, len);
    size_t at = atomic_load_explicit(&slot->results_len, memory_order_relaxed);
    if (head + len > SLOT_RESULTS - at) {
        int err = flush_results(self);
        if (err < 0 || head + len > SLOT_RESULTS)
            return err < 0 ? err : give_large(self, record, head, out);
        at = 0;
    }
    memcpy(slot->results + at, record, head);
    if (out->n_pieces == 0 && len > 0)
        memcpy(slot->results + at + head, out->data, len);
    else if (len > 0)
        buf_copy(out, slot->results + at + head);
    atomic_store_explicit(&slot->results_len, at + head + len, memory_order_release);
    self->results++;
    return 0;
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

struct tasks {
    struct worker_self *self;
    const struct received *message;
    const uint8_t *at, *end;
    uint32_t begun; /* how many of the message */
    bool cut;       /* its other tasks were taken back */
    int err;
};

static bool is_skipped(const struct slot *slot, uint64_t key) {
    for (int i = 0; i < SLOT_SKIPS; i++)
        if (atomic_load(&slot->skip[i]) == key)
            return true;
    return false;
}

/* As says the coordinator, who may have changed its mind since (steal.c). */
static bool is_cut(const struct tasks *t) {
    uint32_t number = (uint32_t)t->self->messages;
    uint64_t cut = atomic_load(&t->self->slot->cut[number % SLOT_CUTS]);
    return number != 0 && (uint32_t)(cut >> 32) == number && t->begun > (uint32_t)cut;
}

/* Says that it begins a task, then looks whether it may: the coordinator does these two the other way
 * round (limits.c, batch.c, steal.c), so one of us sees the other. */
enum may { MAY, MAY_NOT, MAY_NO_MORE };

static enum may may_begin(struct tasks *t, uint64_t task) {
    struct worker_self *self = t->self;
    struct slot *slot = self->slot;
    store(&slot->progress, (uint64_t)(uint32_t)self->messages << 32 | t->begun);
    atomic_store(&slot->current, task + 1);
    /* it is about to be killed, or the coordinator was late */
    while (atomic_load(&slot->halt) != 0) {
        atomic_store(&slot->current, 0);
        sys_nanosleep(self->pool->sys, clock_now_ns() + 100000);
        atomic_store(&slot->current, task + 1);
    }
    if (is_cut(t))
        return MAY_NO_MORE;
    bool skipped =
        atomic_load(&slot->skips) != 0 && is_skipped(slot, task_key(t->message->head.epoch, task));
    return skipped ? MAY_NOT : MAY;
}

static void count_task(struct tasks *t, int err) {
    struct slot *slot = t->self->slot;
    store(&slot->tasks, atomic_load_explicit(&slot->tasks, memory_order_relaxed) + 1);
    atomic_store_explicit(&slot->current, 0, memory_order_release);
    t->err = err;
}

/* Of a shared queue it may have taken more than it is to run: the rest is given back when it has ended. */
static bool has_run_enough(const struct worker_self *self) {
    uint64_t most = self->pool->config.max_tasks;
    return most > 0 && atomic_load_explicit(&self->slot->tasks, memory_order_relaxed) >= most;
}

/* The next item: false when there is none. */
static bool next_item(struct tasks *t, struct task *task) {
    uint64_t len;
    if (t->err < 0 || t->cut || t->begun == t->message->head.count || has_run_enough(t->self))
        return false;
    if (!frame_get_len(&t->at, t->end, &len)) {
        t->err = -EBADMSG;
        return false;
    }
    *task = (struct task){t->message->head.first + t->begun++, t->at, len, t->message->owner};
    t->at += len;
    return true;
}

bool tasks_next(struct tasks *t, struct task *task) {
    struct worker_self *self = t->self;
    while (next_item(t, task)) {
        if (self->pool->config.timeout_ns > 0)
            atomic_store_explicit(&self->slot->since_ns, self->begun_ns, memory_order_relaxed);
        enum may may = may_begin(t, task->number);
        if (may == MAY)
            return true;
        if (may == MAY_NO_MORE) {
            atomic_store_explicit(&self->slot->current, 0, memory_order_release);
            t->cut = true;
            return false;
        }
        struct buf none = {0};
        count_task(t, keep_result(self, t->begun - 1, RESULT_SKIPPED, &none));
    }
    return false;
}

void tasks_end(struct tasks *t, int status, struct buf *out) {
    struct worker_self *self = t->self;
    if (++self->untimed >= self->timed_together)
        note_busy(self);
    if (self->pool->config.timeout_ns > 0) /* the coordinator may be long in taking the result */
        atomic_store_explicit(&self->slot->since_ns, 0, memory_order_relaxed);
    count_task(t, keep_result(self, t->begun - 1, status != 0 ? RESULT_FAILED : RESULT_OK, out));
    buf_clear(out);
}

static void run_each(struct worker_self *self, struct tasks *t) {
    const struct pool_job *job = &self->pool->config.job;
    struct task task;
    while (tasks_next(t, &task))
        tasks_end(t, job->run(job->ctx, task.number, task.item, task.len, task.owner, &self->out),
                  &self->out);
}

static int run_chunk(struct worker_self *self, const struct received *r) {
    struct tasks t = {.self = self, .message = r, .at = r->body, .end = r->body + r->len};
    const struct pool_job *job = &self->pool->config.job;
    buf_clear(&self->out);
    self->begun_ns = clock_now_ns();
    atomic_store_explicit(&self->slot->first, r->head.first, memory_order_relaxed);
    atomic_store_explicit(&self->slot->epoch, r->head.epoch, memory_order_release);
    if (job->run_all != NULL)
        job->run_all(job->ctx, &t, &self->out);
    else
        run_each(self, &t);
    note_busy(self);
    if (t.err < 0)
        return t.err;
    return t.cut ? send_results(self, FRAME_CUT) : flush_results(self);
}

static _Noreturn void leave_failed(struct worker_self *self) {
    struct frame_head head = {.type = FRAME_FAILED};
    size_t n = buf_size(&self->out);
    uint8_t *text = sys_malloc(self->pool->sys, n);
    if (text != NULL) {
        buf_copy(&self->out, text);
        struct iovec iov = {.iov_base = text, .iov_len = n};
        give(self, &head, &iov, 1);
    }
    sys_exit(1);
}

static void become_ready(struct worker_self *self) {
    const struct pool_config *c = &self->pool->config;
    struct received r;
    int got = c->deliver->receive(self, &r);
    if (got != 1)
        sys_exit(got == -EPIPE ? 0 : 126);
    atomic_store(&self->slot->bytes_in, r.len);
    atomic_store(&self->slot->messages_in, r.body != NULL ? 1 : 0);
    atomic_store(&self->slot->init_ns, clock_now_ns());
    if (c->job.init != NULL &&
        c->job.init(c->job.ctx, self->id, r.body, r.len, r.owner, &self->out) != 0)
        leave_failed(self);
    atomic_store(&self->slot->ready_ns, clock_now_ns());
    struct frame_head head = {.type = FRAME_READY};
    if (give(self, &head, NULL, 0) < 0)
        sys_exit(0);
}

/* It leaves of its own accord, and another takes its place. */
static bool has_done_its_share(struct worker_self *self) {
    const struct pool_config *c = &self->pool->config;
    bool done = has_run_enough(self) || (c->max_messages > 0 && self->messages >= c->max_messages);
    if (done)
        atomic_store(&self->slot->retired, 1);
    return done;
}

_Noreturn void worker_run(struct pool *p, struct worker *w) {
    struct worker_self self = {.pool = p, .slot = w->slot, .id = w->id};
    atomic_store(&w->slot->started_ns, clock_now_ns());
    buf_init(&self.out, p->sys);
    pool_show_board(p);
    p->config.channel->join(&self, w);
    if (p->fixed_queue != NULL)
        queue_after_fork(p->fixed_queue, p->sys);
    become_ready(&self);
    struct received r;
    int got = 1;
    while (!has_done_its_share(&self) && (got = p->config.channel->take(&self, &r)) == 1 &&
           r.head.type != FRAME_STOP) {
        if (r.head.type != FRAME_TASKS)
            sys_exit(126);
        struct slot *slot = self.slot;
        store(&slot->messages_in, atomic_load(&slot->messages_in) + 1);
        store(&slot->bytes_in, atomic_load(&slot->bytes_in) + r.len);
        self.messages++;
        if (run_chunk(&self, &r) < 0)
            sys_exit(126);
    }
    buf_clear(&self.out);
    const struct pool_job *job = &p->config.job;
    atomic_store(&w->slot->finish_ns, clock_now_ns());
    if (got == 1 && job->finish != NULL && job->finish(job->ctx, &self.out) != 0)
        leave_failed(&self);
    sys_exit(0);
}
