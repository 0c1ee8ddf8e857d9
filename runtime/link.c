/* link.c - frames over a byte stream of nng's.
 *
 * A stream and not a socket: nng 1.5.2's PAIR leaks the message that is on its way to a pipe when
 * the other side dies, and here dying is the rule. What is sent or received lies in buffers of this
 * file, of which nng only borrows. */
#include "runtime/link.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/troupe.h"

enum {
  OUT_MAX = 2 << 20,       /* bytes that wait to go out, beyond which a frame is refused */
  OUT_TIGHT = 512 << 10,   /* ... and beyond which it is tight */
  OUT_MUST_MAX = 16 << 20, /* ... and beyond which even a must is refused: never met */
  IN_MAX = 1 << 20,        /* bytes that wait to be taken, beyond which none are received */
  CHUNK = 64 << 10,        /* that one receive may bring */
  ROOM_MIN = 4 << 10       /* of a buffer: one size for all that only carry small talk */
};

struct bytes {
  unsigned char *at;
  size_t count, room;
};

struct trp_link {
  void (*news)(void *arg);
  void *arg;
  nng_stream_dialer *dialer; /* one of the two */
  nng_stream_listener *listener;
  nng_aio *open_aio, *send_aio, *recv_aio;
  pthread_mutex_t lock;
  nng_stream *stream; /* NULL: not yet */
  /* out */
  struct bytes pending, out; /* `out` is under way, from `out_from` on */
  size_t out_from;
  uint32_t pending_frames;
  bool sending, broken, room_wanted;
  /* in */
  struct bytes in;
  bool idle; /* no receive is armed, for want of room */
  unsigned char chunk[CHUNK];
  struct bytes taken; /* the taker's, as is the offset of the next frame in it */
  size_t taken_from;
};

static bool append(struct bytes *b, const void *more, size_t count) {
  if (count > b->room - b->count) {
    size_t room = (b->count + count) * 2;
    if (room < ROOM_MIN) room = ROOM_MIN;
    unsigned char *larger = realloc(b->at, room);
    if (larger == NULL) return false;
    b->at = larger;
    b->room = room;
  }
  if (count > 0) memcpy(b->at + b->count, more, count);
  b->count += count;
  return true;
}

/* ---- out ---- */

/* Under the lock. True: there is something to be sent, and whoever called sends it. */
static bool next_out(struct trp_link *l) {
  if (l->broken || l->stream == NULL) {
    l->sending = false;
    return false;
  }
  if (l->out_from == l->out.count) {
    struct bytes empty = l->out;
    l->out = l->pending;
    l->pending = empty;
    l->pending.count = l->out_from = 0;
    l->pending_frames = 0;
  }
  l->sending = l->out_from < l->out.count;
  return l->sending;
}

static void send_out(struct trp_link *l) {
  nng_iov iov = {.iov_buf = l->out.at + l->out_from, .iov_len = l->out.count - l->out_from};
  nng_aio_set_iov(l->send_aio, 1, &iov);
  nng_stream_send(l->stream, l->send_aio);
}

static void sent(void *arg) {
  struct trp_link *l = arg;
  bool failed = nng_aio_result(l->send_aio) != 0;
  pthread_mutex_lock(&l->lock);
  if (failed) l->broken = true;
  if (!failed) l->out_from += nng_aio_count(l->send_aio);
  bool more = next_out(l), tell = l->room_wanted;
  l->room_wanted = false;
  pthread_mutex_unlock(&l->lock);
  if (more) send_out(l);
  if (tell) l->news(l->arg);
}

/* Under the lock. */
static enum trp_err add_frame(struct trp_link *l, const struct trp_frame_head *head,
                              const void *body, bool must) {
  size_t there = l->pending.count, max = must ? OUT_MUST_MAX : OUT_MAX;
  if (l->broken) return TRP_CLOSED;
  if (there + sizeof *head + head->bytes > max) {
    l->room_wanted = true;
    return TRP_FULL;
  }
  if (!append(&l->pending, head, sizeof *head) || !append(&l->pending, body, head->bytes)) {
    l->pending.count = there;
    return TRP_NO_MEMORY;
  }
  l->pending_frames++;
  return TRP_OK;
}

enum trp_err trp_link_send(struct trp_link *l, const struct trp_frame_head *head, const void *body,
                           bool must) {
  pthread_mutex_lock(&l->lock);
  enum trp_err err = add_frame(l, head, body, must);
  bool first = err == TRP_OK && !l->sending && next_out(l);
  pthread_mutex_unlock(&l->lock);
  if (first) send_out(l);
  return err;
}

uint32_t trp_link_depth(struct trp_link *l) {
  pthread_mutex_lock(&l->lock);
  uint32_t depth = l->pending_frames;
  pthread_mutex_unlock(&l->lock);
  return depth;
}

bool trp_link_is_tight(struct trp_link *l, uint32_t frames_max) {
  pthread_mutex_lock(&l->lock);
  bool tight = l->pending.count > OUT_TIGHT || l->pending_frames > frames_max;
  if (tight) l->room_wanted = true;
  pthread_mutex_unlock(&l->lock);
  return tight;
}

/* ---- in ---- */

static void receive(struct trp_link *l) {
  nng_iov iov = {.iov_buf = l->chunk, .iov_len = sizeof l->chunk};
  nng_aio_set_iov(l->recv_aio, 1, &iov);
  nng_stream_recv(l->stream, l->recv_aio);
}

