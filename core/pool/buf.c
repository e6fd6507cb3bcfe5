/* buf: see buf.h. */
#include "pool/buf.h"

#include <errno.h>
#include <string.h>

#define KEEP_MAX ((size_t)1 << 20)

/* From here on the bytes are a mapping of their own that asks for huge pages: growing moves pages and not bytes,
 * and filling it takes a fraction of the faults. */
#define MAP_FROM ((size_t)4 << 20)

void buf_init(struct buf *b, struct sys *s) {
    *b = (struct buf){.sys = s};
}

void buf_truncate(struct buf *b, size_t len, size_t pieces) {
    while (b->n_pieces > pieces) {
        struct buf_piece *p = &b->pieces[--b->n_pieces];
        b->pieces_len -= p->len;
        p->block->frozen--;
        block_unref(p->block);
    }
    b->len = len;
}

static void free_bytes(struct buf *b) {
    if (b->cap >= MAP_FROM)
        map_close(b->sys, b->data, b->cap);
    else
        sys_free(b->data);
    b->data = NULL;
    b->cap = 0;
}

void buf_clear(struct buf *b) {
    buf_truncate(b, 0, 0);
    if (b->cap > KEEP_MAX)
        free_bytes(b);
}

void buf_free(struct buf *b) {
    buf_truncate(b, 0, 0);
    free_bytes(b);
    sys_free(b->pieces);
    buf_init(b, b->sys);
}

/* The bytes with room for `cap`, or NULL and they stay where they are. */
static uint8_t *resized(struct buf *b, size_t cap) {
    void *to = b->data;
    if (cap < MAP_FROM)
        return sys_realloc(b->sys, b->data, cap);
    if (b->cap >= MAP_FROM)
        return map_resize(b->sys, &to, b->cap, cap) < 0 ? NULL : to;
    if (map_open(b->sys, MAP_KIND_PRIVATE, cap, &to) < 0)
        return NULL;
    if (b->len > 0)
        memcpy(to, b->data, b->len);
    sys_free(b->data);
    return to;
}

int buf_reserve(struct buf *b, size_t n) {
    size_t need;
    if (__builtin_add_overflow(b->len, n, &need))
        return -ENOMEM;
    if (need <= b->cap)
        return 0;
    size_t cap = b->cap < 128 ? 256 : b->cap + b->cap / 2;
    if (cap < need)
        cap = need;
    uint8_t *more = resized(b, cap);
    if (more == NULL)
        return -ENOMEM;
    b->data = more;
    b->cap = cap;
    return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t n) {
    int err = buf_reserve(b, n);
    if (err < 0)
        return err;
    if (n > 0)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return 0;
}

int buf_add_u8(struct buf *b, uint8_t v) {
    return buf_add(b, &v, 1);
}

int buf_add_varint(struct buf *b, uint64_t v) {
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
        n++;
    } while (v > 0);
    return buf_add(b, bytes, n);
}

static int reserve_piece(struct buf *b) {
    if (b->n_pieces < b->cap_pieces)
        return 0;
    size_t cap = b->cap_pieces * 2 + 4;
    struct buf_piece *more = sys_realloc(b->sys, b->pieces, cap * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    b->pieces = more;
    b->cap_pieces = cap;
    return 0;
}

int buf_add_ref(struct buf *b, struct block *block, const void *bytes, size_t n) {
    static const uint8_t zeros[BUF_ALIGN];
    size_t pad = (BUF_ALIGN - buf_size(b) % BUF_ALIGN) % BUF_ALIGN;
    int err = reserve_piece(b);
    if (err == 0)
        err = buf_add(b, zeros, pad);
    if (err < 0)
        return err;
    block->frozen++;
    b->pieces[b->n_pieces++] =
        (struct buf_piece){.at = b->len, .ptr = bytes, .len = n, .block = block_ref(block)};
    b->pieces_len += n;
    return 0;
}

int buf_add_buf(struct buf *b, const struct buf *from) {
    size_t base = b->len;
    int err = buf_add(b, from->data, from->len);
    for (size_t i = 0; i < from->n_pieces && err == 0; i++) {
        err = reserve_piece(b);
        if (err < 0)
            break;
        struct buf_piece p = from->pieces[i];
        p.at += base;
        p.block->frozen++;
        block_ref(p.block);
        b->pieces[b->n_pieces++] = p;
        b->pieces_len += p.len;
    }
    return err;
}

struct iov_fill {
    struct iovec *iov;
    int n, max;
    size_t skip; /* bytes that lie before the wanted offset */
};

static void fill_add(struct iov_fill *f, const uint8_t *p, size_t n) {
    if (f->skip >= n) {
        f->skip -= n;
        return;
    }
    if (f->n < f->max) {
        /* iovec has no const; these are only ever read */
        f->iov[f->n].iov_base = (void *)(uintptr_t)(p + f->skip);
        f->iov[f->n].iov_len = n - f->skip;
        f->n++;
    }
    f->skip = 0;
}

int buf_iov(const struct buf *b, size_t from, struct iovec *iov, int max) {
    struct iov_fill f = {.iov = iov, .max = max, .skip = from};
    size_t at = 0;
    for (size_t i = 0; i < b->n_pieces && f.n < max; i++) {
        const struct buf_piece *p = &b->pieces[i];
        if (p->at > at) /* without bytes of our own there is no memory for them either */
            fill_add(&f, b->data + at, p->at - at);
        fill_add(&f, p->ptr, p->len);
        at = p->at;
    }
    if (b->len > at)
        fill_add(&f, b->data + at, b->len - at);
    return f.n;
}

void buf_read(const struct buf *b, size_t from, void *to, size_t n) {
    struct iovec iov[16];
    uint8_t *out = to;
    for (int got; n > 0 && (got = buf_iov(b, from, iov, 16)) > 0;) {
        for (int i = 0; i < got && n > 0; i++) {
            size_t take = iov[i].iov_len < n ? iov[i].iov_len : n;
            memcpy(out, iov[i].iov_base, take);
            out += take;
            from += take;
            n -= take;
        }
    }
}

void buf_copy(const struct buf *b, uint8_t *to) {
    buf_read(b, 0, to, buf_size(b));
}

void buf_move(struct buf *to, struct buf *from) {
    buf_free(to);
    *to = *from;
    buf_init(from, to->sys);
}

int bytes_varint(const uint8_t **at, const uint8_t *end, uint64_t *v) {
    uint64_t got = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return -EBADMSG;
        got |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *v = got;
            return 0;
        }
    }
    return -EBADMSG;
}
