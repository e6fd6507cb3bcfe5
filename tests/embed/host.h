/* host: what the files of the test of a C host share: a rig that is open, a scenario of one item, a look into
 * the results, and the cases of host_more.c, which host.c lists. */
#ifndef RIG_TESTS_EMBED_HOST_H
#define RIG_TESTS_EMBED_HOST_H

#include "clean.h"

#include <string.h>

#include "rig.h"

/* One item, with the item itself in the middle of the text. */
#define ONE_ITEM(item, more)                                                                 \
    "local rig = require 'rig'\n"                                                            \
    "return rig.scenario { name = 'one', about = 'one call', workers = 1, iterations = 1,\n" \
    "    items = function() return { " item " } end, map = rig.workload 'it',\n" more " }\n"

static inline rig_t *opened(void) {
    rig_t *rig;
    assert_int_equal(rig_open(&rig, NULL), RIG_OK);
    assert_string_equal(rig_error(rig), "");
    return rig;
}

static inline void assert_json_has(rig_t *rig, const char *text) {
    size_t size = 0;
    const char *json = rig_results_json(rig, &size);
    assert_non_null(json);
    assert_int_equal(strlen(json), size);
    if (strstr(json, text) == NULL)
        fail_msg("no %s in %s", text, json);
}

static inline void run_here(rig_t *rig, const char *source) {
    const char *const serial[] = {"pool=serial", NULL};
    if (rig_run_string(rig, "one", source, serial) != RIG_OK)
        fail_msg("%s", rig_error(rig));
    assert_int_equal(rig_exit_status(rig), 0);
}

void whatever_a_workload_calls_its_rig_refuses(void **state);
void it_says_which_version_it_is(void **state);
void what_is_missing_is_refused(void **state);
void what_cannot_be_loaded_is_told_with_the_remedy(void **state);
void coroutines_do_what_luas_own_do(void **state);

#endif
