/*
 * The Lua modules that travel inside the binary: rig's own and argparse. The table is made at build time
 * (core/cmake/) and only read. How `require` finds them, and how the sources are read instead
 * while developing, is decided by whoever reads the table (bind), not here.
 *
 * Chunk names look like "@rig/scenario.lua", so that a traceback tells rig's own frames from a script's.
 */
#ifndef RIG_BIND_EMBED_H
#define RIG_BIND_EMBED_H

#include <stddef.h>

struct rig_embedded {
    const char *name;          /* as given to require: "rig.scenario" */
    const char *chunk;         /* chunk name for luaL_loadbufferx */
    const unsigned char *text; /* Lua source; not terminated by a zero */
    size_t text_size;          /* bytes */
    const unsigned char *code; /* the same, precompiled (core/cmake/precompile.c), or NULL */
    size_t code_size;
};

extern const struct rig_embedded rig_embedded[]; /* sorted by name */
extern const size_t rig_embedded_count;

#endif
