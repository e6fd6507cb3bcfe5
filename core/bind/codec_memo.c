/* codec_memo: see codec_memo.h. */
#include "bind/codec_memo.h"

#include <errno.h>
#include <string.h>

#define CAP_FIRST 256
#define CAP_KEPT  4096 /* entries; what grew beyond is given back after the message */

void memo_init(struct memo *m, struct sys *s) {
    memset(m, 0, sizeof *m);
    m->sys = s;
}

void memo_free(struct memo *m) {
    block_unref(m->memory);
    m->memory = NULL;
    m->seen = NULL;
    m->cap = m->used = 0;
}

void memo_begin(struct memo *m) {
    m->used = 0;
    m->epoch++;
    if (m->epoch == 0) { /* the numbers begin again: old entries would look like new ones */
        if (m->cap > 0)
            memset(m->seen, 0, m->cap * sizeof *m->seen);
        memset(m->strings, 0, sizeof m->strings);
        m->epoch = 1;
    }
}

void memo_end(struct memo *m) {
    if (m->cap > CAP_KEPT || m->dead)
        memo_free(m);
}

/* Neighbours in memory share cache lines here too: what lies within 512 bytes differs only in the
 * low bits, the rest is spread (Fibonacci hashing). Tables made one after the other are walked one after
 * the other; spreading them all would make each a cache miss. */
static size_t home(const struct memo *m, const void *ptr) {
    uint64_t p = (uintptr_t)ptr;
    uint64_t spread = (p >> 9) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((spread >> 32) + (p >> 4 & 31)) & (m->cap - 1);
}

/* The entry for ptr, or the empty one where it belongs. */
static struct memo_seen *find(const struct memo *m, const void *ptr) {
    size_t i = home(m, ptr);
    while ((uint16_t)m->seen[i].at_epoch == m->epoch && m->seen[i].ptr != ptr)
        i = (i + 1) & (m->cap - 1);
    return &m->seen[i];
}

static int grow(struct memo *m) {
    struct memo_seen *old = m->seen;
    size_t old_cap = m->cap, cap = old_cap == 0 ? CAP_FIRST : old_cap * 4;
    struct block *memory;
    if (block_new(m->sys, BLOCK_PRIVATE, cap * sizeof *m->seen, &memory) < 0)
        return -ENOMEM;
    if (!memory->mapped)
        memset(memory->data, 0, memory->size);
    m->seen = (struct memo_seen *)(void *)memory->data;
    m->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if ((uint16_t)old[i].at_epoch == m->epoch)
            *find(m, old[i].ptr) = old[i];
    block_unref(m->memory);
    m->memory = memory;
    return 0;
}

int memo_see(struct memo *m, const void *ptr, uint64_t at, uint64_t *first) {
    if (m->used * 2 >= m->cap && grow(m) < 0)
        return -ENOMEM;
    struct memo_seen *entry = find(m, ptr);
    if ((uint16_t)entry->at_epoch == m->epoch) {
        *first = entry->at_epoch >> 16;
        return 1;
    }
    *entry = (struct memo_seen){.ptr = ptr, .at_epoch = at << 16 | m->epoch};
    m->used++;
    return 0;
}
