/* machine_inside.h - the inside of the machine, for its own files alone: machine.c (life, links,
 * clocks, the feed's state), machine_heard.c (frames and what is given out of them),
 * machine_symbols.c (subscriptions), machine_answers.c (their acknowledgement), machine_sync.c
 * (books, snapshots and their limits), machine_merge.c (two sources of the same updates),
 * machine_ask.c (other HTTP requests and their answers), machine_poll.c (polling),
 * machine_listing.c (which symbols there are).
 *
 * A symbol has a leg for each stream that is subscribed to: what was asked of the exchange for it.
 * All legs of a symbol are on one link, and a link's symbols know nothing of other links. */
#ifndef TRP_ADAPTERS_MACHINE_INSIDE_H
#define TRP_ADAPTERS_MACHINE_INSIDE_H

#include "adapters/backoff.h"
#include "adapters/depth_book.h"
#include "adapters/listing.h"
#include "adapters/machine.h"

#define MS_NS 1000000ull
#define NEVER_NS UINT64_MAX

#define PENDING_MAX 16
#define STAMPS_MAX 64 /* at least any dialect's texts_per_s */
#define TEXT_BYTES 16384
#define ASKED_MAX 12    /* requests in flight beside snapshots */
#define PARKED_MAX 1024 /* trades of successors that wait */

enum leg_state {
  LEG_OFF,
  LEG_WANTED, /* to be asked for */
  LEG_ASKED,
  LEG_ON,
  LEG_REFUSED, /* asked for again at the symbol's retry_ns */
  LEG_LEAVING, /* to be taken back */
  LEG_LEAVE_ASKED
};

struct leg {
  enum leg_state state;
  uint64_t request_id; /* that it is in; 0: in none, or it was answered */
};

enum snapshot {
  SNAP_IDLE,   /* none needed */
  SNAP_WANTED, /* from snapshot_ns on */
  SNAP_ASKED,  /* until snapshot_ns */
  SNAP_NEVER   /* the exchange has none for this symbol */
};

/* Which of a symbol's quotes (or trades) were given out, where two sources bring the same: the old
 * one (a predecessor, or polling) and the new one (the link's connection). The new one's are not
 * given before it has joined: before the old one is known to have brought all that came before. */
struct seen {
  uint64_t last;  /* id of the last that was given out; 0: none, or it had none */
  uint64_t other; /* of the new one's last that was not; 0: none */
  bool joined;
};

struct symbol {
  char name[TRP_DIALECT_SYMBOL_MAX + 1];
  uint32_t number;
  uint32_t link;
  bool wanted; /* else its legs are leaving */
  bool alone;  /* its batch was refused: find out by itself */
  bool stale;
  bool absent; /* no such symbol, says the exchange: no data is waited for */
  struct leg legs[TRP_STREAM_COUNT];
  uint64_t retry_ns;
  struct trp_backoff retry;
  uint64_t data_ns;  /* of its last data, or since when it is waited for */
  uint64_t quiet_ns; /* the longest pause lately: decays with every datum */
  bool unknown;      /* the exchange's list lacks it */
  bool bridged;      /* it was in sync when a successor came, and its predecessor goes on */
  bool quoted;       /* a quote was streamed by this connection */
  bool ask_alone;    /* a poll with others was refused: find out by itself */
  struct seen quotes, trades;
  bool book_joined, book_other; /* the same of its book's updates */
  uint64_t on_ns;               /* since when it is subscribed to */
  uint64_t poll_ns;             /* when its quote was last asked for.. */
  uint64_t trades_ns;           /* ..and its trades */
  enum snapshot snapshot;
  uint64_t snapshot_ns;
  struct trp_backoff snapshot_backoff;
  struct trp_depth_book book;
};

struct pending {
  uint64_t id; /* 0: free */
  uint64_t deadline_ns;
};

struct link {
  bool open;
  bool old_open;           /* its predecessor */
  bool renew_asked;        /* for this connection */
  bool released;           /* the predecessor is to be closed */
  uint64_t opened_ns;      /* when this connection came to stand */
  uint64_t old_frame_ns;   /* of the predecessor's last frame */
  uint64_t level_ns;       /* since when all is acknowledged beside a predecessor; 0: it is not */
  uint64_t merge_until_ns; /* there may be two sources of its updates */
  bool reconnect_asked;
  uint32_t symbols;      /* that are on it, leaving ones included */
  uint64_t frame_ns;     /* of the last frame of any kind */
  uint64_t ping_ns;      /* of our last ping */
  uint64_t all_stale_ns; /* since when every symbol is stale; 0: they are not */
  uint64_t give_up_ns;
  uint32_t bad_in_a_row;
  struct pending pending[PENDING_MAX];
  uint64_t stamps[STAMPS_MAX]; /* when the last texts (and pongs) went out */
  uint32_t stamp;
};

