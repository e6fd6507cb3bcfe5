/* Pipes and socket pairs: all bytes come, whatever the kernel does in between; deadlines hold on blocking ends too;
 * nobody gets a SIGPIPE. */
#include "os/pipe.h"

#include <sys/eventfd.h>

#include "os_help.h"

#define LARGE ((size_t)3 << 20)

enum make { PIPE, SOCKET, MAKES };

static enum fd_type type_of(enum make make) {
    return make == PIPE ? FD_PIPE : FD_SOCKET;
}

static void make(enum make kind, int fds[2], size_t capacity) {
    int err = kind == PIPE ? pipe_open(&sys, fds, capacity)
                           : socket_open(&sys, SOCK_STREAM, fds, capacity);
    assert_int_equal(err, 0);
}

static void close_both(int fds[2]) {
    fds_close(&sys, &fds[0]);
    fds_close(&sys, &fds[1]);
}

static uint8_t *pattern(size_t n) {
    uint8_t *p = malloc(n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 31 + i / 251);
    return p;
}

static void ends_are_registered_and_close_on_exec(void **state) {
    (void)state;
    for (enum make kind = 0; kind < MAKES; kind++) {
        int fds[2];
        size_t before = fds_count();
        make(kind, fds, 0);
        assert_int_equal(fds_count(), before + 2);
        assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
        close_both(fds);
        assert_int_equal(fds_count(), before);
    }
}

static void the_capacity_is_a_wish(void **state) {
    (void)state;
    const size_t wishes[] = {0, 1, 4096, 1 << 20, (size_t)1 << 40, SIZE_MAX};
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        for (enum make kind = 0; kind < MAKES; kind++) {
            char c = 0;
            int fds[2];
            make(kind, fds, wishes[i]);
            assert_int_equal(fd_write_full(&sys, fds[1], type_of(kind), "x", 1, DEADLINE_NEVER), 0);
            assert_int_equal(fd_read_full(&sys, fds[0], &c, 1, hang(), NULL), 0);
            assert_int_equal(c, 'x');
            close_both(fds);
        }
    }
    int fds[2];
    make(PIPE, fds, 4096);
    assert_int_equal(fcntl(fds[0], F_GETPIPE_SZ), 4096);
    close_both(fds);
}

static void packets_keep_their_bounds(void **state) {
    (void)state;
    int fds[2];
    char text[100];
    assert_int_equal(socket_open(&sys, SOCK_SEQPACKET, fds, 0), 0);
    struct iovec iov[] = {{"one", 3}, {"two", 3}};
    assert_int_equal(fd_write_some(&sys, fds[1], FD_SOCKET, iov, 2), 6);
    assert_int_equal(fd_write_some(&sys, fds[1], FD_SOCKET, iov, 1), 3);
    assert_int_equal(fd_read_some(&sys, fds[0], text, sizeof text), 6);
    assert_int_equal(fd_read_some(&sys, fds[0], text, sizeof text), 3);
    close_both(fds);
}

static int no_pipe(int out[2], int flags) {
    (void)out, (void)flags;
    return -EMFILE;
}

static int no_pair(int type, int out[2]) {
    (void)type, (void)out;
    return -ENFILE;
}

static void when_none_can_be_made_nothing_is_left(void **state) {
    (void)state;
    int fds[2] = {7, 7};
    struct sys_table *t = faulty_begin();
    size_t before = fds_count();
    t->pipe = no_pipe;
    t->socketpair = no_pair;
    assert_int_equal(pipe_open(&faulty, fds, 4096), -EMFILE);
    assert_int_equal(fds[0], -1);
    assert_int_equal(fds[1], -1);
    assert_int_equal(socket_open(&faulty, SOCK_STREAM, fds, 4096), -ENFILE);
    assert_int_equal(fds[1], -1);
    assert_int_equal(fds_count(), before);
}

/* A child writes LARGE bytes of the pattern into the end; our reading end brings them. */
struct transfer {
    struct sys *sys;
    int fd;
    enum fd_type type;
    const uint8_t *bytes;
    bool storm;
};

static void write_all(void *arg) {
    struct transfer *t = arg;
    alarm_storm(t->storm);
    CHILD_CHECK(fd_write_full(t->sys, t->fd, t->type, t->bytes, LARGE, hang()) == 0);
    alarm_storm(0);
}

