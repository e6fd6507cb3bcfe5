/* channel_stream: what the channels with one byte stream a worker have in common. */
#ifndef RIG_POOL_CHANNEL_STREAM_H
#define RIG_POOL_CHANNEL_STREAM_H

#include "pool/inside.h"

int channel_stream_open(struct pool *p);
void channel_stream_close(struct pool *p);
void channel_stream_send(struct pool *p, struct worker *w, struct message *m);
int channel_stream_take(struct worker_self *self, struct received *r);
int channel_stream_give(struct worker_self *self, struct frame_head *head, const struct iovec *iov,
                        int n);

#endif
