/* channel_stream: what the channels with one byte stream a worker have in common: all but how the stream
 * is made. */
#ifndef RIG_POOL_CHANNEL_STREAM_H
#define RIG_POOL_CHANNEL_STREAM_H

#include "pool/inside.h"

int channel_stream_open(struct pool *p);
void channel_stream_close(struct pool *p);
void channel_stream_disconnect(struct pool *p, struct worker *w);
int channel_stream_pass(struct pool *p, struct worker *w, int fds[CHANNEL_FDS]);
/* What `enter` of a channel does, once it knows its type. */
int channel_stream_enter(struct pool *p, struct worker *w, const int fds[CHANNEL_FDS],
                         enum fd_type type);
void channel_stream_send(struct pool *p, struct worker *w, struct message *m);
int channel_stream_flush(struct pool *p);
uint64_t channel_stream_unsent(struct pool *p, struct worker *w);
bool channel_stream_came(struct pool *p, int64_t deadline);
void channel_stream_watch(struct pool *p);
int channel_stream_take_in(struct pool *p);
int channel_stream_drain(struct pool *p, struct worker *w);
void channel_stream_join(struct worker_self *self, struct worker *w);
int channel_stream_take(struct worker_self *self, struct received *r);
int channel_stream_give(struct worker_self *self, struct frame_head *head, const struct iovec *iov,
                        int n);

#endif
