/* fuzz_lane: frames over a pair of rings (core/pool/lane), the memory of which somebody else writes to as well.
 *
 * The input is a script: the coordinator sends and flushes, the worker writes (and waits while there is no space), both
 * receive; bytes on their way are turned over, indices and bells altered, heads forged. Promised: what was sent
 * arrives, in order and the same but for the bytes turned over, and stays as it is until the next call; a head with a
 * bit turned over is refused; what is handed out has a head that holds and lies in the ring or in a block; no memory for
 * absurd lengths; goes on after a lack of memory; nothing is left behind when both go on.
 * Not for the rings: fuzz_ring. No kernel and no second process: while the worker waits, the coordinator receives. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "pool/lane.h"

#define MEMORY_MAX ((size_t)2 << 20) /* for one block */
#define SENT_MAX   24
#define FLIPS_MAX  32
#define KEPT_MAX   4
#define BODY_MAX   ((size_t)128 << 10)
#define HEAD       sizeof(struct frame_head)

enum { MODE_NO_MEMORY = 1, MODE_KEEPS = 2, MODE_WRAPS = 4 };
enum { DOWN, UP };

struct sent {
    struct frame_head head;
    uint8_t *body;
    uint64_t at; /* where its head begins in the stream */
};

/* One way: who sends, who receives, and what is on its way. */
struct way {
    struct lane *from, *to;
    struct sent sent[SENT_MAX];
    size_t n, arrived;
    uint64_t next; /* where the next head begins */
    struct flip {
        uint64_t at;
        uint8_t bits;
    } flips[FLIPS_MAX];
    size_t n_flips;
    bool spoilt;               /* by more than flips: nothing is known of what arrives */
    const struct sent *handed; /* handed out last, and still to be as it is */
    struct received received;
};

static struct sys sys;
static struct sys_table table;
static uint8_t pattern[BODY_MAX], scratch[BODY_MAX];
static struct block *large; /* what bodies refer to */
static struct lane coordinator, worker;
static struct way ways[2];
static size_t capacity;
static struct input script;
static unsigned mode;
static long allocations_left;
static struct kept {
    struct block *block;
    size_t len;
    uint64_t sum;
} kept[KEPT_MAX];
static size_t n_kept;

/* ---- what arrives ------------------------------------------------------------------------------------------- */

/* Bytes [at, at + n) of the way, which were `bytes`, as they are now. Returns how many bits were turned over. */
static unsigned as_flipped(const struct way *w, uint64_t at, uint8_t *bytes, size_t n) {
    uint8_t before[HEAD];
    unsigned bits = 0;
    bool few = n <= sizeof before;
    if (few)
        memcpy(before, bytes, n);
    for (size_t i = 0; i < w->n_flips; i++)
        if (w->flips[i].at - at < n)
            bytes[w->flips[i].at - at] ^= w->flips[i].bits;
    for (size_t i = 0; few && i < n; i++)
        bits += (unsigned)__builtin_popcount(before[i] ^ bytes[i]);
    return bits;
}

static void expect_body(const struct way *w, const struct sent *s, const uint8_t *got) {
    size_t len = s->head.len;
    if (len == 0)
        return;
    memcpy(scratch, s->body, len);
    as_flipped(w, s->at + HEAD, scratch, len);
    PROMISE(memcmp(got, scratch, len) == 0);
}

/* Somebody who reads records must stay within the body, whatever it says; returns how many there were. */
static size_t records_of(const struct received *f) {
    const uint8_t *at = f->body, *end = f->body + f->len;
    size_t n = 0;
    uint64_t len;
    uint32_t number;
    enum result_status status;
    while (at < end &&
           (f->head.type == FRAME_RESULTS ? frame_get_record(&at, end, &number, &status, &len)
                                          : frame_get_len(&at, end, &len))) {
        PROMISE(at <= end && len <= (size_t)(end - at));
        at += len;
        n++;
    }
    return at == end ? n : SIZE_MAX;
}

static bool is_flipped(const struct way *w, uint64_t at, uint64_t n) {
    for (size_t i = 0; i < w->n_flips; i++)
        if (w->flips[i].at - at < n)
            return true;
    return false;
}

