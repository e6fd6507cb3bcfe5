/* fuzz_ring: the two ends of a ring (core/os/ring), and what another process may do to the memory between them.
 *
 * The input is a script of what each end does; the first byte says whether there is also somebody who writes to the
 * shared memory what comes to his mind: indices, bells, bytes. Promised: nothing outside of the memory, which is of the
 * ring's exact size; what goes in comes out; an index that cannot be is refused, and one that can be gives no more than
 * lies there; who sleeps is woken; a wait ends with its deadline. `struct end` is the model of an end.
 * Not for the frames in it: fuzz_lane. No kernel and no second process: what happens during a sleep is in the script. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "os/ring.h"

#define CAPACITY_MAX ((size_t)128 << 10)
#define STEPS_MAX    256
/* Not a power of two: bytes that come from one round too early or too late are other ones. */
#define PERIOD 65521

enum { MODE_ALTERED = 1, MODE_BY_FD = 2, MODE_WRAPS = 4 };

static struct sys sys;
static struct sys_table table;
static uint8_t pattern[PERIOD + 2 * CAPACITY_MAX], back[2 * CAPACITY_MAX];

struct end {
    struct ring ring;
    uint64_t mine, seen; /* where it is; where it last found the other to be */
};

static struct {
    struct ring_shared *shared;
    size_t capacity;
    uint64_t origin; /* where both began */
    struct end writer, reader;
    struct input script;
    unsigned mode, rung;
    const struct end *asleep; /* in futex_wait: does nothing */
} r;

/* ---- the model --------------------------------------------------------------------------------------------- */

static bool altered(void) {
    return r.mode & MODE_ALTERED;
}

static const uint8_t *bytes_at(uint64_t position) {
    return pattern + (position - r.origin) % PERIOD;
}

static uint64_t other_index(const struct end *e) {
    return atomic_load(e == &r.writer ? &r.shared->read : &r.shared->written);
}

/* What a look at the other end must say. */
static int expect_look(struct end *e) {
    uint64_t now = other_index(e);
    uint64_t between = e == &r.writer ? e->mine - now : now - e->mine;
    if (between > r.capacity || now - e->seen > r.capacity) {
        PROMISE(altered());
        return -EBADMSG;
    }
    e->seen = now;
    return 0;
}

static ssize_t expect_filled(size_t want) {
    struct end *e = &r.reader;
    int err = e->seen - e->mine < want ? expect_look(e) : 0;
    return err < 0 ? err : (ssize_t)(e->seen - e->mine);
}

/* Bytes handed out from `position` on: what went in, or, if somebody else wrote there too, what is there. */
static void expect_bytes(const uint8_t *got, uint64_t position, size_t n) {
    if (!altered()) {
        PROMISE(n == 0 || memcmp(got, bytes_at(position), n) == 0);
        return;
    }
    size_t at = (size_t)position & (r.capacity - 1), first = r.capacity - at;
    if (first > n)
        first = n;
    PROMISE(memcmp(got, r.shared->data + at, first) == 0);
    PROMISE(memcmp(got + first, r.shared->data, n - first) == 0);
}

/* After the reader moved: of what it let go of, less than a quarter is kept from the writer. */
static void moved(struct end *e, size_t n) {
    e->mine += n;
    PROMISE(e->ring.mine == e->mine);
    if (!altered() && e == &r.reader)
        PROMISE(e->mine - atomic_load(&r.shared->read) < r.capacity / 4);
    if (!altered() && e == &r.writer)
        PROMISE(atomic_load(&r.shared->written) == e->mine);
}

/* ---- what the ends do -------------------------------------------------------------------------------------- */

/* Up to twice the capacity. */
static size_t amount(void) {
    unsigned b = input_byte(&r.script);
    size_t n = b < 192 ? b : (b - 191) * (r.capacity / 32) + input_byte(&r.script) % 8;
    return n < 2 * r.capacity ? n : 2 * r.capacity;
}

