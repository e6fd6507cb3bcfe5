/* ring: see ring.h.
 *
 * Nobody sleeps through a change. A side that moves stores its index and then loads the other's bell; a
 * side that goes to sleep stores its bell and then loads the other's index. All four are seq_cst, so they
 * have one order that both sides agree on, in which at least one of the loads comes after the other's
 * store: the mover sees the bell, or the sleeper sees the change. With less (release and acquire) both
 * stores could wait in store buffers while both loads read the old values, and the sleeper would sleep for
 * ever. Between its load and its sleep the sleeper is safe too: the mover clears the bell before it wakes,
 * and the kernel lets nobody sleep on a futex whose value is not the expected one any more; an eventfd stays
 * readable. tests/unit/test_ring_model.c goes through all orders. */
#include "os/ring.h"

#include <errno.h>
#include <string.h>

#include "os/fault.h"

/* A long write is shown in pieces of this size, so that the reader copies while the writer does. */
#define SHOW_EVERY ((size_t)32 << 10)
/* Looks between two readings of the clock. */
#define SPIN_LOOKS 32

void ring_reset(void *memory) {
    struct ring_shared *s = memory;
    atomic_store(&s->written, 0);
    atomic_store(&s->read, 0);
    atomic_store(&s->writer.parked, 0);
    atomic_store(&s->reader.parked, 0);
}

void ring_join(struct ring *r, struct sys *s, void *memory, size_t capacity, bool writes) {
    *r = (struct ring){.sys = s, .shared = memory, .capacity = capacity, .writes = writes};
    ring_wake_by_fd(r, NULL, -1);
}

void ring_wake_by_fd(struct ring *r, struct ring_bell *bell, int fd) {
    struct ring_bell *other = r->writes ? &r->shared->reader : &r->shared->writer;
    r->wakes = bell != NULL ? bell : other;
    r->wakes_fd = fd;
}

/* Of a futex there is one waker. It clears the bell first, see above. An eventfd has many, and one that is
 * stopped half way must not keep the others from ringing: the bell is cleared, to spare further calls, only
 * after the ring, and only if it is still the same turn's. */
static void wake(struct ring *r, uint32_t turn) {
    uint64_t one = 1;
    if (r->wakes_fd >= 0) {
        while (sys_write(r->sys, r->wakes_fd, &one, sizeof one) == -EINTR)
            ; /* not rung; -EAGAIN: full, so it is readable */
        atomic_compare_exchange_strong(&r->wakes->parked, &turn, 0);
    } else if (atomic_exchange(&r->wakes->parked, 0) != 0) {
        sys_futex_wake(r->sys, &r->wakes->parked, 1);
    }
}

void ring_show(struct ring *r) {
    if (r->shown == r->mine)
        return;
    r->shown = r->mine;
    _Atomic uint64_t *index = r->writes ? &r->shared->written : &r->shared->read;
    atomic_store_explicit(index, r->mine, memory_order_seq_cst);
    uint32_t turn = atomic_load_explicit(&r->wakes->parked, memory_order_seq_cst);
    if (turn != 0)
        wake(r, turn);
}

/* Indices only grow, the reader's never past the writer's, the writer's never more than the capacity past
 * the reader's. Differences, so that it holds when they wrap around. */
static int look(struct ring *r) {
    struct ring_shared *s = r->shared;
    uint64_t now = atomic_load_explicit(r->writes ? &s->read : &s->written, memory_order_acquire);
    uint64_t filled = r->writes ? r->mine - now : now - r->mine;
    if (filled > r->capacity || now - r->theirs > r->capacity)
        return -EBADMSG;
    r->theirs = now;
    return 0;
}

/* ---- the writer --------------------------------------------------------------------------------------- */

static size_t space(const struct ring *r) {
    return r->capacity - (size_t)(r->mine - r->theirs);
}

static void copy_in(struct ring *r, const uint8_t *from, size_t n) {
    size_t at = (size_t)r->mine & (r->capacity - 1), first = r->capacity - at;
    if (first > n)
        first = n;
    memcpy(r->shared->data + at, from, first);
    if (n > first)
        memcpy(r->shared->data, from + first, n - first);
    r->mine += n;
}

