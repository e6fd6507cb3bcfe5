/* channel=pipe: two pipes a worker, one each way. */
#include "os/fds.h"
#include "pool/channel_stream.h"

#define CAPACITY ((size_t)1 << 20)

static int open_both_ways(struct sys *s, int down[2], int up[2]) {
    int err = pipe_open(s, down, CAPACITY);
    if (err < 0)
        return err;
    err = pipe_open(s, up, CAPACITY);
    if (err < 0) {
        fds_close(s, &down[0]);
        fds_close(s, &down[1]);
    }
    return err;
}

static int pipe_connect(struct pool *p, struct worker *w, int child[2]) {
    int down[2], up[2];
    int err = open_both_ways(p->sys, down, up);
    if (err < 0)
        return err;
    child[0] = down[0];
    child[1] = up[1];
    fd_set_blocking(p->sys, down[1], false);
    fd_set_blocking(p->sys, up[0], false);
    stream_init(&w->stream, p->sys, up[0], down[1], FD_PIPE);
    return 0;
}

static int pipe_enter(struct pool *p, struct worker *w, const int fds[CHANNEL_FDS]) {
    return channel_stream_enter(p, w, fds, FD_PIPE);
}

const struct channel_ops channel_pipe = {
    .name = "pipe",
    .help = "two pipes for each worker",
    .open = channel_stream_open,
    .close = channel_stream_close,
    .connect = pipe_connect,
    .disconnect = channel_stream_disconnect,
    .pass = channel_stream_pass,
    .enter = pipe_enter,
    .send = channel_stream_send,
    .flush = channel_stream_flush,
    .unsent = channel_stream_unsent,
    .came = channel_stream_came,
    .watch = channel_stream_watch,
    .take_in = channel_stream_take_in,
    .drain = channel_stream_drain,
    .join = channel_stream_join,
    .take = channel_stream_take,
    .give = channel_stream_give,
};