static void received(void *arg) {
  struct trp_link *l = arg;
  bool failed = nng_aio_result(l->recv_aio) != 0; /* closed, by whomever */
  pthread_mutex_lock(&l->lock);
  if (!failed && !append(&l->in, l->chunk, nng_aio_count(l->recv_aio))) failed = true;
  if (failed) l->broken = true;
  l->idle = !failed && l->in.count > IN_MAX;
  bool again = !failed && !l->idle;
  pthread_mutex_unlock(&l->lock);
  if (again) receive(l);
  l->news(l->arg);
}

/* A whole frame lies there. */
static bool is_whole(const struct trp_link *l, struct trp_frame_head *head) {
  size_t left = l->taken.count - l->taken_from;
  if (left < sizeof *head) return false;
  memcpy(head, l->taken.at + l->taken_from, sizeof *head);
  return head->bytes <= left - sizeof *head;
}

/* What has come is moved to the taker, behind what it still has of a frame. */
static void fetch(struct trp_link *l) {
  size_t left = l->taken.count - l->taken_from;
  if (left > 0) memmove(l->taken.at, l->taken.at + l->taken_from, left);
  l->taken.count = left;
  l->taken_from = 0;
  pthread_mutex_lock(&l->lock);
  bool moved = append(&l->taken, l->in.at, l->in.count);
  if (moved) l->in.count = 0;
  bool again = moved && l->idle;
  if (again) l->idle = false;
  pthread_mutex_unlock(&l->lock);
  if (again) receive(l);
}

bool trp_link_take(struct trp_link *l, struct trp_frame *frame) {
  if (!is_whole(l, &frame->head)) {
    if (!trp_link_has_frames(l)) return false;
    fetch(l);
    if (!is_whole(l, &frame->head)) return false;
  }
  frame->body = l->taken.at + l->taken_from + sizeof frame->head;
  l->taken_from += sizeof frame->head + frame->head.bytes;
  return true;
}

bool trp_link_has_frames(struct trp_link *l) {
  struct trp_frame_head head;
  if (is_whole(l, &head)) return true;
  pthread_mutex_lock(&l->lock);
  bool some = l->in.count > 0;
  pthread_mutex_unlock(&l->lock);
  return some;
}

/* ---- opening and closing ---- */

static void opened(void *arg) {
  struct trp_link *l = arg;
  bool failed = nng_aio_result(l->open_aio) != 0;
  pthread_mutex_lock(&l->lock);
  l->broken = failed;
  if (!failed) l->stream = nng_aio_get_output(l->open_aio, 0);
  bool send = next_out(l);
  pthread_mutex_unlock(&l->lock);
  if (failed) return;
  receive(l);
  if (send) send_out(l);
}

static int open_stream(struct trp_link *l, const char *url, bool listen) {
  int rv = nng_aio_alloc(&l->open_aio, opened, l);
  if (rv == 0) rv = nng_aio_alloc(&l->send_aio, sent, l);
  if (rv == 0) rv = nng_aio_alloc(&l->recv_aio, received, l);
  if (rv != 0) return rv;
  if (!listen) {
    rv = nng_stream_dialer_alloc(&l->dialer, url);
    if (rv == 0) nng_stream_dialer_dial(l->dialer, l->open_aio);
    return rv;
  }
  rv = nng_stream_listener_alloc(&l->listener, url);
  if (rv == 0) rv = nng_stream_listener_set_int(l->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
  if (rv == 0) rv = nng_stream_listener_listen(l->listener);
  if (rv == 0) nng_stream_listener_accept(l->listener, l->open_aio);
  return rv;
}

enum trp_err trp_link_open(struct trp_link **out, const struct trp_link_options *options) {
  char url[128];
  int length = snprintf(url, sizeof url, "ipc://%s", options->path);
  *out = NULL;
  if (length < 0 || (size_t)length >= sizeof url) return TRP_INVALID;
  struct trp_link *l = calloc(1, sizeof *l);
  if (l == NULL) return TRP_NO_MEMORY;
  l->news = options->news;
  l->arg = options->arg;
  pthread_mutex_init(&l->lock, NULL);
  *out = l; /* before anything can call news */
  int rv = open_stream(l, url, options->listen);
  if (rv == 0) return TRP_OK;
  trp_link_close(out);
  return rv == NNG_EADDRINVAL ? TRP_INVALID : rv == NNG_ENOMEM ? TRP_NO_MEMORY : TRP_SYSTEM;
}

void trp_link_close(struct trp_link **link) {
  struct trp_link *l = *link;
  if (l == NULL) return;
  *link = NULL;
  /* First the callbacks are over, the one that begins the others before them. */
  if (l->open_aio != NULL) nng_aio_stop(l->open_aio);
  if (l->recv_aio != NULL) nng_aio_stop(l->recv_aio);
  if (l->send_aio != NULL) nng_aio_stop(l->send_aio);
  /* Before the stream, which holds them until nng's reaper has it. */
  if (l->dialer != NULL) nng_stream_dialer_free(l->dialer);
  if (l->listener != NULL) nng_stream_listener_free(l->listener);
  if (l->stream != NULL) nng_stream_close(l->stream);
  if (l->stream != NULL) nng_stream_free(l->stream);
  if (l->open_aio != NULL) nng_aio_free(l->open_aio);
  if (l->recv_aio != NULL) nng_aio_free(l->recv_aio);
  if (l->send_aio != NULL) nng_aio_free(l->send_aio);
  free(l->pending.at);
  free(l->out.at);
  free(l->in.at);
  free(l->taken.at);
  pthread_mutex_destroy(&l->lock);
  free(l);
}
