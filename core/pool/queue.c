/* queue: see queue.h. */
#include "pool/queue.h"

#include <errno.h>
#include <string.h>

#include "os/fault.h"
#include "os/fds.h"
#include "os/ready.h"

/* Below MESSAGE_OWN_BLOCK, so that whatever wants a block of its own comes as a stream. */
#define INLINE_MAX    ((size_t)60 << 10)
#define PACKET_BUFFER ((size_t)416 << 10)
#define STREAM_BUFFER ((size_t)1 << 20)
#define PREFAULT      ((size_t)8 << 20)
#define IOV_USED      16
/* Together half a second, then it is an error. */
#define REFUSED_MAX    500
#define REFUSED_NAP_NS INT64_C(1000000)

struct queue_part {
    struct queue_part *next;
    int fd;
    struct frame_head head;
    struct block *body;
    size_t got;
};

int queue_open(struct queue *q, struct sys *s) {
    int fds[2];
    *q = (struct queue){.sys = s, .in = -1, .out = -1, .stream = -1, .handing = -1};
    int err = socket_open(s, SOCK_SEQPACKET, fds, PACKET_BUFFER);
    if (err < 0)
        return err;
    q->in = fds[0];
    q->out = fds[1];
    return 0;
}

int queue_enter(struct queue **out, struct sys *s, int in, int to) {
    struct queue *q = sys_malloc(s, sizeof *q);
    if (q == NULL)
        return -ENOMEM;
    *q = (struct queue){.sys = s, .in = in, .out = to, .stream = -1, .handing = -1};
    *out = q;
    return 0;
}

static void part_free(struct queue *q, struct queue_part **at) {
    struct queue_part *p = *at;
    *at = p->next;
    fds_close(q->sys, &p->fd);
    block_unref(p->body);
    sys_free(p);
}

static void drop_stream(struct queue *q) {
    fds_close(q->sys, &q->stream);
    fds_close(q->sys, &q->handing);
}

void queue_close(struct queue *q) {
    drop_stream(q);
    fds_close(q->sys, &q->in);
    fds_close(q->sys, &q->out);
    outbox_free(&q->outbox);
    while (q->parts != NULL)
        part_free(q, &q->parts);
    block_unref(q->last);
    sys_free(q->packet);
    q->last = NULL;
    q->packet = NULL;
}

void queue_fds(const struct queue *q, int fds[2]) {
    fds[0] = q->in;
    fds[1] = q->out;
}

void queue_after_fork(struct queue *q, struct sys *s) {
    q->sys = s;
    q->outbox = (struct outbox){0};
    q->parts = NULL;
    q->stream = q->handing = -1;
    q->bytes_in = q->bytes_out = q->messages_in = q->messages_out = 0;
}

void queue_put(struct queue *q, struct message *m) {
    m->head.flags = buf_size(&m->body) > INLINE_MAX ? FRAME_STREAMED : 0;
    outbox_add(&q->outbox, m);
    q->messages_out++;
    q->bytes_out += m->head.len;
}

void queue_forget(struct queue *q, struct message *m) {
    if (q->outbox.first == m && (q->outbox.sent > 0 || q->handing >= 0))
        drop_stream(q);
    outbox_forget(&q->outbox, m);
}

/* The head goes as a packet, with the reading end of a stream for the body. 1: it is out. */
static int send_handover(struct queue *q, struct message *m) {
    if (q->handing < 0) {
        int fds[2];
        int err = socket_open(q->sys, SOCK_STREAM, fds, STREAM_BUFFER);
        if (err < 0)
            return err;
        q->handing = fds[0];
        q->stream = fds[1];
        fd_set_blocking(q->sys, q->stream, false);
    }
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = &m->head, .iov_len = sizeof m->head};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &q->handing, sizeof(int));
    ssize_t put = sys_sendmsg(q->sys, q->out, &h, MSG_DONTWAIT);
    if (put < 0)
        return (int)put;
    fds_close(q->sys, &q->handing); /* the reader's now: its death must show here as EPIPE */
    outbox_advance(&q->outbox, sizeof m->head);
    return 1;
}

static int send_packet(struct queue *q, struct message *m) {
    struct iovec iov[IOV_USED];
    int n = outbox_iov(&q->outbox, iov, IOV_USED);
    struct msghdr h = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    if (fault_is_set() && fault_room(q->sys, q->outbox.bytes) < q->outbox.bytes)
        fault_wrote(q->sys, q->outbox.bytes); /* a packet is out whole or not at all */
    ssize_t put = sys_sendmsg(q->sys, q->out, &h, MSG_DONTWAIT);
    if (put > 0 && fault_is_set())
        fault_wrote(q->sys, (size_t)put);
    if (put == -EMSGSIZE) { /* more than this system's socket buffers hold: as a stream, then */
        m->head.flags |= FRAME_STREAMED;
        frame_seal(&m->head);
        return 1;
    }
    if (put < 0)
        return (int)put;
    outbox_advance(&q->outbox, (size_t)put);
    return 1;
}

