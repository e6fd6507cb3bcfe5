/* fuzz_results: saved results (lua/rig/json.lua, results.lua, baseline.lua and all that shows them) from any bytes.
 * What is promised is in results.lua. */
#include "fuzz_lua.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_lua_open("results");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_lua_take(data, size, false);
    return 0;
}
