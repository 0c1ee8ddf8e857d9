#include "adapters/control_peer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nng/transport/ipc/ipc.h>

#include "runtime/troupe.h"

enum {
  GREETING_BYTES = 8,
  FRAME_MAX = 64 * 1024, /* a longer one is nonsense; a request has 1 KiB */
  HOPS_MAX = 8,          /* devices that a request may have come through: nng's own default */
  STEP_MS = 2000,        /* for a greeting, a frame that has begun, an answer to be taken */
  FRAME_KIND = 1
};

/* Zero, "SP", version 0, the protocol's number, zero. */
static const uint8_t REP_GREETING[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
static const uint8_t REQ_GREETING[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

uint64_t trp_peer_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * TRP_NS_PER_S + (uint64_t)now.tv_nsec;
}

bool trp_peer_is_our_user(nng_stream *stream) {
  uint64_t uid = 0;
  return nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_UID, &uid) == 0 && uid == geteuid();
}

size_t trp_peer_way_back(const uint8_t *frame, size_t bytes) {
  for (size_t way = 4; way <= bytes && way <= 4 * HOPS_MAX; way += 4) {
    if (frame[way - 4] & 0x80) return way;
  }
  return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Between frames a client may be silent as long as it likes; within one it may not. */
static nng_duration time_left(const struct trp_peer *peer) {
  if (peer->phase == TRP_PEER_HEAD && peer->got == 0) return NNG_DURATION_INFINITE;
  uint64_t now = trp_peer_now_ns();
  if (now >= peer->deadline_ns) return 1;
  return (nng_duration)((peer->deadline_ns - now) / TRP_NS_PER_MS) + 1;
}

static void read_more(struct trp_peer *peer) {
  uint8_t *into = peer->phase == TRP_PEER_BODY ? peer->frame : peer->small;
  nng_iov iov = {.iov_buf = into + peer->got, .iov_len = peer->want - peer->got};
  if (nng_aio_set_iov(peer->in, 1, &iov) != 0) {
    trp_peer_close(peer);
    return;
  }
  nng_aio_set_timeout(peer->in, time_left(peer));
  peer->reading = true;
  nng_stream_recv(peer->stream, peer->in);
}

static void await(struct trp_peer *peer, enum trp_peer_phase phase, size_t bytes) {
  peer->phase = phase;
  peer->got = 0;
  peer->want = bytes;
}

static void take_head(struct trp_peer *peer) {
  uint64_t bytes = 0;
  for (int i = 1; i < TRP_PEER_HEAD_BYTES; i++) bytes = bytes << 8 | peer->small[i];
  if (peer->small[0] != FRAME_KIND || bytes == 0 || bytes > FRAME_MAX) {
    trp_peer_close(peer);
    return;
  }
  peer->frame = malloc((size_t)bytes);
  if (peer->frame == NULL) {
    trp_peer_close(peer);
    return;
  }
  await(peer, TRP_PEER_BODY, (size_t)bytes);
}

static void offer_frame(struct trp_peer *peer) {
  if (!peer->owner->frame(peer->owner, peer, peer->frame, peer->want)) return;
  peer->frame = NULL;
  if (!peer->closing) await(peer, TRP_PEER_HEAD, TRP_PEER_HEAD_BYTES);
}

/* What was awaited is whole. */
static void take_whole(struct trp_peer *peer) {
  peer->active_ns = trp_peer_now_ns();
  switch (peer->phase) {
    case TRP_PEER_FREE:
      break;
    case TRP_PEER_GREETING:
      if (memcmp(peer->small, REQ_GREETING, GREETING_BYTES) != 0) {
        trp_peer_close(peer);
      } else {
        await(peer, TRP_PEER_HEAD, TRP_PEER_HEAD_BYTES);
      }
      break;
    case TRP_PEER_HEAD:
      take_head(peer);
      break;
    case TRP_PEER_BODY:
      offer_frame(peer);
      break;
  }
}

/* The end of a closing connection, once nothing is under way and nobody here still works on it: the
 * owner may put the next one into the place at once. */
static void finish_if_idle(struct trp_peer *peer) {
  if (!peer->closing || peer->busy || peer->reading || peer->writing) return;
  nng_stream_free(peer->stream);
  free(peer->frame);
  free(peer->message);
  peer->stream = NULL;
  peer->frame = peer->message = NULL;
  peer->phase = TRP_PEER_FREE;
  peer->closing = false;
  peer->owner->gone(peer->owner, peer);
}

static void advance(struct trp_peer *peer) {
  size_t count = nng_aio_count(peer->in);
  if (count == 0) { /* an end that nng does not call an error */
    trp_peer_close(peer);
    return;
  }
  if (peer->phase == TRP_PEER_HEAD && peer->got == 0) {
    peer->deadline_ns = trp_peer_now_ns() + STEP_MS * TRP_NS_PER_MS;
  }
  peer->got += count;
  if (peer->got == peer->want) take_whole(peer);
  bool held = peer->phase == TRP_PEER_BODY && peer->got == peer->want; /* no room for it yet */
  if (!peer->closing && !held) read_more(peer);
}

static void on_in(void *arg) {
  struct trp_peer *peer = arg;
  pthread_mutex_lock(&peer->owner->lock);
  peer->reading = false;
  peer->busy = true;
  if (nng_aio_result(peer->in) != 0) {
    trp_peer_close(peer);
  } else if (!peer->closing) {
    advance(peer);
  }
  peer->busy = false;
  finish_if_idle(peer);
  pthread_mutex_unlock(&peer->owner->lock);
}

void trp_peer_resume(struct trp_peer *peer) {
  if (peer->phase != TRP_PEER_BODY || peer->got < peer->want || peer->closing) return;
  bool busy = peer->busy; /* its answer has just left, say */
  peer->busy = true;
  offer_frame(peer);
  if (peer->phase == TRP_PEER_HEAD && !peer->closing) read_more(peer);
  peer->busy = busy;
  finish_if_idle(peer);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_more(struct trp_peer *peer) {
  /* nng only reads from it; its vector has no const. */
  uint8_t *from = peer->message != NULL ? peer->message : (uint8_t *)REP_GREETING;
  nng_iov iov = {.iov_buf = from + peer->sent_bytes,
                 .iov_len = peer->message_bytes - peer->sent_bytes};
  if (nng_aio_set_iov(peer->out, 1, &iov) != 0) {
    trp_peer_close(peer);
    return;
  }
  nng_aio_set_timeout(peer->out, STEP_MS);
  peer->writing = true;
  nng_stream_send(peer->stream, peer->out);
}

static void written(struct trp_peer *peer) {
  peer->sent_bytes += nng_aio_count(peer->out);
  if (peer->sent_bytes < peer->message_bytes) {
    write_more(peer);
    return;
  }
  peer->active_ns = trp_peer_now_ns();
  if (peer->message != NULL) peer->served_ns = peer->active_ns;
  free(peer->message);
  peer->message = NULL;
  peer->owner->sent(peer->owner, peer);
}

static void on_out(void *arg) {
  struct trp_peer *peer = arg;
  pthread_mutex_lock(&peer->owner->lock);
  peer->writing = false;
  peer->busy = true;
  if (nng_aio_result(peer->out) != 0) {
    trp_peer_close(peer);
  } else if (!peer->closing) {
    written(peer);
  }
  peer->busy = false;
  finish_if_idle(peer);
  pthread_mutex_unlock(&peer->owner->lock);
}

uint8_t *trp_peer_message(size_t bytes) { return malloc(TRP_PEER_HEAD_BYTES + bytes); }

void trp_peer_send(struct trp_peer *peer, uint8_t *message, size_t bytes) {
  message[0] = FRAME_KIND;
  for (int i = 0; i < 8; i++) message[1 + i] = (uint8_t)((uint64_t)bytes >> (56 - 8 * i));
  peer->message = message;
  peer->message_bytes = TRP_PEER_HEAD_BYTES + bytes;
  peer->sent_bytes = 0;
  write_more(peer);
}

/* ---- life ------------------------------------------------------------------------------------ */

void trp_peer_begin(struct trp_peer *peer, nng_stream *stream) {
  peer->stream = stream;
  peer->active_ns = trp_peer_now_ns();
  peer->served_ns = 0;
  peer->deadline_ns = peer->active_ns + STEP_MS * TRP_NS_PER_MS;
  await(peer, TRP_PEER_GREETING, GREETING_BYTES);
  peer->message_bytes = GREETING_BYTES;
  peer->sent_bytes = 0;
  write_more(peer);
  if (!peer->closing) read_more(peer);
}

void trp_peer_close(struct trp_peer *peer) {
  if (peer->phase == TRP_PEER_FREE || peer->closing) return;
  peer->closing = true;
  nng_stream_close(peer->stream); /* what is under way ends with an error, later, in its callback */
  finish_if_idle(peer);
}

enum trp_err trp_peer_init(struct trp_peer *peer, struct trp_peer_owner *owner) {
  *peer = (struct trp_peer){.owner = owner};
  bool made =
      nng_aio_alloc(&peer->in, on_in, peer) == 0 && nng_aio_alloc(&peer->out, on_out, peer) == 0;
  return made ? TRP_OK : TRP_NO_MEMORY;
}

void trp_peer_fini(struct trp_peer *peer) {
  if (peer->in != NULL) nng_aio_stop(peer->in);
  if (peer->out != NULL) nng_aio_stop(peer->out);
  if (peer->stream != NULL) nng_stream_free(peer->stream);
  if (peer->in != NULL) nng_aio_free(peer->in);
  if (peer->out != NULL) nng_aio_free(peer->out);
  free(peer->frame);
  free(peer->message);
}