static int send_body(struct queue *q) {
    struct iovec iov[IOV_USED];
    struct message *m = q->outbox.first;
    int n = outbox_iov(&q->outbox, iov, IOV_USED);
    ssize_t put = fd_write_some(q->sys, q->stream, FD_SOCKET, iov, n);
    if (put == -EPIPE ||
        put == -ECONNRESET) { /* its reader ended: this message is lost, only this */
        q->lost++;
        outbox_drop_first(&q->outbox);
        fds_close(q->sys, &q->stream);
        return 1;
    }
    if (put < 0)
        return (int)put;
    outbox_advance(&q->outbox, (size_t)put);
    if (q->outbox.first != m || q->outbox.sent == 0)
        fds_close(q->sys, &q->stream);
    return 1;
}

/* The kernel has no memory for a packet. That may be over in a moment, and nothing tells when: true to try again. */
static bool may_pass(struct queue *q) {
    if (++q->refused > REFUSED_MAX)
        return false;
    sys_nanosleep(q->sys, clock_now_ns() + REFUSED_NAP_NS);
    return true;
}

int queue_flush(struct queue *q) {
    uint64_t before = q->outbox.bytes;
    while (q->outbox.first != NULL && before - q->outbox.bytes < MESSAGE_TURN) {
        struct message *m = q->outbox.first;
        int got = q->outbox.sent > 0                      ? send_body(q)
                  : (m->head.flags & FRAME_STREAMED) != 0 ? send_handover(q, m)
                                                          : send_packet(q, m);
        if (got == -EAGAIN || (got == -ENOBUFS && may_pass(q)))
            return 1;
        if (got < 0 && got != -EINTR)
            return got;
        q->refused = 0;
    }
    return q->outbox.first != NULL;
}

int queue_waits(const struct queue *q) {
    if (q->outbox.first == NULL)
        return -1;
    return q->outbox.sent > 0 ? q->stream : q->out;
}

int queue_flush_all(struct queue *q, int64_t deadline) {
    for (;;) {
        int got = queue_flush(q);
        if (got <= 0)
            return got;
        got = ready_one(q->sys, queue_waits(q), POLLOUT, deadline);
        if (got <= 0)
            return got == 0 ? -ETIMEDOUT : got;
    }
}

/* The descriptor that came along, registered, or -1. */
static int fd_of(struct queue *q, struct msghdr *h) {
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd < 0 ? -1 : fds_own(q->sys, fd);
}

/* One packet off the queue: its body's bytes in q->packet, *fd the stream that came with it or -1.
 * 1, -EPIPE, -EAGAIN, -errno. */
static int take_packet(struct queue *q, int flags, struct frame_head *head, int *fd) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    if (q->packet == NULL && (q->packet = sys_malloc(q->sys, INLINE_MAX)) == NULL)
        return -ENOMEM;
    struct iovec iov[2] = {{.iov_base = head, .iov_len = sizeof *head},
                           {.iov_base = q->packet, .iov_len = INLINE_MAX}};
    struct msghdr h = {.msg_iov = iov,
                       .msg_iovlen = 2,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n = sys_recvmsg(q->sys, q->in, &h, flags);
    if (n <= 0)
        return n == 0 ? -EPIPE : (int)n;
    *fd = fd_of(q, &h);
    if (*fd < 0 && (size_t)n == sizeof *head && frame_check(head) == 0 &&
        (head->flags & FRAME_STREAMED) != 0)
        return -EMFILE; /* its stream did not come along: no descriptor was free here */
    bool streamed = *fd >= 0 && (head->flags & FRAME_STREAMED) != 0;
    size_t want = sizeof *head + (streamed ? 0 : head->len);
    if ((size_t)n < sizeof *head || frame_check(head) < 0 || (size_t)n != want) {
        fds_close(q->sys, fd);
        return -EBADMSG;
    }
    return 1;
}

static void hand_out(struct queue *q, const struct frame_head *head, struct block *body,
                     struct received *r) {
    block_unref(q->last);
    q->last = body;
    *r = (struct received){.head = *head,
                           .body = body ? body->data : q->packet,
                           .len = head->len,
                           .owner = head->len >= MESSAGE_OWN_BLOCK ? body : NULL};
    q->messages_in++;
    q->bytes_in += head->len;
}

