/* The pool when the kernel does as little as it may: calls that move one byte or a few, calls that a signal breaks off,
 * pipes and sockets of 4 KiB. Over every channel and delivery the results are those of any other day. What a call that
 * fails leads to is in test_pool_c_start.c and test_pool_c_faults.c. */
#include <sys/socket.h>

#include "pool_help.h"

#define SMALL 4096

static unsigned calls, drawn;

/* What a call of so many bytes moves: heads of frames byte by byte, large pieces in odd ones. */
static size_t few(size_t n) {
    drawn = drawn * 1664525 + 1013904223;
    return n <= 256 ? 1 : 1 + (drawn >> 8) % (n < 20000 ? n : 20000);
}

static bool breaks_off(void) {
    return ++calls % 4 == 0;
}

static ssize_t few_read(int fd, void *buf, size_t n) {
    return breaks_off() ? -EINTR : sys_kernel.read(fd, buf, n == 8 ? 8 : few(n)); /* an eventfd */
}

static ssize_t few_write(int fd, const void *buf, size_t n) {
    return breaks_off() ? -EINTR : sys_kernel.write(fd, buf, n == 8 ? 8 : few(n));
}

static ssize_t few_writev(int fd, const struct iovec *iov, int n) {
    int first = 0;
    while (first < n - 1 && iov[first].iov_len == 0)
        first++;
    struct iovec one = iov[first];
    one.iov_len = one.iov_len > 0 ? few(one.iov_len) : 0;
    return breaks_off() ? -EINTR : sys_kernel.writev_quiet(fd, &one, 1);
}

/* A packet is whole or not at all. */
static bool is_stream(int fd) {
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static struct msghdr with_few(const struct msghdr *m, struct iovec *one) {
    struct msghdr less = *m;
    *one = m->msg_iov[0];
    one->iov_len = one->iov_len > 0 ? few(one->iov_len) : 0;
    less.msg_iov = one;
    less.msg_iovlen = 1;
    return less;
}

static ssize_t few_sendmsg(int fd, const struct msghdr *m, int flags) {
    struct iovec one;
    if (breaks_off())
        return -EINTR;
    if (m->msg_iovlen == 0 || m->msg_controllen > 0 || !is_stream(fd))
        return sys_kernel.sendmsg(fd, m, flags);
    struct msghdr less = with_few(m, &one);
    return sys_kernel.sendmsg(fd, &less, flags);
}

static ssize_t few_recvmsg(int fd, struct msghdr *m, int flags) {
    struct iovec one;
    if (breaks_off())
        return -EINTR;
    if (m->msg_iovlen == 0 || m->msg_controllen > 0 || !is_stream(fd))
        return sys_kernel.recvmsg(fd, m, flags);
    struct msghdr less = with_few(m, &one);
    return sys_kernel.recvmsg(fd, &less, flags);
}

static int broken_poll(struct pollfd *p, nfds_t n, const struct timespec *t) {
    return breaks_off() ? -EINTR : sys_kernel.poll(p, n, t);
}

static int broken_futex(void *word, uint32_t value, const struct timespec *t) {
    return breaks_off() ? -EINTR : sys_kernel.futex_wait(word, value, t);
}

static int small_pipe(int fds[2], int flags) {
    int err = sys_kernel.pipe(fds, flags);
    if (err == 0)
        assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, SMALL), SMALL);
    return err;
}

static int small_pair(int type, int fds[2]) {
    int err = sys_kernel.socketpair(type, fds), small = SMALL;
    for (int i = 0; err == 0 && type != SOCK_SEQPACKET && i < 2; i++)
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    return err;
}

static int small_fcntl(int fd, int cmd, long arg) {
    return sys_kernel.fcntl(fd, cmd, cmd == F_SETPIPE_SZ ? SMALL : arg);
}

static int small_option(int fd, int name, int value) {
    bool is_size = name == SO_SNDBUF || name == SO_RCVBUF;
    return sys_kernel.setsockopt(fd, name, is_size && is_stream(fd) ? SMALL : value);
}

/* Small ones, large items and large results, some of them at once. */
static void check_maps(struct rig_pool *r) {
    open_pool(r);
    for (int round = 0; round < 2; round++) {
        map_begin(60);
        for (uint64_t i = 0; i < map.n; i += 9) {
            map.items[i].ballast = 1000 * i;
            map.items[i + 1] = (struct item){.op = LARGE_RESULT, .n = 3000 * i, .ballast = i};
        }
        assert_int_equal(map_run(r, round), 0);
        map_check(r);
    }
    assert_int_equal(pool_close(r->pool), 0);
    assert_int_equal(r->context->runs, 120);
    assert_int_equal(counters_of(r).replaced, 0);
    release(r);
}

static void check_few(const char *channel, const char *delivery) {
    struct rig_pool r = prepared(channel, delivery, 2, 3);
    struct sys_table *t = faulty_begin();
    t->read = few_read;
    t->write = few_write;
    t->writev_quiet = few_writev;
    t->sendmsg = few_sendmsg;
    t->recvmsg = few_recvmsg;
    t->poll = broken_poll;
    t->futex_wait = broken_futex;
    sys.table = t;
    check_maps(&r);
    sys.table = &sys_kernel;
}

static void calls_that_move_little_or_are_broken_off_change_nothing(void **state) {
    (void)state;
    calls = 0;
    each_pair(check_few);
    assert_true(calls > 1000);
}

static void check_small(const char *channel, const char *delivery) {
    struct rig_pool r = prepared(channel, delivery, 2, 3);
    struct sys_table *t = faulty_begin();
    t->pipe = small_pipe;
    t->socketpair = small_pair;
    t->fcntl = small_fcntl;
    t->setsockopt = small_option;
    sys.table = t;
    check_maps(&r);
    sys.table = &sys_kernel;
}

static void pipes_and_sockets_of_4_kib_change_nothing(void **state) {
    (void)state;
    each_pair(check_small);
}

static int init_in_a_storm(void *ctx, unsigned worker, const uint8_t *fixed, size_t len,
                           struct block *owner, struct buf *out) {
    alarm_storm(1);
    return job_init(ctx, worker, fixed, len, owner, out);
}

static void check_storm(const char *channel, const char *delivery) {
    struct rig_pool r = prepared(channel, delivery, 2, 3);
    r.config.job.init = init_in_a_storm;
    alarm_storm(1);
    check_maps(&r);
    alarm_storm(0);
}

static void a_storm_of_signals_here_and_in_the_workers_changes_nothing(void **state) {
    (void)state;
    alarms = 0;
    each_pair(check_storm);
    assert_true(alarms > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(calls_that_move_little_or_are_broken_off_change_nothing),
        CLEAN_TEST(pipes_and_sockets_of_4_kib_change_nothing),
        CLEAN_TEST(a_storm_of_signals_here_and_in_the_workers_changes_nothing),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
