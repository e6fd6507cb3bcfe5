/* delivery=send: the fixed data goes to each worker over its own channel, ahead of its first task. A
 * shared channel has no such thing: there each worker gets a socket pair for the fixed data alone. */
#include <errno.h>

#include "os/fds.h"
#include "pool/inside.h"

#define BUFFER ((size_t)4 << 20)

static int send_open(struct pool *p) {
    return p->config.fixed != NULL ? 0 : -EINVAL;
}

static void send_close(struct pool *p) {
    (void)p;
}

static int send_connect(struct pool *p, struct worker *w, int *child) {
    *child = -1;
    if (!p->config.channel->shared)
        return 0;
    int pair[2];
    int err = socket_open(p->sys, SOCK_STREAM, pair, BUFFER);
    if (err < 0)
        return err;
    fd_set_blocking(p->sys, pair[0], false);
    stream_init(&w->side, p->sys, pair[0], pair[0], FD_SOCKET);
    *child = pair[1];
    return 0;
}

static int send_offer(struct pool *p, struct worker *w) {
    struct message *m = message_new(p->sys, FRAME_FIXED);
    int err = m ? buf_add_buf(&m->body, &p->fixed) : -ENOMEM;
    if (err < 0) {
        message_free(m);
        return err;
    }
    stream_send(p->config.channel->shared ? &w->side : &w->stream, m);
    return 0;
}

static int send_receive(struct worker_self *self, struct received *r) {
    struct stream *st = self->side.in >= 0 ? &self->side : &self->stream;
    int got = stream_receive(st, r);
    return got == 1 && r->head.type != FRAME_FIXED ? -EBADMSG : got;
}

static uint64_t send_left(struct pool *p) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        if (!w->ready)
            sum += w->stream.outbox.bytes + w->side.outbox.bytes;
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
    .offer = send_offer,
    .receive = send_receive,
    .left = send_left,
};
