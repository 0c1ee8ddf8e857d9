/* sink.h - a PULL socket on inproc:// that is read the fast way: an asynchronous receive whose
 * callback takes the message and starts the next one. (A thread in nng_recvmsg gets a tenth of
 * that.) An empty message says that a sender is done.
 *
 * The callback runs on a thread of nng's; done is under the mutex, the rest is the callback's until
 * then. */
#ifndef TRP_BENCH_PEERS_NNG_SINK_H
#define TRP_BENCH_PEERS_NNG_SINK_H

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/supplemental/util/platform.h>

#include "bench/peers/peer.h"

enum { SINK_ROOM = 1024, SINK_URL_MAX = 64 }; /* messages that a sender may be ahead; bytes */

struct sink {
  nng_socket socket;
  nng_aio *aio;
  nng_mtx *mutex;
  nng_cv *changed;
  void (*take)(struct sink *sink, nng_msg *msg); /* what is done with a message; may be NULL */
  void *context;                                 /* of take */
  uint64_t received, senders;
  bool done;
};

static inline void nng_must(int err, const char *what) {
  if (err != 0) peer_fail("%s: %s", what, nng_strerror(err));
}

static inline void sink_take(void *arg) {
  struct sink *sink = arg;
  if (nng_aio_result(sink->aio) != 0) return; /* stopped */
  nng_msg *msg = nng_aio_get_msg(sink->aio);
  if (nng_msg_len(msg) > 0) {
    if (sink->take != NULL) sink->take(sink, msg);
    sink->received++;
  } else if (--sink->senders == 0) {
    nng_mtx_lock(sink->mutex);
    sink->done = true;
    nng_cv_wake(sink->changed);
    nng_mtx_unlock(sink->mutex);
  }
  nng_msg_free(msg);
  nng_recv_aio(sink->socket, sink->aio);
}

static inline void sink_open(struct sink *sink, const char *url, uint64_t senders) {
  sink->received = 0;
  sink->senders = senders;
  sink->done = false;
  nng_must(nng_mtx_alloc(&sink->mutex), "mutex");
  nng_must(nng_cv_alloc(&sink->changed, sink->mutex), "condition");
  nng_must(nng_aio_alloc(&sink->aio, sink_take, sink), "aio");
  nng_must(nng_pull0_open(&sink->socket), "pull");
  nng_must(nng_listen(sink->socket, url, NULL, 0), url);
  nng_recv_aio(sink->socket, sink->aio);
}

/* Waits for the last message of the last sender, and returns how many there were. */
static inline uint64_t sink_await(struct sink *sink) {
  nng_mtx_lock(sink->mutex);
  while (!sink->done) nng_cv_wait(sink->changed);
  nng_mtx_unlock(sink->mutex);
  return sink->received;
}

static inline void sink_close(struct sink *sink) {
  nng_aio_stop(sink->aio);
  nng_close(sink->socket);
  nng_aio_free(sink->aio);
  nng_cv_free(sink->changed);
  nng_mtx_free(sink->mutex);
}

/* ---- the other end ---- */

static inline nng_socket push_open(const char *url) {
  nng_socket push;
  nng_must(nng_push0_open(&push), "push");
  nng_must(nng_socket_set_int(push, NNG_OPT_SENDBUF, SINK_ROOM), "room to send");
  nng_must(nng_dial(push, url, NULL, 0), url);
  return push;
}

/* With no bytes it is the last one. */
static inline void push_send(nng_socket push, const void *body, size_t bytes) {
  nng_msg *msg;
  nng_must(nng_msg_alloc(&msg, bytes), "message");
  if (bytes > 0) memcpy(nng_msg_body(msg), body, bytes);
  nng_must(nng_sendmsg(push, msg, 0), "send");
}

#endif
