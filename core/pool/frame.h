/* frame: the head of every message between coordinator and workers. It carries its own check, so a
 * torn or foreign one is refused before anything is allocated for it. Same machine, same build: the
 * bytes are in the machine's own order. */
#ifndef RIG_POOL_FRAME_H
#define RIG_POOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_type {
    FRAME_TASKS = 1, /* to a worker: items first .. first + count - 1 */
    FRAME_FIXED,     /* to a worker: the fixed data */
    FRAME_STOP,      /* to a worker: finish and leave */
    FRAME_READY,     /* from a worker: it holds the fixed data */
    FRAME_RESULTS,   /* from a worker: `count` results, see result_head */
    FRAME_FAILED,    /* from a worker: its initializer failed; the body says why */
    FRAME_VALUE,     /* on a queue or pipe of the user's: one value */
    FRAME_TYPES
};

#define FRAME_STREAMED 1 /* the body comes through the descriptor sent along (see queue) */
#define FRAME_LEN_MAX  (UINT64_C(1) << 46)

struct frame_head {
    uint32_t magic;
    uint8_t type;
    uint8_t flags;
    uint16_t worker; /* who sent it, or 0 */
    uint32_t count;
    uint32_t epoch; /* which map it belongs to: late results of a map that ended are ignored */
    uint64_t first;
    uint64_t len;     /* bytes of the body */
    uint64_t busy_ns; /* results: time spent in the tasks */
    uint32_t check;
    uint32_t spare;
};

/* In a FRAME_TASKS body an item is its length and its bytes; in FRAME_RESULTS a result is this and
 * `len` bytes: the value, or the message when status is not 0. */
struct result_head {
    uint64_t task;
    uint64_t len;
    uint32_t status, spare;
};

void frame_seal(struct frame_head *h);

/* 0, or -EBADMSG when it is not one of ours, was altered, or claims an absurd length. */
int frame_check(const struct frame_head *h);

#endif
