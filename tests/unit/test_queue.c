/* The message queue between processes: order, exactly once, large messages by reference, and the death of a reader
 * or writer at any moment, which costs at most one message and holds up nobody. */
#include "pool/queue.h"

#include <sys/mman.h>

#include "os_help.h"
#include "queue_help.h"

static void messages_of_any_size_come_in_order(void **state) {
    (void)state;
    struct queue q = opened();
    for (unsigned i = 0; i < SIZES; i++)
        queue_put(&q, sized(sizes[i], i));
    for (unsigned i = 0; i < SIZES; i++) {
        struct received r = arrived(&q);
        assert_int_equal(r.head.first, i);
        assert_true(is_right(&r, sizes[i]));
    }
    assert_int_equal(queue_flush(&q), 0);
    assert_int_equal(q.messages_in, SIZES);
    assert_int_equal(q.messages_out, SIZES);
    assert_int_equal(q.bytes_in, q.bytes_out);
    queue_close(&q);
}

static void another_process_gets_them_in_order(void **state) {
    (void)state;
    struct queue q = opened();
    struct proc p;
    start_user(&p, check_all, &q, NULL);
    for (unsigned i = 0; i < SIZES; i++)
        queue_put(&q, sized(sizes[i], i));
    assert_int_equal(queue_flush_all(&q, hang()), 0);
    assert_int_equal(reap(&p).exit_code, 0);
    queue_close(&q);
}

#define WRITERS 4
#define READERS 3
#define EACH    300

static void each_message_of_many_writers_reaches_one_of_many_readers(void **state) {
    (void)state;
    struct queue q = opened(), back = opened();
    struct proc writers[WRITERS], readers[READERS];
    unsigned seen[WRITERS * EACH] = {0};
    for (unsigned i = 0; i < READERS; i++)
        start_user(&readers[i], echo, &q, &back);
    for (unsigned i = 0; i < WRITERS; i++) {
        struct task t = {.from = i * EACH, .n = EACH, .q = &q};
        start_writer(&writers[i], &t);
    }
    for (unsigned i = 0; i < WRITERS * EACH; i++) {
        struct received r = arrived(&back);
        assert_in_range(r.head.first, 0, WRITERS * EACH - 1);
        assert_true(is_right(&r, size_of((unsigned)r.head.first)));
        seen[r.head.first]++;
    }
    for (unsigned i = 0; i < WRITERS * EACH; i++)
        assert_int_equal(seen[i], 1);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(reap(&writers[i]).exit_code, 0);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(proc_stop(&sys, &readers[i], 0, NULL), 1);
    queue_close(&q);
    queue_close(&back);
}

