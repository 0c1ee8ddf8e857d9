/* demo_table.h - the demo's live table: for each feed a line of its own, in the colour of its
 * state, and under it its symbols; then the last events. It fits itself to the terminal: what has
 * no room is counted. 80 columns and 24 lines hold three feeds with four symbols each.
 *
 * Thread: the screen's. */
#ifndef TRP_ADAPTERS_CLI_DEMO_TABLE_H
#define TRP_ADAPTERS_CLI_DEMO_TABLE_H

#include "actors/consumer.h"
#include "runtime/troupe.h"

enum { TRP_DEMO_FEEDS_MAX = 8, TRP_DEMO_NEWS = 12 };

struct trp_demo_feed {
  const char *name;  /* "gateio" */
  const char *venue; /* ".GATEIO": how its symbols end */
};

struct trp_demo_page { /* what is written at once */
  char text[32768];
  size_t used;
};

struct trp_demo_news { /* the last events of the journal */
  uint64_t after;
  char lines[TRP_DEMO_NEWS][160];
  unsigned count;
};

struct trp_demo_table {
  struct trp_system *system;
  const struct trp_consumer_view *view; /* a copy, nobody writes it meanwhile */
  const struct trp_demo_feed *feeds;
  uint32_t feed_count;
  const struct trp_demo_news *news;
  unsigned height; /* lines of the terminal */
};

/* Adds to a page; what is too much is left out. */
__attribute__((format(printf, 2, 3))) void trp_demo_put(struct trp_demo_page *page,
                                                        const char *format, ...);

/* What happened since it was last asked. */
void trp_demo_news_take(struct trp_demo_news *news, struct trp_system *system);

/* The whole table, from the upper left corner on. */
void trp_demo_table_paint(const struct trp_demo_table *table, struct trp_demo_page *page);

/* The rows of a feed by their symbols' names; returns how many. */
uint32_t trp_demo_rows(const struct trp_consumer_view *view, const char *venue,
                       const struct trp_consumer_row *out[TRP_CONSUMER_SYMBOLS_MAX]);

/* The state that the consumer heard of, of a feed. */
const struct trp_consumer_feed *trp_demo_feed_seen(const struct trp_consumer_view *view,
                                                   const char *name);

uint64_t trp_demo_restarts(struct trp_system *system);

#endif