enum asked_what { ASKED_NOTHING, ASKED_QUOTES, ASKED_BEST, ASKED_TRADES, ASKED_LISTING };

struct asked { /* a GET in flight */
  enum asked_what what;
  uint64_t ticket;
  uint32_t number; /* of the symbol; 0: of many */
  bool newest;     /* of TRADES: not those from an id on */
  uint64_t at_ns, deadline_ns;
};

struct parked {    /* a trade of a new source that has not joined */
  uint32_t number; /* 0: free */
  bool inexact;
  int64_t exchange_us;
  uint64_t recv_ns;
  int64_t wall_us;
  struct trp_wire_trade trade;
};

struct trp_machine {
  const struct trp_dialect *dialect;
  struct trp_machine_options options;
  char http_base[256];
  struct trp_machine_out out;
  void *parser;
  struct trp_machine_stats stats;
  struct trp_book *book_out; /* with room for a whole book's levels */
  uint64_t chance;
  uint32_t each; /* streams a symbol */
  uint32_t symbols_a_link;
  uint32_t link_count;

  bool changed; /* something that the feed's state depends on */
  enum trp_feed_phase state;
  char reason[TRP_MACHINE_REASON_BYTES]; /* as it was told */
  uint64_t now_ns;                       /* of this input */
  int64_t wall_us;                       /* of this frame */
  int64_t wall_offset_us;                /* the wall clock, less the monotonic one */
  uint32_t at;                           /* the link of this frame.. */
  bool from_old;                         /* ..and whether it is of its predecessor */
  bool from_poll;                        /* no frame: an answer */

  struct symbol *symbols;
  uint32_t count;
  uint16_t *buckets; /* index + 1 */
  uint32_t bucket_mask;

  struct link links[TRP_MACHINE_LINKS_MAX];
  uint64_t next_id;
  char text[TEXT_BYTES];

  uint64_t paused_until_ns; /* the exchange said: not before */
  uint64_t weight_ns;       /* when the budget was last filled up */
  double weight;

  bool polling;
  bool poll_bad;          /* the last poll failed */
  uint64_t fill_until_ns; /* polling has ended, and trades up to the stream's are still asked for */
  uint32_t poll_at;       /* the symbol that is first in turn */
  uint64_t next_ticket;
  struct asked asked[ASKED_MAX];
  struct parked *parked; /* PARKED_MAX, in order; NULL: none yet */
  uint32_t parked_count;

  struct trp_listing listing;
  uint64_t listing_ns; /* SEALED: when it came; else not to be asked for before */
  struct trp_backoff listing_backoff;
  char unknown_text[112]; /* of the last symbol that is none */
};

/* Is that stream, the i-th bit, subscribed to? */
static inline bool trp_machine_has(const struct trp_machine *m, uint32_t i) {
  return (m->options.streams >> i & 1) != 0;
}

static inline bool trp_machine_has_books(const struct trp_machine *m) {
  return (m->options.streams & (TRP_STREAM_DEPTH | TRP_STREAM_BOOK)) != 0;
}

/* Do snapshots come in the stream itself? */
static inline bool trp_machine_has_own_snapshots(const struct trp_machine *m) {
  return (m->options.streams & TRP_STREAM_BOOK) != 0;
}

/* machine.c */
void trp_machine_note(struct trp_machine *m, enum trp_machine_notice_kind kind,
                      const struct symbol *symbol, enum trp_err err,
                      enum trp_error_class error_class, int64_t code, const char *text);
void trp_machine_ask_reconnect(struct trp_machine *m, uint32_t link,
                               enum trp_error_class error_class, const char *reason);
uint64_t trp_machine_chance(struct trp_machine *m);
uint64_t trp_machine_since(const struct trp_machine *m, uint64_t then_ns);
int64_t trp_machine_wall_s(const struct trp_machine *m);
void trp_machine_update_state(struct trp_machine *m);

