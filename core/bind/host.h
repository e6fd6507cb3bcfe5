/* host: the rig of one Lua state, as whoever opened it knows it: its workloads, the shared
 * objects they came from, its last error, what it allows, and how a signal reaches its scripts.
 * rig.h calls this rig_t. One is made by rig_open, or by `require "rig"` in a Lua that is not
 * ours. Not for what bindings need at every call: see state. */
#ifndef RIG_BIND_HOST_H
#define RIG_BIND_HOST_H

#include <lua.h>

#include "bind/alloc.h"
#include "rig.h"

struct state;

struct workload {
    struct workload *next;
    rig_workload_fn fn; /* NULL: named by a scenario, not registered yet */
    void *user;
    char name[];
};

struct rig {
    const struct rig_api *api; /* first: plug-ins find their functions here */
    struct alloc alloc; /* of the Lua state, when it is ours; its sys is for what is freed here */
    lua_State *L;
    struct state *state; /* NULL until rig.core is open */
    struct workload *workloads;
    void **objects; /* open shared objects, each once */
    size_t n_objects;
    char *loaded; /* their paths as they were given, each with its zero, in the order of loading */
    size_t loaded_size;
    char *lua_path;         /* NULL: the built-in modules */
    char *worker_program;   /* NULL: see program.h */
    char *error;            /* of rig_error; NULL when none or without memory */
    int failed;             /* enum rig_status of it */
    bool opened;            /* by rig_open, in a program that knows of it */
    bool signals;           /* rig may set the process's timer */
    bool fork_with_threads; /* rig may copy the process although it has other threads */
    bool running;           /* inside a run, a command or a workload */

    /* Read and written by rig_interrupt in a signal handler. */
    lua_State *volatile thread;         /* the Lua thread that runs now */
    volatile sig_atomic_t hold_scripts; /* scripts go on although a stop was asked for */

    int results; /* registry reference to the document of the last run */
    int exit_status;
    char *json; /* the document as text; NULL until asked for */
    size_t json_size;
};

extern const struct rig_api host_api; /* what plug-ins call */

/* Prepares *rig (all of it) for L; `lua_path` may be NULL. 0 or -ENOMEM. */
int host_init(struct rig *rig, lua_State *L, const char *lua_path);

/* Frees what host_init and the calls below took, shared objects included; not *rig itself. */
void host_clear(struct rig *rig);

/* The rig of this Lua state; one is made when there is none yet. May raise "not enough memory". */
struct rig *host_get(lua_State *L);

/* Makes `rig` the one that host_get finds in L. May raise. */
void host_set(lua_State *L, struct rig *rig);

/* Keeps the message and returns `status`. */
int host_fail(struct rig *rig, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A copy, freed by sys_free, or NULL without memory. */
char *host_copy(struct rig *rig, const char *text, size_t size);

/* Where the message on the top is Lua's own for want of memory, and the allocator ours: makes it say what ran out, how much is
 * held here and what to do. Never raises. */
void host_say_memory(lua_State *L);

/* The workload of that name, made (with no function) when there is none; NULL without memory. */
struct workload *host_workload(struct rig *rig, const char *name);

/* Opens the shared object and has it register its workloads. 0, or -errno with the message kept. */
int host_load(struct rig *rig, const char *path);

#endif
