#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/chaos.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/orphans.h"
#include "test/support/fleet.h"
#include "test/support/process.h"

enum {
  BUDGET_MS = 8000,
  LIFE_MIN_MS = 200,
  LIFE_MAX_MS = 1800,
  PAUSE_MAX_MS = 12,
  COMMAND_MS = 6000, /* a disconnect may take its close_ms, an order its child's budget */
  RECOVERY_MS = 20000,
  ORPHAN_LOOKS = 250, /* 5 s */
  QUOTES_PER_S = 100,
  INTENSITY = 4000 /* crashes a second: none of it is too much */
};

static struct {
  uint64_t seed, random;
  uint32_t feeds, life;
  struct chaos_account *account;
} chaos;

/* splitmix64, of Steele, Lea and Flood: Fast splittable pseudorandom number generators (2014). */
static uint64_t draw(uint64_t below) {
  chaos.random += UINT64_C(0x9e3779b97f4a7c15);
  uint64_t z = chaos.random;
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (z ^ z >> 31) % below;
}

uint64_t chaos_seed(void) {
  const char *given = getenv("TRP_SEED");
  uint64_t seed = 0;
  if (given != NULL) {
    seed = strtoull(given, NULL, 10);
  } else if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed) {
    seed &= UINT32_MAX;
  }
  printf("  TRP_SEED=%" PRIu64 "\n", seed);
  fflush(stdout);
  return seed;
}

#define FAIL(...)                                                                                  \
  do {                                                                                             \
    printf("  TRP_SEED=%" PRIu64 ", life %u: ", chaos.seed, chaos.life);                           \
    fail_msg(__VA_ARGS__);                                                                         \
  } while (0)

/* ---- orders ---- */

/* What may come of an order, given that its addressee may be dying, down, or busy with another. Who
 * does not answer at all has hung. */
static void judge(const char *order, const char *whom, enum trp_err err) {
  if (err == TRP_TIMEOUT) FAIL("%s %s: no answer", order, whom);
}

static const char *any_feed(void) { return fleet_feed((uint32_t)draw(chaos.feeds)); }

static void connect_or_disconnect(void) {
  const char *verb = draw(2) == 0 ? "connect" : "disconnect", *feed = any_feed();
  judge(verb, feed, fleet_command(feed, verb, COMMAND_MS * process_slowness()));
}

static void stop_or_restart(void) {
  const char *verb = draw(4) == 0 ? "stop" : "restart", *feed = any_feed();
  judge(verb, feed, fleet_order(feed, verb, COMMAND_MS * process_slowness()));
}

static void crash_a_feed(void) {
  static const char *const ways[] = {"panic", "exit", "error"};
  chaos.account->crashes += fleet_fault(any_feed(), ways[draw(3)]) == TRP_OK;
}

static void crash_one_of_the_company(void) {
  static const char *const company[] = {"event_engine", "consumer", "thread_monitor",
                                        "executor",     "limiter",  "exchange"};
  static const char *const ways[] = {"panic", "exit", "error"};
  chaos.account->crashes += fleet_fault(company[draw(6)], ways[draw(3)]) == TRP_OK;
}

static void trouble_the_exchange(void) {
  static const char *const troubles[] = {"drop", "gap", "silence:60", "stall:40", "refuse:60"};
  (void)fleet_fault("exchange", troubles[draw(5)]);
}

/* What is found once may be on its way back; what stays is an orphan. */
static void look_for_orphans(void) {
  struct trp_orphans again;
  trp_system_orphans(fleet_system(), &again);
  for (int looks = 0; looks < ORPHAN_LOOKS && trp_orphans_total(&again) > 0; looks++) {
    fleet_nap_ms(20);
    trp_system_orphans(fleet_system(), &again);
  }
  for (int k = 0; k < TRP_ORPHAN_KINDS; k++) {
    if (again.counts[k] == 0) continue;
    FAIL("%" PRIu64 " %s without an owner, of %s", again.counts[k],
         trp_orphan_text((enum trp_orphan)k), again.owner);
  }
}

