/* lane: see lane.h. */
#include "pool/lane.h"

#include <errno.h>
#include <string.h>

#define IOV_MAX_USED 64
/* Fresh pages are made ready this far ahead of the bytes, as in a stream. */
#define PREFAULT ((size_t)8 << 20)
/* Larger blocks are not kept for the next message: memory would be held for what may never come. */
#define SPARE_MAX ((size_t)4 << 20)

void lane_open(struct lane *l, struct sys *s, void *in, void *out, size_t capacity) {
    *l = (struct lane){.held = 0};
    ring_join(&l->in, s, in, capacity, false);
    ring_join(&l->out, s, out, capacity, true);
}

void lane_close(struct lane *l) {
    outbox_free(&l->outbox);
    block_unref(l->body);
    block_unref(l->spare);
    *l = (struct lane){.held = 0};
}

/* ---- sending ------------------------------------------------------------------------------------------ */

int lane_flush(struct lane *l) {
    struct iovec iov[IOV_MAX_USED];
    uint64_t before = l->outbox.bytes;
    l->full = false;
    for (int n; (n = outbox_iov(&l->outbox, iov, IOV_MAX_USED)) > 0;) {
        ssize_t put = ring_write_some(&l->out, iov, n);
        l->full = put == 0;
        if (put <= 0)
            return put < 0 ? (int)put : 1;
        outbox_advance(&l->outbox, (size_t)put);
        if (before - l->outbox.bytes >= MESSAGE_TURN)
            return l->outbox.first != NULL;
    }
    return 0;
}

void lane_send(struct lane *l, struct message *m) {
    bool now = l->outbox.first == NULL && m->head.type != FRAME_FIXED;
    outbox_add(&l->outbox, m);
    if (now)
        lane_flush(l); /* what goes wrong shows at the next one */
}

int lane_write(struct lane *l, struct frame_head *head, const struct iovec *body, int n,
               int64_t spin_ns) {
    struct iovec iov[IOV_MAX_USED + 1];
    if (n > IOV_MAX_USED)
        return -EINVAL;
    frame_seal(head);
    iov[0] = (struct iovec){.iov_base = head, .iov_len = sizeof *head};
    if (n > 0)
        memcpy(iov + 1, body, (size_t)n * sizeof *body);
    for (int at = 0;;) {
        ssize_t put = ring_write_some(&l->out, iov + at, n + 1 - at);
        if (put < 0)
            return (int)put;
        at = iov_skip(iov, at, n + 1, (size_t)put);
        if (at == n + 1)
            return 0;
        int err = ring_wait(&l->out, spin_ns, DEADLINE_NEVER);
        if (err < 0)
            return err;
    }
}

/* ---- receiving ---------------------------------------------------------------------------------------- */

/* A block that its receiver did not keep serves the next message: fresh pages cost more than copying. */
static void spare_or_free(struct lane *l, struct block *b) {
    if (b == NULL || b->refs > 1 || b->size > SPARE_MAX) {
        block_unref(b);
        return;
    }
    block_unref(l->spare);
    l->spare = b;
}

static int take_spare_or_new(struct lane *l, size_t len) {
    struct block *b = l->spare;
    if (b == NULL || b->size < len || b->size / 2 > len)
        return block_new(l->in.sys, BLOCK_PRIVATE, len, &l->body);
    l->body = b;
    l->spare = NULL;
    return 0;
}

static void let_go(struct lane *l) {
    if (l->headed)
        return;
    ring_skip(&l->in, l->held);
    l->held = 0;
    spare_or_free(l, l->body);
    l->body = NULL;
}

/* 1 when n bytes lie in the ring, 0 not yet, -EBADMSG. Without the space of what was read before, which
 * is only shown now and then, the rest might not fit. */
static int there(struct lane *l, size_t n) {
    ssize_t got = ring_filled(&l->in, n);
    if (got >= 0 && (size_t)got < n)
        ring_show(&l->in);
    return got < 0 ? (int)got : (size_t)got >= n;
}

static int take_head(struct lane *l) {
    int got = l->headed ? 1 : there(l, sizeof l->head);
    if (got <= 0 || l->headed)
        return got;
    ring_copy(&l->in, &l->head, sizeof l->head);
    if (frame_check(&l->head) < 0)
        return -EBADMSG;
    l->headed = true;
    l->body_got = 0;
    return 1;
}

/* Fills [body_got, end) of the block: 1, 0 not yet, -EBADMSG. */
static int fill(struct lane *l, size_t end) {
    while (l->body_got < end) {
        ssize_t got = ring_read_some(&l->in, l->body->data + l->body_got, end - l->body_got);
        if (got <= 0)
            return (int)got;
        l->body_got += (size_t)got;
    }
    return 1;
}

static int take_block(struct lane *l, struct received *r) {
    size_t len = l->head.len;
    int err = l->body ? 0 : take_spare_or_new(l, len);
    if (err < 0)
        return err;
    while (l->body_got < len) {
        size_t end = (l->body_got / PREFAULT + 1) * PREFAULT;
        if (end > len)
            end = len;
        if (len >= PREFAULT && l->body_got % PREFAULT == 0)
            map_prefault(l->in.sys, l->body->data + l->body_got, end - l->body_got);
        int got = fill(l, end);
        if (got <= 0)
            return got;
    }
    r->body = l->body->data;
    r->owner = len >= MESSAGE_OWN_BLOCK ? l->body : NULL;
    return 1;
}

/* Waits for all of it to lie in the ring; only one that goes over the end is copied. */
static int take_in_place(struct lane *l, struct received *r) {
    int got = there(l, l->head.len);
    if (got <= 0)
        return got;
    r->body = ring_peek(&l->in, l->head.len);
    if (r->body == NULL)
        return take_block(l, r);
    l->held = l->head.len;
    return 1;
}

int lane_receive(struct lane *l, struct received *r) {
    let_go(l);
    int got = take_head(l);
    if (got <= 0)
        return got;
    *r = (struct received){.head = l->head, .len = l->head.len};
    bool small = r->len < MESSAGE_OWN_BLOCK && r->len <= l->in.capacity;
    got = small ? take_in_place(l, r) : take_block(l, r);
    if (got == 1)
        l->headed = false;
    return got;
}
