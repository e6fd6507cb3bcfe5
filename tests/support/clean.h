/*
 * For tests in C (cmocka): each test case must leave this process as it found it. List a test with CLEAN_TEST(f)
 * instead of cmocka_unit_test(f), or call clean_setup and clean_teardown from a setup and teardown of its own.
 * Children, descriptors and shared mappings that appeared, or vanished, are printed and fail the test.
 *
 * Includes cmocka and what cmocka wants before it, so that a test includes only this.
 */
#ifndef RIG_TESTS_CLEAN_H
#define RIG_TESTS_CLEAN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "names.h"
#include "patience.h"

#define CLEAN_TEST(f) cmocka_unit_test_setup_teardown(f, clean_setup, clean_teardown)

static __attribute__((unused)) struct names clean_before;

static __attribute__((unused)) int clean_setup(void **state) {
    (void)state;
    names_free(&clean_before);
    names_of_all(&clean_before);
    return 0;
}

static __attribute__((unused)) int clean_teardown(void **state) {
    struct names after = {0}, more = {0}, less = {0};
    (void)state;
    names_of_all(&after);
    names_minus(&more, &after, &clean_before);
    names_minus(&less, &clean_before, &after);
    for (size_t i = 0; i < more.n; i++)
        print_error("left behind: %s\n", more.at[i]);
    for (size_t i = 0; i < less.n; i++)
        print_error("was there before the test: %s\n", less.at[i]);
    int failed = more.n + less.n > 0;
    names_free(&after);
    names_free(&more);
    names_free(&less);
    names_free(&clean_before);
    return failed ? -1 : 0;
}

#endif
