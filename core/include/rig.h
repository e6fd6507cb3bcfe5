/* rig.h: the public interface of librig, the only installed header.
 *
 * A host opens a rig, registers C functions as workloads, runs scenarios from files or strings,
 * takes the results as JSON, and closes it. Functions that can fail return RIG_OK or another
 * value of enum rig_status; rig_error() then has the message: lower case, no full stop at the
 * end. librig never exits, never prints (rig_command does) and never changes signal handlers.
 *
 * Threads: a rig belongs to one thread at a time; several rigs in one process, in one thread or
 * in several, know nothing of each other. A forked worker is a copy of the thread that forked it and
 * of no other: a lock that another one held at that moment (in malloc of some libc, in a library's
 * pool of threads) is held in the copy for ever. So a process that has other threads is refused
 * such workers, rig.fork and --ab, with an error that says so. What works: workers that are fresh processes
 * (start=spawn, see rig_worker_main), rig.exec, or a host that knows that no workload needs
 * such a lock and says so by fork_with_threads in rig_options, rig.fork_with_threads(true) in a
 * scenario, or RIG_FORK_WITH_THREADS=1. Only rig_interrupt may be called from a signal handler.
 *
 * Strings given to rig are copied unless said otherwise. Durations are seconds, sizes are bytes. */
#ifndef RIG_H
#define RIG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A shared object for rig.load() defines RIG_PLUGIN before it includes this header. It then finds
 * these functions through a table in the rig that rig_register() receives, so it loads whoever
 * opened that rig: the executable, a host, or a stock lua5.4, which keeps the symbols of its
 * modules to itself. Only the functions that a plug-in needs are declared then. */
#ifdef RIG_PLUGIN
#define RIG_API static inline
#else
#define RIG_API extern __attribute__((visibility("default")))
#endif

typedef struct rig rig_t;
typedef struct rig_call rig_call_t;

enum rig_status {
    RIG_OK = 0,
    RIG_EMEM = 1,         /* out of memory */
    RIG_ESYSTEM = 2,      /* the system refused something; the message names it and the reason */
    RIG_EARGUMENT = 3,    /* an argument is wrong, or the call is not allowed here */
    RIG_ESCENARIO = 4,    /* the scenario or an override is wrong, or a hook of it failed */
    RIG_EINTERRUPTED = 5, /* rig_interrupt stopped the run; partial results are kept */
    RIG_ETYPE = 6,        /* the value is of another type */
    RIG_EFAILED = 7,      /* a workload failed */
    RIG_EINTERNAL = 8,    /* rig itself is at fault */
};

/* The version of the library that is running, "0.1.0". Static. */
RIG_API const char *rig_version(const rig_t *rig);

/* ---- workloads: C functions that scenarios name ---- */

/* One call of a workload: one item. Runs in a worker process (in the coordinator with pool =
 * "serial"). Returns RIG_OK after at most one rig_return_… (none: the result is nil), or what
 * rig_fail or an accessor returned: the task then ends as `error` with that message. It must
 * return; time limits are enforced by killing the worker. */
typedef int (*rig_workload_fn)(rig_call_t *call, void *user);

/* Registers `fn` under `name`, so that a scenario can say map = rig.workload "name". A name that
 * is there already is replaced, also where a scenario holds it. `user` is handed to each call; a
 * worker sees a copy of what it points to, made when the worker was forked; for start=spawn see
 * rig_worker_main_with. Does not block.
 * Returns RIG_OK, RIG_EARGUMENT (no name, no function) or RIG_EMEM. */
RIG_API int rig_workload(rig_t *rig, const char *name, rig_workload_fn fn, void *user);

enum rig_value {
    RIG_ITEM = 0,  /* what this call maps */
    RIG_FIXED = 1, /* the fixed data of the scenario */
};

enum rig_type {
    RIG_NIL = 0,
    RIG_BOOLEAN = 1,
    RIG_INTEGER = 2,
    RIG_NUMBER = 3,
    RIG_STRING = 4,
    RIG_ARRAY = 5, /* rig.array, rig.shared_array */
    RIG_TABLE = 6,
    RIG_OTHER = 7,
};

/* The functions below are for a workload, within its call and thread. None of them blocks. */

/* The type of the item or of the fixed data. */
RIG_API enum rig_type rig_call_type(const rig_call_t *call, enum rig_value which);

/* The bytes of a string, or the elements of an array in this machine's format. The pointer is
 * valid until the workload returns and must not be written through. Returns RIG_OK, or RIG_ETYPE
 * and leaves both unchanged. */
RIG_API int rig_call_bytes(rig_call_t *call, enum rig_value which, const void **data, size_t *size);

/* An integer, or a float that has an exact integer value. RIG_OK, or RIG_ETYPE and *value is
 * unchanged. */
RIG_API int rig_call_int(rig_call_t *call, enum rig_value which, int64_t *value);

/* Any number. RIG_OK, or RIG_ETYPE and *value is unchanged. */
RIG_API int rig_call_num(rig_call_t *call, enum rig_value which, double *value);

