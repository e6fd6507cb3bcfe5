/* delivery=queue: one shared queue, into which the fixed data is put once for each worker. */
#include <errno.h>

#include "pool/inside.h"

static void shared_close(struct pool *p) {
    if (p->fixed_queue == NULL)
        return;
    queue_close(p->fixed_queue);
    sys_free(p->fixed_queue);
    p->fixed_queue = NULL;
}

static int shared_open(struct pool *p) {
    struct queue *q = sys_malloc(p->sys, sizeof *q);
    int err = q ? queue_open(q, p->sys) : -ENOMEM;
    if (err < 0) {
        sys_free(q);
        return err;
    }
    p->fixed_queue = q;
    return 0;
}

static int shared_connect(struct pool *p, struct worker *w, int *child) {
    (void)w;
    *child = p->fixed_queue->in;
    return 0;
}

static int shared_pass(struct pool *p) {
    return p->fixed_queue->in;
}

static int shared_enter(struct pool *p, int fd, size_t size) {
    (void)size;
    return queue_enter(&p->fixed_queue, p->sys, fd, -1);
}

static int shared_offer(struct pool *p, struct worker *w) {
    (void)w; /* whoever comes first takes it */
    struct message *m = message_new(p->sys, FRAME_FIXED);
    int err = m ? buf_add_buf(&m->body, &p->fixed) : -ENOMEM;
    if (err < 0) {
        message_free(m);
        return err;
    }
    queue_put(p->fixed_queue, m);
    return 0;
}

static int shared_receive(struct worker_self *self, struct received *r) {
    int got = queue_get(self->pool->fixed_queue, DEADLINE_NEVER, NULL, r);
    return got == 1 && r->head.type != FRAME_FIXED ? -EBADMSG : got;
}

static uint64_t shared_left(struct pool *p) {
    return p->fixed_queue ? p->fixed_queue->outbox.bytes : 0;
}

const struct deliver_ops deliver_queue = {
    .name = "queue",
    .help = "all of it through one shared queue",
    .by_bytes = true,
    .open = shared_open,
    .close = shared_close,
    .connect = shared_connect,
    .pass = shared_pass,
    .enter = shared_enter,
    .offer = shared_offer,
    .receive = shared_receive,
    .left = shared_left,
};
