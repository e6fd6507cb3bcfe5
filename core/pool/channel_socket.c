/* channel=socket: one connected pair of stream sockets a worker. */
#include "pool/channel_stream.h"

#define BUFFER ((size_t)1 << 20)

static int socket_connect(struct pool *p, struct worker *w, int child[2]) {
    int pair[2];
    int err = socket_open(p->sys, SOCK_STREAM, pair, BUFFER);
    if (err < 0)
        return err;
    child[0] = child[1] = pair[1];
    fd_set_blocking(p->sys, pair[0], false);
    stream_init(&w->stream, p->sys, pair[0], pair[0], FD_SOCKET);
    return 0;
}

static int socket_enter(struct pool *p, struct worker *w, const int fds[CHANNEL_FDS]) {
    return channel_stream_enter(p, w, fds, FD_SOCKET);
}

const struct channel_ops channel_socket = {
    .name = "socket",
    .help = "a socket pair for each worker",
    .open = channel_stream_open,
    .close = channel_stream_close,
    .connect = socket_connect,
    .disconnect = channel_stream_disconnect,
    .pass = channel_stream_pass,
    .enter = socket_enter,
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
