/* alloc: see alloc.h. Lua tells the old size of a block each time, so which of the kinds it is needs no
 * record. */
#include "bind/alloc.h"

#include <string.h>

#include "os/shm.h"

/* How many bytes are kept at most: what a collection frees comes back from here, while a heap that shrinks for
 * good gives most of its memory back. */
#define KEEP_MAX ((size_t)8 << 20)

/* Sanitizers want to see each block freed. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

/* What a kept block holds: its neighbour on the list. */
struct alloc_kept {
    struct alloc_kept *next;
};

void alloc_init(struct alloc *a, const struct sys_table *table, bool huge) {
    *a = (struct alloc){.big = huge ? ALLOC_BIG : SIZE_MAX};
    sys_init(&a->sys, table);
}

void alloc_clear(struct alloc *a) {
    for (size_t class = 0; class < ALLOC_CLASSES; class ++) {
        for (struct alloc_kept *next, *block = a->kept[class]; block != NULL; block = next) {
            next = block->next;
            sys_free(block);
        }
        a->kept[class] = NULL;
    }
    a->kept_bytes = 0;
}

/* Of 1 to ALLOC_SMALL bytes. */
static inline size_t class_of(size_t n) {
    return (n - 1) / 16;
}

static void *take_small(struct alloc *a, size_t n) {
    size_t class = class_of(n);
    struct alloc_kept *block = a->kept[class];
    if (block == NULL)
        return sys_malloc(&a->sys, (class + 1) * 16);
    a->kept[class] = block->next;
    a->kept_bytes -= (class + 1) * 16;
    return block;
}

static void keep_small(struct alloc *a, void *ptr, size_t n) {
    size_t class = class_of(n);
    struct alloc_kept *block = ptr;
    if (!KEEPS || a->kept_bytes >= KEEP_MAX) {
        sys_free(ptr);
        return;
    }
    block->next = a->kept[class];
    a->kept[class] = block;
    a->kept_bytes += (class + 1) * 16;
}

static void *take(struct alloc *a, size_t n) {
    void *got = NULL;
    if (n <= ALLOC_SMALL)
        return take_small(a, n);
    if (n < a->big)
        return sys_malloc(&a->sys, n);
    return map_open(&a->sys, MAP_KIND_PRIVATE, n, &got) < 0 ? NULL : got;
}

static void give_back(struct alloc *a, void *ptr, size_t n) {
    if (n <= ALLOC_SMALL)
        keep_small(a, ptr, n);
    else if (n < a->big)
        sys_free(ptr);
    else
        map_close(&a->sys, ptr, n);
}

static void *change_kind(struct alloc *a, void *ptr, size_t osize, size_t nsize) {
    void *got = take(a, nsize);
    if (got != NULL) {
        memcpy(got, ptr, osize < nsize ? osize : nsize);
        give_back(a, ptr, osize);
    }
    return got;
}

void *alloc_lua(void *ud, void *ptr, size_t osize, size_t nsize) {
    struct alloc *a = ud;
    if (ptr == NULL)
        return nsize == 0 ? NULL : take(a, nsize); /* osize is a type tag here, not a size */
    if (nsize == 0) {
        give_back(a, ptr, osize);
        return NULL;
    }
    if (osize <= ALLOC_SMALL || nsize <= ALLOC_SMALL) {
        bool same =
            osize <= ALLOC_SMALL && nsize <= ALLOC_SMALL && class_of(osize) == class_of(nsize);
        return same ? ptr : change_kind(a, ptr, osize, nsize);
    }
    bool was_big = osize >= a->big, is_big = nsize >= a->big;
    if (was_big != is_big)
        return change_kind(a, ptr, osize, nsize);
    if (!is_big)
        return sys_realloc(&a->sys, ptr, nsize);
    return map_resize(&a->sys, &ptr, osize, nsize) < 0 ? NULL : ptr;
}
