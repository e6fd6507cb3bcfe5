/* Two threads of one process at the two ends of a ring: for the thread sanitizer, which cannot look into two processes.
 * Built a second time with it where the compiler has it (unit.ring_tsan). */
#include <pthread.h>

#include "os/ring.h"
#include "os/shm.h"
#include "os_help.h"

#define CAPACITY ((size_t)1024)
#define STREAMED ((uint64_t)400000)
#define FRAME    24

struct side {
    struct sys sys;
    struct ring ring;
    int64_t spin_ns;
    bool good;
};

static uint8_t byte_at(uint64_t i) {
    return (uint8_t)(i * 7 + i / 251);
}

static void *write_stream(void *arg) {
    struct side *s = arg;
    uint8_t bytes[CAPACITY];
    for (uint64_t at = 0; at < STREAMED;) {
        size_t n = at % 700 + 1 < STREAMED - at ? at % 700 + 1 : STREAMED - at, done = 0;
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(at + i);
        while (done < n) {
            struct iovec iov = {bytes + done, n - done};
            ssize_t put = ring_write_some(&s->ring, &iov, 1);
            if (put < 0 || (put == 0 && ring_wait(&s->ring, s->spin_ns, hang()) < 0))
                return NULL;
            done += (size_t)put;
        }
        at += n;
    }
    s->good = true;
    return NULL;
}

/* Looks at some in place and copies the others. */
static void *read_stream(void *arg) {
    struct side *s = arg;
    uint8_t bytes[CAPACITY];
    for (uint64_t at = 0; at < STREAMED;) {
        ssize_t got = ring_filled(&s->ring, FRAME);
        if (got < 0)
            return NULL;
        size_t n = (size_t)got < FRAME ? (size_t)got : FRAME;
        const uint8_t *there = n > 0 ? ring_peek(&s->ring, n) : NULL;
        for (size_t i = 0; there != NULL && i < n; i++)
            if (there[i] != byte_at(at + i))
                return NULL;
        if (there != NULL)
            ring_skip(&s->ring, n);
        else if (n > 0)
            ring_copy(&s->ring, bytes, n);
        for (size_t i = 0; there == NULL && i < n; i++)
            if (bytes[i] != byte_at(at + i))
                return NULL;
        at += n;
        if (n > 0)
            continue;
        ring_show(&s->ring);
        if (ring_wait(&s->ring, s->spin_ns, hang()) < 0)
            return NULL;
    }
    s->good = true;
    return NULL;
}

static void a_stream_passes_between_two_threads(void **state) {
    (void)state;
    const int64_t spins[] = {0, 20000};
    for (size_t i = 0; i < 2; i++) {
        struct side in = {.spin_ns = spins[i]}, out = {.spin_ns = spins[i]};
        void *memory;
        pthread_t writer;
        sys_init(&in.sys, &sys_kernel);
        sys_init(&out.sys, &sys_kernel);
        assert_int_equal(map_open(&sys, MAP_KIND_SHARED, ring_bytes(CAPACITY), &memory), 0);
        ring_reset(memory);
        ring_join(&in.ring, &in.sys, memory, CAPACITY, false);
        ring_join(&out.ring, &out.sys, memory, CAPACITY, true);
        assert_int_equal(pthread_create(&writer, NULL, write_stream, &out), 0);
        read_stream(&in);
        pthread_join(writer, NULL);
        assert_true(in.good && out.good);
        map_close(&sys, memory, ring_bytes(CAPACITY));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {CLEAN_TEST(a_stream_passes_between_two_threads)};
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
