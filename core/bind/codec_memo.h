/* codec_memo: what the encoder remembers while it walks a value: which tables and arrays it has met, and
 * which strings lately. Kept between messages, so that a small message costs no allocation; forgetting
 * is one increment. Nothing here knows about Lua or about the format. */
#ifndef RIG_BIND_CODEC_MEMO_H
#define RIG_BIND_CODEC_MEMO_H

#include "pool/block.h"

#define MEMO_SETS      256 /* of two strings each */
#define MEMO_RUN       1024
#define MEMO_NO_NUMBER UINT32_MAX

/* A string met in this message. Found by its address: strings do not move, and equal short ones are the
 * same. A later one may take the place; then the string merely goes out whole once more. */
struct memo_string {
    const char *s;
    uint32_t epoch;
    uint32_t number; /* MEMO_NO_NUMBER: met once */
};

struct memo_seen {
    const void *ptr;
    uint64_t at_epoch; /* place in the message << 16 | epoch */
};

struct memo {
    struct sys *sys;
    struct block *memory;   /* of `seen` */
    struct memo_seen *seen; /* open addressing; a power of two, at most half full */
    size_t cap, used;
    uint16_t epoch; /* of this message: what bears another is empty */
    bool dead;      /* finalised: no memory may be kept any more */
    struct memo_string strings[MEMO_SETS][2];
    union {
        int64_t i[MEMO_RUN];
        double f[MEMO_RUN];
    } run; /* numbers of a list on their way out */
};

void memo_init(struct memo *m, struct sys *s);
void memo_free(struct memo *m);

/* Forgets everything, before a message. */
void memo_begin(struct memo *m);
/* After one: gives large memory back. */
void memo_end(struct memo *m);

/* Notes that what is at `ptr` begins at `at` in the message: 0; 1 if it was noted before, and where in
 * *first; -ENOMEM. */
int memo_see(struct memo *m, const void *ptr, uint64_t at, uint64_t *first);

/* The place of this string, or the one that it is to take: new strings drive out those met only once, so
 * that the keys of records stay while their values pass. */
static inline struct memo_string *memo_string(struct memo *m, const char *s) {
    uintptr_t p = (uintptr_t)s;
    struct memo_string *set = m->strings[(p >> 4 ^ p >> 12) % MEMO_SETS];
    if (set[0].s == s && set[0].epoch == m->epoch)
        return &set[0];
    if (set[1].s == s && set[1].epoch == m->epoch)
        return &set[1];
    bool first_free = set[0].epoch != m->epoch || set[0].number == MEMO_NO_NUMBER;
    bool second_free = set[1].epoch != m->epoch || set[1].number == MEMO_NO_NUMBER;
    return first_free && !second_free ? &set[0] : &set[1];
}

#endif
