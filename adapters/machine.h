/* machine.h - the protocol of a market-data exchange as a state machine without I/O and without a
 * clock; what sets an exchange apart is its dialect (dialect.h).
 *
 * Inputs are calls that carry `now_ns` (monotonic); outputs go through struct trp_machine_out while
 * the input is being handled. The owner does the rest: it opens WebSockets, hands over frames,
 * sends texts, fetches snapshots, and dials again (with backoff.h) after reconnect() or a loss.
 * Call trp_machine_tick every TRP_MACHINE_TICK_MS.
 *
 *   opened -> SUBSCRIBE in batches -> acknowledged, each with a deadline -> data
 *   a new book: buffer diffs, fetch a snapshot, replay; a gap: the same for that one symbol
 *   closed -> acknowledgements, books and requests in flight are forgotten; wanted symbols are not
 *
 * Links: an exchange takes so many subscriptions a connection, so a machine may need several. They
 * are numbered from 0; the owner keeps trp_machine_links of them standing. All of a symbol's
 * subscriptions are on one link; what happens to a link touches its symbols alone.
 *
 * Renewal: where the exchange says that a connection will end, or its life nears its end, the
 * machine asks to renew() its link. The owner dials a successor while the connection stands, and
 * says opened() of it: from then on the old connection is the link's predecessor, whose frames come
 * by old_frame(). Both are read, and each update is given out once, by the exchange's ids; when the
 * successor is subscribed, acknowledged and level with it, the machine says release(), and the
 * owner closes the predecessor.
 *
 * Polling, of what is not streamed: on order of the owner (trp_machine_poll) quotes, and trades
 * where ids count them, are asked for by HTTP, and marked TRP_POLLED. When the stream is back it
 * goes on at the very trade where the polling ended.
 *
 * Limits kept here: texts a second and subscriptions a link, snapshots in flight and their weight a
 * minute, Retry-After. Two clocks: heartbeat per link (any frame) and staleness per symbol (its
 * data only; learned longer for quiet symbols).
 *
 * Callbacks must not call back into the machine. What they get is borrowed for the call.
 * Symbols are given as the exchange writes them ("BTC_USDT"); events carry the number of
 * "BTCUSDT.GATEIO" in actors/symbol_table.h. Memory: fixed, but for books that grow up to their
 * bound. Thread: the owner's. */
#ifndef TRP_ADAPTERS_MACHINE_H
#define TRP_ADAPTERS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/dialect.h"
#include "adapters/feed_state.h"
#include "proto/errors.h"
#include "proto/messages.h"

#define TRP_MACHINE_TICK_MS 100
#define TRP_MACHINE_REASON_BYTES 128
#define TRP_MACHINE_SYMBOLS_MAX 8192
#define TRP_MACHINE_LINKS_MAX 32

struct trp_machine; /* opaque */

/* Zero fields mean the default named beside them; "its own" is the dialect's. Texts are copied. */
struct trp_machine_options {
  const char *http_base;      /* its own; for snapshot URLs */
  uint32_t streams;           /* TRP_STREAM_*: its usual ones; DEPTH and BOOK exclude each other */
  uint32_t symbols_max;       /* its own; more symbols may mean more links, up to LINKS_MAX */
  uint32_t ack_timeout_ms;    /* 5,000 */
  uint32_t heartbeat_ms;      /* its own */
  uint32_t ping_ms;           /* its own, where it has pings */
  uint32_t stale_ms;          /* 10,000 */
  uint32_t stale_max_ms;      /* 300,000: the longest that is learned for a quiet symbol */
  uint32_t stale_give_up_ms;  /* 30,000 with every symbol stale: reconnect(); doubled each time */
  uint32_t texts_per_s;       /* its own, at most */
  uint32_t snapshot_limit;    /* its own: levels a side; of BOOK streams too */
  uint32_t snapshots_at_once; /* 2 */
  uint32_t snapshot_timeout_ms; /* 15,000: a request of which nothing is heard is asked anew */
  uint32_t weight_per_min;      /* its own */
  uint32_t book_levels_max;     /* 10,000 a side; at most 20,000 */
  uint32_t poll_ms;             /* 800: from a poll of a symbol to its next, if the budget allows */
  uint32_t renew_s;             /* its life less a 24th: renew() a connection of this age */
  bool trust_symbols;           /* do not check them against the exchange's list */
  uint64_t not_before_ns;       /* a Retry-After of an earlier life: no HTTP request before */
  uint64_t seed;                /* of the jitter; any */
};

