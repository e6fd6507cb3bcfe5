/*
 * What tests do otherwise under valgrind, where whatever works takes 20 to 50 times as long. For how much and how long
 * only: what is checked stays the same. In Lua it is rigtest.valgrind, rigtest.many and rigtest.patience.
 */
#ifndef RIG_TESTS_PATIENCE_H
#define RIG_TESTS_PATIENCE_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool under_valgrind(void) {
    return getenv("RIG_VALGRIND") != NULL;
}

/* How many of something there are: n, or under valgrind as few as still show it. */
static inline int many(int n, int few) {
    return under_valgrind() ? few : n;
}

#endif
