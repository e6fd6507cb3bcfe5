/* channel=ring: two rings in shared memory for each worker, one each way. While both sides keep up there is
 * no system call. Who has nothing to do spins, if there is a processor for everybody, and then parks: a
 * worker on a futex in its ring, the coordinator in poll, beside an eventfd for all workers (the doorbell).
 *
 * A wake-up for the coordinator: a worker that has published something finds the pool's bell set, or, having
 * made space, that of its ring, which is set only if something waits to go there. */
#include <errno.h>
#include <sys/eventfd.h>

#include "os/cpus.h"
#include "os/fds.h"
#include "pool/inside.h"

/* About what waking costs: who spins longer might as well have slept. */
#define SPIN_NS (50 * INT64_C(1000))
/* Large enough that a message of results rarely goes over the end, small enough to stay in the cache. With
 * very many workers smaller ones, so that all of them together stay bounded. */
#define CAPACITY     ((size_t)256 << 10)
#define CAPACITY_MIN ((size_t)16 << 10)
#define CAPACITY_ALL ((size_t)64 << 20)

struct rings {
    void *memory; /* shared: the bell, then two rings for each worker */
    int fd;       /* of the memory, for workers that are fresh processes; else -1 */
    size_t size, capacity;
    struct ring_bell *bell; /* the coordinator's: set while it waits for its doorbell */
    int doorbell;
    uint32_t turn; /* how often it parked */
    bool parked;
    int64_t spin_ns; /* 0: do not */
};

static size_t capacity_for(unsigned workers) {
    size_t capacity = CAPACITY;
    while (capacity > CAPACITY_MIN && capacity * workers > CAPACITY_ALL / 2)
        capacity /= 2;
    return capacity;
}

/* Only with a processor for everybody: else who spins takes it from the one that is waited for. */
static int spin_for(struct pool *p, int64_t *ns) {
    int list[CPUS_MAX];
    int n = cpus_allowed(p->sys, list);
    *ns = n > 0 && (unsigned)n > p->config.workers ? SPIN_NS : 0;
    return n < 0 && n != -EINVAL ? n : 0;
}

static void ring_close(struct pool *p) {
    struct rings *s = p->rings;
    if (s == NULL)
        return;
    fds_close(p->sys, &s->doorbell);
    fds_close(p->sys, &s->fd);
    map_close(p->sys, s->memory, s->size);
    sys_free(s);
    p->rings = NULL;
}

