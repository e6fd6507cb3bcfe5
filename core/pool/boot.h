/* boot: what a coordinator and the fresh process of a worker (start=spawn) have to agree on before any
 * frame can pass: one argument, which names descriptors; a sealed memory file that says what the pool
 * is made of, followed by the job's bytes; and the word that the worker gives when it has begun. */
#ifndef RIG_POOL_BOOT_H
#define RIG_POOL_BOOT_H

#include "pool/axes.h"

/* The first argument of a worker, and how the second one is written. */
#define BOOT_ARGUMENT "--rig-worker"
#define BOOT_NUMBERS  (6 + CHANNEL_FDS)

/* The numbers of the second argument: the worker's, then those of descriptors (-1: none). */
enum {
    BOOT_AT_ID,
    BOOT_AT_BOOT,     /* struct boot and the job */
    BOOT_AT_SLOTS,    /* all slots; a worker uses its own */
    BOOT_AT_LIFELINE, /* only to be kept open */
    BOOT_AT_HELLO,    /* where struct hello goes to */
    BOOT_AT_FIXED,
    BOOT_AT_CHANNEL,
};

#define BOOT_MAGIC  UINT64_C(0x746f6f6267697200)
#define BOOT_FORMAT 1
#define BOOT_BUILD  96
#define BOOT_NAME   16

/* Magic, format and build stay where they are whatever is changed: they say whether to read on. */
struct boot {
    uint64_t magic;
    uint32_t format, size; /* of this struct */
    char build[BOOT_BUILD];
    char channel[BOOT_NAME], deliver[BOOT_NAME];
    uint32_t workers, chunk, barrier;
    int64_t timeout_ns;
    uint64_t max_tasks, max_messages;
    uint64_t slots_size;  /* with the board behind the slots */
    uint64_t board;       /* its words */
    uint64_t placed_size; /* of the fixed data with delivery=shm */
    uint64_t job_size;    /* bytes behind this struct */
};

/* From a worker, or from what was to become one: error 0, or -errno with a text if it has one. */
struct hello {
    int32_t error;
    char text[200];
};

#endif
