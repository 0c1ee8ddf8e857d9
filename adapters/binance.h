/* binance.h - the Binance spot protocol as a state machine without I/O and without a clock.
 *
 * Inputs are calls that carry `now_ns` (monotonic); outputs go through struct trp_binance_out while
 * the input is being handled. The owner does the rest: it opens the WebSocket at
 * trp_binance_stream_url, hands over frames, sends texts, fetches snapshots, and dials again (with
 * backoff.h) after reconnect() or a loss. Call trp_binance_tick every TRP_BINANCE_TICK_MS.
 *
 *   opened -> SUBSCRIBE in batches -> acknowledged by id, each with a deadline -> data
 *   a new book: buffer diffs, fetch a snapshot, replay; a gap: the same for that one symbol
 *   closed -> acknowledgements, books and requests in flight are forgotten; wanted symbols are not
 *
 * Limits kept here: texts a second (pongs counted), streams a connection, snapshots in flight and
 * their weight a minute, Retry-After. Two clocks: heartbeat (any frame) and staleness per symbol
 * (its data only; learned longer for quiet symbols).
 *
 * Callbacks must not call back into the machine. What they get is borrowed for the call.
 * Symbols are given as the exchange writes them ("BTCUSDT"); events carry the number of
 * "BTCUSDT.BINANCE" in actors/symbol_table.h. Memory: fixed, but for books that grow up to their
 * bound. Thread: the owner's. */
#ifndef TRP_ADAPTERS_BINANCE_H
#define TRP_ADAPTERS_BINANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/binance_wire.h"
#include "adapters/feed_state.h"
#include "proto/errors.h"
#include "proto/messages.h"

#define TRP_BINANCE_VENUE ".BINANCE"
#define TRP_BINANCE_TICK_MS 100
#define TRP_BINANCE_REASON_BYTES 80
#define TRP_BINANCE_SYMBOLS_MAX 341 /* 1,024 streams a connection, three a symbol */

struct trp_binance; /* opaque */

/* What an error means for the recovery. */
enum trp_error_class {
  TRP_CLASS_TRANSIENT = 0, /* try again, with backoff */
  TRP_CLASS_RATE_LIMIT,    /* wait as told, then try again */
  TRP_CLASS_AUTH,          /* trying again does not help: keys or rights */
  TRP_CLASS_PROTOCOL,      /* the other side broke the protocol, or says that we did */
  TRP_CLASS_FATAL,         /* trying again does not help: no such symbol and the like */
  TRP_CLASS_COUNT
};

/* "transient" and so on, never NULL. */
const char *trp_error_class_text(enum trp_error_class error_class);

/* Zero fields mean the default named beside them. Texts are copied. */
struct trp_binance_options {
  const char *http_base;        /* "https://api.binance.com", for snapshot URLs */
  uint32_t streams;             /* TRP_BINANCE_STREAM_*: all */
  uint32_t symbols_max;         /* TRP_BINANCE_SYMBOLS_MAX */
  uint32_t ack_timeout_ms;      /* 5,000 */
  uint32_t heartbeat_ms;        /* 60,000: three of the exchange's ping intervals */
  uint32_t stale_ms;            /* 10,000 */
  uint32_t stale_max_ms;        /* 300,000: the longest that is learned for a quiet symbol */
  uint32_t stale_give_up_ms;    /* 30,000 with every symbol stale: reconnect(); doubled each time */
  uint32_t texts_per_s;         /* 4 (the exchange cuts at more than 5, pongs included) */
  uint32_t snapshot_limit;      /* 1,000 levels a side (weight 50; 5,000 levels weigh 250) */
  uint32_t snapshots_at_once;   /* 2 */
  uint32_t snapshot_timeout_ms; /* 15,000: a request of which nothing is heard is asked anew */
  uint32_t weight_per_min;      /* 3,000 of the address's 6,000 */
  uint32_t book_levels_max;     /* 10,000 a side; at most 20,000 */
  uint64_t seed;                /* of the jitter; any */
};

enum trp_binance_notice_kind {
  TRP_BINANCE_SUBSCRIBED,      /* symbol: acknowledged */
  TRP_BINANCE_UNSUBSCRIBED,    /* symbol: gone */
  TRP_BINANCE_REFUSED,         /* symbol: its subscription was refused, and no other's fault */
  TRP_BINANCE_SYNCED,          /* symbol: its book is rebuilt */
  TRP_BINANCE_STALE,           /* symbol: without data for longer than it may */
  TRP_BINANCE_FRESH,           /* symbol: data again after STALE */
  TRP_BINANCE_SNAPSHOT_FAILED, /* symbol: err, class and text say why; asked again unless fatal */
  TRP_BINANCE_BAD_FRAME,       /* err and text say why; the frame was dropped */
  TRP_BINANCE_CROSSED,         /* symbol: best bid at or above best ask */
  TRP_BINANCE_COMPLAINT        /* the exchange sent an error that belongs to no request of ours */
};

struct trp_binance_notice {
  enum trp_binance_notice_kind kind;
  uint32_t symbol; /* 0: of no symbol */
  enum trp_err err;
  enum trp_error_class error_class;
  int64_t code;     /* the exchange's, 0 where there is none */
  const char *text; /* never NULL */
};

