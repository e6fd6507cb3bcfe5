/* shm: mappings, private and shared, with huge pages asked for, and sealed shared memory; how much
 * memory this process may still take. Not for small blocks: use sys_malloc. */
#ifndef RIG_OS_SHM_H
#define RIG_OS_SHM_H

#include "os/sys.h"

#define SHM_HUGE ((size_t)2 << 20)

enum map_kind {
    MAP_KIND_PRIVATE, /* copy-on-write after fork */
    MAP_KIND_SHARED,  /* the same pages in parent and children */
};

/* Maps at least `n` fresh zero bytes; blocks of SHM_HUGE and more are aligned to SHM_HUGE, and
 * private ones ask for huge pages. 0 and the address, or -errno. */
int map_open(struct sys *s, enum map_kind kind, size_t n, void **addr);

/* Grows or shrinks a private mapping, moving it if need be (its alignment kept). 0 or -errno, with
 * the old mapping untouched. */
int map_resize(struct sys *s, void **addr, size_t old, size_t n);

/* `n` as given to map_open. NULL is allowed. */
void map_close(struct sys *s, void *addr, size_t n);

/* Touches every page of [addr, addr + n) so that writes there do not fault. Best effort. */
void map_prefault(struct sys *s, void *addr, size_t n);

/* Shared memory for processes that are given `fd`, which the caller closes. The size is allocated at once, so that too
 * little memory is an error here (-ENOMEM, -ENOSPC) and not a SIGBUS later. */
int shm_open_shared(struct sys *s, const char *name, size_t n, int *fd, void **addr);

/* The same, to be sealed: until then forked children do not have it. `fd` stays open until shm_seal closes it. */
int shm_open_sealable(struct sys *s, const char *name, size_t n, int *fd, void **addr);

/* Makes it read-only for good: unmaps, seals, maps again (a writable mapping would forbid the seal).
 * On success *addr is the read-only mapping and the descriptor is closed. On failure both are gone. */
int shm_seal(struct sys *s, int *fd, size_t n, void **addr);

/* The same, but on success the descriptor stays open: with it a fresh process can map it too. */
int shm_seal_open(struct sys *s, int *fd, size_t n, void **addr);

/* In another process: maps `n` bytes that lie behind a descriptor, to read, or to write as well. 0 and
 * the address, or -errno. */
int shm_map(struct sys *s, int fd, size_t n, bool writable, void **addr);

/* Is it a descriptor of memory that was sealed? */
bool shm_is_sealed(struct sys *s, int fd);

/* Bytes that can be allocated without swapping or breaking a limit: the least of MemAvailable and
 * what the cgroup leaves; UINT64_MAX when neither can be read. */
uint64_t memory_available(struct sys *s);

/* How many processes of our cgroup (v2), or of one below it, the kernel has killed because memory had run out; -1 where it
 * does not say. */
int64_t memory_oom_kills(struct sys *s);

#endif
