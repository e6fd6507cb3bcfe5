/* fuzz: what the fuzz targets share: the two entries that libFuzzer calls (standalone.c calls them too), taking bytes
 * off the input, and saying that something was found. Not for Lua: fuzz_lua.h. */
#ifndef RIG_TESTS_FUZZ_H
#define RIG_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
};

/* The next byte; 0 when there is none. */
static inline unsigned input_byte(struct input *in) {
    return in->at < in->end ? *in->at++ : 0;
}

/* The next n bytes as a number; what is missing counts as 0. */
static inline uint64_t input_number(struct input *in, unsigned n) {
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)input_byte(in) << (8 * i);
    return v;
}

static inline size_t input_left(const struct input *in) {
    return (size_t)(in->end - in->at);
}

/* Ends the program as a crash does, so that the input is kept. */
#define FINDING(...)                  \
    do {                              \
        fputs("finding: ", stderr);   \
        fprintf(stderr, __VA_ARGS__); \
        fputc('\n', stderr);          \
        abort();                      \
    } while (0)

#define PROMISE(condition)                                                \
    do {                                                                  \
        if (!(condition))                                                 \
            FINDING("%s:%d: not so: %s", __FILE__, __LINE__, #condition); \
    } while (0)

#endif
