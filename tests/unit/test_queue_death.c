/* The message queue when those who use it are killed or stopped at the worst moments: what was lost is one message,
 * is known, and nobody else waits for the dead. */
#include "os/shm.h"
#include "os_help.h"
#include "queue_help.h"

static unsigned calls, deadly; /* the call that is the last */
static int last_signal;

static void die_at_the_deadly_call(void) {
    if (++calls == deadly)
        raise(last_signal);
}

/* The packet has been taken off the queue; nothing else has happened. */
static ssize_t take_and_die(int fd, struct msghdr *m, int flags) {
    ssize_t n = sys_kernel.recvmsg(fd, m, flags);
    if (n > 0)
        die_at_the_deadly_call();
    return n;
}

static ssize_t die_reading(int fd, void *to, size_t n) {
    die_at_the_deadly_call();
    return sys_kernel.read(fd, to, n < 100000 ? n : 100000);
}

static ssize_t die_writing(int fd, const struct msghdr *m, int flags) {
    die_at_the_deadly_call();
    return sys_kernel.sendmsg(fd, m, flags);
}

static struct frame_head *claim; /* shared, as in a pool's worker */

static void read_on(struct queue *q, struct queue *back) {
    q->sys = &faulty;
    for (;;) {
        struct received r;
        CHILD_CHECK(queue_get(q, DEADLINE_NEVER, claim, &r) == 1);
        CHILD_CHECK(is_right(&r, r.len));
        queue_put(back, sized(0, (unsigned)r.head.first));
        CHILD_CHECK(queue_flush_all(back, hang()) == 0);
    }
}

static void write_one_large(struct queue *q, struct queue *back) {
    (void)back;
    q->sys = &faulty;
    queue_put(q, sized(200 * LARGE, 1)); /* far more than all buffers on the way hold */
    CHILD_CHECK(queue_flush_all(q, hang()) == 0);
}

static void put_sized(struct queue *q, size_t n, unsigned number) {
    queue_put(q, sized(n, number));
    assert_true(queue_flush(q) >= 0);
}

static void a_reader_killed_in_the_middle_costs_that_message_only(void **state) {
    (void)state;
    for (deadly = 1; deadly <= 40; deadly += 13) {
        struct queue q = opened(), back = opened();
        struct proc first, second;
        calls = 0, last_signal = SIGKILL;
        faulty_begin()->read = die_reading;
        start_user(&first, read_on, &q, &back);
        queue_put(&q, sized(20 * LARGE, 0));
        queue_put(&q, sized(3 * LARGE, 1));
        queue_put(&q, sized(10, 2));
        struct proc_end end;
        while (proc_reap(&sys, &first, clock_now_ns() + 1000000, &end) == 0)
            assert_int_equal(queue_flush(&q), 1);
        assert_int_equal(end.signal, SIGKILL);
        faulty_begin();
        start_user(&second, read_on, &q, &back);
        assert_int_equal(queue_flush_all(&q, hang()), 0);
        assert_int_equal(q.lost, 1);
        assert_int_equal(arrived(&back).head.first, 1);
        assert_int_equal(arrived(&back).head.first, 2);
        assert_int_equal(proc_stop(&sys, &second, 0, NULL), 1);
        queue_close(&q);
        queue_close(&back);
    }
}

static void what_a_killed_reader_had_taken_stands_in_its_claim(void **state) {
    (void)state;
    void *shared;
    assert_int_equal(map_open(&sys, MAP_KIND_SHARED, sizeof *claim, &shared), 0);
    claim = shared;
    for (int large = 0; large < 2; large++) {
        struct queue q = opened(), back = opened();
        struct proc p;
        memset(claim, 0, sizeof *claim);
        calls = 0, deadly = 3, last_signal = SIGKILL;
        faulty_begin()->recvmsg = take_and_die;
        start_user(&p, read_on, &q, &back);
        for (unsigned i = 0; i < 5; i++)
            put_sized(&q, large && i == 2 ? LARGE : 50, i);
        assert_int_equal(reap(&p).signal, SIGKILL);
        assert_int_equal(frame_check(claim), 0);
        assert_int_equal(claim->first, 2);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(arrived(&back).head.first, i);
        for (unsigned i = 3; i < 5; i++)
            assert_int_equal(arrived(&q).head.first, i);
        queue_close(&q);
        queue_close(&back);
    }
    claim = NULL;
    map_close(&sys, shared, sizeof *claim);
}