/* The number of this worker, from 1; 0 in the coordinator. */
RIG_API unsigned rig_call_worker(const rig_call_t *call);

/* The number of this item, from 1; 0 where the caller gave none. */
RIG_API int64_t rig_call_index(const rig_call_t *call);

/* The result of this call; the last one counts. rig_return_bytes copies `size` bytes at once.
 * They return RIG_OK; rig_return_bytes also RIG_EMEM, or RIG_EARGUMENT for NULL with a size. */
RIG_API int rig_return_nil(rig_call_t *call);
RIG_API int rig_return_int(rig_call_t *call, int64_t value);
RIG_API int rig_return_num(rig_call_t *call, double value);
RIG_API int rig_return_bytes(rig_call_t *call, const void *data, size_t size);

/* Makes this call a failure; the first 500 bytes of `message` are kept. Returns RIG_EFAILED, so
 * that a workload can end with `return rig_fail(call, "bad header")`. */
RIG_API int rig_fail(rig_call_t *call, const char *message);

/* How a plug-in reaches the functions above: a rig and a call both begin with a pointer to this
 * table. Members are only ever added at the end; `size` is the size of the table of whoever
 * opened the rig. */
struct rig_api {
    size_t size;
    const char *(*version)(const rig_t *rig);
    int (*workload)(rig_t *rig, const char *name, rig_workload_fn fn, void *user);
    enum rig_type (*call_type)(const rig_call_t *call, enum rig_value which);
    int (*call_bytes)(rig_call_t *call, enum rig_value which, const void **data, size_t *size);
    int (*call_int)(rig_call_t *call, enum rig_value which, int64_t *value);
    int (*call_num)(rig_call_t *call, enum rig_value which, double *value);
    unsigned (*call_worker)(const rig_call_t *call);
    int64_t (*call_index)(const rig_call_t *call);
    int (*return_nil)(rig_call_t *call);
    int (*return_int)(rig_call_t *call, int64_t value);
    int (*return_num)(rig_call_t *call, double value);
    int (*return_bytes)(rig_call_t *call, const void *data, size_t size);
    int (*fail)(rig_call_t *call, const char *message);
};

#ifdef RIG_PLUGIN

/* What a plug-in defines, and rig.load() calls in the process that loads it: it registers its
 * workloads and returns RIG_OK, or anything else to be refused. It is called again each time the
 * file is loaded. */
extern __attribute__((visibility("default"))) int rig_register(rig_t *rig);

static inline const struct rig_api *rig_api_of(const void *rig_or_call) {
    return *(const struct rig_api *const *)rig_or_call;
}

RIG_API const char *rig_version(const rig_t *rig) {
    return rig_api_of(rig)->version(rig);
}
RIG_API int rig_workload(rig_t *rig, const char *name, rig_workload_fn fn, void *user) {
    return rig_api_of(rig)->workload(rig, name, fn, user);
}
RIG_API enum rig_type rig_call_type(const rig_call_t *call, enum rig_value which) {
    return rig_api_of(call)->call_type(call, which);
}
RIG_API int rig_call_bytes(rig_call_t *call, enum rig_value which, const void **data,
                           size_t *size) {
    return rig_api_of(call)->call_bytes(call, which, data, size);
}
RIG_API int rig_call_int(rig_call_t *call, enum rig_value which, int64_t *value) {
    return rig_api_of(call)->call_int(call, which, value);
}
RIG_API int rig_call_num(rig_call_t *call, enum rig_value which, double *value) {
    return rig_api_of(call)->call_num(call, which, value);
}
RIG_API unsigned rig_call_worker(const rig_call_t *call) {
    return rig_api_of(call)->call_worker(call);
}
RIG_API int64_t rig_call_index(const rig_call_t *call) {
    return rig_api_of(call)->call_index(call);
}
RIG_API int rig_return_nil(rig_call_t *call) {
    return rig_api_of(call)->return_nil(call);
}
RIG_API int rig_return_int(rig_call_t *call, int64_t value) {
    return rig_api_of(call)->return_int(call, value);
}
RIG_API int rig_return_num(rig_call_t *call, double value) {
    return rig_api_of(call)->return_num(call, value);
}
RIG_API int rig_return_bytes(rig_call_t *call, const void *data, size_t size) {
    return rig_api_of(call)->return_bytes(call, data, size);
}
RIG_API int rig_fail(rig_call_t *call, const char *message) {
    return rig_api_of(call)->fail(call, message);
}

#else /* what follows is for hosts */

/* ---- opening and closing ---- */

