/* A ring in shared memory: bytes come out as they went in, whatever their sizes and wherever the ring goes over its
 * end; indices that cannot be are refused; a side that waits is woken; the death of a writer leaves nothing torn. The
 * orders of parking and waking are in test_ring_model.c, two threads under a sanitizer in test_ring_threads.c. */
#include <sys/eventfd.h>

#include "os/ready.h"
#include "os/ring.h"
#include "os/shm.h"
#include "os_help.h"

#define CAPACITY ((size_t)4096)

struct pair {
    void *memory;
    size_t capacity;
    struct ring in, out;
};

static struct pair made(size_t capacity) {
    struct pair p = {.capacity = capacity};
    assert_int_equal(map_open(&sys, MAP_KIND_SHARED, ring_bytes(capacity), &p.memory), 0);
    ring_reset(p.memory);
    ring_join(&p.in, &sys, p.memory, capacity, false);
    ring_join(&p.out, &sys, p.memory, capacity, true);
    return p;
}

static void release(struct pair *p) {
    map_close(&sys, p->memory, ring_bytes(p->capacity));
}

static uint8_t byte_at(uint64_t i) {
    return (uint8_t)(i * 7 + i / 251 + i / 4093);
}

static void fill(uint8_t *to, uint64_t from, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = byte_at(from + i);
}

static bool is_filled(const uint8_t *bytes, uint64_t from, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_at(from + i))
            return false;
    return true;
}

static ssize_t write_some(struct ring *r, const void *bytes, size_t n) {
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    return ring_write_some(r, &iov, 1);
}

/* ---- bytes ---------------------------------------------------------------------------------------------- */

static void what_goes_in_comes_out_at_every_size_and_place(void **state) {
    (void)state;
    uint8_t bytes[CAPACITY], back[CAPACITY];
    const size_t sizes[] = {0, 1, 2, 63, 64, 65, CAPACITY / 2, CAPACITY - 1, CAPACITY};
    for (size_t place = 0; place < CAPACITY; place += 61) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct pair p = made(CAPACITY);
            fill(bytes, 0, place);
            assert_int_equal(write_some(&p.out, bytes, place), place);
            assert_int_equal(ring_read_some(&p.in, back, CAPACITY), place);
            fill(bytes, place, sizes[k]);
            assert_int_equal(write_some(&p.out, bytes, sizes[k]), sizes[k]);
            assert_int_equal(ring_filled(&p.in, CAPACITY), sizes[k]);
            memset(back, 0, sizeof back);
            assert_int_equal(ring_read_some(&p.in, back, CAPACITY), sizes[k]);
            assert_true(is_filled(back, place, sizes[k]));
            assert_int_equal(ring_read_some(&p.in, back, CAPACITY), 0);
            release(&p);
        }
    }
}

static void what_does_not_fit_goes_in_later(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    uint8_t bytes[CAPACITY + 1], back[CAPACITY + 1];
    fill(bytes, 0, sizeof bytes);
    assert_int_equal(write_some(&p.out, bytes, sizeof bytes), CAPACITY);
    assert_int_equal(write_some(&p.out, bytes + CAPACITY, 1), 0);
    assert_int_equal(ring_read_some(&p.in, back, 1000), 1000);
    assert_int_equal(write_some(&p.out, bytes + CAPACITY, 1), 1);
    assert_int_equal(ring_read_some(&p.in, back + 1000, CAPACITY), CAPACITY - 999);
    assert_true(is_filled(back, 0, sizeof back));
    release(&p);
}

static void pieces_of_a_list_stand_one_after_the_other(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    uint8_t bytes[300], back[300];
    fill(bytes, 0, sizeof bytes);
    struct iovec iov[] = {{bytes, 100}, {bytes + 100, 0}, {bytes + 100, 1}, {bytes + 101, 199}};
    assert_int_equal(ring_write_some(&p.out, iov, 4), 300);
    assert_int_equal(ring_read_some(&p.in, back, 300), 300);
    assert_true(is_filled(back, 0, 300));
    assert_int_equal(ring_write_some(&p.out, iov, 0), 0);
    release(&p);
}

static void bytes_can_be_looked_at_where_they_lie_unless_they_go_over_the_end(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    uint8_t bytes[CAPACITY], back[100];
    fill(bytes, 0, CAPACITY);
    assert_int_equal(write_some(&p.out, bytes, CAPACITY), CAPACITY);
    assert_int_equal(ring_filled(&p.in, 1), CAPACITY);
    const uint8_t *at = ring_peek(&p.in, CAPACITY);
    assert_non_null(at);
    assert_true(is_filled(at, 0, CAPACITY));
    ring_skip(&p.in, CAPACITY - 50);
    assert_ptr_equal(ring_peek(&p.in, 50), at + CAPACITY - 50);
    fill(bytes, CAPACITY, 50);
    assert_int_equal(write_some(&p.out, bytes, 50), 50);
    assert_int_equal(ring_filled(&p.in, 100), 100);
    assert_null(ring_peek(&p.in, 100));
    ring_copy(&p.in, back, 100);
    assert_true(is_filled(back, CAPACITY - 50, 100));
    release(&p);
}