/* Before its last call it has sent the head and up to three buffers of the body. */
static void a_writer_killed_in_the_middle_costs_that_message_only(void **state) {
    (void)state;
    for (deadly = 1; deadly <= 5; deadly++) {
        for (int blocking = 0; blocking < 2; blocking++) {
            struct queue q = opened();
            struct proc killed, writer;
            struct task t = {.from = 0, .n = 45, .q = &q};
            calls = 0, last_signal = SIGKILL;
            faulty_begin()->sendmsg = die_writing;
            start_user(&killed, write_one_large, &q, NULL);
            start_writer(&writer, &t);
            for (unsigned i = 0; i < 45; i++) {
                struct received r;
                if (blocking)
                    assert_int_equal(queue_get(&q, hang(), NULL, &r), 1);
                else
                    r = arrived(&q);
                assert_true(is_right(&r, size_of((unsigned)r.head.first)));
            }
            assert_int_equal(reap(&writer).exit_code, 0);
            struct received r;
            struct proc_end end;
            while (proc_reap(&sys, &killed, clock_now_ns() + 1000000, &end) == 0)
                assert_int_equal(queue_poll(&q, &r), 0);
            assert_int_equal(end.signal, SIGKILL);
            queue_close(&q);
        }
    }
}

/* There is no lock that one who stands still could hold. */
static void one_that_stands_still_holds_up_nobody_else(void **state) {
    (void)state;
    struct queue q = opened(), back = opened();
    struct proc taking, giving, reader, writer;
    struct task t = {.from = 0, .n = 100, .q = &q};
    calls = 0, deadly = 2, last_signal = SIGSTOP;
    faulty_begin()->read = die_reading;
    start_user(&taking, read_on, &q, &back);
    queue_put(&q, sized(20 * LARGE, 0));
    for (int64_t end = hang(); q.outbox.bytes > 20 * LARGE - 50000 && clock_now_ns() < end;)
        assert_int_equal(queue_flush(&q), 1);
    await_stopped(taking.pid); /* or the next reader could take the large message first */
    faulty_begin()->sendmsg = die_writing;
    start_user(&giving, write_one_large, &back, NULL);
    await_stopped(giving.pid);
    faulty_begin();
    start_user(&reader, echo, &q, &back);
    start_writer(&writer, &t);
    for (unsigned i = 0; i < 100; i++)
        arrived(&back);
    assert_int_equal(reap(&writer).exit_code, 0);
    assert_int_equal(proc_stop(&sys, &taking, 0, NULL), 1);
    assert_int_equal(proc_stop(&sys, &giving, 0, NULL), 1);
    assert_int_equal(proc_stop(&sys, &reader, 0, NULL), 1);
    queue_close(&q);
    queue_close(&back);
}

#define MESSAGES 1500
#define READERS  3

/* xorshift32 (Marsaglia, "Xorshift RNGs", 2003) */
static unsigned roll(unsigned *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void kill_one(struct proc readers[READERS], unsigned *seed, struct queue *q,
                     struct queue *back) {
    struct proc *p = &readers[roll(seed) % READERS];
    assert_int_equal(proc_stop(&sys, p, 0, NULL), 1);
    start_user(p, echo, q, back);
}

static void readers_killed_at_random_lose_one_message_each_at_most(void **state) {
    (void)state;
    unsigned seed = 20240607, kills = 0, came = 0;
    unsigned char seen[MESSAGES] = {0};
    struct queue q = opened(), back = opened();
    struct proc readers[READERS];
    print_message("seed %u\n", seed);
    for (unsigned i = 0; i < READERS; i++)
        start_user(&readers[i], echo, &q, &back);
    for (unsigned i = 0; i < MESSAGES; i++)
        queue_put(&q, sized(size_of(i), i));
    int64_t end = hang();
    for (bool more = true; more;) {
        struct received r;
        int got;
        assert_true(clock_now_ns() < end);
        assert_true(queue_flush(&q) >= 0);
        while ((got = queue_poll(&back, &r)) == 1) {
            assert_int_equal(seen[r.head.first]++, 0);
            came++;
        }
        assert_int_equal(got, 0);
        if (kills < 60 && roll(&seed) % 4 == 0) {
            kill_one(readers, &seed, &q, &back);
            kills++;
        }
        more = came + kills < MESSAGES || q.outbox.n > 0 || queue_has_waiting(&q);
        struct pollfd fds[18] = {{.fd = back.in, .events = POLLIN}};
        size_t n = 1 + queue_part_fds(&back, fds + 1, 16);
        fds[n++] = (struct pollfd){.fd = queue_waits(&q), .events = POLLOUT};
        poll(fds, n, 5);
    }
    assert_in_range(came, MESSAGES - kills, MESSAGES);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(proc_stop(&sys, &readers[i], 0, NULL), 1);
    queue_close(&q);
    queue_close(&back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(a_reader_killed_in_the_middle_costs_that_message_only),
        CLEAN_TEST(what_a_killed_reader_had_taken_stands_in_its_claim),
        CLEAN_TEST(a_writer_killed_in_the_middle_costs_that_message_only),
        CLEAN_TEST(one_that_stands_still_holds_up_nobody_else),
        CLEAN_TEST(readers_killed_at_random_lose_one_message_each_at_most),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
