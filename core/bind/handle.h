/* handle: what the userdata of queues, pipe ends and processes have in common: each belongs to one
 * process. A forked child may use those that it was given (rig.fork); of the others it must neither
 * close nor read anything, and neither may its collector. */
#ifndef RIG_BIND_HANDLE_H
#define RIG_BIND_HANDLE_H

#include "bind/state.h"
#include "os/proc.h"
#include "pool/queue.h"
#include "pool/stream.h"

enum handle_kind { HANDLE_QUEUE, HANDLE_STREAM, HANDLE_PROC };

struct handle {
    const void *magic;
    enum handle_kind kind;
    pid_t owner; /* the process that may use it */
    bool open;
    struct state *state;
    struct handle *next; /* queues: in state->queues, which are flushed whenever we wait */
    union {
        struct queue queue;
        struct stream stream;
        struct proc proc;
    } u;
    struct proc_end end; /* of a process, once it was reaped */
    bool ended;
};

/* Pushes a closed handle with its metatable; the resource is put in after it, so that nothing is lost
 * when Lua has no memory. */
struct handle *handle_push(lua_State *L, enum handle_kind kind);

/* The handle at `arg`, of that kind, open and ours; raises otherwise. */
struct handle *handle_check(lua_State *L, int arg, enum handle_kind kind);

/* The handle at idx (any state), or NULL. */
struct handle *handle_test(lua_State *L, int idx);

/* Makes `methods` (NULL-terminated) those of the kind. */
void handle_methods(lua_State *L, enum handle_kind kind, const luaL_Reg *methods);

/* Closes whatever it is; nothing in a process that does not own it. */
void handle_close(struct handle *h);

/* A signal, by its name or number; raises. SIGTERM when there is none. */
int handle_signal(lua_State *L, int arg);

/* Optional argument of seconds -> deadline; none or nil: never. */
int64_t handle_deadline(lua_State *L, int arg);

/* Waits like ready_wait, while whatever waits in the queues of this state goes out, and workers that are
 * watched are ended when they are due. */
int wait_flushing(struct state *st, struct pollfd *fds, size_t n, int64_t deadline);
int wait_one(struct state *st, int fd, short events, int64_t deadline);

/* For a fork: the open handles of ours found in the values from stack index `first` to the top, in
 * tables among them (those of up to 256 entries) and in the upvalues of their functions. Pushes a
 * list of them; returns how many. */
int handle_find(lua_State *L, int first);

#endif
