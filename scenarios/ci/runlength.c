/* A run-length decoder, as somebody's C library may have it, and the few lines that make a workload of it for rig.
 * The encoded text is pairs of a length (a byte) and a character.
 *
 *   cc -O2 -shared -fPIC -DRIG_PLUGIN -I core/include -o librunlength.so scenarios/ci/runlength.c
 *
 * -DEXTRA=5 adds 5 percent of work (multiples of 5), which a gate must find. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#ifndef EXTRA
#define EXTRA 0
#endif

/* ---- the library ---- */

static size_t decoded_size(const unsigned char *in, size_t size) {
    size_t total = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        total += in[i];
    return total;
}

static void decode(const unsigned char *in, size_t size, char *out) {
    for (size_t i = 0; i + 1 < size; i += 2) {
        memset(out, in[i + 1], in[i]);
        out += in[i];
    }
}

/* ---- the workload ---- */

static int decode_workload(rig_call_t *call, void *user) {
    const void *in;
    size_t size;
    int err = rig_call_bytes(call, RIG_ITEM, &in, &size);
    (void)user;
    if (err != RIG_OK)
        return err;
    size_t length = decoded_size(in, size);
    char *out = malloc(length > 0 ? length : 1);
    if (out == NULL)
        return rig_fail(call, "out of memory");
    for (int i = 0; i < 20 + EXTRA / 5; i++) /* long enough to be measured */
        decode(in, size, out);
    err = rig_return_bytes(call, out, length);
    free(out);
    return err;
}

int rig_register(rig_t *rig) {
    return rig_workload(rig, "decode", decode_workload, NULL);
}
