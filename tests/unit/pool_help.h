/* For the tests of the pool from C: a job whose items say what is to happen, a source of such items, and a record of
 * what became of each. */
#ifndef RIG_TESTS_POOL_HELP_H
#define RIG_TESTS_POOL_HELP_H

#include "os/shm.h"
#include "os_help.h"
#include "pool/axes.h"
#include "pool/pool.h"

#define ITEMS_MAX 2000

/* ---- items ------------------------------------------------------------------------------------------ */

enum op {
    TRIPLE,
    LARGE_RESULT,
    CUT_RESULT,
    FAIL,
    RAISE,
    EXIT,
    SPIN,
    BABBLE,
    SCRIBBLE,
    REFUSED,
    PAUSE,
    LINGER,
    CALL
};

struct item {
    enum op op;
    int arg;        /* the signal, the exit code, microseconds of a pause */
    uint64_t n;     /* the value; bytes of a large result; tasks to wait for */
    size_t ballast; /* bytes behind the item */
};

static inline uint8_t byte_of(uint64_t seed, size_t i) {
    return (uint8_t)(seed + i * 3 + i / 253);
}

static inline int fill(struct buf *b, uint64_t seed, size_t n) {
    int err = buf_reserve(b, n);
    for (size_t i = 0; err == 0 && i < n; i++)
        b->data[b->len + i] = byte_of(seed, i);
    b->len += err == 0 ? n : 0;
    return err;
}

static inline bool is_filled(const uint8_t *bytes, uint64_t seed, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_of(seed, i))
            return false;
    return true;
}

/* ---- the job: runs in workers -------------------------------------------------------------------------- */

#define FIXED_SIZE ((size_t)300000)

struct job_context {
    const uint8_t *inherited;
    unsigned inits, runs, finishes; /* how often each was called; this struct is in shared memory */
    unsigned begun[ITEMS_MAX];      /* and each task, in all maps */
    unsigned init_fails;            /* how many initializers still fail */
    bool finish_fails;
    void (*scribble)(
        void *rings); /* over what the worker shares; then it rings all bells and spins */
    void *rings;
    void (*call)(void *called, unsigned worker); /* by a task that is told to */
    void *called;
};

static uint64_t fixed_sum; /* of the fixed data, once the initializer has seen it */
static unsigned own_id;

static inline int say(struct buf *out, const char *text) {
    buf_clear(out);
    return buf_add(out, text, strlen(text)) < 0 ? -ENOMEM : 1;
}

