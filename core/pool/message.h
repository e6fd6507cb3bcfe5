/* message: a frame with its body, on its way out or just arrived. What goes out may refer to memory
 * that stays where it is (see buf); what arrives is valid until the next one is received. */
#ifndef RIG_POOL_MESSAGE_H
#define RIG_POOL_MESSAGE_H

#include "pool/buf.h"
#include "pool/frame.h"

struct message {
    struct frame_head head; /* sealed when it is sent */
    struct buf body;
    struct message *next;
    bool kept;    /* belongs to somebody who may send it again: an outbox lets go of it unfreed */
    bool waiting; /* in an outbox: not all of it is out */
};

struct received {
    struct frame_head head;
    const uint8_t *body;
    size_t len;
    struct block *owner; /* holds the body when it is large, else NULL */
};

/* Bodies from this size on arrive in a block of their own, so that arrays in them need no copying. */
#define MESSAGE_OWN_BLOCK ((size_t)64 << 10)

/* How many bytes one flush sends at most: a reader that keeps up must not hold the sender for ever. */
#define MESSAGE_TURN ((uint64_t)4 << 20)

/* A message with an empty body, or NULL without memory. */
struct message *message_new(struct sys *s, enum frame_type type);
void message_free(struct message *m); /* NULL is allowed */

/* A list of messages that are to go out. */
struct outbox {
    struct message *first, *last;
    size_t sent;       /* bytes of the first one that are out, its head included */
    uint64_t n, bytes; /* not yet out */
};

void outbox_add(struct outbox *o, struct message *m); /* seals and takes over */
/* Notes that `n` more bytes are out; frees the first message once all of it is. */
void outbox_advance(struct outbox *o, size_t n);
void outbox_drop_first(struct outbox *o);
/* Takes m out of the list, wherever it stands; does not free it. */
void outbox_forget(struct outbox *o, struct message *m);
void outbox_free(struct outbox *o);
/* The next bytes of the first message; returns the number of entries, 0 when there is nothing. */
int outbox_iov(const struct outbox *o, struct iovec *iov, int max);
/* The same, and the messages behind it: many small ones go out at once. */
int outbox_iov_all(const struct outbox *o, struct iovec *iov, int max);

/* Moves an iovec list from entry `at` on past `bytes` written ones; returns the new first entry. */
int iov_skip(struct iovec *iov, int at, int n, size_t bytes);

#endif
