/* demo_screen.h - what the demo shows: a live table on a terminal (demo_table.h), lines elsewhere.
 *
 * A thread of its own, registered as a foreign one, because a terminal may block and an actor never
 * does. Every write has a deadline. It also ends the demo after its duration. Owned by demo.c. */
#ifndef TRP_ADAPTERS_CLI_DEMO_SCREEN_H
#define TRP_ADAPTERS_CLI_DEMO_SCREEN_H

#include <pthread.h>
#include <signal.h>

#include "adapters/cli/demo_table.h"
#include "runtime/troupe.h"

struct trp_demo_screen {
  struct trp_system *system;
  struct trp_consumer_view *view;
  struct trp_demo_feed feeds[TRP_DEMO_FEEDS_MAX]; /* shown in this order */
  uint32_t feed_count;
  bool live, json;      /* neither: plain lines */
  uint64_t duration_ns; /* 0: until somebody stops the system */
  pthread_t thread;
  pthread_mutex_t lock; /* of over and done */
  bool started, over, done;
};

/* Starts the thread. It ends by itself when the system stops; the terminal is given back before.
 * Errors: SYSTEM. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_demo_screen_start(struct trp_demo_screen *screen);

/* Gives the terminal back by one write(2): for a process that leaves at once. */
void trp_demo_screen_restore(void);

/* Ends it, also where the system has never started, and waits for it, bounded; done already where
 * it was not started. Thread: main. */
void trp_demo_screen_join(struct trp_demo_screen *screen);

#endif
