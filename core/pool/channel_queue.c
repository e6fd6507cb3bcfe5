/* channel=queue: one task queue that all workers take from and one result queue that all put into. */
#include <errno.h>

#include "pool/inside.h"

static int open_one(struct sys *s, struct queue **out) {
    struct queue *q = sys_malloc(s, sizeof *q);
    if (q == NULL)
        return -ENOMEM;
    int err = queue_open(q, s);
    if (err < 0) {
        sys_free(q);
        return err;
    }
    *out = q;
    return 0;
}

static void close_one(struct queue **q) {
    if (*q == NULL)
        return;
    queue_close(*q);
    sys_free(*q);
    *q = NULL;
}

static void close_both(struct pool *p) {
    close_one(&p->tasks);
    close_one(&p->results);
}

static int open_both(struct pool *p) {
    int err = open_one(p->sys, &p->tasks);
    if (err == 0)
        err = open_one(p->sys, &p->results);
    if (err < 0)
        close_both(p);
    return err;
}

static int shared_connect(struct pool *p, struct worker *w, int child[2]) {
    (void)w;
    child[0] = p->tasks->in;
    child[1] = p->results->out;
    return 0;
}

static void shared_disconnect(struct pool *p, struct worker *w) {
    (void)p, (void)w; /* what waits in the queue, another one takes */
}

static int shared_pass(struct pool *p, struct worker *w, int fds[CHANNEL_FDS]) {
    (void)w;
    fds[0] = p->tasks->in;
    fds[1] = p->results->out;
    return 2;
}

static int shared_enter(struct pool *p, struct worker *w, const int fds[CHANNEL_FDS]) {
    (void)w;
    int err = queue_enter(&p->tasks, p->sys, fds[0], -1);
    return err < 0 ? err : queue_enter(&p->results, p->sys, -1, fds[1]);
}

static void shared_send(struct pool *p, struct worker *w, struct message *m) {
    (void)w; /* whoever comes first takes it */
    queue_put(p->tasks, m);
}

static int shared_flush(struct pool *p) {
    int got = queue_flush(p->tasks);
    return got < 0 && got != -EPIPE ? got : 0;
}

static uint64_t shared_unsent(struct pool *p, struct worker *w) {
    (void)w;
    return p->tasks->outbox.bytes;
}

static bool shared_came(struct pool *p, int64_t deadline) {
    (void)p, (void)deadline; /* all that comes makes a descriptor ready */
    return false;
}

static void shared_watch(struct pool *p) {
    step_watch(p, queue_waits(p->tasks), POLLOUT);
    p->at_channel = step_watch(p, p->results->in, POLLIN);
    p->n_polls += queue_part_fds(p->results, p->polls + p->n_polls, STEP_PARTS_MAX);
}

static int shared_drain(struct pool *p, struct worker *from) {
    struct received r;
    int got;
    (void)from; /* what came from whom is not known before it is read */
    while ((got = queue_poll(p->results, &r)) == 1)
        if ((got = step_take(p, r.head.worker, &r)) < 0)
            break;
    /* Its writer may have taken and finished other messages since, and which they are is not known: they would be
     * waited for in vain. */
    if (got == -EBADMSG)
        pool_say(p,
                 "what came through the queue of results is none, and whose are lost is not known");
    return got;
}

static int shared_take_in(struct pool *p) {
    bool came = false;
    for (size_t at = (size_t)p->at_channel; at < p->n_polls; at++)
        came |= p->polls[at].revents != 0;
    for (unsigned i = 0; came && i < p->config.workers; i++)
        if (atomic_load(&p->workers[i].slot->current) != 0)
            p->workers[i].stuck_since_ns = 0; /* it may be its result that is on its way */
    return came ? shared_drain(p, NULL) : 0;
}

static void shared_join(struct worker_self *self, struct worker *w) {
    (void)w;
    queue_after_fork(self->pool->tasks, self->pool->sys);
    queue_after_fork(self->pool->results, self->pool->sys);
}

static int shared_take(struct worker_self *self, struct received *r) {
    return queue_get(self->pool->tasks, DEADLINE_NEVER, &self->slot->claim, r);
}

static int shared_give(struct worker_self *self, struct frame_head *head, const struct iovec *iov,
                       int n) {
    struct queue *q = self->pool->results;
    struct message *m = message_new(self->pool->sys, FRAME_RESULTS);
    int err = m ? 0 : -ENOMEM;
    for (int i = 0; i < n && err == 0; i++)
        err = buf_add(&m->body, iov[i].iov_base, iov[i].iov_len);
    if (err < 0) {
        message_free(m);
        return err;
    }
    m->head = *head;
    queue_put(q, m);
    err = queue_flush_all(q, DEADLINE_NEVER);
    return err == 0 && q->lost > 0 ? -EPIPE : err; /* the coordinator could not take it */
}

const struct channel_ops channel_queue = {
    .name = "queue",
    .help = "one task queue and one result queue, shared by all workers",
    .shared = true,
    .common_ends = true,
    .open = open_both,
    .close = close_both,
    .connect = shared_connect,
    .disconnect = shared_disconnect,
    .pass = shared_pass,
    .enter = shared_enter,
    .send = shared_send,
    .flush = shared_flush,
    .unsent = shared_unsent,
    .came = shared_came,
    .watch = shared_watch,
    .take_in = shared_take_in,
    .drain = shared_drain,
    .join = shared_join,
    .take = shared_take,
    .give = shared_give,
};
