/* fuzz_frame: frames over a stream that is cut, short, altered or none at all (core/pool/frame, stream, message).
 *
 * The first byte says what the stream is: any bytes; or frames that the sending side writes from what the input says,
 * whole, with one bit turned over or with their end missing. Promised: nothing outside of the memory that is ours; no
 * memory that an absurd length asks for; what was sent arrives, in order and the same; a head with a bit turned over is
 * refused; what ends in the middle of a frame is the end of the stream.
 * No kernel: reads and writes are this file's, and the input says how much each of them gives. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "pool/stream.h"

#define WIRE_MAX   ((size_t)1 << 19)
#define MEMORY_MAX ((size_t)8 << 20) /* for one block */
#define SENT_MAX   32
#define CUTS_MAX   16
#define CALLS_MAX  200 /* reads and writes that are cut; those after them are whole, for speed */

enum {
    MODE_FRAMES = 1,
    MODE_ALTERED = 2,
    MODE_TORN = 4,
    MODE_POLLED = 8,
    MODE_NO_MEMORY = 16,
    MODE_SOCKET = 32,
    MODE_WRITE = 64,
};

/* What was sent and is still to arrive: bytes [head, end) of the wire. */
struct sent {
    size_t head, end;
};

static struct {
    uint8_t bytes[WIRE_MAX];
    size_t len, at;
    uint8_t cuts[CUTS_MAX];
    unsigned n_cuts, cut; /* cut: how many calls there were */
    bool gave_way;        /* the last call gave nothing: the next one gives something */
    long allocations_left;
    struct sent sent[SENT_MAX];
    size_t n_sent;
} wire;

static struct sys sys;
static struct sys_table table;

/* ---- the kernel that the input makes ----------------------------------------------------------------------- */

/* How much of n bytes the next call moves: 1 to n, or -EAGAIN or -EINTR. */
static ssize_t cut(size_t n) {
    unsigned c =
        wire.cut >= CALLS_MAX || wire.n_cuts == 0 ? 254 : wire.cuts[wire.cut % wire.n_cuts];
    wire.cut++;
    size_t most = c == 254 ? SIZE_MAX : 1 + (size_t)c * c;
    if ((c == 0 || c == 255) && !wire.gave_way) {
        wire.gave_way = true;
        return c == 0 ? -EAGAIN : -EINTR;
    }
    wire.gave_way = false;
    return (ssize_t)(n < most ? n : most);
}

static ssize_t fake_read(int fd, void *buf, size_t n) {
    size_t left = wire.len - wire.at;
    (void)fd;
    if (left == 0)
        return 0;
    ssize_t got = cut(n < left ? n : left);
    if (got > 0) {
        memcpy(buf, wire.bytes + wire.at, (size_t)got);
        wire.at += (size_t)got;
    }
    return got;
}

static ssize_t fake_writev(int fd, const struct iovec *iov, int n) {
    size_t all = 0;
    (void)fd;
    for (int i = 0; i < n; i++)
        all += iov[i].iov_len;
    if (all == 0)
        return 0;
    PROMISE(all <= WIRE_MAX - wire.len);
    ssize_t put = cut(all);
    size_t left = put > 0 ? (size_t)put : 0;
    for (int i = 0; left > 0; i++) {
        size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
        if (part > 0)
            memcpy(wire.bytes + wire.len, iov[i].iov_base, part);
        wire.len += part;
        left -= part;
    }
    return put;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *m, int flags) {
    (void)flags;
    return fake_writev(fd, m->msg_iov, (int)m->msg_iovlen);
}

static int fake_poll(struct pollfd *p, nfds_t n, const struct timespec *t) {
    (void)t;
    for (nfds_t i = 0; i < n; i++)
        p[i].revents = p[i].events;
    return (int)n;
}

static int fake_close(int fd) {
    (void)fd;
    return 0;
}

static bool memory_is_out(size_t n) {
    return n > MEMORY_MAX || (wire.allocations_left >= 0 && wire.allocations_left-- == 0);
}

