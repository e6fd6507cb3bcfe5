/* block: a counted piece of memory, small or mapped, that arrays, messages and fixed data share
 * without copying. Counts are per process: a fork gives the child its own. Not thread-safe. */
#ifndef RIG_POOL_BLOCK_H
#define RIG_POOL_BLOCK_H

#include "os/shm.h"
#include "os/sys.h"

enum block_kind {
    BLOCK_PRIVATE, /* ours, copy-on-write after fork; huge pages asked for when large */
    BLOCK_SHARED,  /* the same memory in children */
    BLOCK_SEALED,  /* shared and read-only for good */
};

struct block {
    struct sys *sys;
    uint8_t *data;
    size_t size;
    size_t refs;
    size_t frozen; /* how many messages under way still point here: writing is an error until 0 */
    enum block_kind kind;
    bool mapped;
    int fd;         /* sealed, and to be passed on to fresh processes: what it lies in; else -1 */
    pid_t fd_owner; /* in a forked child the number is not ours */
};

/* A block of `size` bytes (0 is allowed) with one reference. Fresh mappings are zero, small blocks
 * are not. 0 or -ENOMEM and the like. */
int block_new(struct sys *s, enum block_kind kind, size_t size, struct block **out);

/* Takes over a mapping made by shm_seal. On failure the mapping stays the caller's. */
int block_adopt_sealed(struct sys *s, void *addr, size_t size, struct block **out);

/* Takes over the descriptor that a sealed block lies in, until the block is gone. */
void block_keep_fd(struct block *b, int fd);

struct block *block_ref(struct block *b);
void block_unref(struct block *b); /* NULL is allowed */

#endif
