/* Heads of messages: what was sealed passes, anything else is refused before it can do harm. */
#include "pool/frame.h"

#include <errno.h>
#include <string.h>

#include "clean.h"

static const struct frame_head samples[] = {
    {.type = FRAME_STOP},
    {.type = FRAME_TASKS, .count = 7, .epoch = 3, .first = 1000, .len = 4096},
    {.type = FRAME_FIXED, .flags = FRAME_STREAMED, .len = FRAME_LEN_MAX},
    {.type = FRAME_READY, .worker = 65535},
    {.type = FRAME_RESULTS,
     .worker = 4,
     .count = UINT32_MAX,
     .epoch = UINT32_MAX,
     .busy_ns = 123456},
    {.type = FRAME_FAILED, .first = UINT64_MAX, .len = 1, .busy_ns = UINT64_MAX},
    {.type = FRAME_VALUE, .len = UINT64_C(1) << 32, .number = 1},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static void a_sealed_head_passes(void **state) {
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct frame_head h = samples[i];
        frame_seal(&h);
        assert_int_equal(frame_check(&h), 0);
        frame_seal(&h); /* sealing again changes nothing */
        assert_int_equal(frame_check(&h), 0);
    }
}

static void any_flipped_bit_is_noticed(void **state) {
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct frame_head h = samples[i];
        frame_seal(&h);
        for (size_t bit = 0; bit < 8 * sizeof h; bit++) {
            uint8_t bytes[sizeof h];
            struct frame_head altered;
            memcpy(bytes, &h, sizeof h);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            memcpy(&altered, bytes, sizeof h);
            assert_int_equal(frame_check(&altered), -EBADMSG);
        }
    }
}

static void any_altered_byte_is_noticed(void **state) {
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct frame_head h = samples[i];
        frame_seal(&h);
        for (size_t at = 0; at < sizeof h; at++) {
            for (unsigned change = 1; change < 256; change += 5) {
                uint8_t bytes[sizeof h];
                struct frame_head altered;
                memcpy(bytes, &h, sizeof h);
                bytes[at] = (uint8_t)(bytes[at] + change);
                memcpy(&altered, bytes, sizeof h);
                assert_int_equal(frame_check(&altered), -EBADMSG);
            }
        }
    }
}

static void what_was_never_sealed_is_refused(void **state) {
    (void)state;
    struct frame_head h;
    memset(&h, 0, sizeof h);
    assert_int_equal(frame_check(&h), -EBADMSG);
    memset(&h, 0xff, sizeof h);
    assert_int_equal(frame_check(&h), -EBADMSG);
    memcpy(&h, "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: everything there is", sizeof h);
    assert_int_equal(frame_check(&h), -EBADMSG);
}

static void a_head_that_starts_one_byte_late_is_refused(void **state) {
    (void)state;
    struct frame_head two[2] = {samples[1], samples[4]}, shifted;
    frame_seal(&two[0]);
    frame_seal(&two[1]);
    for (size_t by = 1; by < sizeof shifted; by++) {
        memcpy(&shifted, (uint8_t *)two + by, sizeof shifted);
        assert_int_equal(frame_check(&shifted), -EBADMSG);
    }
}

static void an_absurd_length_is_refused_although_sealed(void **state) {
    (void)state;
    const uint64_t absurd[] = {FRAME_LEN_MAX + 1, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        struct frame_head h = {.type = FRAME_VALUE, .len = absurd[i]};
        frame_seal(&h);
        assert_int_equal(frame_check(&h), -EBADMSG);
    }
}

static void a_type_that_does_not_exist_is_refused_although_sealed(void **state) {
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct frame_head h = {.type = (uint8_t)type};
        frame_seal(&h);
        assert_int_equal(frame_check(&h), type >= 1 && type < FRAME_TYPES ? 0 : -EBADMSG);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(a_sealed_head_passes),
        CLEAN_TEST(any_flipped_bit_is_noticed),
        CLEAN_TEST(any_altered_byte_is_noticed),
        CLEAN_TEST(what_was_never_sealed_is_refused),
        CLEAN_TEST(a_head_that_starts_one_byte_late_is_refused),
        CLEAN_TEST(an_absurd_length_is_refused_although_sealed),
        CLEAN_TEST(a_type_that_does_not_exist_is_refused_although_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
