/* block: see block.h. */
#include "pool/block.h"

#include <errno.h>

#include "os/fds.h"

/* From here on a mapping of its own: it can be of huge pages. What is smaller is malloc's, which gives out again what
 * it was given back: the pages of a fresh mapping are made one by one, which for a message of 1 MiB takes longer than
 * all its copying. */
#define MAP_FROM ((size_t)2 << 20)

static int fill_in(struct block *b, enum block_kind kind, size_t size) {
    b->mapped = kind == BLOCK_SHARED || size >= MAP_FROM;
    if (b->mapped) {
        void *addr;
        enum map_kind how = kind == BLOCK_SHARED ? MAP_KIND_SHARED : MAP_KIND_PRIVATE;
        int err = map_open(b->sys, how, size ? size : 1, &addr);
        b->data = addr;
        return err;
    }
    b->data = sys_malloc(b->sys, size);
    return b->data ? 0 : -ENOMEM;
}

int block_new(struct sys *s, enum block_kind kind, size_t size, struct block **out) {
    struct block *b = sys_malloc(s, sizeof *b);
    if (b == NULL)
        return -ENOMEM;
    *b = (struct block){.sys = s, .size = size, .refs = 1, .kind = kind, .fd = -1};
    int err = fill_in(b, kind, size);
    if (err < 0) {
        sys_free(b);
        return err;
    }
    *out = b;
    return 0;
}

int block_adopt_sealed(struct sys *s, void *addr, size_t size, struct block **out) {
    struct block *b = sys_malloc(s, sizeof *b);
    if (b == NULL)
        return -ENOMEM;
    *b = (struct block){.sys = s,
                        .data = addr,
                        .size = size,
                        .refs = 1,
                        .kind = BLOCK_SEALED,
                        .mapped = true,
                        .fd = -1};
    *out = b;
    return 0;
}

void block_keep_fd(struct block *b, int fd) {
    b->fd = fd;
    b->fd_owner = b->sys->pid;
}

struct block *block_ref(struct block *b) {
    b->refs++;
    return b;
}

void block_unref(struct block *b) {
    if (b == NULL || --b->refs > 0)
        return;
    if (b->fd >= 0 && b->fd_owner == b->sys->pid)
        fds_close(b->sys, &b->fd);
    if (b->mapped)
        map_close(b->sys, b->data, b->size ? b->size : 1);
    else
        sys_free(b->data);
    sys_free(b);
}
