/* A C host, which knows rig.h and nothing else: two rigs at once, workloads of its own, scenarios
 * from strings and files, results as JSON, errors as values, a shared object, a signal. Each case
 * must leave this process as it found it. */
#include "host.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static const char sums[] =
    "local rig = require 'rig'\n"
    "return rig.scenario {\n"
    "    name = 'sums', about = 'items plus the sum of the fixed data, in C',\n"
    "    workers = 4, iterations = 1, size = 1000,\n"
    "    fixed = function(p) return rig.array('i64', p.size, 3) end,\n"
    "    items = 40,\n"
    "    map = rig.workload 'sum',\n"
    "    reduce = rig.sum,\n"
    "    expect = function(p, result) return result == 820 + 40 * 3 * p.size end,\n"
    "}\n";

/* ---- workloads ---- */

static int sum(rig_call_t *call, void *user) {
    const void *data;
    size_t size;
    int64_t item, total = 0;
    int err = rig_call_int(call, RIG_ITEM, &item);
    if (err == RIG_OK)
        err = rig_call_bytes(call, RIG_FIXED, &data, &size);
    if (err != RIG_OK)
        return err;
    for (size_t i = 0; i < size / sizeof(int64_t); i++)
        total += ((const int64_t *)data)[i];
    return rig_return_int(call, total + item + *(const int64_t *)user);
}

static int64_t nothing;

static void two_rigs_at_once_run_a_workload_over_and_over(void **state) {
    (void)state;
    static int64_t other = 1;
    rig_t *rig[2] = {opened(), opened()};
    assert_int_equal(rig_workload(rig[0], "sum", sum, &nothing), RIG_OK);
    assert_int_equal(rig_workload(rig[1], "sum", sum, &other), RIG_OK);
    int runs = many(100, 10);
    for (int i = 0; i < runs; i++) {
        if (rig_run_string(rig[i % 2], "sums", sums, NULL) != RIG_OK)
            fail_msg("run %d: %s", i, rig_error(rig[i % 2]));
        /* the second rig's workload adds one to each item: wrong, and told apart from the first */
        assert_int_equal(rig_exit_status(rig[i % 2]), i % 2);
    }
    assert_json_has(rig[0], "\"status\": \"passed\"");
    assert_json_has(rig[0], "\"result\": 120820");
    assert_json_has(rig[1], "\"status\": \"failed\"");
    assert_json_has(rig[1], "\"result\": 120860");
    rig_close(rig[0]);
    rig_close(rig[1]);
}

/* What main does first: see rig_worker_main_with. */
static int set_up_worker(rig_t *rig, void *user) {
    (void)user;
    return getenv("RIG_TEST_REFUSES") != NULL ? 9 : rig_workload(rig, "sum", sum, &nothing);
}

static void fresh_processes_have_the_hosts_workloads(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "sum", sum, &nothing), RIG_OK);
    const char *const fresh[] = {"pool=builtin,spawn", "size=1000,100000", NULL};
    if (rig_run_string(rig, "sums", sums, fresh) != RIG_OK)
        fail_msg("%s", rig_error(rig));
    assert_int_equal(rig_exit_status(rig), 0);
    assert_json_has(rig, "\"start\": \"spawn\"");
    rig_close(rig);
}

static void a_host_that_does_not_call_rig_worker_main_is_told(void **state) {
    (void)state;
    rig_t *rig = opened();
    const char *const fresh[] = {"pool=spawn", NULL};
    setenv("RIG_TEST_FORGETS", "1", 1);
    int status = rig_run_string(rig, "sums", sums, fresh);
    unsetenv("RIG_TEST_FORGETS");
    assert_int_equal(status, RIG_OK);
    assert_int_equal(rig_exit_status(rig), 4);
    assert_json_has(rig, "ended without calling rig_worker_main");
    rig_close(rig);
}

static void a_host_that_cannot_set_up_a_worker_is_told(void **state) {
    (void)state;
    rig_t *rig = opened();
    const char *const fresh[] = {"pool=spawn", NULL};
    setenv("RIG_TEST_REFUSES", "1", 1);
    int status = rig_run_string(rig, "sums", sums, fresh);
    unsetenv("RIG_TEST_REFUSES");
    assert_int_equal(status, RIG_OK);
    assert_int_equal(rig_exit_status(rig), 4);
    assert_json_has(rig, "the host could not set up a worker");
    rig_close(rig);
}

