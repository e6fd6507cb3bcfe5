/* codec_put: what the encoder's files share: its state, the writing of single things, and refusals. Every
 * function that returns int gives 0 or -ENOMEM, unless it says more. */
#ifndef RIG_BIND_CODEC_PUT_H
#define RIG_BIND_CODEC_PUT_H

#include <errno.h>
#include <string.h>

#include "bind/codec.h"
#include "bind/codec_memo.h"
#include "bind/codec_tags.h"

struct encoder {
    lua_State *L;
    struct buf *out;
    struct memo *memo;
    struct codec_error *err;
    size_t start; /* out->len before the message */
    unsigned depth;
    uint32_t marked; /* strings that have numbers */
};

/* Fills in what cannot be sent; -EINVAL. */
int put_refusal(struct encoder *e, const char *what);
int put_refusal_userdata(struct encoder *e, int idx);

/* On the way out after `code`: puts the key at idx before the path known so far. Returns `code`. */
int put_refused_under(struct encoder *e, int idx, int code);

/* Where n > 0 bytes may be written, or NULL without memory. */
static inline uint8_t *room(struct buf *b, size_t n) {
    if (b->cap - b->len < n && buf_reserve(b, n) < 0)
        return NULL;
    return b->data + b->len;
}

static inline size_t store_varint(uint8_t *p, uint64_t v) {
    size_t n = 0;
    for (; v > 0x7f; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}

static inline int put_tag(struct encoder *e, unsigned tag) {
    uint8_t *p = room(e->out, 1);
    if (p == NULL)
        return -ENOMEM;
    *p = (uint8_t)tag;
    e->out->len++;
    return 0;
}

static inline int put_tag_varint(struct encoder *e, unsigned tag, uint64_t v) {
    uint8_t *p = room(e->out, 11);
    if (p == NULL)
        return -ENOMEM;
    *p = (uint8_t)tag;
    e->out->len += 1 + store_varint(p + 1, v);
    return 0;
}

/* log2 of the bytes that hold every integer whose magnitude bits are in `bits`. */
static inline unsigned width_of(uint64_t bits) {
    return (bits > INT8_MAX) + (unsigned)(bits > INT16_MAX) + (unsigned)(bits > INT32_MAX);
}

static inline uint64_t magnitude(int64_t v) {
    return (uint64_t)(v ^ (v >> 63));
}

static inline int put_integer(struct encoder *e, int64_t v) {
    uint8_t *p = room(e->out, CODEC_NUMBER_MAX);
    if (p == NULL)
        return -ENOMEM;
    e->out->len += codec_store_integer(p, v);
    return 0;
}

_Static_assert(TAG_INT8 == CODEC_INT8 && TAG_INT64 == CODEC_INT8 + 3, "codec.h knows these tags");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are cut at their end");

static inline int put_float(struct encoder *e, double v) {
    uint8_t *p = room(e->out, 9);
    if (p == NULL)
        return -ENOMEM;
    *p = TAG_FLOAT;
    memcpy(p + 1, &v, sizeof v);
    e->out->len += 9;
    return 0;
}

static inline int put_bytes(struct encoder *e, const char *s, size_t len) {
    if (len > SIZE_MAX - 11)
        return -ENOMEM;
    uint8_t *p = room(e->out, len + 11);
    if (p == NULL)
        return -ENOMEM;
    size_t head = 1;
    if (len < STR_SHORT) {
        *p = (uint8_t)(TAG_STR0 + len);
    } else {
        *p = TAG_STR;
        head += store_varint(p + 1, len);
    }
    memcpy(p + head, s, len);
    e->out->len += head + len;
    return 0;
}

#endif