static void check_transfer(struct sys *reader, struct sys *writer, enum make kind, bool blocking,
                           bool storm) {
    int fds[2];
    size_t done = 0;
    uint8_t *bytes = pattern(LARGE), *got = calloc(1, LARGE);
    make(kind, fds, 4096);
    assert_int_equal(fd_set_blocking(&sys, fds[0], blocking), 0);
    assert_int_equal(fd_set_blocking(&sys, fds[1], blocking), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct transfer t = {writer, fds[1], type_of(kind), bytes, storm};
        write_all(&t);
        _exit(0);
    }
    alarm_storm(storm);
    int err = fd_read_full(reader, fds[0], got, LARGE, storm ? DEADLINE_NEVER : hang(), &done);
    alarm_storm(0);
    assert_int_equal(err, 0);
    assert_int_equal(done, LARGE);
    assert_memory_equal(got, bytes, LARGE);
    assert_int_equal(ended(pid), 0);
    free(bytes);
    free(got);
    close_both(fds);
}

static void large_amounts_pass_small_buffers(void **state) {
    (void)state;
    for (enum make kind = 0; kind < MAKES; kind++)
        for (int blocking = 0; blocking < 2; blocking++)
            check_transfer(&sys, &sys, kind, blocking, false);
}

static void signals_at_1_khz_change_nothing(void **state) {
    (void)state;
    for (enum make kind = 0; kind < MAKES; kind++)
        check_transfer(&sys, &sys, kind, true, true);
}

static unsigned calls;

static ssize_t short_read(int fd, void *buf, size_t n) {
    if (calls++ % 3 == 0)
        return -EINTR;
    return sys_kernel.read(fd, buf, n > 1000 ? 1 + calls % 999 : n);
}

static ssize_t short_writev(int fd, const struct iovec *iov, int n) {
    struct iovec one = iov[0];
    (void)n;
    if (calls++ % 3 == 0)
        return -EINTR;
    one.iov_len = one.iov_len > 1000 ? 1 + calls % 999 : one.iov_len;
    return sys_kernel.writev_quiet(fd, &one, 1);
}

static void short_counts_and_interruptions_change_nothing(void **state) {
    (void)state;
    faulty_begin()->read = short_read;
    faulty_table.writev_quiet = short_writev;
    check_transfer(&faulty, &faulty, PIPE, true, false);
    check_transfer(&faulty, &faulty, PIPE, false, false);
}

static void the_end_of_a_stream_says_how_much_came(void **state) {
    (void)state;
    for (enum make kind = 0; kind < MAKES; kind++) {
        int fds[2];
        char text[10];
        size_t done = 99;
        make(kind, fds, 0);
        assert_int_equal(fd_write_full(&sys, fds[1], type_of(kind), "abc", 3, hang()), 0);
        fds_close(&sys, &fds[1]);
        assert_int_equal(fd_read_full(&sys, fds[0], text, 10, hang(), &done), -EPIPE);
        assert_int_equal(done, 3);
        assert_memory_equal(text, "abc", 3);
        assert_int_equal(fd_read_some(&sys, fds[0], text, 10), 0);
        close_both(fds);
    }
}

static void reading_nothing_ends_at_the_deadline(void **state) {
    (void)state;
    for (enum make kind = 0; kind < MAKES; kind++) {
        for (int blocking = 0; blocking < 2; blocking++) {
            int fds[2];
            char text[10];
            size_t done = 99;
            make(kind, fds, 0);
            fd_set_blocking(&sys, fds[0], blocking);
            assert_int_equal(fd_write_full(&sys, fds[1], type_of(kind), "ab", 2, hang()), 0);
            int64_t deadline = clock_now_ns() + 30000000;
            assert_int_equal(fd_read_full(&sys, fds[0], text, 10, deadline, &done), -ETIMEDOUT);
            assert_true(clock_now_ns() >= deadline);
            assert_int_equal(done, 2);
            close_both(fds);
        }
    }
}

