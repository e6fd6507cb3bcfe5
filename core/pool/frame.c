/* frame: see frame.h. */
#include "pool/frame.h"

#include <errno.h>

#define MAGIC UINT32_C(0x31676972) /* "rig1" */

/* Each 64-bit word is mixed in by a multiplication that is a bijection, so any single altered word
 * changes the result (constant: 2^64 / golden ratio, Knuth TAOCP 3, 6.4). */
static uint32_t checksum(const struct frame_head *h) {
    uint64_t words[] = {
        (uint64_t)h->magic << 32 | (uint32_t)h->type << 24 | (uint32_t)h->flags << 16 | h->worker,
        (uint64_t)h->count << 32 | h->epoch,
        h->first,
        h->len,
        h->busy_ns,
        h->number,
    };
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        sum = (sum ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15);
        sum ^= sum >> 32;
    }
    return (uint32_t)sum;
}

void frame_seal(struct frame_head *h) {
    h->magic = MAGIC;
    h->check = checksum(h);
}

int frame_check(const struct frame_head *h) {
    bool ours = h->magic == MAGIC && h->check == checksum(h) && h->type > 0 &&
                h->type < FRAME_TYPES && h->len <= FRAME_LEN_MAX;
    return ours ? 0 : -EBADMSG;
}
