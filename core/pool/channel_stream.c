/* channel_stream: see channel_stream.h. */
#include "pool/channel_stream.h"

#include <errno.h>

int channel_stream_open(struct pool *p) {
    (void)p; /* nothing is shared: every worker brings its own */
    return 0;
}

void channel_stream_close(struct pool *p) {
    (void)p;
}

void channel_stream_disconnect(struct pool *p, struct worker *w) {
    (void)p;
    stream_close(&w->stream);
}

int channel_stream_pass(struct pool *p, struct worker *w, int fds[CHANNEL_FDS]) {
    (void)p;
    fds[0] = w->ends[0];
    fds[1] = w->ends[1];
    return 2;
}

int channel_stream_enter(struct pool *p, struct worker *w, const int fds[CHANNEL_FDS],
                         enum fd_type type) {
    w->ends[0] = fds[0];
    w->ends[1] = fds[1];
    stream_init(&w->stream, p->sys, -1, -1, type);
    return 0;
}

void channel_stream_send(struct pool *p, struct worker *w, struct message *m) {
    (void)p;
    stream_send(&w->stream, m);
}

/* Its end of the stream is closed. Nearly always it has ended, and its pidfd will say so; but one that lives on
 * would be waited for in vain, so it goes, with its task. Whoever is ending does so as it was about to. */
static int lose(struct pool *p, struct worker *w) {
    outbox_free(&w->stream.outbox);
    w->heard_all = true;
    return step_distrust(p, w, -EBADMSG);
}

int channel_stream_flush(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct stream *st = &p->workers[i].stream;
        int got = st->outbox.first != NULL ? stream_flush(st) : 0;
        if (got == -EPIPE)
            got = lose(p, &p->workers[i]);
        if (got < 0)
            return got;
    }
    return 0;
}

uint64_t channel_stream_unsent(struct pool *p, struct worker *w) {
    (void)p;
    return w->stream.outbox.bytes;
}

bool channel_stream_came(struct pool *p, int64_t deadline) {
    (void)p, (void)deadline; /* all that comes makes a descriptor ready */
    return false;
}

void channel_stream_watch(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        w->at_in = w->heard_all ? -1 : step_watch(p, w->stream.in, POLLIN);
        if (w->stream.outbox.first != NULL)
            step_watch(p, w->stream.out, POLLOUT);
    }
}

int channel_stream_take_in(struct pool *p) {
    int err = 0;
    for (unsigned i = 0; i < p->config.workers && err == 0; i++)
        if (step_came(p, p->workers[i].at_in)) {
            p->workers[i].stuck_since_ns = 0;
            err = channel_stream_drain(p, &p->workers[i]);
        }
    return err;
}

int channel_stream_drain(struct pool *p, struct worker *w) {
    struct received r;
    int got = 0;
    if (w->stream.in < 0)
        return 0;
    stream_ready(&w->stream);
    while ((got = stream_receive(&w->stream, &r)) == 1) {
        int err = step_take(p, w->id, &r);
        if (err < 0)
            return step_distrust(p, w, err);
    }
    /* The end of the stream is not the worker's: the pidfd will tell. Until then it must not be waited for:
     * it is always ready, and asking again and again keeps a processor that the worker may need to end. */
    return got == -EPIPE ? lose(p, w) : step_distrust(p, w, got);
}

void channel_stream_join(struct worker_self *self, struct worker *w) {
    stream_init(&self->stream, self->pool->sys, w->ends[0], w->ends[1], w->stream.type);
}

int channel_stream_take(struct worker_self *self, struct received *r) {
    return stream_receive(&self->stream, r);
}

int channel_stream_give(struct worker_self *self, struct frame_head *head, const struct iovec *iov,
                        int n) {
    return stream_write(&self->stream, head, iov, n);
}
