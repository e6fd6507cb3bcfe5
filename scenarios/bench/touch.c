/* Fresh memory, touched for the first time: what making.lua measures rig.array against. It builds and loads this itself:
 *
 *   cc -O2 -shared -fPIC -DRIG_PLUGIN -I core/include -o touch.so scenarios/bench/touch.c */
#include "rig.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)
#define HUGE ((size_t)2 << 20)

/* The item is a number of bytes; a mapping of as many, aligned and advised as rig's own, gets a byte in every page. */
static int touch(rig_call_t *call, void *user) {
    int64_t n;
    int err = rig_call_int(call, RIG_ITEM, &n);
    (void)user;
    if (err != RIG_OK)
        return err;
    size_t size = (size_t)n + HUGE;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return rig_fail(call, "no memory");
    char *begin = (char *)(((uintptr_t)memory + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
    madvise(begin, (size_t)n, MADV_HUGEPAGE);
    for (size_t at = 0; at < (size_t)n; at += PAGE)
        *(volatile char *)(begin + at) = 50;
    munmap(memory, size);
    return rig_return_int(call, n);
}

int rig_register(rig_t *rig) {
    return rig_workload(rig, "touch", touch, NULL);
}