/* A blocking write of more than fits would last until somebody reads. */
static void writing_to_nobody_ends_at_the_deadline(void **state) {
    (void)state;
    uint8_t *bytes = pattern(LARGE);
    for (enum make kind = 0; kind < MAKES; kind++) {
        for (int blocking = 0; blocking < 2; blocking++) {
            int fds[2];
            make(kind, fds, 8192);
            fd_set_blocking(&sys, fds[1], blocking);
            int64_t deadline = clock_now_ns() + 30000000;
            assert_int_equal(fd_write_full(&sys, fds[1], type_of(kind), bytes, LARGE, deadline),
                             -ETIMEDOUT);
            assert_true(clock_now_ns() >= deadline);
            close_both(fds);
        }
    }
    free(bytes);
}

static void writing_where_nobody_reads_is_an_error_and_no_signal(void **state) {
    (void)state;
    struct sigaction old;
    sigset_t pending;
    assert_int_equal(sigaction(SIGPIPE, NULL, &old), 0);
    assert_true(old.sa_handler == SIG_DFL); /* it would end this test */
    for (enum make kind = 0; kind < MAKES; kind++) {
        int fds[2];
        struct iovec iov = {"abc", 3};
        make(kind, fds, 0);
        fds_close(&sys, &fds[0]);
        assert_int_equal(fd_write_some(&sys, fds[1], type_of(kind), &iov, 1), -EPIPE);
        assert_int_equal(fd_write_full(&sys, fds[1], type_of(kind), "abc", 3, hang()), -EPIPE);
        close_both(fds);
    }
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    assert_int_equal(sigaction(SIGPIPE, NULL, &old), 0);
    assert_true(old.sa_handler == SIG_DFL);
}

static void a_raised_stop_ends_waiting(void **state) {
    (void)state;
    struct sys_stop stop = {.signo = 15, .fd = eventfd(1, EFD_NONBLOCK)};
    for (enum make kind = 0; kind < MAKES; kind++) {
        int fds[2];
        char text[4];
        size_t done = 0;
        make(kind, fds, 0);
        fd_set_blocking(&sys, fds[0], false);
        sys.stop = &stop;
        int timed = fd_read_full(&sys, fds[0], text, 4, hang(), &done);
        int never = fd_read_full(&sys, fds[0], text, 4, DEADLINE_NEVER, NULL);
        int writing = fd_write_full(&sys, fds[1], type_of(kind), "abc", 3, hang());
        sys.stop = NULL;
        assert_int_equal(timed, -ECANCELED);
        assert_int_equal(never, -ECANCELED);
        assert_int_equal(writing, -ECANCELED);
        close_both(fds);
    }
    close(stop.fd);
}

static void blocking_can_be_switched(void **state) {
    (void)state;
    int fds[2];
    char c;
    make(PIPE, fds, 0);
    assert_int_equal(fd_set_blocking(&sys, fds[0], false), 0);
    assert_int_equal(fd_read_some(&sys, fds[0], &c, 1), -EAGAIN);
    assert_int_equal(fd_set_blocking(&sys, fds[0], true), 0);
    assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    assert_int_equal(fd_set_blocking(&sys, -1, true), -EBADF);
    close_both(fds);
}

static void no_bytes_are_no_trouble(void **state) {
    (void)state;
    int fds[2];
    size_t done = 5;
    make(PIPE, fds, 0);
    assert_int_equal(fd_read_full(&sys, fds[0], NULL, 0, hang(), &done), 0);
    assert_int_equal(done, 0);
    assert_int_equal(fd_write_full(&sys, fds[1], FD_PIPE, NULL, 0, hang()), 0);
    close_both(fds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(ends_are_registered_and_close_on_exec),
        CLEAN_TEST(the_capacity_is_a_wish),
        CLEAN_TEST(packets_keep_their_bounds),
        CLEAN_TEST(when_none_can_be_made_nothing_is_left),
        CLEAN_TEST(large_amounts_pass_small_buffers),
        CLEAN_TEST(signals_at_1_khz_change_nothing),
        CLEAN_TEST(short_counts_and_interruptions_change_nothing),
        CLEAN_TEST(the_end_of_a_stream_says_how_much_came),
        CLEAN_TEST(reading_nothing_ends_at_the_deadline),
        CLEAN_TEST(writing_to_nobody_ends_at_the_deadline),
        CLEAN_TEST(writing_where_nobody_reads_is_an_error_and_no_signal),
        CLEAN_TEST(a_raised_stop_ends_waiting),
        CLEAN_TEST(blocking_can_be_switched),
        CLEAN_TEST(no_bytes_are_no_trouble),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
