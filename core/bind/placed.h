/* placed: a value written once into a sealed, read-only shared mapping (delivery=shm). */
#ifndef RIG_BIND_PLACED_H
#define RIG_BIND_PLACED_H

#include "bind/state.h"

/* The block of the placed value at idx, or NULL if it is none. */
struct block *placed_test(lua_State *L, int idx);

/* Adds core.place to the table on the top. */
void placed_open(lua_State *L);

#endif