/* Such a host, started as a worker, does what it does when anybody starts it; it may not come far. */
static int forget(void) {
    rig_t *rig;
    const char *const fresh[] = {"pool=spawn", NULL};
    int status = rig_open(&rig, NULL);
    if (status == RIG_OK)
        status = rig_run_string(rig, "sums", sums, fresh);
    rig_close(rig);
    return status == RIG_OK ? 0 : 9;
}

static void overrides_are_the_command_lines(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "sum", sum, &nothing), RIG_OK);
    const char *const two_sizes[] = {"size=10,20", "pool=serial,custom", NULL};
    if (rig_run_string(rig, "sums", sums, two_sizes) != RIG_OK)
        fail_msg("%s", rig_error(rig));
    assert_int_equal(rig_exit_status(rig), 0);
    assert_json_has(rig, "\"result\": 2020");
    assert_json_has(rig, "\"result\": 3220");
    const char *const wrong[] = {"sise=10", NULL};
    assert_int_equal(rig_run_string(rig, "sums", sums, wrong), RIG_ESCENARIO);
    assert_non_null(strstr(rig_error(rig), "size"));
    assert_int_equal(rig_exit_status(rig), 2);
    assert_null(rig_results_json(rig, NULL));
    rig_close(rig);
}

/* A module of rig's own that is nowhere: the message says which folder was asked. */
static const char looks[] =
    "local rig = require 'rig'\n"
    "return rig.scenario {\n"
    "    name = 'looks', about = 'where modules are', workers = 1, iterations = 1, items = 1,\n"
    "    map = function() return select(2, pcall(require, 'rig.none')) end,\n"
    "    reduce = function(results) return results[1] end,\n"
    "}\n";

static void its_own_modules_come_from_the_folder_that_the_host_names(void **state) {
    (void)state;
    char folder[4000], wanted[4200];
    snprintf(folder, sizeof folder, "%s/lua", getenv("RIG_SOURCE_DIR"));
    snprintf(wanted, sizeof wanted, "module 'rig.none' is not in '%s'", folder);
    rig_options_t options = {.size = sizeof options, .lua_path = folder};
    const char *const pools[][2] = {{"pool=serial", NULL}, {"pool=spawn", NULL}};
    for (int i = 0; i < 2; i++) { /* a fresh process is told, too */
        rig_t *rig;
        assert_int_equal(rig_open(&rig, &options), RIG_OK);
        if (rig_run_string(rig, "looks", looks, pools[i]) != RIG_OK)
            fail_msg("%s", rig_error(rig));
        assert_int_equal(rig_exit_status(rig), 0);
        assert_json_has(rig, wanted);
        rig_close(rig);
    }
    rig_t *rig;
    options.lua_path = "nowhere";
    assert_int_equal(rig_open(&rig, &options), RIG_OK);
    assert_int_not_equal(rig_run_string(rig, "looks", looks, NULL), RIG_OK);
    assert_non_null(strstr(rig_error(rig), "is not in 'nowhere'"));
    rig_close(rig);
}

/* What the workload `it` saw of its one call; it runs in this process, with pool=serial. */
static struct seen {
    enum rig_type type;
    int as_int, as_num, as_bytes;
    int64_t integer, index;
    double number;
    char bytes[64];
    size_t size;
    unsigned worker;
} seen;

static int look(rig_call_t *call, void *user) {
    const void *data = NULL;
    (void)user;
    memset(&seen, 0, sizeof seen);
    seen.type = rig_call_type(call, RIG_ITEM);
    seen.as_int = rig_call_int(call, RIG_ITEM, &seen.integer);
    seen.as_num = rig_call_num(call, RIG_ITEM, &seen.number);
    seen.as_bytes = rig_call_bytes(call, RIG_ITEM, &data, &seen.size);
    if (seen.as_bytes == RIG_OK && seen.size <= sizeof seen.bytes && seen.size > 0)
        memcpy(seen.bytes, data, seen.size);
    seen.index = rig_call_index(call);
    seen.worker = rig_call_worker(call);
    if (rig_call_type(call, RIG_FIXED) != RIG_NIL)
        return rig_fail(call, "there is fixed data");
    return seen.as_bytes == RIG_OK ? rig_return_bytes(call, data, seen.size)
                                   : rig_return_num(call, 0.5);
}

