/* codec: Lua values to bytes and back, between processes of one machine and one build of rig. Values are
 * nil, booleans, 64-bit integers, floats (bit by bit), strings, tables (nested, shared, cyclic; keys of
 * any kind) and arrays. Functions, coroutines, tables with metatables and other userdata cannot cross.
 * Not a file format: numbers are in the machine's byte order and tags may change with any version.
 *
 * A value is self-delimiting: a tag byte (codec_tags.h) and what it announces.
 *
 *   0 to 127            the tag is the number; other integers follow their tag in 1, 2, 4 or 8 bytes
 *   float               8 bytes
 *   string              its length in the tag (below 64) or as a varint, then its bytes. One that comes
 *                       again is marked the second time and from the third on only named by its number:
 *                       the keys of 1,000 records cost a byte each
 *   table               varint n, a byte k, then n list elements (keys 1 to n), then pairs of key and
 *                       value: k of them below 224; else until an end tag, and there are at most
 *                       2^(k - 224), more than half of it. Among the list elements a *run* stands for many:
 *                       a varint and so many integers of 1, 2, 4 or 8 bytes, or floats
 *   array               its type, varint count, then the elements; from 64 KiB on by reference while they
 *                       are in the sending process (see buf), preceded by a byte that says how many bytes
 *                       of padding come first, so that they can be used in place where they arrive
 *   again               a table or array of this message once more: varint, where in the message it began
 *                       (bytes by reference not counted). Only those that are named so have a tag that tells
 *                       the reader to remember them, set afterwards: plain trees cost the reader nothing
 *
 * Slices of one array that cross in one message arrive as arrays of their own. */
#ifndef RIG_BIND_CODEC_H
#define RIG_BIND_CODEC_H

#include <lua.h>
#include <string.h>

#include "pool/buf.h"

#define CODEC_DEPTH_MAX 100  /* tables within tables; the outermost is 1 */
#define CODEC_BYTE_MAX  127  /* integers from 0 on that are one byte: the tag itself */
#define CODEC_INT8      0xe3 /* the tag of an integer of one byte; of 2, 4 and 8 those behind it */

struct codec_error {
    char path[256]; /* to the value, from the root: "[3].callback"; "" is the root itself */
    char what[192]; /* "a function cannot cross processes; ..." */
};

/* Prepares this Lua state; must come first. */
void codec_open(lua_State *L);

/* Appends the value at idx to `out`. Never raises and never runs Lua code, so `out` may be any memory of
 * the caller's. 0; -EINVAL with *err filled in; -ENOMEM; after an error `out` is as it was. Large arrays are
 * referred to, and stay frozen until `out` is cleared. */
int codec_encode_any(lua_State *L, int idx, struct buf *out, struct codec_error *err);

/* Bytes of an encoded integer or float at the most. */
#define CODEC_NUMBER_MAX 9

/* Writes an integer; returns how many bytes it took. */
static inline size_t codec_store_integer(uint8_t *p, int64_t v) {
    if ((uint64_t)v <= CODEC_BYTE_MAX) {
        *p = (uint8_t)v;
        return 1;
    }
    uint64_t size = (uint64_t)(v ^ (v >> 63));
    unsigned width =
        (size > INT8_MAX) + (unsigned)(size > INT16_MAX) + (unsigned)(size > INT32_MAX);
    *p = (uint8_t)(CODEC_INT8 + width);
    memcpy(p + 1, &v, sizeof v); /* its low bytes come first */
    return 1 + ((size_t)1 << width);
}

/* The same, integers at once: for tasks that do next to nothing, the call is the cost. */
static inline int codec_encode(lua_State *L, int idx, struct buf *out, struct codec_error *err) {
    if (out->cap - out->len < CODEC_NUMBER_MAX || !lua_isinteger(L, idx))
        return codec_encode_any(L, idx, out, err);
    out->len += codec_store_integer(out->data + out->len, lua_tointegerx(L, idx, NULL));
    return 0;
}

/* "items[3].callback: a function cannot cross processes; ..." with "items" for root. */
void codec_error_text(const struct codec_error *err, const char *root, char *text, size_t size);

/* Raises for codec_encode's result: the text as above, or a lack of memory. */
int codec_raise(lua_State *L, int code, const struct codec_error *err, const char *root);

/* Pushes the value that `bytes` begin with, for which there must be room on the stack; *used says how many there were of it. Any bytes are safe: 0,
 * or -EBADMSG with nothing pushed. Raises only when Lua has no memory; all that was made is Lua's then.
 * With `owner`, the block in which the bytes lie, arrays of 64 KiB and more become views into it; else
 * they are copied. */
int codec_decode_any(lua_State *L, const uint8_t *bytes, size_t len, struct block *owner,
                     size_t *used);

/* How many of the bytes are an integer, which goes to *v; 0: they begin with something else. */
static inline size_t codec_read_integer(const uint8_t *bytes, size_t len, int64_t *v) {
    unsigned width = len > 0 ? *bytes - CODEC_INT8 : UINT8_MAX;
    if (len > 0 && *bytes <= CODEC_BYTE_MAX) {
        *v = *bytes;
        return 1;
    }
    if (width > 3 || len < 1 + ((size_t)1 << width))
        return 0;
    int16_t i16;
    int32_t i32;
    switch (width) {
    case 0: *v = (int64_t)((uint64_t)bytes[1] << 56) >> 56; break;
    case 1: memcpy(&i16, bytes + 1, sizeof i16), *v = i16; break;
    case 2: memcpy(&i32, bytes + 1, sizeof i32), *v = i32; break;
    default: memcpy(v, bytes + 1, sizeof *v); break;
    }
    return 1 + ((size_t)1 << width);
}

/* The same as codec_decode_any, integers at once. */
static inline int codec_decode(lua_State *L, const uint8_t *bytes, size_t len, struct block *owner,
                               size_t *used) {
    int64_t v;
    *used = codec_read_integer(bytes, len, &v);
    if (*used == 0)
        return codec_decode_any(L, bytes, len, owner, used);
    lua_pushinteger(L, v);
    return 0;
}

#endif
