/* fuzz_lua: a Lua state for targets that are written in Lua, in a file beside the target: one state for all inputs,
 * with limits on memory and on lines, and with the lines of rig's modules counted where libFuzzer looks for coverage
 * (it sees only compiled code by itself). Not for targets in C. */
#ifndef RIG_TESTS_FUZZ_LUA_H
#define RIG_TESTS_FUZZ_LUA_H

#include <stdbool.h>

#include "fuzz.h"

/* Opens the state and runs the target `name`.lua, which returns a function that takes an input, and perhaps a second
 * one to be called after each, without limits. Its arguments are the folder in which it lies, and a
 * function that gives another one for a function, whose lines are neither counted nor limited: for what is not looked at.
 * Errors end the program. */
void fuzz_lua_open(const char *name);

/* Calls the function. An error that it raises is a finding; one for want of memory or of lines is too, unless
 * `is_script`: there the input is a program, which may want anything. */
void fuzz_lua_take(const uint8_t *data, size_t size, bool is_script);

#endif
