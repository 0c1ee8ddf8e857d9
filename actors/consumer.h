/* consumer.h - a strategy that only looks: it keeps the newest quote of each symbol, counts what it
 * gets, and measures how long a quote took from the socket to its turn.
 *
 * What it knows is shown to others through a view that it renews ten times a second; the view
 * belongs to who made the actor's args and is read under its lock, which is held for a copy only.
 * Thread: the actor's; trp_consumer_look: any. */
#ifndef TRP_ACTORS_CONSUMER_H
#define TRP_ACTORS_CONSUMER_H

#include <pthread.h>

#include "actors/histogram.h"
#include "runtime/troupe.h"

enum { TRP_CONSUMER_SYMBOLS_MAX = 64, TRP_CONSUMER_FEEDS_MAX = 16 };

struct trp_consumer_row {
  uint32_t symbol; /* actors/symbol_table.h */
  uint64_t quotes, trades, books;
  uint64_t quotes_per_s; /* of the last whole second */
  double bid, bid_size, ask, ask_size;
  uint32_t bids, asks; /* levels of the book */
};

/* A feed as its last FEED_STATE said; STOPPED where none came yet. */
struct trp_consumer_feed {
  char name[TRP_NAME_MAX + 1];
  uint32_t state; /* enum trp_feed_phase */
  uint32_t symbols;
  uint64_t reconnects;
  uint64_t gaps; /* FEED_GAPs heard */
  char reason[128];
};

struct trp_consumer_view {
  pthread_mutex_t lock;
  uint64_t incarnation;
  uint64_t events, gaps, lost; /* gaps: how often, lost: how many events publishers counted */
  uint64_t p50_ns, p99_ns;     /* of the last second's quotes */
  uint32_t feed_count;
  struct trp_consumer_feed feeds[TRP_CONSUMER_FEEDS_MAX]; /* those asked first, then as heard */
  uint32_t count;
  struct trp_consumer_row rows[TRP_CONSUMER_SYMBOLS_MAX];
};

/* The args of the kind; borrowed for the system's life. */
struct trp_consumer_options {
  const char *events;             /* the event engine's name */
  const char *const *feeds;       /* asked for their states at start */
  uint32_t feed_count;            /* up to TRP_CONSUMER_FEEDS_MAX */
  struct trp_consumer_view *view; /* NULL: nobody looks */
  bool books;                     /* subscribe to BOOK too */
  /* Called in the actor's turn for each market event, for tests and small tools; NULL. */
  void (*on_event)(void *arg, const struct trp_msg *msg);
  void *on_event_arg;
};

extern const struct trp_kind trp_consumer_kind;

/* For the mailbox: of quotes the newest for each symbol wins; nothing else conflates. */
uint64_t trp_consumer_key(uint16_t type, const void *body, size_t bytes);

void trp_consumer_view_init(struct trp_consumer_view *view);
void trp_consumer_view_fini(struct trp_consumer_view *view);

/* A copy of what the view shows (its lock is not copied). Thread: any. */
void trp_consumer_look(struct trp_consumer_view *view, struct trp_consumer_view *out);

#endif