static void expect_frame(struct way *w) {
    const struct received *f = &w->received;
    const struct sent *s = &w->sent[w->arrived];
    PROMISE(w->arrived < w->n);
    struct frame_head head = s->head;
    PROMISE(as_flipped(w, s->at, (uint8_t *)&head, HEAD) != 1);
    if (memcmp(&head, &s->head, HEAD) != 0) { /* so many bits that the check holds again */
        w->spoilt = true;
        return;
    }
    PROMISE(memcmp(&f->head, &s->head, HEAD) == 0);
    expect_body(w, s, f->body);
    bool whole = !is_flipped(w, s->at + HEAD, s->head.len);
    if (whole && (s->head.type == FRAME_RESULTS || s->head.type == FRAME_TASKS))
        PROMISE(records_of(f) == s->head.count);
    w->handed = s;
    w->arrived++;
}

static uint64_t sum_of(const uint8_t *bytes, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i += 64)
        sum = sum * 31 + bytes[i];
    return sum;
}

/* As a receiver does who uses an array where it lies. */
static void keep(const struct received *f) {
    if (f->owner == NULL || !(mode & MODE_KEEPS) || n_kept == KEPT_MAX)
        return;
    kept[n_kept++] = (struct kept){block_ref(f->owner), f->len, sum_of(f->body, f->len)};
}

static void expect_place(const struct way *w) {
    const struct received *f = &w->received;
    const uint8_t *data = w->to->in.shared->data;
    PROMISE(f->len == f->head.len && frame_check(&f->head) == 0);
    PROMISE((f->owner != NULL) == (f->len >= MESSAGE_OWN_BLOCK));
    if (f->owner != NULL || w->to->body != NULL)
        PROMISE(w->to->body->size >= f->len && f->body == w->to->body->data);
    else
        PROMISE(f->body >= data && f->body + f->len <= data + capacity);
}

/* Does the head that comes next have a bit turned over? */
static bool next_is_damaged(const struct way *w) {
    return w->arrived < w->n && is_flipped(w, w->sent[w->arrived].at, HEAD);
}

/* The next frame; what lane_receive said. */
static int receive(struct way *w) {
    if (w->handed != NULL && !w->spoilt)
        expect_body(w, w->handed, w->received.body);
    w->handed = NULL;
    int got = lane_receive(w->to, &w->received);
    if (got == -ENOMEM && w->to->head.len > MEMORY_MAX / 2)
        w->spoilt = true;
    PROMISE(got == 0 || got == 1 || got == -EBADMSG || got == -ENOMEM);
    if (got == -EBADMSG) {
        PROMISE(w->spoilt || next_is_damaged(w));
        w->spoilt = true;
    }
    if (got != 1)
        return got;
    expect_place(w);
    records_of(&w->received);
    if (!w->spoilt)
        expect_frame(w);
    keep(&w->received);
    return got;
}

/* ---- what is sent ------------------------------------------------------------------------------------------- */

static size_t body_len(void) {
    size_t len = input_byte(&script);
    if (len < 224)
        return len;
    return len < 252 ? (len - 223) * (capacity / 16) : (len - 251) * 24000 + input_byte(&script);
}

/* Records that fill `len` bytes, roughly: how many. */
static uint32_t add_records(struct buf *b, enum frame_type type, size_t len) {
    uint32_t n = 0;
    while (buf_size(b) < len) {
        uint8_t record[RECORD_MAX];
        size_t value = input_byte(&script) % 64;
        size_t size = type == FRAME_RESULTS
                          ? frame_put_record(record, n, (enum result_status)(n % 3), value)
                          : frame_put_len(record, value);
        if (buf_add(b, record, size) < 0 || buf_add(b, pattern + n, value) < 0)
            return UINT32_MAX;
        n++;
    }
    return n;
}

/* A message as it is to arrive; NULL without memory. */
static struct message *compose(struct sent *s) {
    enum frame_type type = (enum frame_type)(1 + input_byte(&script) % (FRAME_TYPES - 1));
    struct message *m = message_new(&sys, type);
    size_t len = body_len();
    bool fine = m != NULL;
    if (fine && (type == FRAME_RESULTS || type == FRAME_TASKS)) {
        m->head.count = add_records(&m->body, type, len < 4096 ? len : 4096);
        fine = m->head.count != UINT32_MAX;
    } else if (fine) {
        size_t own = len >= BUF_REF_MIN + 512 ? len % 512 : len;
        m->head.first = input_number(&script, 2);
        fine = buf_add(&m->body, pattern + m->head.first % 1000, own) == 0 &&
               (own == len || buf_add_ref(&m->body, large, large->data, len - own) == 0);
    }
    if (!fine) {
        message_free(m);
        return NULL;
    }
    s->head = m->head;
    s->head.len = buf_size(&m->body);
    frame_seal(&s->head);
    s->body = malloc(s->head.len + 1);
    PROMISE(s->body != NULL && s->head.len <= BODY_MAX);
    buf_copy(&m->body, s->body);
    return m;
}