static void do_something(void) {
  chaos.account->orders++;
  switch (draw(10)) {
    case 0:
    case 1:
    case 2:
      connect_or_disconnect();
      break;
    case 3:
    case 4:
      stop_or_restart();
      break;
    case 5:
    case 6:
      crash_a_feed();
      break;
    case 7:
      crash_one_of_the_company();
      break;
    case 8:
      trouble_the_exchange();
      break;
    default:
      look_for_orphans();
      break;
  }
}

/* ---- a life ---- */

/* Whatever has happened: told to, everybody comes back and streams. */
static void recover(void) {
  for (uint32_t i = 0; i < chaos.feeds; i++) {
    const char *feed = fleet_feed(i);
    if (trp_ref_is_nobody(trp_system_whereis(fleet_system(), feed))) {
      (void)fleet_order(feed, "restart", COMMAND_MS * process_slowness());
    }
    (void)fleet_command(feed, "connect", COMMAND_MS * process_slowness());
  }
  uint32_t live = fleet_until_live(RECOVERY_MS * process_slowness());
  if (live < chaos.feeds) FAIL("%u of %u feeds came back", live, chaos.feeds);
  chaos.account->recoveries++;
}

static void count_life(void) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(fleet_system(), i, &info); i++) {
    chaos.account->restarts += info.restarts;
    if (info.state == TRP_ACTOR_STUCK) FAIL("%s is stuck", info.name);
  }
  chaos.account->events += fleet_events();
}

static void live_once(void) {
  fleet_begin(&(struct fleet_options){.feeds = chaos.feeds,
                                      .quotes_per_s = QUOTES_PER_S,
                                      .budget_ms = BUDGET_MS,
                                      .allow_faults = true,
                                      .intensity = INTENSITY});
  uint64_t until = fleet_now_ns() + (LIFE_MIN_MS + draw(LIFE_MAX_MS - LIFE_MIN_MS)) * TRP_NS_PER_MS;
  while (fleet_now_ns() < until) {
    do_something();
    fleet_nap_ms((unsigned)draw(PAUSE_MAX_MS));
  }
  look_for_orphans();
  if (draw(2) == 0) recover(); /* else it is stopped in the middle of it all */
  count_life();
  struct fleet_stop stop = fleet_end();
  chaos.account->lives++;
  if (!stop.stopped) FAIL("the stop did not end");
  if (stop.elapsed_ns > chaos.account->longest_stop_ns) {
    chaos.account->longest_stop_ns = stop.elapsed_ns;
  }
  if (!stop.balanced) FAIL("the ledger does not balance: %s", stop.trouble);
  if (stop.elapsed_ns > (BUDGET_MS + 10) * TRP_NS_PER_MS) FAIL("late: %s", stop.trouble);
  if (!fleet_left_nothing(&stop)) {
    FAIL("left behind (%s): threads %+ld, descriptors %+ld, orphans %" PRIu64
         "; held threads %d, descriptors %d, sockets %d, timers %d, asks %d, subscriptions %d; %s",
         stop.verdict, stop.threads, stop.descriptors, stop.orphans, (int)stop.left[TRP_RES_THREAD],
         (int)stop.left[TRP_RES_DESCRIPTOR], (int)stop.left[TRP_RES_SOCKET],
         (int)stop.left[TRP_RES_TIMER], (int)stop.left[TRP_RES_ASK],
         (int)stop.left[TRP_RES_SUBSCRIPTION], stop.trouble);
  }
}

void chaos_run(uint64_t seed, uint64_t duration_ms, uint32_t feeds, struct chaos_account *account) {
  uint64_t until = fleet_now_ns() + duration_ms * TRP_NS_PER_MS;
  chaos.seed = chaos.random = seed;
  chaos.feeds = feeds;
  chaos.account = account;
  for (chaos.life = 1; fleet_now_ns() < until; chaos.life++) live_once();
  printf("  seed %" PRIu64 ": %" PRIu64 " lives of %u feeds, %" PRIu64 " orders, %" PRIu64
         " crashes ordered, %" PRIu64 " restarts, %" PRIu64 " full recoveries, %" PRIu64
         " events; longest stop %.1f ms\n",
         seed, account->lives, feeds, account->orders, account->crashes, account->restarts,
         account->recoveries, account->events, (double)account->longest_stop_ns / 1e6);
  fflush(stdout);
}
