/* control_peer.h - one connection to the control socket: nng's own wire, on a stream of nng's.
 *
 * Why not nng's REP socket: in nng 1.5.2 its ipc listener ends for good when a peer connects and
 * hangs up at once (upstream 1518), and nobody is told. Its streams are not affected, and what REP
 * says on them is little (RFC drafts nanomsg "sp-ipc-mapping-01" and "sp-request-reply-01"): eight
 * bytes of greeting each way, then frames of 1, a length of 8 bytes, and that many; a request opens
 * with words of four bytes, the last of which has its first bit set, and the answer repeats them.
 *
 * A peer is a place for connections, used again and again; it belongs to an owner, whose lock is
 * held around everything here but init and fini, also around the owner's functions. */
#ifndef TRP_ADAPTERS_CONTROL_PEER_H
#define TRP_ADAPTERS_CONTROL_PEER_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

struct trp_peer;

struct trp_peer_owner {
  pthread_mutex_t lock;
  /* A whole frame came. True: it is the owner's now, to be freed. False: no room; the peer keeps it
   * and reads nothing more until trp_peer_resume. */
  bool (*frame)(struct trp_peer_owner *owner, struct trp_peer *peer, uint8_t *frame, size_t bytes);
  /* What was given to trp_peer_send has left, or the greeting has. */
  void (*sent)(struct trp_peer_owner *owner, struct trp_peer *peer);
  /* The connection is over and the place is free. */
  void (*gone)(struct trp_peer_owner *owner, struct trp_peer *peer);
};

enum trp_peer_phase { TRP_PEER_FREE, TRP_PEER_GREETING, TRP_PEER_HEAD, TRP_PEER_BODY };

enum { TRP_PEER_HEAD_BYTES = 9 };

struct trp_peer {
  struct trp_peer_owner *owner;
  nng_stream *stream;
  nng_aio *in, *out;
  enum trp_peer_phase phase; /* of what comes in */
  bool reading, writing, closing;
  bool busy;            /* a function here works on it: its place must not become free under it */
  uint64_t deadline_ns; /* of the greeting, or of a frame that has begun */
  uint64_t active_ns;   /* the last whole thing that came or left */
  uint64_t served_ns;   /* when the last answer left; 0: none has */
  uint8_t small[TRP_PEER_HEAD_BYTES]; /* the greeting or a head, as it comes */
  uint8_t *frame;                     /* a body, as it comes */
  size_t got, want;
  uint8_t *message; /* what is being sent; NULL: the greeting */
  size_t sent_bytes, message_bytes;
};

/* Nanoseconds of CLOCK_MONOTONIC, of which all times here are. */
uint64_t trp_peer_now_ns(void);

/* Errors: NO_MEMORY. After an error fini is still due. */
TRP_MUST_USE enum trp_err trp_peer_init(struct trp_peer *peer, struct trp_peer_owner *owner);

/* Waits for what is under way, without the lock, and gives everything back. */
void trp_peer_fini(struct trp_peer *peer);

/* Takes a new connection into a free place. */
void trp_peer_begin(struct trp_peer *peer, nng_stream *stream);

/* Whether the other end belongs to this process's user. */
bool trp_peer_is_our_user(nng_stream *stream);

/* How many bytes at the head of a request say how its answer finds back; 0 where they never end. */
size_t trp_peer_way_back(const uint8_t *frame, size_t bytes);

/* Room for a frame of so many bytes and its head; the bytes begin at TRP_PEER_HEAD_BYTES. */
uint8_t *trp_peer_message(size_t bytes);

/* Sends a message of trp_peer_message, which it takes. Not while `writing`. */
void trp_peer_send(struct trp_peer *peer, uint8_t *message, size_t bytes);

/* There is room again: offers the frame that had none, and reads on. */
void trp_peer_resume(struct trp_peer *peer);

/* Hangs up; `gone` comes now or soon. Again is fine. */
void trp_peer_close(struct trp_peer *peer);

#endif