static void write_some(struct end *e) {
    size_t n = amount(), first = n / (1 + input_byte(&r.script) % 4);
    const uint8_t *from = bytes_at(e->mine);
    struct iovec iov[3] = {{(void *)(uintptr_t)from, first},
                           {NULL, 0},
                           {(void *)(uintptr_t)(from + first), n - first}};
    int err = r.capacity - (e->mine - e->seen) < n ? expect_look(e) : 0;
    size_t space = r.capacity - (size_t)(e->mine - e->seen);
    ssize_t put = ring_write_some(&e->ring, iov, 3);
    if (err < 0) {
        PROMISE(put == err);
        return;
    }
    PROMISE(put == (ssize_t)(n < space ? n : space));
    moved(e, (size_t)put);
}

static void read_some(struct end *e) {
    size_t n = amount();
    ssize_t there = expect_filled(n), got = ring_read_some(&e->ring, back, n);
    if (there < 0) {
        PROMISE(got == there);
        return;
    }
    PROMISE(got == (there < (ssize_t)n ? there : (ssize_t)n));
    expect_bytes(back, e->mine, (size_t)got);
    moved(e, (size_t)got);
    PROMISE(altered() || got == 0 || atomic_load(&r.shared->read) == e->mine);
}

/* Looks at bytes where they lie, or copies them. */
static void take_in_place(struct end *e) {
    size_t n = amount();
    ssize_t there = expect_filled(n);
    PROMISE(ring_filled(&e->ring, n) == there);
    if (there < (ssize_t)n)
        return;
    const uint8_t *bytes = ring_peek(&e->ring, n);
    PROMISE((bytes == NULL) == (((size_t)e->mine & (r.capacity - 1)) + n > r.capacity));
    if (bytes != NULL) {
        PROMISE(bytes >= r.shared->data && bytes + n <= r.shared->data + r.capacity);
        expect_bytes(bytes, e->mine, n);
        ring_skip(&e->ring, n);
    } else {
        ring_copy(&e->ring, back, n);
        expect_bytes(back, e->mine, n);
    }
    moved(e, n);
}

static void wait_for_other(struct end *e) {
    struct ring_bell *bell = e == &r.writer ? &r.shared->writer : &r.shared->reader;
    bool changed = other_index(e) != e->seen;
    int err = ring_wait(&e->ring, 0, 0);
    PROMISE(err == 0 || (err == -ETIMEDOUT && !changed));
    PROMISE((err == 0) == (other_index(e) != e->seen));
    if (!changed)
        PROMISE(atomic_load(&bell->parked) == 0);
}

/* ---- what the other process may do -------------------------------------------------------------------------- */

static void alter(void) {
    unsigned what = input_byte(&r.script);
    _Atomic uint64_t *index = what & 8 ? &r.shared->written : &r.shared->read;
    uint64_t now = atomic_load(index);
    switch (what % 8) {
    case 0: atomic_store(index, input_number(&r.script, 8)); break;
    case 1: atomic_store(index, now + input_byte(&r.script)); break;
    case 2: atomic_store(index, now - input_byte(&r.script)); break;
    case 3: atomic_store(index, now + r.capacity); break;
    case 4: atomic_store(index, now ^ UINT64_C(1) << input_byte(&r.script) % 64); break;
    case 5: atomic_store(&r.shared->writer.parked, (uint32_t)input_number(&r.script, 4)); break;
    case 6: atomic_store(&r.shared->reader.parked, (uint32_t)input_number(&r.script, 4)); break;
    default: {
        size_t at = (size_t)input_number(&r.script, 3) % r.capacity;
        r.shared->data[at] ^= (uint8_t)input_byte(&r.script);
    }
    }
}

