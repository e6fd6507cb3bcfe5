/* alloc: the allocator of the Lua states that rig opens itself. Small blocks (tables, short strings) are
 * kept when they are freed and handed out again, which is what Lua's collector does to them all day; blocks
 * of middle size are malloc's; big ones (the array of a large table, a long string) are mappings of their own that ask for huge
 * pages, so that filling them and forking a process that holds them costs little. Not for states
 * that somebody else made, nor for rig's own arrays: those are blocks (pool/block). */
#ifndef RIG_BIND_ALLOC_H
#define RIG_BIND_ALLOC_H

#include "os/sys.h"

/* From here on a block is a mapping. Below, malloc is as good: it maps large blocks too, and a
 * block must hold some huge pages before they are worth their alignment. */
#define ALLOC_BIG ((size_t)4 << 20)

/* Up to here a freed block is kept, for the next one of as many 16 bytes. */
#define ALLOC_SMALL   512
#define ALLOC_CLASSES (ALLOC_SMALL / 16)

/* What it holds is compared with what there is each time that it has grown by this much; more often where little
 * is left. */
#define ALLOC_STEP ((size_t)64 << 20)

struct alloc {
    struct sys sys; /* its own: Lua's many small blocks would drown what the rig itself asks for */
    size_t big;     /* SIZE_MAX: malloc for everything beyond the small */
    size_t held;    /* bytes that Lua has of us */
    size_t look_at; /* when `held` is more than this, we look at what there is */
    uint64_t reserve; /* so much of that is left to others; 0: not known yet */
    bool generous;    /* refuses nothing */
    struct {
        uint64_t available; /* UINT64_MAX: nothing was refused since alloc_why */
        size_t held, asked;
    } refused;
    struct alloc_kept *kept[ALLOC_CLASSES];
    size_t kept_bytes;
};

/* `huge` says whether big blocks ask for huge pages; without, everything is malloc's. */
void alloc_init(struct alloc *a, const struct sys_table *table, bool huge);

/* Gives back the small blocks that are kept; after the Lua state is closed. */
void alloc_clear(struct alloc *a);

/* Why Lua was given no memory, with the figures and what to do. */
void alloc_why(struct alloc *a, char *text, size_t size);

/* A lua_Alloc. A block for which the machine, or the control group, has no memory left is refused (NULL): Lua collects, and
 * raises "not enough memory" if that was in vain. Making a block smaller is never refused.
 * `ud` is the struct alloc, which must outlive the Lua state. */
void *alloc_lua(void *ud, void *ptr, size_t osize, size_t nsize);

#endif