static size_t write_one(struct ring *r, const uint8_t *from, size_t n) {
    size_t done = 0;
    while (done < n && space(r) > 0) {
        size_t part = n - done < space(r) ? n - done : space(r);
        if (part > SHOW_EVERY)
            part = SHOW_EVERY;
        copy_in(r, from + done, part);
        done += part;
        if (r->mine - r->shown >= SHOW_EVERY)
            ring_show(r);
    }
    return done;
}

/* No more than may still be written, and that for everybody to see: see fault.h. */
static size_t write_torn(struct ring *r, const uint8_t *from, size_t n) {
    size_t put = write_one(r, from, fault_room(r->sys, n));
    ring_show(r);
    fault_wrote(r->sys, put);
    return put;
}

ssize_t ring_write_some(struct ring *r, const struct iovec *iov, int n) {
    size_t want = 0, done = 0;
    for (int i = 0; i < n; i++)
        want += iov[i].iov_len;
    int err = space(r) < want ? look(r) : 0;
    if (err < 0)
        return err;
    for (int i = 0; i < n; i++) {
        size_t put = fault_is_set() ? write_torn(r, iov[i].iov_base, iov[i].iov_len)
                                    : write_one(r, iov[i].iov_base, iov[i].iov_len);
        done += put;
        if (put < iov[i].iov_len)
            break;
    }
    ring_show(r);
    return (ssize_t)done;
}

/* ---- the reader --------------------------------------------------------------------------------------- */

ssize_t ring_filled(struct ring *r, size_t want) {
    int err = r->theirs - r->mine < want ? look(r) : 0;
    return err < 0 ? err : (ssize_t)(r->theirs - r->mine);
}

const uint8_t *ring_peek(const struct ring *r, size_t n) {
    size_t at = (size_t)r->mine & (r->capacity - 1);
    return n <= r->capacity - at ? r->shared->data + at : NULL;
}

void ring_skip(struct ring *r, size_t n) {
    r->mine += n;
    if (r->mine - r->shown >= r->capacity / 4)
        ring_show(r);
}

void ring_copy(struct ring *r, void *to, size_t n) {
    size_t at = (size_t)r->mine & (r->capacity - 1), first = r->capacity - at;
    if (first > n)
        first = n;
    memcpy(to, r->shared->data + at, first);
    if (n > first)
        memcpy((uint8_t *)to + first, r->shared->data, n - first);
    ring_skip(r, n);
}

ssize_t ring_read_some(struct ring *r, void *to, size_t n) {
    ssize_t got = ring_filled(r, n);
    if (got <= 0)
        return got;
    if ((size_t)got < n)
        n = (size_t)got;
    for (size_t done = 0; done < n;) { /* in pieces, so that the writer has space early */
        size_t part = n - done < SHOW_EVERY ? n - done : SHOW_EVERY;
        ring_copy(r, (uint8_t *)to + done, part);
        done += part;
    }
    ring_show(r);
    return (ssize_t)n;
}

/* ---- waiting ------------------------------------------------------------------------------------------ */

static bool spin(const struct ring *r, int64_t ns) {
    int64_t end = clock_now_ns() + ns;
    do {
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (ring_changed(r))
                return true;
            ring_pause();
        }
    } while (clock_now_ns() < end);
    return false;
}

void ring_park(struct ring_bell *bell, uint32_t turn) {
    atomic_store_explicit(&bell->parked, turn, memory_order_seq_cst);
}

void ring_unpark(struct ring_bell *bell) {
    atomic_store_explicit(&bell->parked, 0, memory_order_relaxed);
}

int ring_wait(struct ring *r, int64_t spin_ns, int64_t deadline) {
    struct ring_bell *bell = r->writes ? &r->shared->writer : &r->shared->reader;
    struct timespec t;
    int err = 0;
    if (ring_changed(r) || (spin_ns > 0 && spin(r, spin_ns)))
        return 0;
    for (;;) {
        ring_park(bell, 1);
        if (ring_changed(r))
            break;
        err = sys_futex_wait(r->sys, &bell->parked, 1, clock_left(deadline, &t));
        if (err < 0 && err != -EAGAIN && err != -EINTR)
            break;
    }
    ring_unpark(bell);
    return ring_changed(r) ? 0 : err;
}