static void what_one_writer_sends_stays_in_order(void **state) {
    (void)state;
    struct queue q = opened();
    struct proc writers[2];
    unsigned next[2] = {0, EACH};
    for (unsigned i = 0; i < 2; i++) {
        struct task t = {.from = i * EACH, .n = EACH, .q = &q};
        start_writer(&writers[i], &t);
    }
    for (unsigned i = 0; i < 2 * EACH; i++) {
        struct received r = arrived(&q);
        unsigned *of = &next[r.head.first >= EACH];
        assert_int_equal(r.head.first, *of); /* no small one overtakes a large one */
        *of = (unsigned)r.head.first + 1;
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(reap(&writers[i]).exit_code, 0);
    queue_close(&q);
}

static void its_maker_never_waits_in_a_put(void **state) {
    (void)state;
    struct queue q = opened();
    for (unsigned i = 0; i < 2000; i++) {
        queue_put(&q, sized(size_of(i), i));
        assert_true(queue_flush(&q) >= 0);
    }
    assert_int_equal(queue_flush(&q), 1); /* nobody reads */
    assert_true(queue_waits(&q) >= 0);
    assert_true(q.outbox.n > 0 && q.outbox.bytes > 0);
    assert_int_equal(queue_flush_all(&q, clock_now_ns() + 1000000), -ETIMEDOUT);
    queue_close(&q); /* what never went out is freed */
}

static void large_pieces_are_not_copied_and_frozen_until_they_are_out(void **state) {
    (void)state;
    struct queue q = opened();
    struct block *b;
    assert_int_equal(block_new(&sys, BLOCK_PRIVATE, LARGE, &b), 0);
    for (size_t i = 0; i < LARGE; i++)
        b->data[i] = byte_of(0, i);
    for (int i = 0; i < 3; i++) {
        struct message *m = message_new(&sys, FRAME_VALUE);
        assert_int_equal(buf_add_ref(&m->body, b, b->data, LARGE), 0);
        assert_int_equal(m->body.len, 0);
        queue_put(&q, m);
    }
    assert_int_equal(b->frozen, 3);
    for (int i = 0; i < 3; i++) {
        struct received r = arrived(&q);
        assert_true(is_right(&r, LARGE));
        assert_non_null(r.owner);
        assert_ptr_not_equal(r.body, b->data);
    }
    assert_int_equal(b->frozen, 0);
    assert_int_equal(b->refs, 1);
    queue_close(&q);
    block_unref(b);
}

/* As if a reader took in everything at once. */
static ssize_t swallow(int fd, const struct msghdr *m, int flags) {
    size_t n = 0;
    (void)fd, (void)flags;
    for (size_t i = 0; i < m->msg_iovlen; i++)
        n += m->msg_iov[i].iov_len < 65536 ? m->msg_iov[i].iov_len : 65536;
    return (ssize_t)n;
}

static void one_flush_sends_a_bounded_amount(void **state) {
    (void)state;
    struct queue q = opened();
    faulty_begin()->sendmsg = swallow;
    q.sys = &faulty;
    for (unsigned i = 0; i < 2000; i++)
        queue_put(&q, sized(50000, i));
    queue_put(&q, sized(40 * LARGE, 0));
    unsigned turns = 1;
    for (uint64_t left = q.outbox.bytes; queue_flush(&q) == 1; turns++) {
        assert_true(left - q.outbox.bytes <= MESSAGE_TURN + 65536);
        assert_true(left > q.outbox.bytes);
        left = q.outbox.bytes;
    }
    assert_true(turns > 20);
    q.sys = &sys;
    queue_close(&q);
}

static void getting_nothing_ends_at_the_deadline(void **state) {
    (void)state;
    struct queue q = opened();
    struct received r;
    int64_t deadline = clock_now_ns() + 20000000;
    assert_int_equal(queue_poll(&q, &r), 0);
    assert_int_equal(queue_get(&q, deadline, NULL, &r), 0);
    assert_true(clock_now_ns() >= deadline);
    assert_false(queue_has_waiting(&q));
    queue_put(&q, sized(5, 1));
    assert_int_equal(queue_flush(&q), 0);
    assert_true(queue_has_waiting(&q));
    assert_int_equal(queue_get(&q, hang(), NULL, &r), 1);
    assert_false(queue_has_waiting(&q));
    queue_close(&q);
}

static void a_message_can_be_taken_back(void **state) {
    (void)state;
    struct queue q = opened();
    struct message *m[4];
    for (unsigned i = 0; i < 4; i++) {
        m[i] = sized(i == 1 ? 5 * LARGE : 100, i);
        m[i]->kept = true;
        queue_put(&q, m[i]);
    }
    assert_int_equal(queue_flush(&q), 1); /* the first is out, of the second a part */
    queue_forget(&q, m[0]);               /* too late, no error */
    queue_forget(&q, m[1]);
    queue_forget(&q, m[2]);
    assert_int_equal(arrived(&q).head.first, 0);
    assert_int_equal(arrived(&q).head.first, 3); /* the torn one was dropped */
    assert_int_equal(q.outbox.n, 0);
    assert_int_equal(q.outbox.bytes, 0);
    queue_forget(&q, m[3]);
    for (unsigned i = 0; i < 4; i++)
        message_free(m[i]);
    queue_close(&q);
}

static void send_raw(struct queue *q, const void *bytes, size_t n) {
    assert_int_equal(send(q->out, bytes, n, MSG_NOSIGNAL), n);
}

static void what_is_no_message_is_refused_and_the_next_one_comes(void **state) {
    (void)state;
    struct queue q = opened();
    struct received r;
    struct frame_head streamed = {.type = FRAME_VALUE, .flags = FRAME_STREAMED, .len = LARGE};
    struct frame_head longer = {.type = FRAME_VALUE, .len = 10};
    frame_seal(&streamed);
    frame_seal(&longer);
    send_raw(&q, "x", 1);
    send_raw(&q, "a text that is longer than the head of a message, but is none at all", 68);
    send_raw(&q, &streamed, sizeof streamed); /* without its stream */
    send_raw(&q, &longer, sizeof longer);     /* without its body */
    queue_put(&q, sized(10, 5));
    assert_int_equal(queue_flush(&q), 0);
    const int wrong[] = {-EBADMSG, -EBADMSG, -EMFILE, -EBADMSG};
    for (int i = 0; i < 4; i++)
        assert_int_equal(i % 2 == 0 ? queue_poll(&q, &r) : queue_get(&q, hang(), NULL, &r),
                         wrong[i]);
    assert_int_equal(queue_poll(&q, &r), 1);
    assert_true(is_right(&r, 10));
    queue_close(&q);
}

static ssize_t small_packets_only(int fd, const struct msghdr *m, int flags) {
    size_t n = 0;
    for (size_t i = 0; i < m->msg_iovlen; i++)
        n += m->msg_iov[i].iov_len;
    return n > 2000 && (flags & MSG_DONTWAIT) != 0 ? -EMSGSIZE : sys_kernel.sendmsg(fd, m, flags);
}

static void what_the_system_takes_for_no_packet_goes_as_a_stream(void **state) {
    (void)state;
    struct queue q = opened();
    faulty_begin()->sendmsg = small_packets_only;
    q.sys = &faulty;
    for (unsigned i = 0; i < SIZES; i++)
        queue_put(&q, sized(sizes[i], i));
    for (unsigned i = 0; i < SIZES; i++) {
        struct received r = arrived(&q);
        assert_true(is_right(&r, sizes[r.head.first]));
    }
    q.sys = &sys;
    queue_close(&q);
}

static int no_pair(int type, int fds[2]) {
    (void)type, (void)fds;
    return -EMFILE;
}

static void without_descriptors_it_is_an_error_that_passes(void **state) {
    (void)state;
    struct queue q;
    struct received r;
    faulty_begin()->socketpair = no_pair;
    assert_int_equal(queue_open(&q, &faulty), -EMFILE);
    q = opened();
    q.sys = &faulty;
    queue_put(&q, sized(LARGE, 1));
    assert_int_equal(queue_flush(&q), -EMFILE);
    assert_int_equal(queue_poll(&q, &r), 0);
    q.sys = &sys;
    r = arrived(&q);
    assert_true(is_right(&r, LARGE));
    queue_close(&q);
}

static void its_ends_are_all_that_a_child_needs(void **state) {
    (void)state;
    struct queue q = opened();
    struct proc p;
    size_t before = fds_count();
    queue_put(&q, sized(5 * LARGE, 0));
    assert_int_equal(queue_flush(&q), 1); /* half out: the stream is ours */
    start_user(&p, only_two_ends, &q, NULL);
    assert_int_equal(reap(&p).exit_code, 0);
    assert_true(fds_count() > before);
    struct received r = arrived(&q); /* the child has not sent any of it */
    assert_true(is_right(&r, 5 * LARGE));
    assert_int_equal(fds_count(), before);
    queue_close(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(messages_of_any_size_come_in_order),
        CLEAN_TEST(another_process_gets_them_in_order),
        CLEAN_TEST(each_message_of_many_writers_reaches_one_of_many_readers),
        CLEAN_TEST(what_one_writer_sends_stays_in_order),
        CLEAN_TEST(its_maker_never_waits_in_a_put),
        CLEAN_TEST(large_pieces_are_not_copied_and_frozen_until_they_are_out),
        CLEAN_TEST(one_flush_sends_a_bounded_amount),
        CLEAN_TEST(getting_nothing_ends_at_the_deadline),
        CLEAN_TEST(a_message_can_be_taken_back),
        CLEAN_TEST(what_is_no_message_is_refused_and_the_next_one_comes),
        CLEAN_TEST(what_the_system_takes_for_no_packet_goes_as_a_stream),
        CLEAN_TEST(without_descriptors_it_is_an_error_that_passes),
        CLEAN_TEST(its_ends_are_all_that_a_child_needs),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