static void a_workload_sees_what_the_item_is(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "it", look, NULL), RIG_OK);
    run_here(rig, ONE_ITEM("9007199254740993", "expect = function(_, r) return r[1] == 0.5 end"));
    assert_int_equal(seen.type, RIG_INTEGER);
    assert_true(seen.as_int == RIG_OK && seen.integer == 9007199254740993);
    assert_int_equal(seen.as_bytes, RIG_ETYPE);
    assert_int_equal(seen.index, 1);
    run_here(rig, ONE_ITEM("2.5", ""));
    assert_int_equal(seen.type, RIG_NUMBER);
    assert_true(seen.as_num == RIG_OK && seen.number == 2.5);
    assert_int_equal(seen.as_int, RIG_ETYPE);
    run_here(rig, ONE_ITEM("'a\\0b'", "expect = function(_, r) return r[1] == 'a\\0b' end"));
    assert_int_equal(seen.type, RIG_STRING);
    assert_true(seen.size == 3 && memcmp(seen.bytes, "a\0b", 3) == 0);
    assert_int_equal(seen.as_num, RIG_ETYPE);
    run_here(rig, ONE_ITEM("rig.array('i16', { 1, -2 })", ""));
    assert_int_equal(seen.type, RIG_ARRAY);
    assert_true(seen.size == 4 && memcmp(seen.bytes, (const int16_t[]){1, -2}, 4) == 0);
    run_here(rig, ONE_ITEM("{ 1, 2 }", ""));
    assert_int_equal(seen.type, RIG_TABLE);
    run_here(rig, ONE_ITEM("true", ""));
    assert_int_equal(seen.type, RIG_BOOLEAN);
    rig_close(rig);
}

static int fails(rig_call_t *call, void *user) {
    int64_t item;
    int err = rig_call_int(call, RIG_ITEM, &item);
    (void)user;
    if (err != RIG_OK)
        return err;
    return item == 7 ? rig_fail(call, "seven is refused") : rig_return_nil(call);
}

static int fails_without_words(rig_call_t *call, void *user) {
    (void)call;
    (void)user;
    return 77;
}

static int returns_what_is_not_there(rig_call_t *call, void *user) {
    (void)user;
    return rig_return_bytes(call, NULL, 5);
}

static void a_workloads_failure_is_its_tasks(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "it", fails, NULL), RIG_OK);
    assert_int_equal(rig_run_string(rig, "one", ONE_ITEM("6, 7, 8", ""), NULL), RIG_OK);
    assert_int_equal(rig_exit_status(rig), 4);
    assert_json_has(rig, "workload 'it': seven is refused");
    assert_json_has(rig, "\"ok\": 2");
    assert_int_equal(rig_run_string(rig, "one", ONE_ITEM("'6'", ""), NULL), RIG_OK);
    assert_json_has(rig, "workload 'it': the item is a string; it wants an integer");
    assert_int_equal(rig_workload(rig, "it", fails_without_words, NULL), RIG_OK);
    assert_int_equal(rig_run_string(rig, "one", ONE_ITEM("1", ""), NULL), RIG_OK);
    assert_json_has(rig, "workload 'it': returned 77");
    assert_int_equal(rig_workload(rig, "it", returns_what_is_not_there, NULL), RIG_OK);
    assert_int_equal(rig_run_string(rig, "one", ONE_ITEM("1", ""), NULL), RIG_OK);
    assert_json_has(rig, "workload 'it': it returns 5 bytes at NULL");
    rig_close(rig);
}

static void a_workload_is_found_by_its_name(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "another", fails_without_words, NULL), RIG_OK);
    assert_int_equal(rig_workload(rig, "it", look, NULL), RIG_OK);
    run_here(rig, ONE_ITEM("2.5", "expect = function(_, r) return r[1] == 0.5 end"));
    rig_close(rig);
}

static void a_workload_that_is_not_there_says_so(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_run_string(rig, "one", ONE_ITEM("1", ""), NULL), RIG_OK);
    assert_int_equal(rig_exit_status(rig), 4);
    assert_json_has(rig, "workload 'it' is not registered");
    assert_int_equal(rig_workload(rig, "", fails, NULL), RIG_EARGUMENT);
    assert_int_equal(rig_workload(rig, "x", NULL, NULL), RIG_EARGUMENT);
    assert_string_equal(rig_error(rig), "workload 'x' needs a function");
    rig_close(rig);
}

