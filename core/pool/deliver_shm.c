/* delivery=shm: the fixed data lies in one sealed mapping that all workers have from their fork,
 * or map when they start afresh. */
#include <errno.h>

#include "os/fds.h"
#include "pool/inside.h"

static int placed_open(struct pool *p) {
    return p->config.placed != NULL ? 0 : -EINVAL;
}

static void shm_close(struct pool *p) {
    (void)p;
}

static int shm_connect(struct pool *p, struct worker *w, int *child) {
    (void)p;
    (void)w;
    *child = -1; /* the mapping itself is inherited */
    return 0;
}

static int shm_pass(struct pool *p) {
    return p->config.placed->fd;
}

static int shm_enter(struct pool *p, int fd, size_t size) {
    void *addr;
    int err = shm_map(p->sys, fd, size, false, &addr);
    if (err == 0)
        err = block_adopt_sealed(p->sys, addr, size, &p->config.placed);
    fds_close(p->sys, &fd); /* the mapping is enough */
    return err;
}

static int shm_offer(struct pool *p, struct worker *w) {
    (void)p;
    (void)w;
    return 0;
}

static int shm_receive(struct worker_self *self, struct received *r) {
    struct block *b = self->pool->config.placed;
    *r = (struct received){.body = b->data, .len = b->size, .owner = b};
    return 1;
}

static uint64_t shm_left(struct pool *p) {
    (void)p;
    return 0;
}

const struct deliver_ops deliver_shm = {
    .name = "shm",
    .help = "one read-only shared mapping",
    .open = placed_open,
    .close = shm_close,
    .connect = shm_connect,
    .pass = shm_pass,
    .enter = shm_enter,
    .offer = shm_offer,
    .receive = shm_receive,
    .left = shm_left,
};
