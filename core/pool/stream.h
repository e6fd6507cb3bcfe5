/* stream: frames over a pair of byte streams, one to send and one to receive. The coordinator's side
 * never blocks; a worker's does. For channels with one connection a worker; a connection shared by
 * many is a queue. */
#ifndef RIG_POOL_STREAM_H
#define RIG_POOL_STREAM_H

#include "os/pipe.h"
#include "pool/message.h"

struct stream {
    struct sys *sys;
    int in, out; /* may be the same socket; -1: closed */
    enum fd_type type;
    struct outbox outbox;
    uint8_t *chunk; /* bytes read ahead: several small frames in one read */
    size_t chunk_at, chunk_end;
    bool polled;  /* the coordinator's side: reads are worth trying only when poll said so */
    bool drained; /* polled, and the last read brought less than asked for */
    struct frame_head head;
    size_t head_got;
    struct block *body; /* of the frame under way, when it is large */
    size_t body_got;
    uint64_t bytes_in, bytes_out, messages_in, messages_out;
};

void stream_init(struct stream *st, struct sys *s, int in, int out, enum fd_type type);
/* Frees the memory and closes both ends. */
void stream_close(struct stream *st);

/* For the side that never blocks: after poll reported `in` as readable. */
static inline void stream_ready(struct stream *st) {
    st->polled = true;
    st->drained = false;
}

/* Puts a message (taken over) at the end of what is to go out. */
void stream_send(struct stream *st, struct message *m);

/* Sends what can go now, within bounds (MESSAGE_TURN): 0 when all is out, 1 when not, -EPIPE when nobody reads, another -errno. */
int stream_flush(struct stream *st);

/* For a worker: sends head and body at once, waiting as long as it takes. 0 or -errno. */
int stream_write(struct stream *st, struct frame_head *head, const struct iovec *body, int n);

/* The next frame: 1; 0 when none is complete (non-blocking ends only); -EPIPE at the end of the
 * stream (also in the middle of a frame: a torn frame is dropped); -EBADMSG; another -errno. What it
 * gives is valid until the next call. */
int stream_receive(struct stream *st, struct received *r);

/* Bytes that are no frame: up to n of them, -EPIPE at the end, -EAGAIN, -errno. */
ssize_t stream_read(struct stream *st, void *to, size_t n);

/* Whether bytes were read ahead, which no poll will announce. */
bool stream_has_ahead(const struct stream *st);

#endif