/* ---- errors ---- */

static int run_again(rig_call_t *call, void *user) {
    return rig_return_int(call, rig_run_string(user, "again", sums, NULL));
}

static void a_rig_is_not_entered_twice(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "it", run_again, rig), RIG_OK);
    run_here(rig, ONE_ITEM("1", "expect = function(_, r) return r[1] == 3 end"));
    rig_close(rig);
}

static void failures_are_values_with_a_message(void **state) {
    (void)state;
    rig_t *rig = opened();
    assert_int_equal(rig_exit_status(rig), -1);
    assert_null(rig_results_json(rig, NULL));
    assert_int_equal(rig_run_string(rig, "broken", "return 1 +", NULL), RIG_ESCENARIO);
    assert_non_null(strstr(rig_error(rig), "broken:1"));
    assert_int_equal(rig_run_file(rig, "nowhere.lua", NULL), RIG_ESCENARIO);
    assert_non_null(strstr(rig_error(rig), "nowhere.lua"));
    assert_int_equal(rig_exit_status(rig), 2);
    assert_int_equal(rig_load(rig, "./nowhere.so"), RIG_ESYSTEM);
    assert_non_null(strstr(rig_error(rig), "nowhere.so"));
    assert_int_equal(rig_load(rig, NULL), RIG_EARGUMENT);
    rig_close(rig);
    rig_close(NULL);
    rig_options_t wrong = {.size = 3};
    assert_int_equal(rig_open(&rig, &wrong), RIG_EARGUMENT);
    assert_null(rig);
}

static void a_file_runs_like_a_string(void **state) {
    (void)state;
    rig_t *rig = opened();
    FILE *file = fopen("sums.lua", "w");
    assert_non_null(file);
    fputs(sums, file);
    fclose(file);
    assert_int_equal(rig_workload(rig, "sum", sum, &nothing), RIG_OK);
    if (rig_run_file(rig, "sums.lua", NULL) != RIG_OK)
        fail_msg("%s", rig_error(rig));
    assert_int_equal(rig_exit_status(rig), 0);
    rig_close(rig);
    unlink("sums.lua");
}

/* ---- a shared object ---- */

static const char scale[] =
    "local rig = require 'rig'\n"
    "return rig.scenario { name = 'scale', about = 'a plug-in', workers = 2,\n"
    "    iterations = 1, items = 10, map = rig.workload 'scale', reduce = rig.sum }\n";

static void what_is_loaded_later_replaces_what_was_there(void **state) {
    (void)state;
    rig_t *rig = opened();
    const char *paths[] = {getenv("RIG_PLUGIN_1"), getenv("RIG_PLUGIN_2")};
    for (int i = 0; i < 4; i++) {
        assert_non_null(paths[i % 2]);
        if (rig_load(rig, paths[i % 2]) != RIG_OK)
            fail_msg("%s", rig_error(rig));
        assert_int_equal(rig_run_string(rig, "scale", scale, NULL), RIG_OK);
        assert_json_has(rig, i % 2 == 0 ? "\"result\": 55" : "\"result\": 110");
    }
    rig_close(rig);
}

/* ---- signals ---- */

static rig_t *interrupted_rig;

static void on_alarm(int signo) {
    rig_interrupt(interrupted_rig, signo);
}

/* The host's own handler and timer: rig neither installs one nor asks for it. */
static void interrupt_after(rig_t *rig, int milliseconds) {
    struct itimerval t = {{0, 0}, {milliseconds / 1000, milliseconds % 1000 * 1000}};
    interrupted_rig = rig;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &t, NULL);
}

#define SCENARIO(hooks)                                                              \
    "local rig = require 'rig'\n"                                                    \
    "return rig.scenario { name = 'endless', about = 'does not end', workers = 2,\n" \
    "    iterations = 1, items = 4, " hooks " }\n"
#define SAME "map = function(i) return i end, "