enum trp_machine_notice_kind {
  TRP_NOTICE_SUBSCRIBED,      /* symbol: acknowledged */
  TRP_NOTICE_UNSUBSCRIBED,    /* symbol: gone */
  TRP_NOTICE_REFUSED,         /* symbol: its subscription was refused, and no other's fault */
  TRP_NOTICE_SYNCED,          /* symbol: its book is rebuilt */
  TRP_NOTICE_STALE,           /* symbol: without data for longer than it may */
  TRP_NOTICE_FRESH,           /* symbol: data again after STALE */
  TRP_NOTICE_SNAPSHOT_FAILED, /* symbol: err, class and text say why; asked again unless fatal */
  TRP_NOTICE_BAD_FRAME,       /* err and text say why; the frame was dropped */
  TRP_NOTICE_CROSSED,         /* symbol: best bid at or above best ask: refused, and rebuilt */
  TRP_NOTICE_COMPLAINT,       /* the exchange sent an error that belongs to no request of ours */
  TRP_NOTICE_UNKNOWN,       /* symbol: the exchange has none of that name; text: nor the nearest */
  TRP_NOTICE_POLL_FAILED,   /* a poll, after one that did not: err, class and text say why */
  TRP_NOTICE_LISTING_FAILED /* the list of symbols; asked for again later */
};

struct trp_machine_notice {
  enum trp_machine_notice_kind kind;
  uint32_t symbol; /* 0: of no symbol */
  enum trp_err err;
  enum trp_error_class error_class;
  int64_t code;     /* the exchange's, 0 where there is none */
  const char *text; /* never NULL */
};

/* A GET to be made: a poll, or the list of symbols. Borrowed for the call. */
struct trp_machine_request {
  uint64_t ticket; /* for the answer */
  const char *url;
  uint32_t timeout_ms;
  uint32_t body_max;
};

/* Where outputs go. All must be set but what says so. */
struct trp_machine_out {
  void *arg;
  /* Queue a text frame on that link. An error is answered with a later try. */
  enum trp_err (*send_text)(void *arg, uint32_t link, const char *text, size_t size);
  /* GET `url`; answer with trp_machine_http_response or _http_failed with the same `symbol` text.
   * The answer is of no use once `link` is closed. An error means that it was not started; it is
   * tried again later. */
  enum trp_err (*request_snapshot)(void *arg, uint32_t link, const char *symbol, const char *url);
  void (*quote)(void *arg, const struct trp_quote *quote, uint64_t update_id);
  void (*trade)(void *arg, const struct trp_trade *trade);
  /* levels_count levels follow the struct; its bytes are sizeof *book + count * sizeof level. */
  void (*book)(void *arg, const struct trp_book *book);
  /* Continuity of this symbol's book was lost; a rebuild is under way. */
  void (*gap)(void *arg, uint32_t symbol, uint64_t expected, uint64_t got);
  void (*notice)(void *arg, const struct trp_machine_notice *notice);
  /* trp_machine_state has changed, or the reason of LIVE. `reason` is for a person. */
  void (*state)(void *arg, enum trp_feed_phase state, const char *reason);
  /* Please close this link and dial it again. Said once a connection. */
  void (*reconnect)(void *arg, uint32_t link, enum trp_error_class error_class, const char *reason);