/* Waits for all of a large body. 1; 0: it was torn, its writer ended; -errno. */
static int take_stream(struct queue *q, int fd, const struct frame_head *head, struct received *r) {
    struct block *body;
    int err = block_new(q->sys, BLOCK_PRIVATE, head->len, &body);
    for (size_t at = 0; err == 0 && at < head->len;) {
        size_t n = head->len - at < PREFAULT ? head->len - at : PREFAULT;
        if (head->len >= PREFAULT)
            map_prefault(q->sys, body->data + at, n);
        err = fd_read_full(q->sys, fd, body->data + at, n, DEADLINE_NEVER, NULL);
        at += n;
        if (err < 0)
            block_unref(body);
    }
    fds_close(q->sys, &fd);
    if (err == 0)
        hand_out(q, head, body, r);
    return err == 0 ? 1 : err == -EPIPE ? 0 : err;
}

int queue_get(struct queue *q, int64_t deadline, struct frame_head *claim, struct received *r) {
    struct frame_head own;
    struct frame_head *head = claim ? claim : &own;
    /* Without a deadline the kernel wakes one reader a message; polling would wake them all. */
    bool block = deadline == DEADLINE_NEVER && q->sys->stop == NULL;
    for (;;) {
        int fd = -1;
        if (!block) {
            int ready = ready_one(q->sys, q->in, POLLIN, deadline);
            if (ready <= 0)
                return ready;
        }
        int got = take_packet(q, block ? 0 : MSG_DONTWAIT, head, &fd);
        if (got == -EINTR || got == -EAGAIN)
            continue;
        if (got < 0)
            return got;
        if (fd < 0) {
            hand_out(q, head, NULL, r);
            return 1;
        }
        struct frame_head copy = *head;
        got = take_stream(q, fd, &copy, r);
        if (got != 0)
            return got;
    }
}

static int part_begin(struct queue *q, int fd, const struct frame_head *head) {
    struct queue_part *p = sys_malloc(q->sys, sizeof *p);
    int err = p ? 0 : -ENOMEM;
    if (p != NULL) {
        *p = (struct queue_part){.next = q->parts, .fd = fd, .head = *head};
        err = block_new(q->sys, BLOCK_PRIVATE, head->len, &p->body);
    }
    if (err == 0)
        err = fd_set_blocking(q->sys, fd, false);
    if (err == 0) {
        q->parts = p;
        return 0;
    }
    fds_close(q->sys, &fd);
    if (p != NULL)
        block_unref(p->body);
    sys_free(p);
    return err;
}

/* Reads on what is under way: 1 and *r when one is complete, 0 when none is. A torn one is dropped:
 * its writer ended, and that is learnt from its pidfd. -errno: one is lost whose writer lives. */
static int parts_go_on(struct queue *q, struct received *r) {
    struct queue_part **at = &q->parts;
    while (*at != NULL) {
        struct queue_part *p = *at;
        ssize_t got = fd_read_some(q->sys, p->fd, p->body->data + p->got, p->head.len - p->got);
        if (got == -EAGAIN || got == -EINTR) {
            at = &p->next;
            continue;
        }
        p->got += got > 0 ? (size_t)got : 0;
        if (p->got == p->head.len) {
            hand_out(q, &p->head, block_ref(p->body), r);
            part_free(q, at);
            return 1;
        }
        if (got <= 0)
            part_free(q, at);
        if (got < 0 && got != -ECONNRESET)
            return (int)got;
    }
    return 0;
}

int queue_poll(struct queue *q, struct received *r) {
    for (;;) {
        struct frame_head head;
        int fd = -1;
        /* What waits now was put after its writer's large messages were written: those come first. */
        bool waits = q->parts == NULL || queue_has_waiting(q);
        int got = q->parts != NULL ? parts_go_on(q, r) : 0;
        if (got != 0 || !waits)
            return got;
        got = take_packet(q, MSG_DONTWAIT, &head, &fd);
        if (got == -EAGAIN)
            return 0;
        if (got == -EINTR)
            continue;
        if (got < 0)
            return got;
        if (fd < 0) {
            hand_out(q, &head, NULL, r);
            return 1;
        }
        int err = part_begin(q, fd, &head);
        if (err < 0)
            return err;
    }
}

size_t queue_part_fds(const struct queue *q, struct pollfd *fds, size_t max) {
    size_t n = 0;
    for (const struct queue_part *p = q->parts; p != NULL && n < max; p = p->next)
        fds[n++] = (struct pollfd){.fd = p->fd, .events = POLLIN};
    return n;
}

bool queue_has_waiting(struct queue *q) {
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    return sys_recvmsg(q->sys, q->in, &h, MSG_PEEK | MSG_DONTWAIT) > 0;
}