/* machine_symbols.c */
struct symbol *trp_machine_find(struct trp_machine *m, const char *name);
struct leg *trp_machine_book_leg(struct trp_machine *m, struct symbol *symbol);
bool trp_machine_is_on(const struct symbol *symbol);      /* all that is subscribed to */
bool trp_machine_is_settled(const struct symbol *symbol); /* each asked for was answered */
struct symbol *trp_machine_numbered(struct trp_machine *m, uint32_t number);
void trp_machine_carry_over(struct trp_machine *m, uint32_t link);
void trp_machine_disown(struct trp_machine *m, struct symbol *symbol);
void trp_machine_forget_requests(struct trp_machine *m, uint32_t link);
void trp_machine_pump_requests(struct trp_machine *m, uint32_t link);
bool trp_machine_may_send(const struct trp_machine *m, uint32_t link);
void trp_machine_stamp(struct trp_machine *m, uint32_t link);
struct pending *trp_machine_find_pending(struct link *l, uint64_t id);
bool trp_machine_all_are(const struct symbol *symbol, enum leg_state state); /* or OFF */
void trp_machine_remove_symbol(struct trp_machine *m, uint32_t at);

/* machine_answers.c */
void trp_machine_on_ack(struct trp_machine *m, const struct trp_heard *heard);
void trp_machine_on_refused(struct trp_machine *m, const struct trp_heard *heard);

/* What stands for the symbols of a link: its connection, or a predecessor that goes on. */
static inline bool trp_machine_stands(const struct link *link) {
  return link->open || link->old_open;
}

/* machine_heard.c */
void trp_machine_give_quote(struct trp_machine *m, const struct symbol *symbol,
                            const struct trp_wire_quote *quote, int64_t exchange_us);
void trp_machine_give_trade(struct trp_machine *m, const struct symbol *symbol,
                            const struct trp_wire_trade *trade, int64_t exchange_us);
void trp_machine_saw_data(struct trp_machine *m, struct symbol *symbol);

/* machine_merge.c: may it be given out? A trade that may later is kept. */
bool trp_machine_quote_passes(struct trp_machine *m, struct symbol *symbol, uint64_t id);
bool trp_machine_trade_passes(struct trp_machine *m, struct symbol *symbol,
                              const struct trp_heard *heard);
bool trp_machine_diff_passes(struct trp_machine *m, struct symbol *symbol,
                             const struct trp_wire_depth *diff);
bool trp_machine_whole_passes(struct trp_machine *m, struct symbol *symbol);
/* Trades were given out: those of the new source that follow upon them are now. */
void trp_machine_unpark(struct trp_machine *m, struct symbol *symbol);
/* Two sources from now on; the new one has not joined. */
void trp_machine_part(struct symbol *symbol);
/* The old source of a link is gone: what waits for it waits no more. */
void trp_machine_settle(struct trp_machine *m, uint32_t link);
bool trp_machine_is_joined(const struct trp_machine *m, const struct symbol *symbol);
bool trp_machine_has_parked(const struct trp_machine *m, const struct symbol *symbol);
void trp_machine_forget_parked(struct trp_machine *m, const struct symbol *symbol);
void trp_machine_tick_renewal(struct trp_machine *m, uint32_t link);
void trp_machine_ask_renewal(struct trp_machine *m, uint32_t link, const char *reason);

/* machine_ask.c */
struct asked *trp_machine_ask(struct trp_machine *m, enum asked_what what,
                              const struct symbol *symbol, uint32_t weight, const char *url);
bool trp_machine_may_ask(struct trp_machine *m, uint32_t weight);
void trp_machine_tick_asked(struct trp_machine *m);

/* machine_poll.c */
bool trp_machine_is_filling(const struct trp_machine *m);
void trp_machine_pump_polls(struct trp_machine *m);
void trp_machine_on_polled(struct trp_machine *m, const struct asked *asked, const void *body,
                           size_t size);
void trp_machine_poll_failed(struct trp_machine *m, const struct asked *asked, enum trp_err err,
                             enum trp_error_class error_class, int64_t code, const char *text);
enum trp_feed_phase trp_machine_judge_polling(const struct trp_machine *m,
                                              char reason[TRP_MACHINE_REASON_BYTES]);

/* machine_listing.c */
bool trp_machine_lacks(struct trp_machine *m, const char *symbol);
void trp_machine_pump_listing(struct trp_machine *m);
void trp_machine_on_listing(struct trp_machine *m, const void *body, size_t size);
void trp_machine_listing_failed(struct trp_machine *m, enum trp_err err,
                                enum trp_error_class error_class, const char *text);

/* machine_sync.c */
void trp_machine_refill(struct trp_machine *m);
void trp_machine_pause(struct trp_machine *m, uint16_t status, uint32_t retry_after_s);
void trp_machine_want_snapshot(struct trp_machine *m, struct symbol *symbol);
void trp_machine_pump_snapshots(struct trp_machine *m);
void trp_machine_apply_diff(struct trp_machine *m, struct symbol *symbol,
                            const struct trp_wire_depth *diff);
void trp_machine_on_whole(struct trp_machine *m, struct symbol *symbol,
                          const struct trp_heard *heard);

#endif
