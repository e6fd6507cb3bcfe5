/* What a process does to itself on purpose: it is killed once so many bytes are out, over whatever they go; it ends by
 * a signal; it stands still and goes on by itself. */
#include "os/fault.h"

#include "os/pipe.h"
#include "os/ring.h"
#include "os/shm.h"
#include "os_help.h"
#include "queue_help.h"

#define TOTAL 9000

struct writer {
    int fd;
    enum fd_type type;
    uint64_t tear;
    struct ring ring;
    struct queue queue;
};

/* In three pieces, of which one is empty. */
static void pieces(struct iovec iov[3], uint8_t *bytes) {
    for (size_t i = 0; i < TOTAL; i++)
        bytes[i] = (uint8_t)(i * 31);
    iov[0] = (struct iovec){.iov_base = bytes, .iov_len = 0};
    iov[1] = (struct iovec){.iov_base = bytes, .iov_len = 64};
    iov[2] = (struct iovec){.iov_base = bytes + 64, .iov_len = TOTAL - 64};
}

static void write_torn(void *arg) {
    struct writer *w = arg;
    static uint8_t bytes[TOTAL];
    struct iovec iov[3];
    pieces(iov, bytes);
    fault_tear_after(w->tear);
    for (size_t done = 0; done < TOTAL;) {
        struct iovec rest = {.iov_base = bytes + done, .iov_len = TOTAL - done};
        ssize_t put =
            fd_write_some(&sys, w->fd, w->type, done == 0 ? iov : &rest, done == 0 ? 3 : 1);
        CHILD_CHECK(put > 0);
        done += (size_t)put;
    }
}

static const uint64_t tears[] = {0, 1, 63, 64, 65, 5000, TOTAL - 1};

static void exactly_so_many_bytes_go_out_of_pipes_and_sockets(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (size_t k = 0; k < sizeof tears / sizeof *tears; k++) {
            int fds[2];
            assert_int_equal(kind == 0 ? pipe_open(&sys, fds, 0)
                                       : socket_open(&sys, SOCK_STREAM, fds, 0),
                             0);
            struct writer w = {.fd = fds[1],
                               .type = kind == 0 ? FD_PIPE : FD_SOCKET,
                               .tear = tears[k]};
            struct proc p;
            start(&p, write_torn, &w, &fds[1], 1);
            fds_close(&sys, &fds[1]);
            static uint8_t got[TOTAL];
            size_t n = 0;
            assert_int_equal(fd_read_full(&sys, fds[0], got, TOTAL, hang(), &n), -EPIPE);
            assert_int_equal(n, tears[k]);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(got[i], (uint8_t)(i * 31));
            assert_int_equal(reap(&p).signal, SIGKILL);
            fds_close(&sys, &fds[0]);
        }
}

static void put_torn(void *arg) {
    struct writer *w = arg;
    static uint8_t bytes[TOTAL];
    struct iovec iov[3];
    pieces(iov, bytes);
    fault_tear_after(w->tear);
    CHILD_CHECK(ring_write_some(&w->ring, iov, 3) == TOTAL);
}

static void exactly_so_many_bytes_can_be_seen_in_a_ring(void **state) {
    (void)state;
    const size_t capacity = 16384;
    for (size_t k = 0; k < sizeof tears / sizeof *tears; k++) {
        void *memory;
        struct ring in;
        struct writer w = {.tear = tears[k]};
        assert_int_equal(map_open(&sys, MAP_KIND_SHARED, ring_bytes(capacity), &memory), 0);
        ring_reset(memory);
        ring_join(&in, &sys, memory, capacity, false);
        ring_join(&w.ring, &sys, memory, capacity, true);
        struct proc p;
        start(&p, put_torn, &w, NULL, 0);
        assert_int_equal(reap(&p).signal, SIGKILL);
        assert_int_equal(ring_filled(&in, TOTAL), tears[k]);
        map_close(&sys, memory, ring_bytes(capacity));
    }
}

static void send_torn(void *arg) {
    struct writer *w = arg;
    struct message *m = message_new(&sys, FRAME_TASKS);
    static uint8_t bytes[TOTAL];
    CHILD_CHECK(m != NULL && buf_add(&m->body, bytes, sizeof bytes) == 0);
    fault_tear_after(w->tear);
    queue_put(&w->queue, m);
    CHILD_CHECK(queue_flush_all(&w->queue, DEADLINE_NEVER) == 0);
}

static void a_packet_of_a_queue_is_out_whole_or_not_at_all(void **state) {
    (void)state;
    const uint64_t all = TOTAL + sizeof(struct frame_head);
    for (int whole = 0; whole < 2; whole++) {
        struct writer w = {.tear = whole ? all : all - 1};
        struct received r;
        int fds[2];
        assert_int_equal(queue_open(&w.queue, &sys), 0);
        queue_fds(&w.queue, fds);
        struct proc p;
        start(&p, send_torn, &w, fds, 2);
        assert_int_equal(reap(&p).signal, SIGKILL);
        assert_int_equal(queue_poll(&w.queue, &r), whole);
        queue_close(&w.queue);
    }
}

static void stand_still(void *arg) {
    (void)arg;
    CHILD_CHECK(fault_stand_still(&sys, 30 * NS_PER_S / 1000) == 0);
    sys_exit(7);
}

static void who_stands_still_goes_on_by_itself(void **state) {
    (void)state;
    struct proc p;
    int64_t before = clock_now_ns();
    start(&p, stand_still, NULL, NULL, 0);
    assert_int_equal(reap(&p).exit_code, 7);
    assert_true(clock_now_ns() - before >= 30 * NS_PER_S / 1000);
}

static void end_by(void *arg) {
    fault_raise(&sys, *(int *)arg);
}

static void a_signal_ends_it(void **state) {
    (void)state;
    int signals[] = {SIGKILL, SIGTERM, SIGABRT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct proc p;
        start(&p, end_by, &signals[i], NULL, 0);
        assert_int_equal(reap(&p).signal, signals[i]);
    }
}

int main(void) {
    sys_init(&sys, &sys_kernel);
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(exactly_so_many_bytes_go_out_of_pipes_and_sockets),
        CLEAN_TEST(exactly_so_many_bytes_can_be_seen_in_a_ring),
        CLEAN_TEST(a_packet_of_a_queue_is_out_whole_or_not_at_all),
        CLEAN_TEST(who_stands_still_goes_on_by_itself),
        CLEAN_TEST(a_signal_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
