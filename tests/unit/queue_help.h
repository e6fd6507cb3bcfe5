/* For the tests of the queue: messages whose bytes tell which they are, and what processes do with them. A message
 * is known by its head.first. */
#ifndef RIG_TESTS_QUEUE_HELP_H
#define RIG_TESTS_QUEUE_HELP_H

#include "os_help.h"
#include "pool/queue.h"

#define LARGE ((size_t)1 << 20)

/* Around every bound: what is one packet, what has a block of its own, what is prefaulted. */
static const size_t sizes[] = {0,     1,
                               100,   QUEUE_PACKET_MAX - sizeof(struct frame_head) - 1,
                               61440, 61441,
                               65535, 65536,
                               65537, LARGE,
                               5,     9 * LARGE + 3,
                               7};
#define SIZES (sizeof sizes / sizeof *sizes)

/* Mostly small, every 40th large. */
static inline size_t size_of(unsigned number) {
    return number % 40 == 39 ? LARGE + number : number * 37 % 3000;
}

static inline uint8_t byte_of(unsigned number, size_t i) {
    return (uint8_t)(number + i * 7 + i / 251);
}

static inline struct message *sized(size_t n, unsigned number) {
    struct message *m = message_new(&sys, FRAME_VALUE);
    if (m == NULL || buf_reserve(&m->body, n) < 0)
        abort();
    for (size_t i = 0; i < n; i++)
        m->body.data[i] = byte_of(number, i);
    m->body.len = n;
    m->head.first = number;
    return m;
}

static inline bool is_right(const struct received *r, size_t n) {
    bool right = r->len == n && r->head.len == n;
    for (size_t i = 0; right && i < n; i++)
        right = r->body[i] == byte_of((unsigned)r->head.first, i);
    return right;
}

static inline struct queue opened(void) {
    struct queue q;
    assert_int_equal(queue_open(&q, &sys), 0);
    return q;
}

/* The next message, while what waits in the same queue goes out. Fails after the hang limit. */
static inline struct received arrived(struct queue *q) {
    struct received r;
    int64_t end = hang();
    for (;;) {
        int got = queue_flush(q);
        assert_true(got >= 0);
        got = queue_poll(q, &r);
        assert_true(got >= 0);
        if (got == 1)
            return r;
        assert_true(clock_now_ns() < end);
        struct pollfd fds[18] = {{.fd = q->in, .events = POLLIN}};
        size_t n = 1 + queue_part_fds(q, fds + 1, 16);
        fds[n++] = (struct pollfd){.fd = queue_waits(q), .events = POLLOUT};
        poll(fds, n, 1000);
    }
}

/* ---- what processes do with queues ------------------------------------------------------------------ */

struct user {
    struct queue *q, *back;
    void (*f)(struct queue *q, struct queue *back);
};

static inline void use(void *arg) {
    struct user *u = arg;
    queue_after_fork(u->q, &sys);
    if (u->back != NULL)
        queue_after_fork(u->back, &sys);
    u->f(u->q, u->back);
}

/* A child that runs f with the queues; `back` may be NULL. */
static inline void start_user(struct proc *p, void (*f)(struct queue *, struct queue *),
                              struct queue *q, struct queue *back) {
    struct user u = {q, back, f};
    int keep[4];
    queue_fds(q, keep);
    if (back != NULL)
        queue_fds(back, keep + 2);
    start(p, use, &u, keep, back != NULL ? 4 : 2);
}

static inline void check_all(struct queue *q, struct queue *back) {
    (void)back;
    for (unsigned i = 0; i < SIZES; i++) {
        struct received r;
        CHILD_CHECK(queue_get(q, DEADLINE_NEVER, NULL, &r) == 1);
        CHILD_CHECK(r.head.first == i && is_right(&r, sizes[i]));
    }
}

/* Sends back whatever comes, for ever. */
static inline void echo(struct queue *q, struct queue *back) {
    for (;;) {
        struct received r;
        CHILD_CHECK(queue_get(q, DEADLINE_NEVER, NULL, &r) == 1);
        CHILD_CHECK(is_right(&r, size_of((unsigned)r.head.first)));
        queue_put(back, sized(r.len, (unsigned)r.head.first));
        CHILD_CHECK(queue_flush_all(back, hang()) == 0);
    }
}

struct task {
    unsigned from, n;
    struct queue *q;
};

static inline void write_some(void *arg) {
    struct task *t = arg;
    queue_after_fork(t->q, &sys);
    for (unsigned i = t->from; i < t->from + t->n; i++) {
        queue_put(t->q, sized(size_of(i), i));
        CHILD_CHECK(queue_flush_all(t->q, hang()) == 0);
    }
}

/* A child that puts the messages numbered from .. from + n - 1. */
static inline void start_writer(struct proc *p, struct task *t) {
    int keep[2];
    queue_fds(t->q, keep);
    start(p, write_some, t, keep, 2);
}

static inline void only_two_ends(struct queue *q, struct queue *back) {
    (void)back;
    CHILD_CHECK(fds_count() == 3); /* and the lifeline */
    CHILD_CHECK(fcntl(q->in, F_GETFD) >= 0 && fcntl(q->out, F_GETFD) >= 0);
    CHILD_CHECK(q->outbox.first == NULL && queue_waits(q) == -1);
}

#endif
