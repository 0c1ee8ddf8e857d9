/* binance_machine.h - the inside of the Binance state machine, for its own files alone:
 * binance.c (inputs, state, clocks), binance_symbols.c (subscriptions and their acknowledgement),
 * binance_sync.c (books, snapshots and their limits). */
#ifndef TRP_ADAPTERS_BINANCE_MACHINE_H
#define TRP_ADAPTERS_BINANCE_MACHINE_H

#include "adapters/backoff.h"
#include "adapters/binance.h"
#include "adapters/depth_book.h"

#define MS_NS 1000000ull
#define NEVER_NS UINT64_MAX

#define BUCKETS 1024 /* of the symbol look-up: more than twice TRP_BINANCE_SYMBOLS_MAX */
#define PENDING_MAX 16
#define STAMPS_MAX 4
#define STREAMS_A_TEXT 200
#define TEXT_BYTES 16384

enum subscription {
  SUB_WANTED, /* to be asked for */
  SUB_ASKED,
  SUB_ON,
  SUB_REFUSED, /* asked for again at retry_ns */
  SUB_LEAVING, /* to be taken back */
  SUB_LEAVE_ASKED
};

enum snapshot {
  SNAP_IDLE,   /* none needed */
  SNAP_WANTED, /* from snapshot_ns on */
  SNAP_ASKED,  /* until snapshot_ns */
  SNAP_NEVER   /* the exchange has none for this symbol */
};

struct symbol {
  char name[TRP_BINANCE_SYMBOL_MAX + 1];
  uint32_t number;
  enum subscription sub;
  bool again; /* leaving, and wanted again */
  bool alone; /* its batch was refused: find out by itself */
  bool stale;
  bool absent; /* no such symbol, says the exchange: no data is waited for */
  uint64_t request_id;
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
  bool subscribe;
};

struct trp_binance {
  struct trp_binance_options options;
  char http_base[256];
  struct trp_binance_out out;
  struct trp_binance_parser *parser;
  struct trp_binance_stats stats;
  struct trp_book *book_out; /* with room for a whole book's levels */
  uint64_t chance;

  bool open;
  bool reconnect_asked;
  bool changed; /* something that the feed's state depends on */
  enum trp_feed_phase state;
  char reason[TRP_BINANCE_REASON_BYTES]; /* as it was told */
  uint64_t now_ns, frame_ns;             /* of this input; of the last frame of any kind */
  int64_t wall_us;
  uint64_t all_stale_ns; /* since when every symbol is stale; 0: they are not */
  uint64_t give_up_ns;
  uint32_t bad_in_a_row;

  struct symbol *symbols;
  uint32_t count;
  uint16_t buckets[BUCKETS]; /* index + 1 */

  struct pending pending[PENDING_MAX];
  uint64_t next_id;
  uint64_t stamps[STAMPS_MAX]; /* when the last texts and pongs went out */
  uint32_t stamp;
  char text[TEXT_BYTES];

  uint64_t paused_until_ns; /* the exchange said: not before */
  uint64_t weight_ns;       /* when the budget was last filled up */
  double weight;
};

/* binance.c */
void trp_binance_note(struct trp_binance *b, enum trp_binance_notice_kind kind,
                      const struct symbol *symbol, enum trp_err err,
                      enum trp_error_class error_class, int64_t code, const char *text);
void trp_binance_ask_reconnect(struct trp_binance *b, enum trp_error_class error_class,
                               const char *reason);
uint64_t trp_binance_chance(struct trp_binance *b);
void trp_binance_update_state(struct trp_binance *b);
uint64_t trp_binance_since(const struct trp_binance *b, uint64_t then_ns);

/* binance_symbols.c */
struct symbol *trp_binance_find(struct trp_binance *b, const char *name);
void trp_binance_forget_requests(struct trp_binance *b);
void trp_binance_pump_requests(struct trp_binance *b);
void trp_binance_on_ack(struct trp_binance *b, uint64_t id);
void trp_binance_on_error(struct trp_binance *b, const struct trp_binance_event *event);
void trp_binance_stamp(struct trp_binance *b);
bool trp_binance_is_wanted(const struct symbol *symbol);

/* binance_sync.c */
void trp_binance_want_snapshot(struct trp_binance *b, struct symbol *symbol);
void trp_binance_pump_snapshots(struct trp_binance *b);
void trp_binance_on_diff(struct trp_binance *b, struct symbol *symbol,
                         const struct trp_binance_event *event);
int32_t trp_binance_offset_us(const struct trp_binance *b, int64_t exchange_us);

#endif
