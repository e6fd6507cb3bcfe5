/* delivery=send: the fixed data goes to each worker over its own channel, ahead of its first task. */
#include <errno.h>

#include "pool/inside.h"

static int send_open(struct pool *p) {
    if (!p->config.channel->shared)
        return 0;
    pool_say(p, "delivery=send needs a channel for each worker: channel=queue is shared by all");
    return -EINVAL;
}

static void send_close(struct pool *p) {
    (void)p;
}

static int send_connect(struct pool *p, struct worker *w, int *child) {
    (void)p;
    (void)w;
    *child = -1;
    return 0;
}

static int send_pass(struct pool *p) {
    (void)p;
    return -1;
}

static int send_enter(struct pool *p, int fd, size_t size) {
    (void)p;
    (void)fd;
    (void)size;
    return 0;
}

static int send_offer(struct pool *p, struct worker *w) {
    struct message *m = message_new(p->sys, FRAME_FIXED);
    int err = m ? buf_add_buf(&m->body, &p->fixed) : -ENOMEM;
    if (err < 0) {
        message_free(m);
        return err;
    }
    p->config.channel->send(p, w, m);
    return 0;
}

static int send_receive(struct worker_self *self, struct received *r) {
    int got = self->pool->config.channel->take(self, r);
    return got == 1 && r->head.type != FRAME_FIXED ? -EBADMSG : got;
}

static uint64_t send_left(struct pool *p) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        if (!w->ready)
            sum += p->config.channel->unsent(p, w);
    }
    return sum;
}

const struct deliver_ops deliver_send = {
    .name = "send",
    .help = "to each worker over its own channel",
    .by_bytes = true,
    .open = send_open,
    .close = send_close,
    .connect = send_connect,
    .pass = send_pass,
    .enter = send_enter,
    .offer = send_offer,
    .receive = send_receive,
    .left = send_left,
};