static void *fake_malloc(size_t n) {
    return memory_is_out(n) ? NULL : sys_kernel.malloc(n);
}

static void *fake_realloc(void *p, size_t n) {
    return memory_is_out(n) ? NULL : sys_kernel.realloc(p, n);
}

static int fake_map(void **addr, size_t n, int prot, int flags, int fd) {
    return memory_is_out(n) ? -ENOMEM : sys_kernel.map(addr, n, prot, flags, fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    table = sys_kernel;
    table.read = fake_read;
    table.writev_quiet = fake_writev;
    table.sendmsg = fake_sendmsg;
    table.poll = fake_poll;
    table.close = fake_close;
    table.malloc = fake_malloc;
    table.realloc = fake_realloc;
    table.map = fake_map;
    sys_init(&sys, &table);
    return 0;
}

/* ---- sending ----------------------------------------------------------------------------------------------- */

/* A body of up to 96 kB out of few bytes of input. */
static size_t body_of(struct input *in, uint8_t *body) {
    size_t len = input_byte(in);
    if (len >= 252)
        len = (len - 251) * 24000 + input_byte(in);
    for (size_t i = 0; i < len; i++)
        body[i] = (uint8_t)(i < 16 ? input_byte(in) : body[i - 16] + i);
    return len;
}

static void head_of(struct input *in, struct frame_head *h, size_t len) {
    *h = (struct frame_head){.len = len};
    h->type = (uint8_t)(1 + input_byte(in) % (FRAME_TYPES - 1));
    h->flags = (uint8_t)input_byte(in);
    h->worker = (uint16_t)input_number(in, 2);
    h->count = (uint32_t)input_number(in, 4);
    h->first = input_number(in, 2) << input_byte(in) % 64;
}

/* As the side that never blocks does, and as a worker does. False without memory. */
static bool send_one(struct stream *st, struct input *in, unsigned mode) {
    static uint8_t body[(size_t)1 << 18];
    struct frame_head head;
    size_t len = body_of(in, body);
    int err = 1;
    head_of(in, &head, len);
    if (mode & MODE_WRITE) {
        struct iovec iov[2] = {{body, len / 3}, {body + len / 3, len - len / 3}};
        PROMISE(stream_write(st, &head, iov, 2) == 0);
        return true;
    }
    struct message *m = message_new(&sys, (enum frame_type)head.type);
    if (m == NULL)
        return false;
    m->head = head;
    if (buf_add(&m->body, body, len) < 0) {
        message_free(m);
        return false;
    }
    stream_send(st, m);
    while (err == 1)
        err = stream_flush(st);
    PROMISE(err == 0);
    return true;
}

static void send_all(struct stream *st, struct input *in, unsigned mode) {
    while (input_left(in) > 4 && wire.n_sent < SENT_MAX) {
        size_t head = wire.len;
        if (head > WIRE_MAX / 8 || !send_one(st, in, mode))
            return;
        wire.sent[wire.n_sent++] = (struct sent){head, wire.len};
    }
}

/* A head that a sender of ours would seal and never send: any type, any length. */
static void append_any_head(struct input *in) {
    struct frame_head h = {.type = (uint8_t)input_byte(in), .worker = (uint16_t)input_byte(in)};
    h.len = input_number(in, 6);
    frame_seal(&h);
    bool fine = frame_check(&h) == 0;
    PROMISE(fine == (h.type > 0 && h.type < FRAME_TYPES && h.len <= FRAME_LEN_MAX));
    memcpy(wire.bytes + wire.len, &h, sizeof h);
    if (fine && h.len == 0)
        wire.sent[wire.n_sent++] = (struct sent){wire.len, wire.len + sizeof h};
    wire.len += sizeof h;
}

/* ---- receiving --------------------------------------------------------------------------------------------- */

static void expect(size_t i, const struct received *r, size_t altered) {
    PROMISE(i < wire.n_sent);
    const struct sent *s = &wire.sent[i];
    const uint8_t *body = wire.bytes + s->head + sizeof r->head;
    PROMISE(s->end <= wire.len); /* none that is torn */
    PROMISE(altered < s->head || altered >= s->head + sizeof r->head);
    PROMISE(memcmp(&r->head, wire.bytes + s->head, sizeof r->head) == 0);
    PROMISE(r->len == s->end - s->head - sizeof r->head);
    PROMISE(r->len == 0 || memcmp(r->body, body, r->len) == 0);
}

/* Until the stream ends; how it ended. */
static int receive_all(struct stream *st, bool ours, size_t altered, size_t *n) {
    unsigned refused = 0;
    for (*n = 0;;) {
        struct received r;
        int got = stream_receive(st, &r);
        if (got == 0) {
            if (st->polled)
                stream_ready(st);
            continue;
        }
        if (got == -ENOMEM && wire.allocations_left == -1 && refused++ == 0)
            continue; /* it came back */
        if (got < 0)
            return got;
        PROMISE(got == 1);
        PROMISE(r.len == r.head.len && frame_check(&r.head) == 0);
        if (ours)
            expect(*n, &r, altered);
        ++*n;
        static uint8_t sink[WIRE_MAX];
        if (r.len > 0)
            memcpy(sink, r.body, r.len); /* all of it may be read */
    }
}

static void check_end(int end, size_t n, size_t altered, bool head_follows) {
    PROMISE(end == -EPIPE || end == -EBADMSG || end == -ENOMEM);
    size_t whole = 0, damaged = SIZE_MAX;
    for (size_t i = 0; i < wire.n_sent; i++) {
        whole += wire.sent[i].end <= wire.len;
        if (altered >= wire.sent[i].head && altered < wire.sent[i].head + sizeof(struct frame_head))
            damaged = i;
    }
    if (damaged < whole) {
        PROMISE(n == damaged);
        PROMISE(end == -EBADMSG);
    } else {
        PROMISE(n == whole || (end == -ENOMEM && n < whole));
        PROMISE(head_follows || end != -EBADMSG || damaged != SIZE_MAX);
    }
}

static size_t alter(struct input *in) {
    size_t at = (size_t)input_number(in, 2) % wire.len;
    wire.bytes[at] ^= (uint8_t)(1u << input_byte(in) % 8);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    struct stream st;
    unsigned mode = input_byte(&in);
    bool ours = mode & MODE_FRAMES;
    size_t altered = SIZE_MAX, n = 0;
    bool head_follows = false;
    wire.len = wire.at = wire.n_sent = wire.cut = 0;
    wire.gave_way = false;
    wire.n_cuts = input_byte(&in) % (CUTS_MAX + 1);
    for (unsigned i = 0; i < wire.n_cuts; i++)
        wire.cuts[i] = (uint8_t)input_byte(&in);
    wire.allocations_left = -1;
    struct input damage = {in.at, in.end};
    if (mode & (MODE_ALTERED | MODE_TORN))
        in.at += input_left(&in) < 3 ? input_left(&in) : 3;
    stream_init(&st, &sys, 8, 9, mode & MODE_SOCKET ? FD_SOCKET : FD_PIPE);
    if (ours) {
        send_all(&st, &in, mode);
        if (mode & MODE_ALTERED && wire.len > 0)
            altered = alter(&damage);
        else if (mode & MODE_TORN && wire.len > 0)
            wire.len -= (size_t)input_number(&damage, 2) % wire.len;
        else if (input_left(&in) > 0 && wire.n_sent < SENT_MAX) {
            head_follows = true;
            append_any_head(&in);
        }
    } else {
        wire.len = input_left(&in) < WIRE_MAX ? input_left(&in) : WIRE_MAX;
        memcpy(wire.bytes, in.at, wire.len);
    }
    if (mode & MODE_NO_MEMORY)
        wire.allocations_left = (long)(size % 4);
    st.polled = mode & MODE_POLLED;
    int end = receive_all(&st, ours, altered, &n);
    if (ours)
        check_end(end, n, altered, head_follows);
    stream_close(&st);
    return 0;
}
