/* buf: a growing run of bytes, in which large pieces may stand by reference. What a message is made
 * of on the way out: the small bytes are ours, an array's megabytes stay where they are, counted and
 * frozen, until they have been sent. Not for receiving: see block. */
#ifndef RIG_POOL_BUF_H
#define RIG_POOL_BUF_H

#include "pool/block.h"

/* Pieces below this are copied: a reference costs more than it saves. */
#define BUF_REF_MIN ((size_t)64 << 10)
/* Referenced pieces start at multiples of this within the message, so that they can be used in
 * place where they arrive. */
#define BUF_ALIGN ((size_t)64)

struct buf_piece {
    size_t at; /* the piece stands before data[at] */
    const uint8_t *ptr;
    size_t len;
    struct block *block; /* holds the bytes; frozen while this piece lives */
};

struct buf {
    struct sys *sys;
    uint8_t *data;
    size_t len, cap; /* bytes of our own */
    struct buf_piece *pieces;
    size_t n_pieces, cap_pieces;
    size_t pieces_len; /* bytes by reference */
};

void buf_init(struct buf *b, struct sys *s);
/* Forgets the contents (and their references) and keeps the memory, up to a bound. */
void buf_clear(struct buf *b);
void buf_free(struct buf *b);
/* Back to `len` bytes of our own and `pieces` pieces, as noted earlier. */
void buf_truncate(struct buf *b, size_t len, size_t pieces);

static inline size_t buf_size(const struct buf *b) {
    return b->len + b->pieces_len;
}

/* Room for n more bytes of our own: 0 or -ENOMEM. Does not change len. */
int buf_reserve(struct buf *b, size_t n);

/* 0 or -ENOMEM; on failure the contents are as before. */
int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_add_u8(struct buf *b, uint8_t v);
int buf_add_varint(struct buf *b, uint64_t v); /* LEB128 */

/* Adds `n` bytes inside `block` by reference, after zero padding to a multiple of BUF_ALIGN of the
 * message's size. 0 or -ENOMEM. */
int buf_add_ref(struct buf *b, struct block *block, const void *bytes, size_t n);

/* Appends what `from` holds: its own bytes by copying, its pieces by reference. `b` must be empty, or
 * the pieces lose their alignment. 0 or -ENOMEM. */
int buf_add_buf(struct buf *b, const struct buf *from);

/* Copies bytes [from, from + n) of the message to `to`; they must exist. */
void buf_read(const struct buf *b, size_t from, void *to, size_t n);

/* Fills iov with the bytes from offset `from` on; returns how many entries were used, 0 at the end. */
int buf_iov(const struct buf *b, size_t from, struct iovec *iov, int max);

/* Copies all bytes to `to`, which has room for buf_size(b). */
void buf_copy(const struct buf *b, uint8_t *to);

/* Moves from's contents to `to` (which is freed first); `from` is empty then. */
void buf_move(struct buf *to, struct buf *from);

/* Reads a varint at *at (end exclusive): moves *at past it. 0, or -EBADMSG when it is cut or over
 * 64 bits. */
int bytes_varint(const uint8_t **at, const uint8_t *end, uint64_t *v);

#endif
