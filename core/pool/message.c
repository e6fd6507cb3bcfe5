/* message: see message.h. */
#include "pool/message.h"

struct message *message_new(struct sys *s, enum frame_type type) {
    struct message *m = sys_malloc(s, sizeof *m);
    if (m == NULL)
        return NULL;
    *m = (struct message){.head.type = (uint8_t)type};
    buf_init(&m->body, s);
    return m;
}

void message_free(struct message *m) {
    if (m == NULL)
        return;
    buf_free(&m->body);
    sys_free(m);
}

void outbox_add(struct outbox *o, struct message *m) {
    m->head.len = buf_size(&m->body);
    m->next = NULL;
    m->waiting = true;
    frame_seal(&m->head);
    if (o->last != NULL)
        o->last->next = m;
    else
        o->first = m;
    o->last = m;
    o->n++;
    o->bytes += sizeof m->head + m->head.len;
}

void outbox_drop_first(struct outbox *o) {
    struct message *m = o->first;
    o->bytes -= sizeof m->head + m->head.len - o->sent;
    o->n--;
    o->sent = 0;
    o->first = m->next;
    if (o->first == NULL)
        o->last = NULL;
    m->waiting = false;
    if (!m->kept)
        message_free(m);
}

void outbox_forget(struct outbox *o, struct message *m) {
    struct message *before = NULL;
    for (struct message *at = o->first; at != m; at = at->next) {
        if (at == NULL)
            return;
        before = at;
    }
    o->bytes -= sizeof m->head + m->head.len - (before ? 0 : o->sent);
    o->n--;
    if (before != NULL)
        before->next = m->next;
    else {
        o->first = m->next;
        o->sent = 0;
    }
    if (o->last == m)
        o->last = before;
    m->waiting = false;
}

void outbox_advance(struct outbox *o, size_t n) {
    while (n > 0 && o->first != NULL) {
        size_t left = sizeof o->first->head + o->first->head.len - o->sent;
        if (n < left) {
            o->sent += n;
            o->bytes -= n;
            return;
        }
        n -= left;
        outbox_drop_first(o);
    }
}

void outbox_free(struct outbox *o) {
    while (o->first != NULL)
        outbox_drop_first(o);
}

int outbox_iov(const struct outbox *o, struct iovec *iov, int max) {
    const struct message *m = o->first;
    if (m == NULL)
        return 0;
    if (o->sent >= sizeof m->head)
        return buf_iov(&m->body, o->sent - sizeof m->head, iov, max);
    iov[0].iov_base = (uint8_t *)(uintptr_t)&m->head + o->sent;
    iov[0].iov_len = sizeof m->head - o->sent;
    return 1 + buf_iov(&m->body, 0, iov + 1, max - 1);
}

int outbox_iov_all(const struct outbox *o, struct iovec *iov, int max) {
    int n = outbox_iov(o, iov, max);
    if (n == 0)
        return 0;
    size_t got = 0, whole = sizeof o->first->head + o->first->head.len - o->sent;
    for (int i = 0; i < n; i++)
        got += iov[i].iov_len;
    for (const struct message *m = o->first->next; m != NULL && got == whole && n + 2 <= max;
         m = m->next) {
        iov[n++] = (struct iovec){(void *)(uintptr_t)&m->head, sizeof m->head};
        whole = m->head.len;
        got = 0;
        for (int more = buf_iov(&m->body, 0, iov + n, max - n); more > 0; more--)
            got += iov[n++].iov_len;
    }
    return n;
}

int iov_skip(struct iovec *iov, int at, int n, size_t bytes) {
    while (at < n && bytes >= iov[at].iov_len) {
        bytes -= iov[at].iov_len;
        at++;
    }
    if (at < n) {
        iov[at].iov_base = (uint8_t *)iov[at].iov_base + bytes;
        iov[at].iov_len -= bytes;
    }
    return at;
}
