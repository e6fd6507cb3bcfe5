/* frame: the head of every message between coordinator and workers. It carries its own check, so a
 * torn or foreign one is refused before anything is allocated for it. Same machine, same build: the
 * bytes are in the machine's own order. */
#ifndef RIG_POOL_FRAME_H
#define RIG_POOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum frame_type {
    FRAME_TASKS = 1, /* to a worker: items first .. first + count - 1 */
    FRAME_FIXED,     /* to a worker: the fixed data */
    FRAME_STOP,      /* to a worker: finish and leave */
    FRAME_READY,     /* from a worker: it holds the fixed data */
    FRAME_RESULTS,   /* from a worker: `count` results */
    FRAME_FAILED,    /* from a worker: its initializer failed; the body says why */
    FRAME_VALUE,     /* on a queue or pipe of the user's: one value */
    FRAME_TYPES
};

#define FRAME_STREAMED 1 /* the body comes through the descriptor sent along (see queue) */
#define FRAME_CUT      2 /* results: the worker leaves its message as it was told to (see steal) */
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
    uint32_t number; /* FRAME_CUT: which message */
};

/* In a FRAME_TASKS body an item is its length and its bytes. In FRAME_RESULTS a result is four bytes that
 * say which task it is of, counted from head.first, and how it ended (enum result_status), a length and
 * so many bytes: the value, or the message of a failure. A length takes four bytes, twelve when it is
 * too large for them. */
enum result_status { RESULT_OK, RESULT_FAILED, RESULT_SKIPPED /* was not to run any more */ };

#define FRAME_TASKS_MAX (UINT32_C(1) << 30) /* tasks of one message */
#define RECORD_MAX      16                  /* bytes before a result's value at the most */

static inline size_t frame_put_len(uint8_t *to, uint64_t len) {
    uint32_t small = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
    memcpy(to, &small, sizeof small);
    if (small != UINT32_MAX)
        return sizeof small;
    memcpy(to + sizeof small, &len, sizeof len);
    return sizeof small + sizeof len;
}

/* The length at *at, which moves past it; false when it is cut or says more than is there. */
static inline bool frame_get_len(const uint8_t **at, const uint8_t *end, uint64_t *len) {
    uint32_t small;
    if ((size_t)(end - *at) < sizeof small)
        return false;
    memcpy(&small, *at, sizeof small);
    *at += sizeof small;
    *len = small;
    if (small == UINT32_MAX) {
        if ((size_t)(end - *at) < sizeof *len)
            return false;
        memcpy(len, *at, sizeof *len);
        *at += sizeof *len;
    }
    return *len <= (size_t)(end - *at);
}

static inline size_t frame_put_record(uint8_t *to, uint32_t number, enum result_status status,
                                      uint64_t len) {
    uint32_t word = number << 2 | (uint32_t)status;
    memcpy(to, &word, sizeof word);
    return sizeof word + frame_put_len(to + sizeof word, len);
}

static inline bool frame_get_record(const uint8_t **at, const uint8_t *end, uint32_t *number,
                                    enum result_status *status, uint64_t *len) {
    uint32_t word;
    if ((size_t)(end - *at) < sizeof word)
        return false;
    memcpy(&word, *at, sizeof word);
    *at += sizeof word;
    *number = word >> 2;
    *status = (enum result_status)(word & 3);
    return (word & 3) <= RESULT_SKIPPED && frame_get_len(at, end, len);
}

void frame_seal(struct frame_head *h);

/* 0, or -EBADMSG when it is not one of ours, was altered, or claims an absurd length. */
int frame_check(const struct frame_head *h);

#endif
