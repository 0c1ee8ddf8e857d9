/* machine_inside.h - the inside of the machine, for its own files alone: machine.c (life, links,
 * clocks, the feed's state), machine_heard.c (frames and what is given out of them),
 * machine_symbols.c (subscriptions and their acknowledgement), machine_sync.c (books, snapshots and
 * their limits).
 *
 * A symbol has a leg for each stream that is subscribed to: what was asked of the exchange for it.
 * All legs of a symbol are on one link, and a link's symbols know nothing of other links. */
#ifndef TRP_ADAPTERS_MACHINE_INSIDE_H
#define TRP_ADAPTERS_MACHINE_INSIDE_H

#include "adapters/backoff.h"
#include "adapters/depth_book.h"
#include "adapters/machine.h"

#define MS_NS 1000000ull
#define NEVER_NS UINT64_MAX

#define PENDING_MAX 16
#define STAMPS_MAX 64 /* at least any dialect's texts_per_s */
#define TEXT_BYTES 16384

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
  uint32_t at;                           /* the link of this frame */

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
bool trp_machine_is_on(const struct symbol *symbol); /* all that is subscribed to */
void trp_machine_forget_requests(struct trp_machine *m, uint32_t link);
void trp_machine_pump_requests(struct trp_machine *m, uint32_t link);
void trp_machine_on_ack(struct trp_machine *m, const struct trp_heard *heard);
void trp_machine_on_refused(struct trp_machine *m, const struct trp_heard *heard);
bool trp_machine_may_send(const struct trp_machine *m, uint32_t link);
void trp_machine_stamp(struct trp_machine *m, uint32_t link);

/* machine_sync.c */
void trp_machine_want_snapshot(struct trp_machine *m, struct symbol *symbol);
void trp_machine_pump_snapshots(struct trp_machine *m);
void trp_machine_on_diff(struct trp_machine *m, struct symbol *symbol,
                         const struct trp_heard *heard);
void trp_machine_on_whole(struct trp_machine *m, struct symbol *symbol,
                          const struct trp_heard *heard);

#endif