  /* Starts a GET; answer with trp_machine_answered or _unanswered. An error means that it was not
   * started. NULL: nothing is polled, and no symbol checked. */
  enum trp_err (*request)(void *arg, const struct trp_machine_request *request);
  /* Please dial a successor of this link's connection, which goes on meanwhile. Said once a
   * connection. NULL: reconnect() instead. */
  void (*renew)(void *arg, uint32_t link, const char *reason);
  /* The successor is level: please close the predecessor. NULL where renew is: then a link that is
   * opened while it stands has no predecessor, and begins anew. */
  void (*release)(void *arg, uint32_t link);
};

struct trp_machine_stats {
  uint64_t frames, bytes;
  uint64_t quotes, trades, books; /* events given out */
  uint64_t updates;               /* their sum */
  uint64_t gaps, snapshots, snapshot_failures, snapshots_too_old;
  uint64_t acks, refusals, ack_timeouts;
  uint64_t bad_frames, other_frames, foreign_frames; /* foreign: of a symbol not subscribed to */
  uint64_t inexact, crossed, stale, reconnects_asked;
  uint64_t pings, pongs; /* the application's own */
  uint64_t endings;      /* announced by the exchange */
  uint64_t renewals;     /* successors that took over */
  uint64_t repeats;      /* updates that came twice, of two sources, and were given out once */
  uint64_t polls, poll_failures;
  uint64_t polled;  /* events given out that were polled */
  uint64_t unknown; /* symbols that the exchange does not have */
  uint64_t errors[TRP_CLASS_COUNT];
};

/* The dialect is borrowed for the machine's life. Errors: INVALID (an output missing, a limit out
 * of range, a URL too long), NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_machine_new(struct trp_machine **out,
                                          const struct trp_dialect *dialect,
                                          const struct trp_machine_options *options,
                                          const struct trp_machine_out *outputs);
void trp_machine_destroy(struct trp_machine **machine); /* NULL is fine */

/* ---- inputs --------------------------------------------------------------------------------- */

/* The wall clock's time (microseconds since 1970) at `now_ns`, for exchanges that want it in their
 * requests. To be told at the beginning and now and then, before the texts that need it. */
void trp_machine_wall(struct trp_machine *machine, uint64_t now_ns, int64_t wall_us);

/* A WebSocket stands: subscribes to everything wanted that is this link's. */
void trp_machine_opened(struct trp_machine *machine, uint32_t link, uint64_t now_ns);

/* A frame, text or binary. `wall_us` is the wall clock's time of its arrival (microseconds since
 * 1970) for the exchange offset, 0: leave the offsets 0. */
void trp_machine_frame(struct trp_machine *machine, uint32_t link, uint64_t now_ns, int64_t wall_us,
                       const void *bytes, size_t size);

/* A ping came and was answered: keeps the heartbeat, and counts against texts_per_s where the
 * exchange counts pongs. */
void trp_machine_pinged(struct trp_machine *machine, uint32_t link, uint64_t now_ns);

/* The WebSocket is gone, whoever ended it. Idempotent. */
void trp_machine_closed(struct trp_machine *machine, uint32_t link, uint64_t now_ns);

/* The same of a link's predecessor. A link that is opened while it stands has one from then on. */
void trp_machine_old_frame(struct trp_machine *machine, uint32_t link, uint64_t now_ns,
                           int64_t wall_us, const void *bytes, size_t size);
void trp_machine_old_closed(struct trp_machine *machine, uint32_t link, uint64_t now_ns);

/* Polls what is not streamed, or (off) stops that; off and on again is fine at any time. */
void trp_machine_poll(struct trp_machine *machine, uint64_t now_ns, bool on);

/* The answer to request. One that is no longer wanted is ignored. */
void trp_machine_answered(struct trp_machine *machine, uint64_t now_ns, uint64_t ticket,
                          uint16_t status, uint32_t retry_after_s, const void *body, size_t size);
void trp_machine_unanswered(struct trp_machine *machine, uint64_t now_ns, uint64_t ticket,
                            enum trp_err err);

