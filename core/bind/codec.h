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

#include "pool/buf.h"

#define CODEC_DEPTH_MAX 100 /* tables within tables; the outermost is 1 */
#define CODEC_BYTE_MAX  127 /* integers from 0 on that are one byte: the tag itself */

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

/* The same, small integers at once: for tasks that do next to nothing, the call is the cost. */
static inline int codec_encode(lua_State *L, int idx, struct buf *out, struct codec_error *err) {
    if (out->len < out->cap && lua_isinteger(L, idx)) {
        lua_Integer v = lua_tointegerx(L, idx, NULL);
        if (v >= 0 && v <= CODEC_BYTE_MAX) {
            out->data[out->len++] = (uint8_t)v;
            return 0;
        }
    }
    return codec_encode_any(L, idx, out, err);
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

/* The same, small integers at once. */
static inline int codec_decode(lua_State *L, const uint8_t *bytes, size_t len, struct block *owner,
                               size_t *used) {
    if (len == 0 || *bytes > CODEC_BYTE_MAX)
        return codec_decode_any(L, bytes, len, owner, used);
    lua_pushinteger(L, *bytes);
    *used = 1;
    return 0;
}

#endif