/* Where outputs go. All must be set. */
struct trp_binance_out {
  void *arg;
  /* Queue a text frame. An error is answered with a later try. */
  enum trp_err (*send_text)(void *arg, const char *text, size_t size);
  /* GET `url`; answer with trp_binance_http_response or _http_failed with the same `symbol` text.
   * An error means that it was not started; it is tried again later. */
  enum trp_err (*request_snapshot)(void *arg, const char *symbol, const char *url);
  void (*quote)(void *arg, const struct trp_quote *quote, uint64_t update_id);
  void (*trade)(void *arg, const struct trp_trade *trade);
  /* levels_count levels follow the struct; its bytes are sizeof *book + count * sizeof level. */
  void (*book)(void *arg, const struct trp_book *book);
  /* Continuity of this symbol's book was lost; a rebuild is under way. */
  void (*gap)(void *arg, uint32_t symbol, uint64_t expected, uint64_t got);
  void (*notice)(void *arg, const struct trp_binance_notice *notice);
  /* trp_binance_state has changed, or the reason of LIVE. `reason` is for a person. */
  void (*state)(void *arg, enum trp_feed_phase state, const char *reason);
  /* Please close this connection and dial again. Said once a connection. */
  void (*reconnect)(void *arg, enum trp_error_class error_class, const char *reason);
};

struct trp_binance_stats {
  uint64_t frames, bytes;
  uint64_t quotes, trades, books; /* events given out */
  uint64_t updates;               /* their sum */
  uint64_t gaps, snapshots, snapshot_failures, snapshots_too_old;
  uint64_t acks, refusals, ack_timeouts;
  uint64_t bad_frames, other_frames, foreign_frames; /* foreign: of a symbol not subscribed to */
  uint64_t inexact, crossed, stale, reconnects_asked;
  uint64_t errors[TRP_CLASS_COUNT];
};

/* Errors: INVALID (an output missing, a limit out of range, a URL too long), NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_binance_new(struct trp_binance **out,
                                          const struct trp_binance_options *options,
                                          const struct trp_binance_out *outputs);
void trp_binance_destroy(struct trp_binance **binance); /* NULL is fine */

/* ---- inputs --------------------------------------------------------------------------------- */

/* A WebSocket stands: subscribes to everything wanted. */
void trp_binance_opened(struct trp_binance *binance, uint64_t now_ns);

/* A text frame. `wall_us` is the wall clock's time of its arrival (microseconds since 1970) for
 * the exchange offset, 0: leave the offsets 0. */
void trp_binance_frame(struct trp_binance *binance, uint64_t now_ns, int64_t wall_us,
                       const void *bytes, size_t size);

/* A ping came and was answered: keeps the heartbeat and counts against texts_per_s. */
void trp_binance_pinged(struct trp_binance *binance, uint64_t now_ns);

/* The WebSocket is gone, whoever ended it. Idempotent. */
void trp_binance_closed(struct trp_binance *binance, uint64_t now_ns);

/* The answer to request_snapshot. One that is no longer wanted is ignored. */
void trp_binance_http_response(struct trp_binance *binance, uint64_t now_ns, const char *symbol,
                               uint16_t status, uint32_t retry_after_s, const void *body,
                               size_t size);
void trp_binance_http_failed(struct trp_binance *binance, uint64_t now_ns, const char *symbol,
                             enum trp_err err);

/* Deadlines, staleness, what waits for its turn to be sent. */
void trp_binance_tick(struct trp_binance *binance, uint64_t now_ns);

/* ---- symbols -------------------------------------------------------------------------------- */

/* Wants a symbol from now on, over every reconnect. Wanting it twice is fine. `*number` (may be
 * NULL) gets its number in the symbol table. Errors: INVALID (the text), LIMIT. */
TRP_MUST_USE enum trp_err trp_binance_subscribe(struct trp_binance *binance, uint64_t now_ns,
                                                const char *symbol, uint32_t *number);

/* Wants it no more; its data stops at once. Errors: INVALID (it was not wanted). */
TRP_MUST_USE enum trp_err trp_binance_unsubscribe(struct trp_binance *binance, uint64_t now_ns,
                                                  const char *symbol);

/* Gives out the whole book of a symbol (NULL: of each) that is in sync, as a snapshot: for who came
 * late, or missed something on the way. Errors: INVALID (it is not wanted). */
TRP_MUST_USE enum trp_err trp_binance_tell_books(struct trp_binance *binance, uint64_t now_ns,
                                                 const char *symbol);

/* Wants nothing any more and forgets all symbols: for a disconnect. */
void trp_binance_clear(struct trp_binance *binance);

/* Symbols wanted; the i-th of them as text, NULL past the end. */
uint32_t trp_binance_symbols(const struct trp_binance *binance);
const char *trp_binance_symbol(const struct trp_binance *binance, uint32_t i);

/* ---- looks ---------------------------------------------------------------------------------- */

/* CONNECTING while no WebSocket stands, then SYNCING, LIVE or STALE. (BACKOFF, POLLING and STOPPED
 * are the owner's to know.) */
enum trp_feed_phase trp_binance_state(const struct trp_binance *binance);

/* Why it is in this state, now, for a person: "4 of 5 symbols in sync, 1 refused". Symbols that the
 * exchange refused for good keep no feed from being LIVE. */
void trp_binance_reason(const struct trp_binance *binance, char out[TRP_BINANCE_REASON_BYTES]);

const struct trp_binance_stats *trp_binance_stats(const struct trp_binance *binance);

/* Snapshot requests asked for and not answered: 0 after closed(). */
uint32_t trp_binance_snapshots_in_flight(const struct trp_binance *binance);

/* The class of an error of the exchange: its code (0: none) and the HTTP status (0: none). */
enum trp_error_class trp_binance_classify(int64_t code, uint16_t status);

#endif
