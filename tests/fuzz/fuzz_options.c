/* fuzz_options: the command line parser (lua/rig/options.lua) on any words, which the input has with NUL between them.
 * What is promised is in options.lua. */
#include "fuzz_lua.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_lua_open("options");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_lua_take(data, size, false);
    return 0;
}