static void space_is_shown_now_and_then_and_when_asked_for(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    uint8_t bytes[CAPACITY];
    fill(bytes, 0, CAPACITY);
    assert_int_equal(write_some(&p.out, bytes, CAPACITY), CAPACITY);
    assert_int_equal(ring_filled(&p.in, 1), CAPACITY);
    ring_skip(&p.in, CAPACITY / 4 - 1);
    assert_int_equal(write_some(&p.out, bytes, 1), 0);
    ring_skip(&p.in, 1);
    assert_int_equal(write_some(&p.out, bytes, 1), 1);
    ring_skip(&p.in, 1);
    assert_false(ring_changed(&p.out));
    ring_show(&p.in);
    assert_true(ring_changed(&p.out));
    release(&p);
}

/* ---- indices that cannot be ----------------------------------------------------------------------------- */

static void a_reader_refuses_a_writers_index_that_cannot_be(void **state) {
    (void)state;
    const uint64_t bad[] = {0, 99, 101 + CAPACITY, UINT64_MAX, UINT64_C(1) << 63, 5};
    uint8_t bytes[CAPACITY];
    fill(bytes, 0, CAPACITY);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pair p = made(CAPACITY);
        assert_int_equal(write_some(&p.out, bytes, 100), 100);
        assert_int_equal(ring_read_some(&p.in, bytes, 100), 100);
        atomic_store(&p.in.shared->written, bad[i]);
        assert_int_equal(ring_filled(&p.in, 1), -EBADMSG);
        assert_int_equal(ring_read_some(&p.in, bytes, CAPACITY), -EBADMSG);
        atomic_store(&p.in.shared->written, 100 + CAPACITY); /* the last one that can be */
        assert_int_equal(ring_filled(&p.in, 1), CAPACITY);
        release(&p);
    }
}

static void a_writers_index_must_not_go_back_over_bytes_that_were_seen(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    uint8_t bytes[200];
    fill(bytes, 0, 200);
    assert_int_equal(write_some(&p.out, bytes, 200), 200);
    assert_int_equal(ring_filled(&p.in, 200), 200);
    atomic_store(&p.in.shared->written, 150);
    assert_int_equal(ring_filled(&p.in, 201), -EBADMSG);
    release(&p);
}

static void a_writer_refuses_a_readers_index_that_cannot_be(void **state) {
    (void)state;
    const uint64_t bad[] = {CAPACITY + 1, UINT64_MAX, UINT64_C(1) << 63};
    uint8_t bytes[CAPACITY];
    fill(bytes, 0, CAPACITY);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pair p = made(CAPACITY);
        assert_int_equal(write_some(&p.out, bytes, CAPACITY), CAPACITY);
        atomic_store(&p.out.shared->read, bad[i]);
        assert_int_equal(write_some(&p.out, bytes, 1), -EBADMSG);
        release(&p);
    }
}

static void ones_own_index_in_shared_memory_is_never_read_back(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    uint8_t bytes[100], back[100];
    fill(bytes, 0, 100);
    atomic_store(&p.out.shared->written, 12345);
    assert_int_equal(write_some(&p.out, bytes, 100), 100);
    atomic_store(&p.in.shared->read, 12345);
    assert_int_equal(ring_read_some(&p.in, back, 100), 100);
    assert_true(is_filled(back, 0, 100));
    release(&p);
}

static void indices_may_pass_the_largest_number(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    uint8_t bytes[CAPACITY], back[CAPACITY];
    const uint64_t high = UINT64_MAX - 10;
    p.in.mine = p.in.shown = p.in.theirs = p.out.mine = p.out.shown = p.out.theirs = high;
    atomic_store(&p.in.shared->written, high);
    atomic_store(&p.in.shared->read, high);
    for (uint64_t i = 0; i < 10; i++) {
        fill(bytes, i * 1000, 1000);
        assert_int_equal(write_some(&p.out, bytes, 1000), 1000);
        assert_int_equal(ring_read_some(&p.in, back, CAPACITY), 1000);
        assert_true(is_filled(back, i * 1000, 1000));
    }
    release(&p);
}

/* ---- two processes ---------------------------------------------------------------------------------------- */