static void a_signal_stops_what_does_not_end(void **state) {
    (void)state;
    static const char *const sources[] = {
        SCENARIO("map = function() while true do end end"),
        SCENARIO("map = function() rig.sleep(1000) end"),
        SCENARIO(SAME "reduce = function() while true do end end"),
        SCENARIO(SAME "reduce = function()"
                      "    while true do pcall(function() while true do end end) end end"),
        SCENARIO(SAME "fixed = coroutine.wrap(function() while true do end end)"),
        SCENARIO(SAME "setup = function() rig.sleep(1000) end"),
    };
    rig_t *rig = opened();
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        interrupt_after(rig, many(50, 2000)); /* by then it runs */
        int status = rig_run_string(rig, "endless", sources[i], NULL);
        if (status != RIG_EINTERRUPTED)
            fail_msg("scenario %zu: %d, %s", i, status, rig_error(rig));
        assert_int_equal(rig_exit_status(rig), 128 + SIGALRM);
        assert_json_has(rig, "\"status\": \"interrupted\"");
        run_here(rig, SCENARIO(SAME "expect = function(_, r) return #r == 4 end"));
    }
    signal(SIGALRM, SIG_DFL);
    rig_close(rig);
}

static void a_wish_that_comes_early_stops_the_next_run(void **state) {
    (void)state;
    rig_t *rig = opened();
    rig_interrupt(rig, 0); /* no signal, no wish */
    assert_int_equal(rig_run_string(rig, "broken", "return 1 +", NULL), RIG_ESCENARIO);
    rig_interrupt(rig, SIGTERM);
    assert_int_equal(rig_run_string(rig, "sums", sums, NULL), RIG_EINTERRUPTED);
    assert_int_equal(rig_exit_status(rig), 128 + SIGTERM);
    assert_int_equal(rig_workload(rig, "sum", sum, &nothing), RIG_OK);
    assert_int_equal(rig_run_string(rig, "sums", sums, NULL), RIG_OK);
    assert_int_equal(rig_exit_status(rig), 0);
    rig_close(rig);
}

static void rig_touches_no_signal_handler(void **state) {
    (void)state;
    struct sigaction before[32], after;
    for (int i = 1; i < 32; i++)
        sigaction(i, NULL, &before[i]);
    rig_t *rig = opened();
    assert_int_equal(rig_workload(rig, "sum", sum, &nothing), RIG_OK);
    assert_int_equal(rig_run_string(rig, "sums", sums, NULL), RIG_OK);
    for (int i = 1; i < 32; i++) {
        sigaction(i, NULL, &after);
        assert_true(before[i].sa_handler == after.sa_handler);
    }
    rig_close(rig);
}

int main(int argc, char **argv) {
    if (getenv("RIG_TEST_FORGETS") != NULL)
        return forget();
    int worker = rig_worker_main_with(argc, argv, set_up_worker, NULL);
    if (worker >= 0)
        return worker;
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(two_rigs_at_once_run_a_workload_over_and_over),
        CLEAN_TEST(fresh_processes_have_the_hosts_workloads),
        CLEAN_TEST(a_host_that_does_not_call_rig_worker_main_is_told),
        CLEAN_TEST(a_host_that_cannot_set_up_a_worker_is_told),
        CLEAN_TEST(its_own_modules_come_from_the_folder_that_the_host_names),
        CLEAN_TEST(overrides_are_the_command_lines),
        CLEAN_TEST(a_workload_sees_what_the_item_is),
        CLEAN_TEST(a_workloads_failure_is_its_tasks),
        CLEAN_TEST(a_workload_is_found_by_its_name),
        CLEAN_TEST(a_workload_that_is_not_there_says_so),
        CLEAN_TEST(a_rig_is_not_entered_twice),
        CLEAN_TEST(whatever_a_workload_calls_its_rig_refuses),
        CLEAN_TEST(it_says_which_version_it_is),
        CLEAN_TEST(what_is_missing_is_refused),
        CLEAN_TEST(failures_are_values_with_a_message),
        CLEAN_TEST(a_file_runs_like_a_string),
        CLEAN_TEST(what_is_loaded_later_replaces_what_was_there),
        CLEAN_TEST(what_cannot_be_loaded_is_told_with_the_remedy),
        CLEAN_TEST(coroutines_do_what_luas_own_do),
        CLEAN_TEST(a_signal_stops_what_does_not_end),
        CLEAN_TEST(a_wish_that_comes_early_stops_the_next_run),
        CLEAN_TEST(rig_touches_no_signal_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