static void note_sent(struct way *w) {
    struct sent *s = &w->sent[w->n++];
    s->at = w->next;
    w->next += HEAD + s->head.len;
}

static int send_down(void) {
    struct way *w = &ways[DOWN];
    struct message *m = w->n < SENT_MAX ? compose(&w->sent[w->n]) : NULL;
    if (m == NULL)
        return 0;
    note_sent(w);
    lane_send(w->from, m);
    return 1;
}

/* A worker gives up its message with the lane; what was written of it stays. */
static int write_up(void) {
    struct way *w = &ways[UP];
    struct message *m = w->n < SENT_MAX ? compose(&w->sent[w->n]) : NULL;
    if (m == NULL)
        return 0;
    struct sent *s = &w->sent[w->n];
    size_t len = s->head.len;
    struct frame_head head = m->head;
    struct iovec iov[3] = {{s->body, len / 3}, {NULL, 0}, {s->body + len / 3, len - len / 3}};
    head.len = len;
    note_sent(w);
    int err = lane_write(w->from, &head, iov, 3, 0);
    PROMISE(err == 0 || ((err == -EBADMSG || err == -ETIMEDOUT) && w->spoilt));
    message_free(m);
    return err == 0;
}

static int flush_down(void) {
    uint64_t before = coordinator.outbox.bytes;
    int err = lane_flush(&coordinator);
    PROMISE(err == 0 || err == 1 || (err == -EBADMSG && ways[DOWN].spoilt));
    PROMISE((err == 0) == (coordinator.outbox.first == NULL) || err < 0);
    return coordinator.outbox.bytes != before;
}

/* ---- what somebody else does -------------------------------------------------------------------------------- */

/* A byte that was written and not yet read. */
static void flip(struct way *w) {
    uint64_t from = w->to->in.mine, n = w->from->out.mine - from;
    size_t at = (size_t)input_number(&script, 3);
    uint8_t bits = (uint8_t)input_byte(&script);
    if (w->spoilt || n == 0 || w->n_flips == FLIPS_MAX)
        return;
    from += at % n;
    w->flips[w->n_flips++] = (struct flip){from, bits};
    w->to->in.shared->data[from & (capacity - 1)] ^= bits;
}

static void alter_index(struct way *w) {
    unsigned what = input_byte(&script);
    struct ring_shared *s = w->to->in.shared;
    _Atomic uint64_t *index = what & 4 ? &s->written : &s->read;
    uint64_t by = what & 2 ? input_number(&script, 8) : input_number(&script, 1);
    w->spoilt = true;
    atomic_store(index, what & 1 ? atomic_load(index) - by : atomic_load(index) + by);
}

/* A head that is sealed and says anything, and bytes behind it. */
static void forge(struct way *w) {
    struct frame_head h = {.type = (uint8_t)input_byte(&script)};
    h.len = input_number(&script, input_byte(&script) % 8);
    frame_seal(&h);
    PROMISE((frame_check(&h) == 0) ==
            (h.type > 0 && h.type < FRAME_TYPES && h.len <= FRAME_LEN_MAX));
    struct iovec iov[2] = {{&h, HEAD}, {pattern, input_byte(&script)}};
    w->spoilt = true;
    ssize_t put = ring_write_some(&w->from->out, iov, 2);
    PROMISE(put == -EBADMSG || (put >= 0 && (size_t)put <= HEAD + iov[1].iov_len));
}

static void meddle(void) {
    unsigned what = input_byte(&script);
    struct way *w = &ways[what & 1];
    struct ring_shared *s = w->to->in.shared;
    switch (what >> 1 & 7) {
    case 0: alter_index(w); break;
    case 1: forge(w); break;
    case 2: atomic_store(&s->writer.parked, (uint32_t)input_number(&script, 4)); break;
    case 3: atomic_store(&s->reader.parked, (uint32_t)input_number(&script, 4)); break;
    default: flip(w);
    }
}

static void step(void) {
    switch (input_byte(&script) % 8) {
    case 0: send_down(); break;
    case 1: write_up(); break;
    case 2:
    case 3: receive(&ways[DOWN]); break;
    case 4: receive(&ways[UP]); break;
    case 5: flush_down(); break;
    default: meddle();
    }
}

/* ---- the kernel --------------------------------------------------------------------------------------------- */

