/* fuzz_scenario: scenarios, settings and thresholds (lua/rig/scenario.lua, declare.lua, params.lua, thresholds/) from
 * any text. What is promised is in scenario.lua. A script may loop or fill its memory: that is no finding. */
#include "fuzz_lua.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_lua_open("scenario");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_lua_take(data, size, true);
    return 0;
}
