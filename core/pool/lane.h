/* lane: frames over a pair of rings, one to send and one to receive: what a stream is over descriptors.
 * The coordinator's side never waits; a worker's does. Small frames are handed out where they lie in the
 * ring; large ones go through it in pieces, from the arrays they are in and into a block of their own. */
#ifndef RIG_POOL_LANE_H
#define RIG_POOL_LANE_H

#include "os/ring.h"
#include "pool/message.h"

struct lane {
    struct ring in, out;
    struct outbox outbox; /* the coordinator's side: what is not out yet */
    bool full;            /* because it did not fit: not because its turn was over */
    struct frame_head head;
    bool headed; /* of the frame under way `head` is there */
    size_t held; /* bytes in the ring of the frame handed out last */
    struct block
        *body; /* of the frame under way or handed out last, when it does not lie in the ring */
    size_t body_got;
    struct block *spare; /* one that nobody kept: its pages are there already */
};

/* Both rings empty, each of ring_bytes(capacity). */
void lane_open(struct lane *l, struct sys *s, void *in, void *out, size_t capacity);
/* Frees what belongs to this side; again is allowed. */
void lane_close(struct lane *l);

/* Takes the message over; what there is space for goes out at once. But for the fixed data: while it is
 * copied for one worker, the others have not even been started. */
void lane_send(struct lane *l, struct message *m);

/* Sends what can go now: 0 when all is out, 1 when not, -EBADMSG (the ring is damaged). */
int lane_flush(struct lane *l);

/* For a worker: sends head and body, waiting as long as it takes. 0 or -errno. */
int lane_write(struct lane *l, struct frame_head *head, const struct iovec *body, int n,
               int64_t spin_ns);

/* The next frame: 1; 0 when none is complete; -EBADMSG; another -errno. What it gives is valid until the
 * next call. */
int lane_receive(struct lane *l, struct received *r);

/* Whether lane_receive or lane_flush may now do what they could not. */
static inline bool lane_changed(const struct lane *l) {
    return ring_changed(&l->in) || (l->outbox.first != NULL && (!l->full || ring_changed(&l->out)));
}

#endif