static inline int job_init(void *ctx, unsigned worker, const uint8_t *fixed, size_t len,
                           struct block *owner, struct buf *out) {
    struct job_context *c = ctx;
    (void)owner;
    own_id = worker;
    __atomic_fetch_add(&c->inits, 1, __ATOMIC_SEQ_CST);
    unsigned left = __atomic_load_n(&c->init_fails, __ATOMIC_SEQ_CST);
    /* in one step: of two that look at the same time only one may take the last one */
    while (left > 0 && !__atomic_compare_exchange_n(&c->init_fails, &left, left - 1, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    if (left > 0) {
        return say(out, "the initializer failed");
    }
    if (fixed == NULL) {
        fixed = c->inherited;
        len = FIXED_SIZE;
    }
    if (worker == 0 || len != FIXED_SIZE || !is_filled(fixed, 1, len))
        return say(out, "the fixed data is damaged");
    for (size_t i = 0; i < len; i++)
        fixed_sum += fixed[i];
    return 0;
}

/* Bytes that are no message, into whatever is open for writing. */
static inline void babble(void) {
    char noise[200];
    memset(noise, 'x', sizeof noise);
    for (int fd = 3; fd < 64; fd++)
        if (write(fd, noise, sizeof noise) < 0)
            continue;
}

/* Somebody who sleeps would not look at what was damaged. */
static inline void ring_all_bells(void) {
    uint64_t one = 1;
    for (int fd = 3; fd < 64; fd++)
        if (write(fd, &one, sizeof one) < 0)
            continue;
}

static inline void linger(const struct job_context *c, uint64_t tasks) {
    while (__atomic_load_n(&c->runs, __ATOMIC_SEQ_CST) < tasks)
        usleep(100);
}

/* A result that is cut: a signal ends the worker while it writes. */
static inline int cut_result(struct buf *out, uint64_t task, const struct item *item) {
    struct itimerval soon = {.it_value = {0, item->arg}};
    int err = fill(out, task, item->n);
    setitimer(ITIMER_REAL, &soon, NULL);
    return err;
}

static inline int job_run(void *ctx, uint64_t task, const uint8_t *bytes, size_t len,
                          struct block *owner, struct buf *out) {
    struct item item;
    struct job_context *c = ctx;
    (void)owner;
    __atomic_fetch_add(&c->runs, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&c->begun[task % ITEMS_MAX], 1, __ATOMIC_SEQ_CST);
    if (len < sizeof item)
        return say(out, "the item is too short");
    memcpy(&item, bytes, sizeof item);
    if (len != sizeof item + item.ballast || !is_filled(bytes + sizeof item, item.n, item.ballast))
        return say(out, "the item is damaged");
    uint64_t value = item.n * 3 + fixed_sum;
    switch (item.op) {
    case LARGE_RESULT: return fill(out, task, item.n);
    case CUT_RESULT: return cut_result(out, task, &item);
    case FAIL: return say(out, "as it was told to");
    case RAISE: raise(item.arg); break;
    case EXIT: sys_exit(item.arg);
    case SCRIBBLE: c->scribble(c->rings); ring_all_bells(); /* fall through */
    case SPIN:
        for (volatile unsigned i = 0;; i++)
            ;
    case BABBLE: babble(); break;
    case PAUSE: usleep((useconds_t)item.arg); break;
    case LINGER: linger(c, item.n); break;
    case CALL: c->call(c->called, own_id); return item.n > 0 ? fill(out, task, item.n) : 0;
    default: break;
    }
    return buf_add(out, &value, sizeof value);
}

static inline int job_finish(void *ctx, struct buf *out) {
    struct job_context *c = ctx;
    __atomic_fetch_add(&c->finishes, 1, __ATOMIC_SEQ_CST);
    return c->finish_fails ? say(out, "could not finish") : 0;
}

/* ---- one pool with all that belongs to it ----------------------------------------------------------- */

struct rig_pool {
    struct pool *pool;
    struct pool_config config;
    struct job_context *context;
    struct buf fixed;
    struct block *bytes, *placed;
    char why[300];
};

static inline void place(struct rig_pool *r) {
    int fd;
    void *addr;
    assert_int_equal(shm_open_sealable(&sys, "test", FIXED_SIZE, &fd, &addr), 0);
    memcpy(addr, r->bytes->data, FIXED_SIZE);
    assert_int_equal(shm_seal_open(&sys, &fd, FIXED_SIZE, &addr), 0);
    assert_int_equal(block_adopt_sealed(&sys, addr, FIXED_SIZE, &r->placed), 0);
    block_keep_fd(r->placed, fd); /* for start=spawn */
}

/* All but pool_open. */
static inline struct rig_pool prepared(const char *channel, const char *delivery, unsigned workers,
                                       uint32_t chunk) {
    struct rig_pool r = {.why = ""};
    void *shared;
    fixed_sum = 0;
    assert_int_equal(map_open(&sys, MAP_KIND_SHARED, sizeof *r.context, &shared), 0);
    r.context = shared;
    assert_int_equal(block_new(&sys, BLOCK_PRIVATE, FIXED_SIZE, &r.bytes), 0);
    for (size_t i = 0; i < FIXED_SIZE; i++)
        r.bytes->data[i] = byte_of(1, i);
    r.context->inherited = r.bytes->data;
    buf_init(&r.fixed, &sys);
    assert_int_equal(buf_add_ref(&r.fixed, r.bytes, r.bytes->data, FIXED_SIZE), 0);
    place(&r);
    r.config = (struct pool_config){
        .workers = workers,
        .start = start_find("fork"),
        .channel = channel_find(channel),
        .deliver = deliver_find(delivery),
        .chunk = chunk,
        .placed = r.placed,
        .job = {.ctx = r.context, .init = job_init, .run = job_run, .finish = job_finish},
    };
    return r;
}

static inline void open_pool(struct rig_pool *r) {
    r->config.fixed = &r->fixed;
    if (pool_open(&sys, &r->config, &r->pool, r->why, sizeof r->why) < 0)
        fail_msg("%s", r->why);
}

static inline struct rig_pool opened(const char *channel, const char *delivery, unsigned workers,
                                     uint32_t chunk) {
    struct rig_pool r = prepared(channel, delivery, workers, chunk);
    open_pool(&r);
    return r;
}

static inline void release(struct rig_pool *r) {
    pool_free(r->pool);
    buf_free(&r->fixed);
    block_unref(r->bytes);
    block_unref(r->placed);
    map_close(&sys, r->context, sizeof *r->context);
}

/* ---- one map ------------------------------------------------------------------------------------------- */

struct seen {
    unsigned ends;
    struct outcome outcome;
    uint64_t value; /* of a TRIPLE */
    bool right;     /* of a LARGE_RESULT: all bytes are */
    char message[64];
};

struct map {
    struct item items[ITEMS_MAX];
    uint64_t n, at;
    struct seen seen[ITEMS_MAX];
    uint64_t next_fails_at, take_fails_at; /* plus 1; 0: never */
};

static struct map map;

static inline int map_next(void *ctx, struct buf *out) {
    struct map *m = ctx;
    if (m->at == m->n)
        return 0;
    if (m->at + 1 == m->next_fails_at)
        return -EIO;
    const struct item *item = &m->items[m->at++];
    if (item->op == REFUSED)
        return buf_add(out, "cannot be sent", 14) < 0 ? -ENOMEM : 2;
    int err = buf_add(out, item, sizeof *item);
    if (err == 0)
        err = fill(out, item->n, item->ballast);
    return err < 0 ? err : 1;
}

static inline int map_take(void *ctx, const struct outcome *o, const uint8_t *value, size_t len,
                           struct block *owner) {
    struct map *m = ctx;
    struct seen *s = &m->seen[o->task];
    (void)owner;
    s->ends++;
    s->outcome = *o;
    size_t n = o->message_len < sizeof s->message - 1 ? o->message_len : sizeof s->message - 1;
    if (n > 0)
        memcpy(s->message, o->message, n);
    s->message[n] = '\0';
    if (o->kind == OUTCOME_OK && len == sizeof s->value)
        memcpy(&s->value, value, len);
    if (m->items[o->task].op == LARGE_RESULT)
        s->right = len == m->items[o->task].n && is_filled(value, o->task, len);
    return o->task + 1 == m->take_fails_at ? -EPERM : 0;
}

/* n items, all TRIPLE; the test changes some before map_run. */
static inline void map_begin(uint64_t n) {
    assert_true(n <= ITEMS_MAX);
    memset(&map, 0, sizeof map);
    map.n = n;
    for (uint64_t i = 0; i < n; i++)
        map.items[i] = (struct item){.op = TRIPLE, .n = i};
}

static inline int map_run(struct rig_pool *r, bool hint) {
    struct pool_io io = {.ctx = &map, .next = map_next, .take = map_take};
    return pool_map(r->pool, &io, hint ? map.n : 0);
}

static inline uint64_t sum_of_fixed(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i < FIXED_SIZE; i++)
        sum += byte_of(1, i);
    return sum;
}

/* Everything ended once; what was to be ok is, with the right value. */
static inline void map_check(struct rig_pool *r) {
    uint64_t sum = sum_of_fixed();
    const struct account *a = pool_account(r->pool);
    assert_true(account_balanced(a));
    assert_int_equal(a->n, map.n);
    for (uint64_t i = 0; i < map.n; i++) {
        const struct seen *s = &map.seen[i];
        assert_int_equal(s->ends, 1);
        assert_int_equal(s->outcome.attempt, 1);
        if (map.items[i].op == TRIPLE) {
            assert_int_equal(s->outcome.kind, OUTCOME_OK);
            assert_int_equal(s->value, i * 3 + sum);
        }
        if (map.items[i].op == LARGE_RESULT)
            assert_true(s->right);
    }
}

static inline struct pool_counters counters_of(struct rig_pool *r) {
    struct pool_counters c;
    pool_count(r->pool, &c);
    return c;
}

/* Calls f for every channel and delivery that go together. */
static inline void each_pair(void (*f)(const char *channel, const char *delivery)) {
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        for (const struct deliver_ops *const *d = deliver_list; *d != NULL; d++)
            if (!((*c)->shared && *d == &deliver_send))
                f((*c)->name, (*d)->name);
}

#endif
