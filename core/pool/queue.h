/* queue: a message queue that any number of processes put into and get from, without a lock. Small
 * messages are packets of a SOCK_SEQPACKET pair: the kernel delivers each whole, to one reader, and
 * the death of a reader or writer can neither tear nor shift the others'. A large message is a packet
 * too, which brings the reading end of a private stream for its bytes, so that a death in the middle
 * of it loses that message and no other. Large messages go out one after the other, as through any
 * queue.
 *
 * The process that opened a queue never blocks in a put: what does not fit waits in memory (large
 * arrays by reference) and goes out in queue_flush. */
#ifndef RIG_POOL_QUEUE_H
#define RIG_POOL_QUEUE_H

#include "os/pipe.h"
#include "pool/message.h"

/* A message of up to so many bytes, its head included, is one packet. */
#define QUEUE_PACKET_MAX (((size_t)60 << 10) + sizeof(struct frame_head))

struct queue_part; /* a large message of which some has arrived */

struct queue {
    struct sys *sys;
    int in, out;          /* shared by all processes that hold the queue */
    struct outbox outbox; /* the first one may be half out */
    int stream;           /* our end of the first one's stream, or -1 */
    int handing;          /* the reader's end, until its packet is out, or -1 */
    struct queue_part *parts;
    struct block *last; /* body of the message handed out last */
    uint8_t *packet;
    uint64_t bytes_in, bytes_out, messages_in, messages_out;
    unsigned refused; /* times in a row that there was no memory in the kernel for what is to go */
    uint64_t lost;    /* messages whose reader ended in the middle */
};

/* `sys` must live as long as the queue. 0 or -errno. */
int queue_open(struct queue *q, struct sys *s);
void queue_close(struct queue *q);

/* In a process that was passed its descriptors (-1: not this one): makes a queue of them. 0 or -ENOMEM. */
int queue_enter(struct queue **out, struct sys *s, int in, int to);

/* The descriptors that a child needs to use it. */
void queue_fds(const struct queue *q, int fds[2]);

/* In a child: drops what the parent had not yet sent (it is the parent's to send). */
void queue_after_fork(struct queue *q, struct sys *s);

/* Takes the message over; goes out in queue_flush. */
void queue_put(struct queue *q, struct message *m);

/* Takes back a message that waits to go out, half out or not; one that is not there is no error. */
void queue_forget(struct queue *q, struct message *m);

/* Sends what can go, within bounds (MESSAGE_TURN): 0 all is out, 1 not yet, -errno. */
int queue_flush(struct queue *q);

/* Sends all, waiting. 0, -ETIMEDOUT, -ECANCELED, -errno. */
int queue_flush_all(struct queue *q, int64_t deadline);

/* The descriptor to wait on, and for what, before queue_flush can go on; -1: nothing waits. */
int queue_waits(const struct queue *q);

/* The next message: 1; 0 at the deadline; -EPIPE when it is closed; -errno. Its head is written to
 * *claim (may be NULL; may be in shared memory) by the very system call that takes it off the queue,
 * so that a reader killed at any moment has either claimed it there or not had it. */
int queue_get(struct queue *q, int64_t deadline, struct frame_head *claim, struct received *r);

/* The next message that is complete now, for a process that must never block: 1, 0 or -errno. To be
 * called when q->in or any of queue_part_fds is readable. */
int queue_poll(struct queue *q, struct received *r);

/* Descriptors of large messages under way to us; returns how many there are. */
size_t queue_part_fds(const struct queue *q, struct pollfd *fds, size_t max);

/* Whether a message waits in the kernel that nobody has taken. */
bool queue_has_waiting(struct queue *q);

#endif