typedef struct rig_options {
    /* sizeof(rig_options_t) */
    size_t size;
    /* Folder in which rig's own Lua modules are read instead of the built-in ones. NULL: what
     * RIG_LUA_PATH in the environment says, else the built-in ones. */
    const char *lua_path;
    /* Do large Lua values ask for huge pages? 1 yes, 2 no, 0: what RIG_HUGE_PAGES in the
     * environment (0 or 1) says, else yes. */
    int huge_pages;
    /* 1: the host handles SIGALRM by calling rig_interrupt and leaves the process's timer to rig,
     * for the time limit of a whole run (--budget). 0: such limits are refused. */
    int signals;
    /* What start=spawn runs for each worker: the path of a program whose main begins with
     * rig_worker_main. NULL: what RIG_WORKER in the environment says, else this program itself. */
    const char *worker_program;
    /* May rig fork this process while it has other threads? 1 yes, 2 no, 0: what RIG_FORK_WITH_THREADS in
     * the environment (0 or 1) says, else no. See "Threads" above. */
    int fork_with_threads;
} rig_options_t;

/* Opens a rig. `options` may be NULL; members that are zero mean the default. Does not block;
 * opens one descriptor, starts no process. Returns RIG_OK, RIG_EMEM, RIG_ESYSTEM or
 * RIG_EARGUMENT. On failure *rig is NULL, or a rig that is good for rig_error and rig_close
 * only. */
RIG_API int rig_open(rig_t **rig, const rig_options_t *options);

/* Stops what still runs, reaps it and frees everything; strings that came from this rig are gone.
 * NULL is allowed. May block for as long as workers take to be killed. Not from within a
 * workload. */
RIG_API void rig_close(rig_t *rig);

/* The message of the last function that failed on this rig, "" when none has. Valid until the
 * next call with this rig. For NULL: what it means that there is no rig. */
RIG_API const char *rig_error(const rig_t *rig);

/* ---- workers that are fresh processes (start=spawn) ---- */

/* To be called first in main, before threads, rigs and descriptors, by a program whose scenarios may say
 * start = "spawn": such a worker is this very program, run anew. Returns -1 at once when this process
 * is none, and does not return when it is one: it ends with its last task. 2: the arguments look like a
 * worker's and are not; main should end. Without this call a pool with start=spawn does not start, and
 * says why: the program is run once, and given 20 s. */
RIG_API int rig_worker_main(int argc, char *const argv[]);

/* The same for a host with workloads of its own: `setup` is called in each worker, with its rig, before
 * the scenario is loaded, to register them. It returns RIG_OK, or anything else to end the worker. */
RIG_API int rig_worker_main_with(int argc, char *const argv[], int (*setup)(rig_t *rig, void *user),
                                 void *user);

/* ---- running ---- */

/* Runs the scenario in a file, with all its cases. `overrides` is NULL or a list of "name=value"
 * that ends with NULL ("size=1000", "workers=1..4"), as on the command line. Blocks until the run
 * has ended; starts processes and reaps all of them. Returns RIG_OK when there are results, good
 * or bad: rig_exit_status and rig_results_json tell. RIG_ESCENARIO: nothing was run;
 * RIG_EINTERRUPTED: partial results are kept; RIG_EMEM; RIG_EARGUMENT; RIG_EINTERNAL. */
RIG_API int rig_run_file(rig_t *rig, const char *path, const char *const *overrides);

/* The same for a scenario in a string; `name` stands for it in messages and results. */
RIG_API int rig_run_string(rig_t *rig, const char *name, const char *source,
                           const char *const *overrides);

/* The document of the last run (schema rig-results/1), ended by a zero byte; its length without
 * that goes to *size unless `size` is NULL. Valid until the next run or rig_close. NULL when
 * there is none: see rig_error. */
RIG_API const char *rig_results_json(rig_t *rig, size_t *size);

/* What the command would have exited with for the last run: 0 all passed, 1 a check failed, 2
 * scenario refused, 4 a task did not end well, 5 a file could not be read or written, 128+n
 * stopped by signal n. -1: there was no run. */
RIG_API int rig_exit_status(const rig_t *rig);

/* Loads a shared object and has its rig_register() register workloads; those of the same name are
 * replaced. A path without a slash is searched where the system keeps its libraries. Runs the
 * object's own start-up code. Returns RIG_OK, RIG_ESYSTEM (with the linker's words) or RIG_EMEM. */
RIG_API int rig_load(rig_t *rig, const char *path);

/* Asks a run to stop because of signal `signo` (kept, for messages and the exit status): a wait
 * ends, a script that loops is stopped with an error, no task is handed out, workers are reaped.
 * Async-signal-safe, returns at once, also while nothing runs: then the next run stops. A script
 * that loops is reached only when this is called in the thread that runs it, which is where a
 * host's handler should send the signal on to. */
RIG_API void rig_interrupt(rig_t *rig, int signo);

/* ---- the command and the Lua module ---- */

/* Does what the command `rig` does with these arguments (argv[0] is its name), printing to stdout
 * and stderr. Returns the exit status. */
RIG_API int rig_command(rig_t *rig, int argc, char *const argv[]);

/* For Lua's `require "rig"`: pushes the module's table. `struct lua_State` is that of Lua 5.4. */
struct lua_State;
RIG_API int luaopen_rig(struct lua_State *L);

#endif /* RIG_PLUGIN */

#ifdef __cplusplus
}
#endif

#endif
