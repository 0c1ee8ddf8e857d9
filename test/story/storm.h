/* storm.h - a seeded storm: a random graph of actors under a tree of supervisors that send, ask,
 * watch, link, subscribe, set timers, spawn, crash, leave, hold and stop at random, in simulation;
 * and what must hold after every step of it.
 *
 * Invariants: every ledger balances; no mail reaches another incarnation than it was addressed to,
 * and each sender's keeps its order; an ask has one outcome, a monitor one DOWN, a timer its time,
 * a link its other end, and none of them is late; a life begins after the one before it is over,
 * and ends once; the dead own nothing; the stop ends by its deadline and leaves nothing held. In a
 * calm all who should live do, and the engine has the subscriptions that they want, no more, no
 * less. The first fault is kept in words. storm_worker.c is the actors, storm.c the invariants. */
#ifndef TRP_TEST_STORM_H
#define TRP_TEST_STORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/troupe.h"

enum { WORKERS_MAX = 10, LIVES_MAX = 4096, ASKS_MAX = 4096, MONITORS_MAX = 2048 };
enum { TIMERS_MAX = 4096, LINKS_MAX = 2048 };

struct storm_life {
  struct trp_ref ref;
  bool over, crashed, stopping;
  uint64_t over_ns;
};

struct storm_ask {
  uint64_t correlation, deadline_ns;
  struct trp_ref asker;
  bool done;
};

struct storm_monitor {
  uint64_t id, since_ns;
  struct trp_ref watcher, target;
  bool done;
};

struct storm_timer {
  struct trp_ref owner;
  uint64_t id, due_ns, period_ns;
  bool done;
};

struct storm_link {
  struct trp_ref a, b;
  uint64_t since_ns;
  bool dead; /* the other was, already, when it was made */
  bool undone, told;
};

struct storm_stall {
  uint64_t since_ns, until_ns, turns;
};

struct storm_args {
  struct storm *storm;
  uint32_t slot;
};

struct storm {
  uint64_t seed, hash, steps, longest_stall_ns, budget_ns;
  struct trp_system *system;
  uint32_t workers, first; /* how many, and the slot of the first */
  struct storm *me;        /* the args of guests point here */
  struct storm_args args[WORKERS_MAX];
  struct trp_mailbox_options mailbox[WORKERS_MAX];
  struct storm_life lives[LIVES_MAX];
  struct storm_ask asks[ASKS_MAX];
  struct storm_monitor monitors[MONITORS_MAX];
  struct storm_timer timers[TIMERS_MAX];
  struct storm_link links[LINKS_MAX];
  uint32_t life_count, ask_count, monitor_count, timer_count, link_count, crash_count;
  struct storm_stall stalls[WORKERS_MAX];
  uint32_t wishes[WORKERS_MAX]; /* subscriptions that each wants to have */
  bool wishes_unsure;           /* one was refused */
  bool calm;                    /* nobody does anything of his own any more */
  char fault[256];
};

extern const struct trp_kind storm_worker_kind;
extern const struct trp_kind storm_guest_kind; /* spawned by workers; its args: &storm.me */

/* Notes what happens in the trace's hash. */
void storm_note(struct storm *s, uint64_t what, uint64_t a, uint64_t b);
__attribute__((format(printf, 2, 3))) void storm_fault(struct storm *s, const char *format, ...);
struct storm_life *storm_life_of(struct storm *s, struct trp_ref ref);
bool storm_is_over(struct storm *s, struct trp_ref ref);
/* The link of the two that is neither undone nor told, NULL where there is none. */
struct storm_link *storm_link_of(struct storm *s, struct trp_ref a, struct trp_ref b);
/* A life begins in its start and ends in its end. begin: false where there are too many. */
bool storm_life_begin(struct storm *s, struct trp_self *self);
void storm_life_end(struct storm *s, struct trp_self *self, enum trp_end_reason reason);
void storm_check(void *storm); /* for trp_sim_on_step */

/* What comes in from outside, and what workers tell each other. */
enum { STORM_WORK = TRP_USER_FIRST, STORM_QUESTION, STORM_TOKEN, STORM_ANSWER };
enum { STORM_EVENT = TRP_USER_FIRST + 64 }; /* three of them, by way of the engine */
struct storm_work {
  uint64_t to, from, serial, hops;
  uint64_t token;
};

#endif
