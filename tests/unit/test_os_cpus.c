/* Processors: a process that is pinned may run where it was told, its children too, its parent as before; what
 * cannot be is an error and changes nothing. */
#include "os/cpus.h"
#include "os_help.h"

static void those_allowed_are_listed_in_order(void **state) {
    (void)state;
    int list[CPUS_MAX];
    int n = cpus_allowed(&sys, list);
    assert_in_range(n, 1, CPUS_MAX);
    assert_int_equal(n, sys_cores(&sys, 0));
    for (int i = 1; i < n; i++)
        assert_true(list[i] > list[i - 1]);
}

static void a_pinned_process_and_its_child_stay_there(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        int list[CPUS_MAX], now[CPUS_MAX];
        int n = cpus_allowed(&sys, list);
        CHILD_CHECK(cpus_pin(&sys, &list[n - 1], 1) == 0);
        CHILD_CHECK(cpus_allowed(&sys, now) == 1 && now[0] == list[n - 1]);
        pid_t child = fork();
        if (child == 0) {
            CHILD_CHECK(cpus_allowed(&sys, now) == 1 && now[0] == list[n - 1]);
            _exit(0);
        }
        CHILD_CHECK(ended(child) == 0);
        CHILD_CHECK(cpus_pin(&sys, list, (size_t)n) == 0);
        CHILD_CHECK(cpus_allowed(&sys, now) == n);
        _exit(0);
    }
    int before[CPUS_MAX];
    assert_int_equal(ended(pid), 0);
    assert_int_equal(cpus_allowed(&sys, before), sys_cores(&sys, 0));
}

static void what_is_no_processor_is_refused(void **state) {
    (void)state;
    const int wrong[] = {-1, CPUS_MAX, INT32_MAX};
    int list[CPUS_MAX];
    int n = cpus_allowed(&sys, list);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(cpus_pin(&sys, &wrong[i], 1), -EINVAL);
    assert_int_equal(cpus_pin(&sys, NULL, 0), -EINVAL);
    assert_int_equal(cpus_allowed(&sys, list), n);
}

static int refuse_to_tell(cpu_set_t *set) {
    (void)set;
    return -EINVAL;
}

static void more_processors_than_can_be_told_are_an_error(void **state) {
    (void)state;
    int list[CPUS_MAX];
    faulty_begin()->getaffinity = refuse_to_tell;
    assert_int_equal(cpus_allowed(&faulty, list), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(those_allowed_are_listed_in_order),
        CLEAN_TEST(a_pinned_process_and_its_child_stay_there),
        CLEAN_TEST(what_is_no_processor_is_refused),
        CLEAN_TEST(more_processors_than_can_be_told_are_an_error),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
