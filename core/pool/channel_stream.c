/* channel_stream: see channel_stream.h. */
#include "pool/channel_stream.h"

int channel_stream_open(struct pool *p) {
    (void)p; /* nothing is shared: every worker brings its own */
    return 0;
}

void channel_stream_close(struct pool *p) {
    (void)p;
}

void channel_stream_send(struct pool *p, struct worker *w, struct message *m) {
    (void)p;
    stream_send(&w->stream, m);
}

int channel_stream_take(struct worker_self *self, struct received *r) {
    return stream_receive(&self->stream, r);
}

int channel_stream_give(struct worker_self *self, struct frame_head *head, const struct iovec *iov,
                        int n) {
    return stream_write(&self->stream, head, iov, n);
}
