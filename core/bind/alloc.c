/* alloc: see alloc.h. Lua tells the old size of a block each time, so which of the kinds it is needs no
 * record. */
#include "bind/alloc.h"

#include <stdio.h>
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
    *a = (struct alloc){.big = huge ? ALLOC_BIG : SIZE_MAX,
                        .look_at = ALLOC_STEP,
                        .refused.available = UINT64_MAX};
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

/* What others are left at least: of a large machine more than of a small one. */
#define RESERVE       ((uint64_t)64 << 20)
#define RESERVE_PARTS 64
/* Several processes may grow side by side: none takes more than this part of what is there without another look. */
#define STEP_PARTS 64
#define STEP_LEAST ((size_t)1 << 20)

static bool look(struct alloc *a, size_t held, size_t n) {
    uint64_t there = memory_available(&a->sys);
    if (a->reserve == 0)
        a->reserve = RESERVE + (there != UINT64_MAX ? there / RESERVE_PARTS : 0);
    if (there < a->reserve || there - a->reserve < n) {
        a->refused.available = there;
        a->refused.held = a->held;
        a->refused.asked = n;
        return false;
    }
    uint64_t step = (there - a->reserve - n) / STEP_PARTS;
    step = step < STEP_LEAST ? STEP_LEAST : step > ALLOC_STEP ? ALLOC_STEP : step;
    a->look_at = held + step;
    return true;
}

/* Before n bytes are asked of the system. */
static inline bool may_grow(struct alloc *a, size_t n) {
    size_t held;
    if (__builtin_add_overflow(a->held, n, &held))
        return false;
    if (held > a->look_at && !a->generous && !look(a, held, n))
        return false;
    a->held = held;
    return true;
}

static inline void shrink(struct alloc *a, size_t n) {
    a->held -= n;
    if (a->look_at > a->held + 2 * ALLOC_STEP)
        a->look_at = a->held + ALLOC_STEP;
}

void alloc_why(struct alloc *a, char *text, size_t size) {
    const double gb = 1e9;
    if (a->refused.available != UINT64_MAX)
        snprintf(text, size,
                 "not enough memory: Lua holds %.2f GB in this process and asked for %.1f MB more; "
                 "%.2f GB "
                 "are available, and %.2f GB of them are left to others (RIG_MEMORY_RESERVE, in "
                 "bytes); use less data, or fewer workers",
                 (double)a->refused.held / gb, (double)a->refused.asked / 1e6,
                 (double)a->refused.available / gb, (double)a->reserve / gb);
    else
        snprintf(text, size,
                 "not enough memory: Lua holds %.2f GB in this process, and the system gives it no "
                 "more (ulimit -v says its limit); use less data, or raise the limit",
                 (double)a->held / gb);
    a->refused.available = UINT64_MAX;
}

static void *ask_small(struct alloc *a, size_t n) {
    if (!may_grow(a, n))
        return NULL;
    void *got = sys_malloc(&a->sys, n);
    if (got == NULL)
        a->held -= n;
    return got;
}

static inline void *take_small(struct alloc *a, size_t n) {
    size_t class = class_of(n);
    struct alloc_kept *block = a->kept[class];
    if (block == NULL)
        return ask_small(a, (class + 1) * 16);
    a->kept[class] = block->next;
    a->kept_bytes -= (class + 1) * 16;
    return block;
}

static void keep_small(struct alloc *a, void *ptr, size_t n) {
    size_t class = class_of(n);
    struct alloc_kept *block = ptr;
    if (!KEEPS || a->kept_bytes >= KEEP_MAX) {
        shrink(a, (class + 1) * 16);
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
    if (!may_grow(a, n))
        return NULL;
    if (n < a->big)
        got = sys_malloc(&a->sys, n);
    else if (map_open(&a->sys, MAP_KIND_PRIVATE, n, &got) < 0)
        got = NULL;
    if (got == NULL)
        a->held -= n;
    return got;
}

static void give_back(struct alloc *a, void *ptr, size_t n) {
    if (n <= ALLOC_SMALL) {
        keep_small(a, ptr, n);
        return;
    }
    shrink(a, n);
    if (n < a->big)
        sys_free(ptr);
    else
        map_close(&a->sys, ptr, n);
}

static void *change_kind(struct alloc *a, void *ptr, size_t osize, size_t nsize) {
    bool generous = a->generous;
    a->generous = generous || nsize < osize;
    void *got = take(a, nsize);
    a->generous = generous;
    if (got != NULL) {
        memcpy(got, ptr, osize < nsize ? osize : nsize);
        give_back(a, ptr, osize);
    }
    return got;
}

/* Beyond the small, and of the same kind. */
static void *resize(struct alloc *a, void *ptr, size_t osize, size_t nsize) {
    if (nsize > osize && !may_grow(a, nsize - osize))
        return NULL;
    if (nsize < a->big)
        ptr = sys_realloc(&a->sys, ptr, nsize);
    else if (map_resize(&a->sys, &ptr, osize, nsize) < 0)
        ptr = NULL;
    if (nsize > osize && ptr == NULL)
        a->held -= nsize - osize;
    if (nsize < osize && ptr != NULL)
        shrink(a, osize - nsize);
    return ptr;
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
    return resize(a, ptr, osize, nsize);
}