/* All but the memory and the doorbell. */
static int ring_prepare(struct pool *p) {
    struct rings *s = sys_malloc(p->sys, sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    *s = (struct rings){.doorbell = -1, .fd = -1, .capacity = capacity_for(p->config.workers)};
    p->rings = s;
    s->size = RING_LINE + 2 * ring_bytes(s->capacity) * p->config.workers;
    return spin_for(p, &s->spin_ns);
}

static int ring_open(struct pool *p) {
    int err = ring_prepare(p);
    struct rings *s = p->rings;
    if (err == 0 && p->config.start == &start_spawn)
        err = shm_open_shared(p->sys, "rig-rings", s->size, &s->fd, &s->memory);
    else if (err == 0)
        err = map_open(p->sys, MAP_KIND_SHARED, s->size, &s->memory);
    if (err == 0)
        s->doorbell = fds_own(p->sys, sys_eventfd(p->sys, EFD_NONBLOCK));
    if (err == 0 && s->doorbell < 0) {
        err = s->doorbell;
        s->doorbell = -1;
    }
    if (err < 0)
        ring_close(p);
    else
        s->bell = s->memory;
    return err;
}

static uint8_t *memory_of(const struct rings *s, const struct worker *w, int up) {
    size_t at = 2 * (size_t)(w->id - 1) + (size_t)up;
    return (uint8_t *)s->memory + RING_LINE + at * ring_bytes(s->capacity);
}

static int ring_connect(struct pool *p, struct worker *w, int child[2]) {
    struct rings *s = p->rings;
    ring_reset(memory_of(s, w, 0));
    ring_reset(memory_of(s, w, 1));
    lane_open(&w->lane, p->sys, memory_of(s, w, 1), memory_of(s, w, 0), s->capacity);
    child[0] = s->doorbell;
    return 0;
}

static int ring_pass(struct pool *p, struct worker *w, int fds[CHANNEL_FDS]) {
    (void)w;
    fds[0] = p->rings->fd;
    fds[1] = p->rings->doorbell;
    return 2;
}

static int ring_enter(struct pool *p, struct worker *w, const int fds[CHANNEL_FDS]) {
    (void)w;
    int err = ring_prepare(p);
    struct rings *s = p->rings;
    if (err == 0)
        err = shm_map(p->sys, fds[0], s->size, true, &s->memory);
    if (err < 0)
        return err;
    s->fd = fds[0];
    fds_close(p->sys, &s->fd);
    s->doorbell = fds[1];
    s->bell = s->memory;
    return 0;
}

static void ring_disconnect(struct pool *p, struct worker *w) {
    (void)p;
    lane_close(&w->lane);
}

/* ---- in the coordinator ----------------------------------------------------------------------------- */

static void ring_send(struct pool *p, struct worker *w, struct message *m) {
    (void)p;
    lane_send(&w->lane, m);
}

static bool is_open(const struct worker *w) {
    return w->lane.in.shared != NULL && !w->heard_all;
}

/* Nothing more is read from it or waited for: its indices cannot be believed. */
static int ring_distrust(struct pool *p, struct worker *w, int err) {
    w->heard_all |= err == -EBADMSG;
    return step_distrust(p, w, err);
}

static int ring_flush(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        int got = w->lane.outbox.first != NULL && is_open(w) ? lane_flush(&w->lane) : 0;
        int err = got < 0 ? ring_distrust(p, w, got) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static uint64_t ring_unsent(struct pool *p, struct worker *w) {
    (void)p;
    return w->lane.outbox.bytes;
}

static bool any_changed(const struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++)
        if (is_open(&p->workers[i]) && lane_changed(&p->workers[i].lane))
            return true;
    return false;
}

#define LOOKS 16 /* between two readings of the clock */

static bool spin(const struct pool *p, int64_t deadline) {
    int64_t end = clock_now_ns() + p->rings->spin_ns;
    if (end > deadline)
        end = deadline;
    do {
        for (int i = 0; i < LOOKS; i++) {
            if (any_changed(p))
                return true;
            ring_pause();
        }
    } while (clock_now_ns() < end && (p->sys->stop == NULL || p->sys->stop->signo == 0));
    return false;
}

static struct ring_bell *space_bell(const struct worker *w) {
    return &w->lane.out.shared->writer;
}

static void unpark(struct pool *p) {
    struct rings *s = p->rings;
    if (!s->parked)
        return;
    s->parked = false;
    ring_unpark(s->bell);
    for (unsigned i = 0; i < p->config.workers; i++)
        if (is_open(&p->workers[i]) && p->workers[i].lane.outbox.first != NULL)
            ring_unpark(space_bell(&p->workers[i]));
}

/* First the bells, then the look: see ring.c. 0 is no turn: it means that nobody sleeps. */
static bool park(struct pool *p) {
    struct rings *s = p->rings;
    s->parked = true;
    s->turn += s->turn == UINT32_MAX ? 2 : 1;
    ring_park(s->bell, s->turn);
    for (unsigned i = 0; i < p->config.workers; i++)
        if (is_open(&p->workers[i]) && p->workers[i].lane.outbox.first != NULL)
            ring_park(space_bell(&p->workers[i]), s->turn);
    return !any_changed(p);
}

static bool ring_came(struct pool *p, int64_t deadline) {
    bool work = p->rings->spin_ns > 0 && batch_any_open(p);
    if (any_changed(p) || (work && spin(p, deadline)))
        return true;
    if (park(p))
        return false;
    unpark(p);
    return true;
}

static void ring_watch(struct pool *p) {
    p->at_channel = step_watch(p, p->rings->doorbell, POLLIN);
}

static int ring_drain(struct pool *p, struct worker *w) {
    struct received r;
    int got = 0;
    if (!is_open(w))
        return 0;
    while ((got = lane_receive(&w->lane, &r)) == 1) {
        int err = step_take(p, w->id, &r);
        if (err < 0)
            return ring_distrust(p, w, err);
    }
    return got == 0 ? 0 : ring_distrust(p, w, got);
}

static int ring_take_in(struct pool *p) {
    uint64_t rung;
    int err = 0;
    unpark(p);
    if (step_came(p,
                  p->at_channel)) /* before the look: what rings from now on is for the next one */
        sys_read(p->sys, p->rings->doorbell, &rung, sizeof rung);
    for (unsigned i = 0; i < p->config.workers && err == 0; i++) {
        struct worker *w = &p->workers[i];
        if (is_open(w) && ring_changed(&w->lane.in)) {
            w->stuck_since_ns = 0;
            err = ring_drain(p, w);
        }
    }
    return err;
}

/* ---- in the worker ------------------------------------------------------------------------------------ */

static void ring_join_worker(struct worker_self *self, struct worker *w) {
    struct rings *s = self->pool->rings;
    struct lane *l = &self->lane;
    lane_open(l, self->pool->sys, memory_of(s, w, 0), memory_of(s, w, 1), s->capacity);
    ring_wake_by_fd(&l->out, s->bell, s->doorbell);
    ring_wake_by_fd(&l->in, NULL, s->doorbell);
}

static int ring_take(struct worker_self *self, struct received *r) {
    int got;
    while ((got = lane_receive(&self->lane, r)) == 0) {
        int err = ring_wait(&self->lane.in, self->pool->rings->spin_ns, DEADLINE_NEVER);
        if (err < 0)
            return err;
    }
    return got;
}

static int ring_give(struct worker_self *self, struct frame_head *head, const struct iovec *iov,
                     int n) {
    return lane_write(&self->lane, head, iov, n, self->pool->rings->spin_ns);
}

const struct channel_ops channel_ring = {
    .name = "ring",
    .help = "two rings in shared memory for each worker",
    .common_ends = true,
    .open = ring_open,
    .close = ring_close,
    .connect = ring_connect,
    .pass = ring_pass,
    .enter = ring_enter,
    .disconnect = ring_disconnect,
    .send = ring_send,
    .flush = ring_flush,
    .unsent = ring_unsent,
    .came = ring_came,
    .watch = ring_watch,
    .take_in = ring_take_in,
    .drain = ring_drain,
    .join = ring_join_worker,
    .take = ring_take,
    .give = ring_give,
};
