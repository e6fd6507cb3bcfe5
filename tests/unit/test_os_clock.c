/* Time: it does not go back, deadlines of any number of seconds make sense, sleeping is neither cut short by
 * signals nor deaf to a wish to stop. */
#include <math.h>
#include <sys/eventfd.h>

#include "os/alarm.h"
#include "os_help.h"

static void time_does_not_go_back(void **state) {
    (void)state;
    int64_t before = clock_now_ns();
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_now_ns();
        assert_true(now >= before);
        before = now;
    }
}

/* Nothing here suspends the machine, so it has slept as long after as before. */
static void the_time_spent_suspended_stands_still_while_awake(void **state) {
    (void)state;
    int64_t before = clock_suspended_ns();
    clock_spin(NS_PER_S / 50);
    int64_t grown = clock_suspended_ns() - before;
    assert_true(grown > -NS_PER_S / 100 && grown < NS_PER_S / 100);
}

static void what_is_no_duration_is_a_deadline_now(void **state) {
    (void)state;
    const double none[] = {0, -0.0, -1, -1e300, NAN, -INFINITY};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int64_t before = clock_now_ns(), got = clock_deadline(none[i]);
        assert_true(got >= before && got <= clock_now_ns());
    }
}

static void a_deadline_lies_as_many_seconds_ahead(void **state) {
    (void)state;
    const double spans[] = {1e-9, 0.25, 1, 3600, 90.0 * 365 * 86400};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        int64_t span = (int64_t)(spans[i] * 1e9);
        int64_t before = clock_now_ns(), got = clock_deadline(spans[i]);
        assert_true(got >= before + span && got <= clock_now_ns() + span);
    }
}

static void a_deadline_in_centuries_is_never(void **state) {
    (void)state;
    assert_true(clock_deadline(1e12) == DEADLINE_NEVER);
    assert_true(clock_deadline(1e300) == DEADLINE_NEVER);
    assert_true(clock_deadline(INFINITY) == DEADLINE_NEVER);
}

static void what_is_left_is_never_negative(void **state) {
    (void)state;
    struct timespec t;
    assert_null(clock_left(DEADLINE_NEVER, &t));
    assert_ptr_equal(clock_left(clock_now_ns() - NS_PER_S, &t), &t);
    assert_true(t.tv_sec == 0 && t.tv_nsec == 0);
    assert_ptr_equal(clock_left(INT64_MIN / 2, &t), &t);
    assert_true(t.tv_sec == 0 && t.tv_nsec == 0);
    clock_left(clock_now_ns() + 100 * NS_PER_S, &t);
    assert_in_range(t.tv_sec, 40, 100);
    assert_in_range(t.tv_nsec, 0, 999999999);
}

static void sleeping_lasts_to_the_end_through_signals(void **state) {
    (void)state;
    struct sys_stop stop = {.signo = 0, .fd = -1};
    for (int with_stop = 0; with_stop < 2; with_stop++) {
        sys.stop = with_stop ? &stop : NULL;
        int64_t end = clock_now_ns() + NS_PER_S / 10;
        alarms = 0;
        alarm_storm(1);
        int got = clock_sleep_until(&sys, end);
        alarm_storm(0);
        sys.stop = NULL;
        assert_int_equal(got, 0);
        assert_true(clock_now_ns() >= end);
        assert_true(alarms > 0);
    }
}

static void sleeping_until_the_past_returns_at_once(void **state) {
    (void)state;
    assert_int_equal(clock_sleep_until(&sys, clock_now_ns() - NS_PER_S), 0);
    assert_int_equal(clock_sleep_until(&sys, 0), 0);
}

static struct sys_stop raised;

static void raise_stop(int sig) {
    uint64_t one = 1;
    raised.signo = sig;
    if (write(raised.fd, &one, sizeof one) < 0)
        abort();
}

static void a_wish_to_stop_ends_a_sleep(void **state) {
    (void)state;
    struct sigaction act = {.sa_handler = raise_stop}, old;
    raised = (struct sys_stop){.signo = 0, .fd = eventfd(0, EFD_NONBLOCK)};
    sys.stop = &raised;
    sigaction(SIGALRM, &act, &old);
    struct itimerval soon = {.it_value = {0, 50000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    int got = clock_sleep_until(&sys, hang());
    int again = clock_sleep_until(&sys, hang()); /* and every one after it */
    sys.stop = NULL;
    sigaction(SIGALRM, &old, NULL);
    close(raised.fd);
    assert_int_equal(got, -ECANCELED);
    assert_int_equal(again, -ECANCELED);
    assert_int_equal(raised.signo, SIGALRM);
}

static void spinning_takes_as_long_as_asked(void **state) {
    (void)state;
    int64_t before = clock_now_ns();
    clock_spin(20000000);
    assert_true(clock_now_ns() >= before + 20000000);
    clock_spin(0);
    clock_spin(-5);
}

/* ---- the process's timer ---- */

static void an_alarm_in_centuries_is_one_in_a_hundred_years(void **state) {
    (void)state;
    struct itimerval t;
    assert_int_equal(alarm_set(&sys, 1e300), 0);
    assert_int_equal(getitimer(ITIMER_REAL, &t), 0);
    assert_int_equal(alarm_set(&sys, 0), 0);
    assert_true(t.it_value.tv_sec > 99LL * 365 * 86400);
    assert_int_equal(getitimer(ITIMER_REAL, &t), 0);
    assert_true(t.it_value.tv_sec == 0 && t.it_value.tv_usec == 0);
}

/* Zero would take it back instead. */
static void an_alarm_in_less_than_a_microsecond_comes(void **state) {
    (void)state;
    struct sigaction act = {.sa_handler = on_alarm}, old;
    alarms = 0;
    sigaction(SIGALRM, &act, &old);
    assert_int_equal(alarm_set(&sys, 1e-9), 0);
    for (int64_t end = hang(); alarms == 0 && clock_now_ns() < end;)
        clock_spin(NS_PER_S / 1000);
    sigaction(SIGALRM, &old, NULL);
    assert_int_equal(alarms, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(time_does_not_go_back),
        CLEAN_TEST(the_time_spent_suspended_stands_still_while_awake),
        CLEAN_TEST(what_is_no_duration_is_a_deadline_now),
        CLEAN_TEST(a_deadline_lies_as_many_seconds_ahead),
        CLEAN_TEST(a_deadline_in_centuries_is_never),
        CLEAN_TEST(what_is_left_is_never_negative),
        CLEAN_TEST(sleeping_lasts_to_the_end_through_signals),
        CLEAN_TEST(sleeping_until_the_past_returns_at_once),
        CLEAN_TEST(a_wish_to_stop_ends_a_sleep),
        CLEAN_TEST(spinning_takes_as_long_as_asked),
        CLEAN_TEST(an_alarm_in_centuries_is_one_in_a_hundred_years),
        CLEAN_TEST(an_alarm_in_less_than_a_microsecond_comes),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
