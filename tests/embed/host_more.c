/* More of a C host, beside host.c, whose main runs these: what rig refuses and says to a host that is wrong or
 * missing something, and scripts' coroutines. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int call_back(rig_call_t *call, void *user) {
    char *const argv[] = {(char *)(uintptr_t) "rig", NULL};
    int refused = rig_run_file(user, "sums.lua", NULL) == RIG_EARGUMENT;
    refused += rig_load(user, "./nowhere.so") == RIG_EARGUMENT;
    refused += rig_results_json(user, NULL) == NULL;
    refused += rig_command(user, 1, argv) == 70;
    return rig_return_int(call, refused);
}

void whatever_a_workload_calls_its_rig_refuses(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "it", call_back, rig), RIG_OK);
    run_here(rig, ONE_ITEM("1", "expect = function(_, r) return r[1] == 4 end"));
    rig_close(rig);
}

void it_says_which_version_it_is(void **state) {
    (void)state;
    int major, minor, patch;
    assert_int_equal(sscanf(rig_version(NULL), "%d.%d.%d", &major, &minor, &patch), 3);
}

void what_is_missing_is_refused(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_open(NULL, NULL), RIG_EARGUMENT);
    assert_non_null(strstr(rig_error(NULL), "there is no rig"));
    assert_int_equal(rig_run_file(NULL, "sums.lua", NULL), RIG_EARGUMENT);
    assert_int_equal(rig_workload(NULL, "it", call_back, NULL), RIG_EARGUMENT);
    assert_int_equal(rig_run_file(rig, NULL, NULL), RIG_EARGUMENT);
    assert_string_equal(rig_error(rig), "run: no path or name of a scenario");
    assert_int_equal(rig_run_string(rig, "sums", NULL, NULL), RIG_EARGUMENT);
    assert_string_equal(rig_error(rig), "run: no source");
    rig_close(rig);
}

void what_cannot_be_loaded_is_told_with_the_remedy(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_load(rig, "nowhere.so"), RIG_ESYSTEM);
    assert_non_null(strstr(rig_error(rig), "write './' before the name"));
    FILE *file = fopen("none.so", "w");
    assert_non_null(file);
    fputs("no shared object", file);
    fclose(file);
    assert_int_equal(rig_load(rig, "./none.so"), RIG_ESYSTEM);
    unlink("none.so");
    assert_int_equal(rig_load(rig, "libm.so.6"), RIG_ESYSTEM);
    assert_string_equal(rig_error(rig), "load 'libm.so.6': it does not export rig_register");
    assert_non_null(getenv("RIG_PLUGIN_1"));
    setenv("RIG_TEST_PLUGIN_REFUSES", "1", 1);
    int status = rig_load(rig, getenv("RIG_PLUGIN_1"));
    unsetenv("RIG_TEST_PLUGIN_REFUSES");
    assert_int_equal(status, RIG_ESYSTEM);
    assert_non_null(strstr(rig_error(rig), "its rig_register returned 9"));
    rig_close(rig);
}

/* ---- scripts ---- */

/* They are ours, so that a signal finds the one that runs. */
void coroutines_do_what_luas_own_do(void **state) {
    (void)state;
    static const char source[] =
        "local rig = require 'rig'\n"
        "local function check()\n"
        "    local resume, wrap, yield = coroutine.resume, coroutine.wrap, coroutine.yield\n"
        "    local function given(...) return table.pack(...) end\n"
        "    local co = coroutine.create(function(a, b)\n"
        "        local c = yield(a + b, nil)\n"
        "        error { c }\n"
        "    end)\n"
        "    local first = given(resume(co, 1, 2))\n"
        "    assert(first.n == 3 and first[1] == true and first[2] == 3 and first[3] == nil)\n"
        "    local second = given(resume(co, 'end'))\n"
        "    assert(second.n == 2 and second[1] == false and second[2][1] == 'end')\n"
        "    local third = given(resume(co))\n"
        "    assert(third[1] == false and third[2] == 'cannot resume dead coroutine')\n"
        "    local own = given(resume(coroutine.running()))\n"
        "    assert(own[1] == false and own[2] == 'cannot resume non-suspended coroutine')\n"
        "    assert(not pcall(resume, 1) and not pcall(wrap, 1))\n"
        "    local count = wrap(function() for i = 1, 2 do yield(i) end end)\n"
        "    assert(count() == 1 and count() == 2 and count() == nil)\n"
        "    assert(select(2, pcall(count)):find 'cannot resume dead coroutine')\n"
        "    return true\n"
        "end\n"
        "return rig.scenario { name = 'coroutines', about = 'as in Lua', workers = 1,\n"
        "    iterations = 1, items = 1, map = check, expect = check }\n";
    rig_t *rig = opened();
    run_here(rig, source);
    rig_close(rig);
}