/* The worker waits for space: the coordinator takes what there is. */
static int fake_wait(void *word, uint32_t value, const struct timespec *t) {
    struct way *w = &ways[UP];
    uint64_t before = atomic_load(&w->to->in.shared->read);
    PROMISE(word == &w->from->out.shared->writer.parked && value == 1 && t == NULL);
    int got = 1;
    for (int i = 0; i < 2 * SENT_MAX && got == 1; i++)
        got = receive(w);
    if (got == -ENOMEM && allocations_left == -1)
        got = receive(w); /* it came back */
    bool moved = atomic_load(&w->to->in.shared->read) != before;
    PROMISE(moved || w->spoilt);
    return moved ? 0 : -ETIMEDOUT;
}

static int fake_wake(void *word, int n) {
    PROMISE(n == 1 && *(uint32_t *)word == 0);
    return 0;
}

static bool memory_is_out(size_t n) {
    return n > MEMORY_MAX || (allocations_left >= 0 && allocations_left-- == 0);
}

static void *fake_malloc(size_t n) {
    return memory_is_out(n) ? NULL : sys_kernel.malloc(n);
}

static void *fake_realloc(void *p, size_t n) {
    return memory_is_out(n) ? NULL : sys_kernel.realloc(p, n);
}

static int fake_map(void **addr, size_t n, int prot, int flags, int fd) {
    return memory_is_out(n) ? -ENOMEM : sys_kernel.map(addr, n, prot, flags, fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    table = sys_kernel;
    table.futex_wait = fake_wait;
    table.futex_wake = fake_wake;
    table.malloc = fake_malloc;
    table.realloc = fake_realloc;
    table.map = fake_map;
    sys_init(&sys, &table);
    allocations_left = -1;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 2654435761u >> 13);
    PROMISE(block_new(&sys, BLOCK_PRIVATE, BODY_MAX, &large) == 0);
    memcpy(large->data, pattern, BODY_MAX);
    return 0;
}

/* ---- one input ---------------------------------------------------------------------------------------------- */

/* Of its exact size, and zero, as shared memory is. */
static uint8_t *fresh_ring(void) {
    uint8_t *memory = aligned_alloc(RING_LINE, ring_bytes(capacity));
    PROMISE(memory != NULL);
    memset(memory, 0, ring_bytes(capacity));
    ring_reset(memory);
    return memory;
}

static void open_way(struct way *w, struct lane *from, struct lane *to, uint64_t origin) {
    *w = (struct way){.from = from, .to = to, .next = origin};
    struct ring *ends[] = {&from->out, &to->in};
    for (int i = 0; i < 2; i++)
        ends[i]->mine = ends[i]->shown = ends[i]->theirs = origin;
    atomic_store(&to->in.shared->written, origin);
    atomic_store(&to->in.shared->read, origin);
}

/* Both go on until nothing moves: then everything has arrived, if nobody spoilt it. */
static void finish(void) {
    bool moved = true;
    for (int i = 0; moved && i < 100000; i++) {
        uint64_t before = worker.in.mine + coordinator.in.mine;
        moved = flush_down() && !ways[DOWN].spoilt;
        for (int k = 0; k < 2; k++)
            moved |= receive(&ways[k]) == 1;
        moved |= worker.in.mine + coordinator.in.mine != before;
    }
    for (int k = 0; k < 2; k++)
        PROMISE(ways[k].spoilt || ways[k].arrived == ways[k].n || next_is_damaged(&ways[k]));
}

static void close_all(void) {
    for (size_t i = 0; i < n_kept; i++) {
        PROMISE(sum_of(kept[i].block->data, kept[i].len) == kept[i].sum);
        block_unref(kept[i].block);
    }
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < ways[k].n; i++)
            free(ways[k].sent[i].body);
    lane_close(&coordinator);
    lane_close(&worker);
    lane_close(&worker);
    PROMISE(large->refs == 1 && large->frozen == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t capacities[] = {RING_LINE, 256, 1024, (size_t)32 << 10};
    script = (struct input){data, data + size};
    mode = input_byte(&script);
    capacity = capacities[mode >> 3 & 3];
    uint8_t *down = fresh_ring(), *up = fresh_ring();
    lane_open(&coordinator, &sys, up, down, capacity);
    lane_open(&worker, &sys, down, up, capacity);
    uint64_t origin = mode & MODE_WRAPS ? UINT64_MAX - input_byte(&script) : 0;
    open_way(&ways[DOWN], &coordinator, &worker, origin);
    open_way(&ways[UP], &worker, &coordinator, origin);
    n_kept = 0;
    allocations_left = mode & MODE_NO_MEMORY ? (long)input_byte(&script) % 16 : -1;
    while (input_left(&script) > 0)
        step();
    allocations_left = -1;
    finish();
    close_all();
    free(down);
    free(up);
    return 0;
}