static int write_all(struct ring *r, const uint8_t *bytes, size_t n, int64_t spin_ns) {
    for (size_t done = 0; done < n;) {
        ssize_t put = write_some(r, bytes + done, n - done);
        if (put < 0)
            return (int)put;
        done += (size_t)put;
        int err = done < n ? ring_wait(r, spin_ns, hang()) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static int read_all(struct ring *r, uint8_t *to, size_t n, int64_t spin_ns) {
    for (size_t done = 0; done < n;) {
        ssize_t got = ring_read_some(r, to + done, n - done);
        if (got < 0)
            return (int)got;
        done += (size_t)got;
        int err = done < n ? ring_wait(r, spin_ns, hang()) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

#define STREAMED ((size_t)3 << 20)

struct stream_of {
    struct pair *p;
    int64_t spin_ns;
};

/* Pieces of 1 byte up to three times the ring, so that both sides wait for each other now and then. */
static void write_stream(void *arg) {
    const struct stream_of *s = arg;
    static uint8_t bytes[3 * CAPACITY];
    uint64_t seed = 1;
    for (size_t at = 0; at < STREAMED;) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        size_t n = (seed >> 33) % (seed >> 62 ? 200 : sizeof bytes) + 1;
        if (n > STREAMED - at)
            n = STREAMED - at;
        fill(bytes, at, n);
        CHILD_CHECK(write_all(&s->p->out, bytes, n, s->spin_ns) == 0);
        at += n;
    }
}

static void a_stream_passes_between_two_processes_spinning_or_not(void **state) {
    (void)state;
    const int64_t spins[] = {0, 20000};
    for (size_t i = 0; i < 2; i++) {
        struct pair p = made(CAPACITY);
        struct stream_of s = {&p, spins[i]};
        struct proc proc;
        uint8_t *back = malloc(STREAMED);
        assert_non_null(back);
        start(&proc, write_stream, &s, NULL, 0);
        assert_int_equal(read_all(&p.in, back, STREAMED, spins[i]), 0);
        assert_true(is_filled(back, 0, STREAMED));
        assert_int_equal(reap(&proc).exit_code, 0);
        free(back);
        release(&p);
    }
}

#define TURNS 3000

struct game {
    struct pair *there, *back;
};

static void answer(void *arg) {
    const struct game *g = arg;
    uint8_t byte;
    for (int i = 0; i < TURNS; i++) {
        CHILD_CHECK(read_all(&g->there->in, &byte, 1, 0) == 0);
        CHILD_CHECK(write_all(&g->back->out, &byte, 1, 0) == 0);
    }
}

/* One byte at a time, nobody spins: every turn parks and wakes both sides. */
static void turns_are_taken_by_parking_and_waking(void **state) {
    (void)state;
    struct pair there = made(CAPACITY), back = made(CAPACITY);
    struct game g = {&there, &back};
    struct proc proc;
    start(&proc, answer, &g, NULL, 0);
    for (int i = 0; i < TURNS; i++) {
        uint8_t byte = (uint8_t)i, got = 0;
        assert_int_equal(write_all(&there.out, &byte, 1, 0), 0);
        assert_int_equal(read_all(&back.in, &got, 1, 0), 0);
        assert_int_equal(got, byte);
    }
    assert_int_equal(reap(&proc).exit_code, 0);
    release(&there);
    release(&back);
}

struct visitor {
    struct pair *p;
    struct ring_bell *bell;
    int fd, naps;
};

static void visit(void *arg) {
    struct visitor *v = arg;
    uint8_t byte = 'x';
    ring_wake_by_fd(&v->p->out, v->bell, v->fd);
    for (int i = 0; i < TURNS; i++) {
        if (i % 64 < v->naps)
            nap_ms(1);
        CHILD_CHECK(write_all(&v->p->out, &byte, 1, 0) == 0);
    }
}

/* As the coordinator of a pool does it: two writers, one sleeper in poll. */
static void a_doorbell_wakes_a_side_that_polls(void **state) {
    (void)state;
    struct pair p[2] = {made(CAPACITY), made(CAPACITY)};
    void *shared;
    assert_int_equal(map_open(&sys, MAP_KIND_SHARED, sizeof(struct ring_bell), &shared), 0);
    struct ring_bell *bell = shared;
    int fd = fds_own(&sys, sys_eventfd(&sys, EFD_NONBLOCK));
    struct visitor v[2] = {{&p[0], bell, fd, 1}, {&p[1], bell, fd, 0}};
    struct proc procs[2];
    uint32_t turn = 0;
    size_t seen = 0;
    for (int i = 0; i < 2; i++)
        start(&procs[i], visit, &v[i], &fd, 1);
    while (seen < 2 * TURNS) {
        uint8_t bytes[CAPACITY];
        uint64_t rung;
        for (int i = 0; i < 2; i++)
            seen += (size_t)ring_read_some(&p[i].in, bytes, CAPACITY);
        ring_park(bell, ++turn);
        if (seen < 2 * TURNS && !ring_changed(&p[0].in) && !ring_changed(&p[1].in))
            assert_int_equal(ready_one(&sys, fd, POLLIN, hang()), 1);
        ring_unpark(bell);
        sys_read(&sys, fd, &rung, sizeof rung);
    }
    assert_int_equal(seen, 2 * TURNS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reap(&procs[i]).exit_code, 0);
        release(&p[i]);
    }
    fds_close(&sys, &fd);
    map_close(&sys, shared, sizeof(struct ring_bell));
}

static void waiting_ends_at_the_deadline(void **state) {
    (void)state;
    struct pair p = made(CAPACITY);
    assert_int_equal(ring_wait(&p.in, 0, clock_now_ns() + 1000000), -ETIMEDOUT);
    assert_int_equal(ring_wait(&p.in, 1000, clock_now_ns()), -ETIMEDOUT);
    assert_int_equal(atomic_load(&p.in.shared->reader.parked), 0);
    assert_int_equal(write_some(&p.out, "x", 1), 1);
    assert_int_equal(ring_wait(&p.in, 0, clock_now_ns()), 0);
    release(&p);
}

static void waiting_goes_on_through_signals(void **state) {
    (void)state;
    struct pair there = made(CAPACITY), back = made(CAPACITY);
    struct game g = {&there, &back};
    struct proc proc;
    uint8_t byte = 7, got;
    start(&proc, answer, &g, NULL, 0);
    alarm_storm(1);
    for (int i = 0; i < TURNS; i++) {
        int sent = write_all(&there.out, &byte, 1, 0), came = read_all(&back.in, &got, 1, 0);
        if (sent != 0 || came != 0)
            alarm_storm(0);
        assert_int_equal(sent, 0);
        assert_int_equal(came, 0);
    }
    alarm_storm(0);
    assert_int_equal(reap(&proc).exit_code, 0);
    release(&there);
    release(&back);
}

/* A kill finds it anywhere: between bytes that are shown and bytes that are not. */
static void write_for_ever(void *arg) {
    struct pair *p = arg;
    static uint8_t bytes[CAPACITY];
    for (uint64_t at = 0;; at += 8) {
        fill(bytes, at, 8);
        CHILD_CHECK(write_all(&p->out, bytes, 8, 0) == 0);
    }
}

static void what_a_killed_writer_has_shown_is_whole(void **state) {
    (void)state;
    uint8_t back[CAPACITY];
    for (int i = 0; i < 30; i++) {
        struct pair p = made(CAPACITY);
        struct proc proc;
        uint64_t at = 0;
        start(&proc, write_for_ever, &p, NULL, 0);
        int64_t end = clock_now_ns() + i * 50000;
        ssize_t got = 0;
        for (bool killed = false; !killed || got > 0; at += (uint64_t)got) {
            if (!killed && clock_now_ns() >= end) {
                proc_signal(&sys, &proc, SIGKILL);
                assert_int_equal(reap(&proc).signal, SIGKILL);
                killed = true;
            }
            got = ring_read_some(&p.in, back, CAPACITY);
            assert_true(got >= 0);
            assert_int_equal(got % 8, 0);
            assert_true(is_filled(back, at, (size_t)got));
        }
        release(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(what_goes_in_comes_out_at_every_size_and_place),
        CLEAN_TEST(what_does_not_fit_goes_in_later),
        CLEAN_TEST(pieces_of_a_list_stand_one_after_the_other),
        CLEAN_TEST(bytes_can_be_looked_at_where_they_lie_unless_they_go_over_the_end),
        CLEAN_TEST(space_is_shown_now_and_then_and_when_asked_for),
        CLEAN_TEST(a_reader_refuses_a_writers_index_that_cannot_be),
        CLEAN_TEST(a_writers_index_must_not_go_back_over_bytes_that_were_seen),
        CLEAN_TEST(a_writer_refuses_a_readers_index_that_cannot_be),
        CLEAN_TEST(ones_own_index_in_shared_memory_is_never_read_back),
        CLEAN_TEST(indices_may_pass_the_largest_number),
        CLEAN_TEST(a_stream_passes_between_two_processes_spinning_or_not),
        CLEAN_TEST(turns_are_taken_by_parking_and_waking),
        CLEAN_TEST(a_doorbell_wakes_a_side_that_polls),
        CLEAN_TEST(waiting_ends_at_the_deadline),
        CLEAN_TEST(waiting_goes_on_through_signals),
        CLEAN_TEST(what_a_killed_writer_has_shown_is_whole),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
