/* axes: the interface that each value of a pool's axes fills in, and the lists of them. To add one:
 * a file with its struct at the end, a line in axes.c, a line in CMakeLists.txt. */
#ifndef RIG_POOL_AXES_H
#define RIG_POOL_AXES_H

#include "pool/message.h"
#include "pool/pool.h"

struct worker;      /* the coordinator's view of one; see inside.h */
struct worker_self; /* its own view */

struct start_ops {
    const char *name, *help;
    /* Before the first worker: makes p->slots, of p->slots_size bytes, where a worker finds its own.
     * 0 or -errno, after pool_say where that says too little. `close` also after it failed. */
    int (*open)(struct pool *p);
    void (*close)(struct pool *p);
    /* Starts w, which holds the n descriptors in keep. 0 or -errno, as above. Does not return in the
     * worker. */
    int (*start)(struct pool *p, struct worker *w, const int *keep, size_t n);
};

/* How many descriptors a worker's side of a channel can consist of. */
#define CHANNEL_FDS 4

struct channel_ops {
    const char *name, *help;
    bool shared; /* one for all workers: they take tasks themselves, nobody assigns them */
    bool
        common_ends; /* what connect gives is the pool's, not the one worker's: it stays open here */
    int (*open)(struct pool *p);
    void (*close)(struct pool *p);
    /* Before w starts: makes its connection. The worker's ends go to child[0] (receive) and
     * child[1] (send), -1 where there is none of its own. */
    int (*connect)(struct pool *p, struct worker *w, int child[2]);
    /* After connect, for a worker that has none of our memory (start=spawn): the descriptors that its
     * side consists of; returns how many there are. */
    int (*pass)(struct pool *p, struct worker *w, int fds[CHANNEL_FDS]);
    /* In such a worker: makes of them, in the same order, what a fork would have had. `p` and `w` hold
     * nothing but p->sys, p->config and w->id, w->slot. 0 or -errno. */
    int (*enter)(struct pool *p, struct worker *w, const int fds[CHANNEL_FDS]);
    /* After w has ended, or could not start: drops what was to go to it. Again is allowed. */
    void (*disconnect)(struct pool *p, struct worker *w);

    /* In the coordinator; none of these waits, but for `came`. */

    /* Takes m over (see message.kept). Cannot fail: what goes wrong shows later. */
    void (*send)(struct pool *p, struct worker *w, struct message *m);
    /* Sends what can go. 0 or -errno. */
    int (*flush)(struct pool *p);
    /* Bytes sent to w (with a shared channel: to all) that are not out. */
    uint64_t (*unsent)(struct pool *p, struct worker *w);
    /* Whether there is something to take in or to send that no descriptor will tell. May look for it for
     * microseconds, not past the deadline. A worker that sends after a `false` makes one of the
     * descriptors of `watch` ready. */
    bool (*came)(struct pool *p, int64_t deadline);
    /* Says by pool_watch what to wait for. */
    void (*watch)(struct pool *p);
    /* After the wait, if there was one: takes in what came. 0 or -errno. */
    int (*take_in)(struct pool *p);
    /* Takes in all that w has sent until now. 0 or -errno. */
    int (*drain)(struct pool *p, struct worker *w);

    /* In the worker. */

    /* First: makes its side of what connect made. */
    void (*join)(struct worker_self *self, struct worker *w);
    /* Both wait. 1 or -errno; 0 or -errno. */
    int (*take)(struct worker_self *self, struct received *r);
    int (*give)(struct worker_self *self, struct frame_head *head, const struct iovec *iov, int n);
};

struct deliver_ops {
    const char *name, *help;
    bool by_bytes; /* config.fixed is needed */
    int (*open)(struct pool *p);
    void (*close)(struct pool *p);
    int (*connect)(struct pool *p, struct worker *w, int *child);
    /* As in channel_ops: the descriptor that a fresh worker gets the data through, -1 for none; and
     * what it makes of that. `size`: of p->config.placed, which the worker does not have yet. */
    int (*pass)(struct pool *p);
    int (*enter)(struct pool *p, int fd, size_t size);
    /* After w started: begins to send. 0 or -errno. */
    int (*offer)(struct pool *p, struct worker *w);
    /* In the worker: waits for the data. r->body NULL: it is there already. 1 or -errno. */
    int (*receive)(struct worker_self *self, struct received *r);
    /* Bytes that were to go to workers and are not out. */
    uint64_t (*left)(struct pool *p);
};

/* NULL-terminated; the first one is the default. */
extern const struct start_ops *const start_list[];
extern const struct channel_ops *const channel_list[];
extern const struct deliver_ops *const deliver_list[];

/* By name, or NULL. */
const struct start_ops *start_find(const char *name);
const struct channel_ops *channel_find(const char *name);
const struct deliver_ops *deliver_find(const char *name);

extern const struct start_ops start_fork, start_spawn;
extern const struct channel_ops channel_pipe, channel_socket, channel_ring, channel_queue;
extern const struct deliver_ops deliver_inherit, deliver_send, deliver_queue, deliver_shm;

#endif