/* One thing that one of them does; false at the end of the script. */
static bool step(void) {
    if (input_left(&r.script) == 0)
        return false;
    unsigned what = input_byte(&r.script) % 8;
    struct end *e = what % 2 ? &r.writer : &r.reader;
    if (what == 7 && altered())
        alter();
    else if (e == r.asleep)
        return true;
    else if (what == 0)
        read_some(e);
    else if (what == 2)
        take_in_place(e);
    else if (what == 4)
        ring_show(&e->ring);
    else if (what == 1 || what == 3)
        write_some(e);
    else if (r.asleep == NULL)
        wait_for_other(e); /* 5 and 6; 7 where nobody alters anything */
    return true;
}

/* ---- the kernel --------------------------------------------------------------------------------------------- */

/* While one sleeps the other goes on, and then the one is woken: by him, for nothing, or by its deadline. */
static int fake_wait(void *word, uint32_t value, const struct timespec *t) {
    unsigned how = input_byte(&r.script);
    PROMISE(value == 1 && t != NULL);
    PROMISE(word == &r.shared->writer.parked || word == &r.shared->reader.parked);
    struct end *e = word == (void *)&r.shared->writer.parked ? &r.writer : &r.reader;
    PROMISE(altered() || atomic_load((_Atomic uint32_t *)word) == 1);
    unsigned rung = r.rung;
    r.asleep = e;
    if (how % 8 > 3)
        step();
    r.asleep = NULL;
    /* the other moved, and found somebody asleep */
    if (!altered() && other_index(e) != e->seen)
        PROMISE(r.rung == rung + 1 && atomic_load((_Atomic uint32_t *)word) == 0);
    static const int ends[] = {-ETIMEDOUT, -EINTR, -EAGAIN, 0};
    return input_left(&r.script) == 0 ? -ETIMEDOUT : ends[how % 4];
}

static int fake_wake(void *word, int n) {
    PROMISE(n == 1 && *(uint32_t *)word == 0);
    r.rung++;
    return 0;
}

static ssize_t fake_write(int fd, const void *buf, size_t n) {
    static const int ends[] = {8, -EINTR, -EAGAIN, 8};
    uint64_t one;
    PROMISE(fd == 7 && n == sizeof one);
    memcpy(&one, buf, sizeof one);
    PROMISE(one == 1);
    int end = ends[input_byte(&r.script) % 4];
    r.rung += end != -EINTR;
    return end;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    table = sys_kernel;
    table.futex_wait = fake_wait;
    table.futex_wake = fake_wake;
    table.write = fake_write;
    sys_init(&sys, &table);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)((i % PERIOD) * 2654435761u >> 13);
    return 0;
}

/* ---- one input ---------------------------------------------------------------------------------------------- */

/* Indices that are about to wrap around: both ends as they would be after so many bytes. */
static void begin_at(uint64_t origin) {
    r.origin = origin;
    atomic_store(&r.shared->written, origin);
    atomic_store(&r.shared->read, origin);
    struct end *ends[] = {&r.writer, &r.reader};
    for (int i = 0; i < 2; i++) {
        struct end *e = ends[i];
        e->mine = e->seen = e->ring.mine = e->ring.shown = e->ring.theirs = origin;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t capacities[] = {RING_LINE, 256, 1024, CAPACITY_MAX};
    r.script = (struct input){data, data + size};
    r.mode = input_byte(&r.script);
    r.capacity = capacities[r.mode >> 3 & 3];
    r.rung = 0;
    r.asleep = NULL;
    size_t bytes = ring_bytes(r.capacity);
    r.shared = aligned_alloc(RING_LINE, bytes);
    if (r.shared == NULL)
        return 0;
    memset(r.shared, 0, bytes); /* as shared memory is */
    ring_reset(r.shared);
    ring_join(&r.writer.ring, &sys, r.shared, r.capacity, true);
    ring_join(&r.reader.ring, &sys, r.shared, r.capacity, false);
    if (r.mode & MODE_BY_FD)
        ring_wake_by_fd(&r.writer.ring, &r.shared->reader, 7);
    begin_at(r.mode & MODE_WRAPS ? UINT64_MAX - input_byte(&r.script) : 0);
    for (int i = 0; i < STEPS_MAX && step(); i++)
        ;
    free(r.shared);
    return 0;
}
