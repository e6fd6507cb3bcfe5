/* stream: see stream.h. */
#include "pool/stream.h"

#include <errno.h>
#include <string.h>

#include "os/fds.h"
#include "os/ready.h"

#define CHUNK        ((size_t)64 << 10)
#define IOV_MAX_USED 64
/* Fresh pages are made ready this far ahead of the bytes: a fault for each page while reading costs
 * more than the copying. */
#define PREFAULT ((size_t)8 << 20)

void stream_init(struct stream *st, struct sys *s, int in, int out, enum fd_type type) {
    *st = (struct stream){.sys = s, .in = in, .out = out, .type = type};
}

void stream_close(struct stream *st) {
    if (st->out != st->in)
        fds_close(st->sys, &st->out);
    fds_close(st->sys, &st->in);
    st->out = -1;
    outbox_free(&st->outbox);
    block_unref(st->body);
    st->body = NULL;
    sys_free(st->chunk);
    st->chunk = NULL;
}

void stream_send(struct stream *st, struct message *m) {
    st->messages_out++;
    outbox_add(&st->outbox, m);
    st->bytes_out += m->head.len;
}

int stream_flush(struct stream *st) {
    struct iovec iov[IOV_MAX_USED];
    uint64_t before = st->outbox.bytes;
    for (int n; (n = outbox_iov_all(&st->outbox, iov, IOV_MAX_USED)) > 0;) {
        ssize_t put = fd_write_some(st->sys, st->out, st->type, iov, n);
        if (put == -EAGAIN)
            return 1;
        if (put < 0)
            return put == -ECONNRESET ? -EPIPE : (int)put;
        outbox_advance(&st->outbox, (size_t)put);
        if (before - st->outbox.bytes >= MESSAGE_TURN)
            return st->outbox.first != NULL;
    }
    return 0;
}

/* 0 (nothing written yet) or -errno */
static int wait_writable(struct stream *st) {
    int got = ready_one(st->sys, st->out, POLLOUT, DEADLINE_NEVER);
    return got < 0 ? got : 0;
}

int stream_write(struct stream *st, struct frame_head *head, const struct iovec *body, int n) {
    struct iovec iov[IOV_MAX_USED + 1];
    if (n > IOV_MAX_USED)
        return -EINVAL;
    frame_seal(head);
    iov[0] = (struct iovec){.iov_base = head, .iov_len = sizeof *head};
    if (n > 0)
        memcpy(iov + 1, body, (size_t)n * sizeof *body);
    for (int at = 0; at < n + 1;) {
        ssize_t put = fd_write_some(st->sys, st->out, st->type, iov + at, n + 1 - at);
        if (put == -EAGAIN)
            put = wait_writable(st);
        if (put < 0)
            return (int)put;
        at = iov_skip(iov, at, n + 1, (size_t)put);
    }
    st->messages_out++;
    st->bytes_out += head->len;
    return 0;
}

/* One read. A short one on a polled end means that there is no more now: no need to ask again. */
static ssize_t read_in(struct stream *st, void *to, size_t n) {
    if (st->polled && st->drained)
        return -EAGAIN;
    ssize_t got = fd_read_some(st->sys, st->in, to, n);
    if (got == 0 || got == -ECONNRESET)
        return -EPIPE;
    st->drained = got < (ssize_t)n;
    return got;
}

/* Up to n bytes, from what was read ahead first. */
static ssize_t take_bytes(struct stream *st, void *to, size_t n) {
    size_t ahead = st->chunk_end - st->chunk_at;
    if (ahead == 0 && n < CHUNK) {
        if (st->chunk == NULL && (st->chunk = sys_malloc(st->sys, CHUNK)) == NULL)
            return -ENOMEM;
        ssize_t got = read_in(st, st->chunk, CHUNK);
        if (got < 0)
            return got;
        st->chunk_at = 0;
        st->chunk_end = ahead = (size_t)got;
    }
    if (ahead > 0) {
        size_t take = n < ahead ? n : ahead;
        memcpy(to, st->chunk + st->chunk_at, take);
        st->chunk_at += take;
        return (ssize_t)take;
    }
    return read_in(st, to, n);
}

/* Fills [to + *have, to + want): 1 when full, 0 not yet, -errno. */
static int take_full(struct stream *st, uint8_t *to, size_t want, size_t *have) {
    while (*have < want) {
        ssize_t got = take_bytes(st, to + *have, want - *have);
        if (got == -EAGAIN)
            return 0;
        if (got < 0)
            return (int)got;
        *have += (size_t)got;
    }
    return 1;
}

/* Read ahead whole: handed out where it lies. */
static bool body_in_chunk(struct stream *st, struct received *r) {
    size_t len = st->head.len;
    if (st->body != NULL || len >= MESSAGE_OWN_BLOCK || st->chunk_end - st->chunk_at < len)
        return false;
    r->body = st->chunk + st->chunk_at;
    st->chunk_at += len;
    return true;
}

static int body_in_block(struct stream *st, struct received *r) {
    size_t len = st->head.len;
    if (st->body == NULL) {
        int err = block_new(st->sys, BLOCK_PRIVATE, len, &st->body);
        if (err < 0)
            return err;
        st->body_got = 0;
    }
    while (st->body_got < len) {
        size_t end = (st->body_got / PREFAULT + 1) * PREFAULT;
        if (end > len)
            end = len;
        if (len >= PREFAULT && st->body_got % PREFAULT == 0)
            map_prefault(st->sys, st->body->data + st->body_got, end - st->body_got);
        int got = take_full(st, st->body->data, end, &st->body_got);
        if (got <= 0)
            return got;
    }
    r->body = st->body->data;
    r->owner = len >= MESSAGE_OWN_BLOCK ? st->body : NULL;
    return 1;
}

ssize_t stream_read(struct stream *st, void *to, size_t n) {
    return take_bytes(st, to, n);
}

bool stream_has_ahead(const struct stream *st) {
    return st->chunk_at < st->chunk_end;
}

int stream_receive(struct stream *st, struct received *r) {
    if (st->head_got == SIZE_MAX) { /* the last frame was handed out: it goes now */
        block_unref(st->body);
        st->body = NULL;
        st->head_got = 0;
    }
    int got = take_full(st, (uint8_t *)&st->head, sizeof st->head, &st->head_got);
    if (got > 0 && frame_check(&st->head) < 0)
        return -EBADMSG;
    if (got <= 0)
        return got;
    *r = (struct received){.head = st->head, .len = st->head.len};
    if (!body_in_chunk(st, r)) {
        got = body_in_block(st, r);
        if (got <= 0)
            return got;
    }
    st->head_got = SIZE_MAX;
    st->messages_in++;
    st->bytes_in += st->head.len;
    return 1;
}
