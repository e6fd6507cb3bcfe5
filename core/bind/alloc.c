/* alloc: see alloc.h. Lua tells the old size of a block each time, so which of the two kinds it is
 * needs no record. */
#include "bind/alloc.h"

#include <string.h>

#include "os/shm.h"

void alloc_init(struct alloc *a, const struct sys_table *table, bool huge) {
    sys_init(&a->sys, table);
    a->big = huge ? ALLOC_BIG : SIZE_MAX;
}

static void *take(struct alloc *a, size_t n) {
    void *got = NULL;
    if (n < a->big)
        return sys_malloc(&a->sys, n);
    return map_open(&a->sys, MAP_KIND_PRIVATE, n, &got) < 0 ? NULL : got;
}

static void give_back(struct alloc *a, void *ptr, size_t n) {
    if (n < a->big)
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
    bool was_big = osize >= a->big, is_big = nsize >= a->big;
    if (was_big != is_big)
        return change_kind(a, ptr, osize, nsize);
    if (!is_big)
        return sys_realloc(&a->sys, ptr, nsize);
    return map_resize(&a->sys, &ptr, osize, nsize) < 0 ? NULL : ptr;
}
