/* ring: a stream of bytes from one process to another through memory that both have mapped: one
 * writer, one reader, no lock, and no system call while both keep up. A side that has nothing to do
 * spins if told to and then parks: on a futex in the ring, or (the coordinator of a pool, which waits
 * for other things too) in poll, beside an eventfd that the other side writes to.
 * Not for messages: see pool/lane. Not for more than one writer or reader: see pool/queue.
 *
 * What the other side can write to is never believed: an index that cannot be is -EBADMSG, and one's
 * own index is kept in memory of one's own. */
#ifndef RIG_OS_RING_H
#define RIG_OS_RING_H

#include <stdatomic.h>

#include "os/clock.h"
#include "os/sys.h"

/* What one side writes and the other reads lies this far apart: two lines of the cache, which
 * processors fetch in pairs. */
#define RING_LINE 128

/* 0, or a side sleeps and wants to be woken. Lies in shared memory. */
struct ring_bell {
    _Atomic uint32_t parked;
};

struct ring_shared {
    _Alignas(RING_LINE) _Atomic uint64_t written; /* bytes ever; the writer's */
    _Alignas(RING_LINE) _Atomic uint64_t read;    /* bytes ever; the reader's */
    _Alignas(RING_LINE) struct ring_bell writer;  /* sleeps until there is space */
    struct ring_bell reader;                      /* sleeps until there are bytes */
    _Alignas(RING_LINE) uint8_t data[];
};

/* One side's view, in memory of its own. */
struct ring {
    struct sys *sys;
    struct ring_shared *shared;
    size_t capacity;
    bool writes;
    uint64_t mine;   /* this side's index */
    uint64_t shown;  /* as far as the other side has been shown it */
    uint64_t theirs; /* the other's index, as last looked at and found possible */
    struct ring_bell *wakes;
    int wakes_fd; /* an eventfd to write to; -1: the futex at `wakes` */
};

/* Bytes of memory for a ring; `capacity` is a power of two from RING_LINE on. */
static inline size_t ring_bytes(size_t capacity) {
    return sizeof(struct ring_shared) + capacity;
}

/* Makes `memory` (ring_bytes of it, at a multiple of RING_LINE) an empty ring. Both sides' views begin
 * after that. */
void ring_reset(void *memory);

/* This side's view of an empty ring. It wakes the other by the futex. */
void ring_join(struct ring *r, struct sys *s, void *memory, size_t capacity, bool writes);

/* For a side whose other waits in poll: `bell` says when, `fd` is the eventfd to write to then. NULL: the
 * ring's own bell. */
void ring_wake_by_fd(struct ring *r, struct ring_bell *bell, int fd);

/* ---- the writer; neither waits --------------------------------------------------------------------- */

/* Copies as much as there is space for and shows it to the reader: bytes, 0 when it is full, -EBADMSG.
 * Up to the capacity at once it is all or the part that fits; what was copied and not shown yet when
 * this process is killed, the reader never sees. */
ssize_t ring_write_some(struct ring *r, const struct iovec *iov, int n);

/* ---- the reader; none waits ------------------------------------------------------------------------ */

/* Bytes to read; looks at the writer's index only if there would be fewer than `want`. Or -EBADMSG. */
ssize_t ring_filled(struct ring *r, size_t want);

/* Where the next n bytes lie, which are there (ring_filled); NULL when they go over the end. They stay
 * until ring_skip. */
const uint8_t *ring_peek(const struct ring *r, size_t n);

/* Copies the next n bytes, which are there, and skips them. */
void ring_copy(struct ring *r, void *to, size_t n);

/* Lets go of n bytes. The writer is shown the space when it is a quarter of the ring, else at the next
 * ring_show: a reader that waits for more than lies there must call that first. */
void ring_skip(struct ring *r, size_t n);
void ring_show(struct ring *r);

/* Up to n bytes, copied: how many, 0 when it is empty, -EBADMSG. */
ssize_t ring_read_some(struct ring *r, void *to, size_t n);

/* ---- waiting ------------------------------------------------------------------------------------------ */

/* Whether the other side has moved since this one last looked. */
static inline bool ring_changed(const struct ring *r) {
    struct ring_shared *s = r->shared;
    return atomic_load_explicit(r->writes ? &s->read : &s->written, memory_order_seq_cst) !=
           r->theirs;
}

/* Waits until ring_changed: spins for spin_ns, then parks. 0, -ETIMEDOUT, another -errno. */
int ring_wait(struct ring *r, int64_t spin_ns, int64_t deadline);

/* For a side that waits in poll: sets its bell to `turn` (not 0, another one each time), looks at all it
 * waits for with ring_changed, and only then polls. Clearing it is a matter of economy. */
void ring_park(struct ring_bell *bell, uint32_t turn);
void ring_unpark(struct ring_bell *bell);

/* Between two looks of a loop that spins. */
static inline void ring_pause(void) {
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ __volatile__("yield");
#endif
}

#endif