/* The answer to request_snapshot. One that is no longer wanted is ignored. */
void trp_machine_http_response(struct trp_machine *machine, uint64_t now_ns, const char *symbol,
                               uint16_t status, uint32_t retry_after_s, const void *body,
                               size_t size);
void trp_machine_http_failed(struct trp_machine *machine, uint64_t now_ns, const char *symbol,
                             enum trp_err err);

/* Deadlines, pings, staleness, what waits for its turn to be sent. */
void trp_machine_tick(struct trp_machine *machine, uint64_t now_ns);

/* ---- symbols -------------------------------------------------------------------------------- */

/* Wants a symbol from now on, over every reconnect. Wanting it twice is fine. `*number` (may be
 * NULL) gets its number in the symbol table. Errors: INVALID (the text; or the house knows another
 * of the exchange's symbols by that name; or trp_machine_is_unknown), LIMIT. */
TRP_MUST_USE enum trp_err trp_machine_subscribe(struct trp_machine *machine, uint64_t now_ns,
                                                const char *symbol, uint32_t *number);

/* Wants it no more; its data stops at once. Errors: INVALID (it was not wanted). */
TRP_MUST_USE enum trp_err trp_machine_unsubscribe(struct trp_machine *machine, uint64_t now_ns,
                                                  const char *symbol);

/* Gives out the whole book of a symbol (NULL: of each) that is in sync, as a snapshot: for who came
 * late, or missed something on the way. Errors: INVALID (it is not wanted). */
TRP_MUST_USE enum trp_err trp_machine_tell_books(struct trp_machine *machine, uint64_t now_ns,
                                                 const char *symbol);

/* Wants nothing any more and forgets all symbols: for a disconnect. */
void trp_machine_clear(struct trp_machine *machine);

/* Symbols wanted; the i-th of them as text, NULL past the end. */
uint32_t trp_machine_symbols(const struct trp_machine *machine);
const char *trp_machine_symbol(const struct trp_machine *machine, uint32_t i);

/* The wanted symbol that the house knows by this name ("BTCUSDT.GATEIO"), NULL where there is none.
 */
const char *trp_machine_symbol_named(const struct trp_machine *machine, const char *name);

/* ---- looks ---------------------------------------------------------------------------------- */

/* How many links should stand: 1 at least, and what the symbols need. */
uint32_t trp_machine_links(const struct trp_machine *machine);

/* Should that link stand? All that trp_machine_links counts; but of an exchange that closes idle
 * connections only those on which there is something to subscribe to. */
bool trp_machine_needs(const struct trp_machine *machine, uint32_t link);

/* POLLING or STALE while it polls; else CONNECTING while no WebSocket stands, then SYNCING, LIVE or
 * STALE. (BACKOFF and STOPPED are the owner's to know.) */
enum trp_feed_phase trp_machine_state(const struct trp_machine *machine);

/* Is everything that is wanted streamed, and every book in sync? Also while it polls. */
bool trp_machine_is_live(const struct trp_machine *machine);

/* Is the symbol one that the exchange is known not to have? Then `text` names it and the nearest.
 */
bool trp_machine_is_unknown(const struct trp_machine *machine, const char *symbol, char *text,
                            size_t size);

/* Until when the exchange asked us to make no HTTP request; 0: it did not. */
uint64_t trp_machine_not_before(const struct trp_machine *machine);

/* Why it is in this state, now, for a person: "4 of 5 symbols in sync, 1 refused". Symbols that the
 * exchange refused for good keep no feed from being LIVE. */
void trp_machine_reason(const struct trp_machine *machine, char out[TRP_MACHINE_REASON_BYTES]);

const struct trp_machine_stats *trp_machine_stats(const struct trp_machine *machine);

/* Snapshot requests asked for and not answered: 0 after all are closed(). */
uint32_t trp_machine_snapshots_in_flight(const struct trp_machine *machine);

#endif
