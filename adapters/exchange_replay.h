/* exchange_replay.h - a market from a recording: the frames of a capture, stream by stream.
 *
 * Each subscriber has a cursor of its own in each stream, which starts when it subscribes: the
 * first frame is due as long after that as it came after the capture's beginning, divided by the
 * speed (0: everything is due at once). Frames due at the same time come in the order of the
 * capture. The bytes are the recording's own; a combined frame {"stream":..,"data":..} can also be
 * told without its wrapping, and a raw one with it.
 *
 * Pure but for open, which reads both files whole (TRP_REPLAY_BYTES_MAX at most): an exchange does
 * that once, in its start, before it serves anybody. What is returned points into the replay.
 * Grammar of the files: shared by all captures, see capture.h. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_REPLAY_H
#define TRP_ADAPTERS_EXCHANGE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

#define TRP_REPLAY_BYTES_MAX (256u << 20) /* of each file */
#define TRP_REPLAY_STREAMS_MAX 4096
#define TRP_REPLAY_SYMBOLS_MAX 1024
#define TRP_REPLAY_NONE UINT32_MAX
#define TRP_REPLAY_NAME_SIZE 64 /* of a stream's name */

struct trp_replay;

struct trp_replay_frame {
  uint64_t order;    /* of the frames of the capture, from 0 */
  uint64_t at_ns;    /* after the capture's beginning */
  bool combined;     /* `bytes` is the wrapped form */
  bool binary;       /* it stood as hex */
  const char *bytes; /* as recorded */
  size_t size;
  const char *data; /* the payload alone: a part of bytes, or the same */
  size_t data_size;
};

/* What differs between the exchanges' recordings. */
struct trp_replay_grammar {
  /* The stream that a received frame is of, and its symbol where there is one; both have room for
   * TRP_REPLAY_NAME_SIZE bytes. May set combined, data and data_size, which are false and the whole
   * otherwise. False: nothing to play. */
  bool (*stream_of)(struct trp_replay_frame *frame, char *name, char *symbol);
  const char *snapshot_path; /* which responses are snapshots: a part of their URL */
  const char *symbol_key;    /* where the URL names the symbol: "symbol=" */
  bool hex;                  /* frames may stand as hex:DIGITS */
};

extern const struct trp_replay_grammar trp_replay_binance;

struct trp_replay_options {
  const char *capture;
  const char *snapshots;                    /* NULL: none */
  double speed;                             /* 0: as fast as it is taken */
  const struct trp_replay_grammar *grammar; /* NULL: Binance's */
};

/* Where a subscriber is in one stream. */
struct trp_replay_cursor {
  uint32_t stream; /* TRP_REPLAY_NONE: nothing will come */
  uint32_t next;
  uint64_t base_ns;
};

/* `why` gets a sentence on failure. Errors: INVALID (no file, nothing to play),
 * TOO_BIG, LIMIT, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_replay_open(struct trp_replay **out,
                                          const struct trp_replay_options *options, char *why,
                                          size_t why_size);
void trp_replay_close(struct trp_replay **replay); /* takes it away; NULL is fine */

/* The stream of a name ("btcusdt@bookTicker"); TRP_REPLAY_NONE where the capture has none. */
uint32_t trp_replay_find(const struct trp_replay *replay, const char *name);
uint32_t trp_replay_stream_count(const struct trp_replay *replay);
const char *trp_replay_stream(const struct trp_replay *replay, uint32_t stream);

/* A cursor at the stream's beginning, for one who subscribed at `now_ns`. */
struct trp_replay_cursor trp_replay_start(uint32_t stream, uint64_t now_ns);

/* When the cursor's next frame is due; UINT64_MAX at the end. */
uint64_t trp_replay_due_ns(const struct trp_replay *replay, const struct trp_replay_cursor *cursor);

/* The cursor's next frame (there must be one). The caller moves on by adding one to next. */
struct trp_replay_frame trp_replay_frame(const struct trp_replay *replay,
                                         const struct trp_replay_cursor *cursor);

/* Lines that are nothing to play: acknowledgements, bad lines, what has no stream we know. */
uint64_t trp_replay_skipped(const struct trp_replay *replay);

/* The symbols of all streams and snapshots, upper case. NULL past the last. */
const char *trp_replay_symbol(const struct trp_replay *replay, uint32_t i);
uint32_t trp_replay_symbol_count(const struct trp_replay *replay);

/* The recorded answer for a symbol's depth, whole; NULL where there is none. */
const char *trp_replay_snapshot(const struct trp_replay *replay, const char *symbol, size_t *size);

#endif
