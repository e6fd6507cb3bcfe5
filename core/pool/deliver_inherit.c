/* delivery=inherit: the worker has the fixed data from its fork, copy-on-write; nothing is sent. */
#include <errno.h>

#include "pool/inside.h"

static int inherit_open(struct pool *p) {
    (void)p;
    return 0;
}

static void inherit_close(struct pool *p) {
    (void)p;
}

static int inherit_connect(struct pool *p, struct worker *w, int *child) {
    (void)p;
    (void)w;
    *child = -1;
    return 0;
}

static int inherit_pass(struct pool *p) {
    (void)p;
    return -1;
}

static int inherit_enter(struct pool *p, int fd, size_t size) {
    (void)p;
    (void)fd;
    (void)size;
    return -EINVAL; /* a fresh process has nobody to have it from */
}

static int inherit_offer(struct pool *p, struct worker *w) {
    (void)p;
    (void)w;
    return 0;
}

static int inherit_receive(struct worker_self *self, struct received *r) {
    (void)self;
    *r = (struct received){0};
    return 1;
}

static uint64_t inherit_left(struct pool *p) {
    (void)p;
    return 0;
}

const struct deliver_ops deliver_inherit = {
    .name = "inherit",
    .help = "from the fork, copied on write: a worker's write is its own",
    .open = inherit_open,
    .close = inherit_close,
    .connect = inherit_connect,
    .pass = inherit_pass,
    .enter = inherit_enter,
    .offer = inherit_offer,
    .receive = inherit_receive,
    .left = inherit_left,
};
