/* worker: the life of a worker, from its fork to its exit: receive the fixed data, run the
 * initializer, take chunks and run their tasks, finish. Everything it finishes is first put into its
 * slot, which the coordinator can read after its death, and then sent. */
#include <errno.h>
#include <string.h>

#include "os/fds.h"
#include "pool/inside.h"

#define GIVE_IOV 32

static void store(_Atomic uint64_t *to, uint64_t v) {
    atomic_store_explicit(to, v, memory_order_relaxed);
}

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
static int flush_results(struct worker_self *self, uint32_t epoch) {
    struct slot *slot = self->slot;
    if (self->results == 0)
        return 0;
    struct iovec iov = {.iov_base = slot->results, .iov_len = atomic_load(&slot->results_len)};
    struct frame_head head = {.type = FRAME_RESULTS,
                              .count = self->results,
                              .epoch = epoch,
                              .busy_ns = self->busy_ns};
    int err = give(self, &head, &iov, 1);
    if (err < 0)
        return err; /* the coordinator takes them from the slot */
    atomic_store_explicit(&slot->results_len, 0, memory_order_release);
    self->results = 0;
    self->busy_ns = 0;
    return err;
}

/* A result too large for the slot goes out on its own, from where it lies. */
static int give_large(struct worker_self *self, uint32_t epoch, struct result_head *r) {
    struct iovec iov[GIVE_IOV + 1] = {{.iov_base = r, .iov_len = sizeof *r}};
    struct frame_head head = {.type = FRAME_RESULTS, .count = 1, .epoch = epoch};
    int n = buf_iov(&self->out, 0, iov + 1, GIVE_IOV);
    size_t sum = 0;
    for (int i = 1; i <= n; i++)
        sum += iov[i].iov_len;
    if (sum == r->len)
        return give(self, &head, iov, n + 1);
    uint8_t *whole = sys_malloc(self->pool->sys, r->len); /* in more pieces than fit a message */
    if (whole == NULL)
        return -ENOMEM;
    buf_copy(&self->out, whole);
    iov[1] = (struct iovec){.iov_base = whole, .iov_len = r->len};
    int err = give(self, &head, iov, 2);
    sys_free(whole);
    return err;
}

static int keep_result(struct worker_self *self, uint32_t epoch, uint64_t task, int status) {
    struct slot *slot = self->slot;
    struct result_head r = {.task = task,
                            .len = buf_size(&self->out),
                            .status = status != 0 ? 1 : 0};
    size_t need = sizeof r + r.len;
    int err = 0;
    if (need > SLOT_RESULTS - atomic_load(&slot->results_len))
        err = flush_results(self, epoch);
    if (err < 0 || need > SLOT_RESULTS)
        return err < 0 ? err : give_large(self, epoch, &r);
    size_t at = atomic_load_explicit(&slot->results_len, memory_order_relaxed);
    memcpy(slot->results + at, &r, sizeof r);
    buf_copy(&self->out, slot->results + at + sizeof r);
    atomic_store_explicit(&slot->results_len, at + need, memory_order_release);
    self->results++;
    return 0;
}

/* A task ended, and the next one of the message begins. In the slot before its result can be out:
 * whoever has taken all results in may read it. */
static void note_busy(struct worker_self *self) {
    struct slot *slot = self->slot;
    int64_t now = clock_now_ns();
    uint64_t ns = (uint64_t)(now - self->begun_ns);
    self->begun_ns = now;
    self->busy_ns += ns;
    store(&slot->busy_ns, atomic_load_explicit(&slot->busy_ns, memory_order_relaxed) + ns);
    if (ns > atomic_load_explicit(&slot->longest_ns, memory_order_relaxed))
        store(&slot->longest_ns, ns);
}

static int run_task(struct worker_self *self, const struct received *r, uint64_t task,
                    const uint8_t *item, size_t len) {
    const struct pool_config *c = &self->pool->config;
    struct slot *slot = self->slot;
    if (c->timeout_ns > 0)
        atomic_store_explicit(&slot->since_ns, self->begun_ns, memory_order_relaxed);
    atomic_store_explicit(&slot->current, task + 1, memory_order_release);
    buf_clear(&self->out);
    int status = c->job.run(c->job.ctx, task, item, len, r->owner, &self->out);
    note_busy(self);
    int err = keep_result(self, r->head.epoch, task, status);
    store(&slot->tasks, atomic_load_explicit(&slot->tasks, memory_order_relaxed) + 1);
    atomic_store_explicit(&slot->current, 0, memory_order_release);
    return err;
}

static int run_chunk(struct worker_self *self, const struct received *r) {
    const uint8_t *at = r->body, *end = r->body + r->len;
    int err = 0;
    self->begun_ns = clock_now_ns();
    atomic_store_explicit(&self->slot->epoch, r->head.epoch, memory_order_release);
    for (uint32_t i = 0; i < r->head.count && err == 0; i++) {
        uint64_t len;
        if ((size_t)(end - at) < sizeof len)
            return -EBADMSG;
        memcpy(&len, at, sizeof len);
        at += sizeof len;
        if (len > (size_t)(end - at))
            return -EBADMSG;
        err = run_task(self, r, r->head.first + i, at, len);
        at += len;
    }
    return err < 0 ? err : flush_results(self, r->head.epoch);
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

static void open_ends(struct worker_self *self, struct worker *w, const int ends[3]) {
    struct pool *p = self->pool;
    enum fd_type type = w->stream.type;
    stream_init(&self->stream, p->sys, -1, -1, type);
    if (!p->config.channel->shared)
        stream_init(&self->stream, p->sys, ends[0], ends[1], type);
    struct queue *queues[] = {p->tasks, p->results, p->fixed_queue};
    for (int i = 0; i < 3; i++)
        if (queues[i] != NULL)
            queue_after_fork(queues[i], p->sys);
}

_Noreturn void worker_run(struct pool *p, struct worker *w) {
    struct worker_self self = {.pool = p, .slot = w->slot, .id = w->id};
    atomic_store(&w->slot->started_ns, clock_now_ns());
    buf_init(&self.out, p->sys);
    open_ends(&self, w, w->ends);
    become_ready(&self);
    struct received r;
    int got;
    while ((got = p->config.channel->take(&self, &r)) == 1 && r.head.type != FRAME_STOP) {
        if (r.head.type != FRAME_TASKS)
            sys_exit(126);
        struct slot *slot = self.slot;
        store(&slot->messages_in, atomic_load(&slot->messages_in) + 1);
        store(&slot->bytes_in, atomic_load(&slot->bytes_in) + r.len);
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
