/* The feed in a storm: faults of the network, of the exchange, of the actors and of the operator in
 * any order, drawn from a seed. When they cease, the consumer's view must become the exchange's
 * truth again within five seconds beyond what the feed may rightly wait for; then everybody stops
 * clean, the ledger balances, and nothing is left.
 *
 *   TRP_SEED=n ./feed_storm_test     runs that seed alone; TRP_LOUD=1 shows its log */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "actors/symbol_table.h"
#include "test/story/feed_world.h"
#include "test/story/seeds.h"

enum {
  SEEDS = 1000,
  PATIENCE_S = 15,
  FAULTS = 24,
  HEARTBEAT_MS = 1500,
  BACKOFF_MS = 1000,
  PROBE_MS = 1000,
  RENEW_S = 3,
  RETRY_AFTER_S = 2,
  FAULT_MS = 2500, /* the longest that lasts by itself */
  SETTLE_MS = 5000
};

/* A dead stream is noticed by its heartbeat, closed within a second, dialled after the backoff; a
 * limited exchange asks for patience. */
static const uint64_t MAY_WAIT_MS = HEARTBEAT_MS + 1000 + BACKOFF_MS + 1000 * RETRY_AFTER_S;

static uint64_t chance;
static bool connected, sol, eth; /* what the operator ordered last */

static uint64_t draw(uint64_t below) {
  chance += 0x9e3779b97f4a7c15u; /* splitmix64 */
  uint64_t z = chance;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (z ^ (z >> 31)) % below;
}

static const char *any_host(void) { return draw(2) == 0 ? STREAM_HOST : API_HOST; }

static void bad_weather(void) {
  struct trp_simhub_conditions c = trp_simhub_calm();
  const char *host = any_host();
  switch (draw(7)) {
    case 0:
      c.door = TRP_SIMHUB_REFUSES;
      break;
    case 1:
      c.door = TRP_SIMHUB_BLACK_HOLE;
      break;
    case 2:
      c.resolve_fails = true;
      break;
    case 3:
      c.drop_ppm = 20000;
      break;
    case 4:
      c.half_open_ppm = 5000;
      break;
    case 5:
      c.answer_status = (uint16_t)(draw(2) == 0 ? 429 : 503);
      c.answer_retry_s = 1 + (uint32_t)draw(RETRY_AFTER_S); /* untold, it means a minute */
      break;
    default:
      c.delay_max_ns = (1 + draw(300)) * TRP_NS_PER_MS;
      c.reorder = true;
      break;
  }
  world_conditions(host, &c);
}

static void network_fault(void) {
  switch (draw(6)) {
    case 0:
      trp_simhub_drop(world.hub, any_host());
      break;
    case 1:
      trp_simhub_half_open(world.hub, any_host());
      break;
    case 2:
      trp_simhub_silence(world.hub, any_host(), draw(FAULT_MS) * TRP_NS_PER_MS, draw(2) == 0);
      break;
    case 3:
      world_conditions(any_host(), NULL);
      break; /* it clears up */
    default:
      bad_weather();
      break;
  }
}

static void exchange_fault(void) {
  static const char *const verbs[] = {"drop", "gap", "panic", "silence", "stall", "refuse"};
  char text[32];
  uint64_t k = draw(6);
  if (k < 3) snprintf(text, sizeof text, "%s", verbs[k]);
  if (k >= 3) snprintf(text, sizeof text, "%s:%d", verbs[k], (int)draw(FAULT_MS));
  world_fault("exchange", text);
}

static void actor_fault(void) {
  static const char *const who[] = {"binance", "event_engine", "consumer", "exchange"};
  const char *name = who[draw(4)];
  if (draw(2) == 0) {
    world_fault(name, draw(3) == 0 ? "error" : "panic");
  } else {
    trp_sim_stall(world.system, trp_system_whereis(world.system, name),
                  draw(FAULT_MS) * TRP_NS_PER_MS);
  }
}

static void operator_order(void) {
  switch (draw(4)) {
    case 0:
      world_clerk(connected ? "disconnect" : "connect", NULL);
      connected = !connected;
      break;
    case 1:
      world_clerk(sol ? "unsubscribe" : "subscribe", "SOLUSDT");
      sol = !sol;
      break;
    case 2:
      world_clerk(eth ? "unsubscribe" : "subscribe", "ETHUSDT");
      eth = !eth;
      break;
    default:
      world_clerk("refresh", "");
      break;
  }
}

static void one_fault(void) {
  switch (draw(8)) {
    case 0:
    case 1:
    case 2:
      network_fault();
      break;
    case 3:
    case 4:
      exchange_fault();
      break;
    case 5:
    case 6:
      actor_fault();
      break;
    default:
      operator_order();
      break;
  }
}

/* The weather clears, what lasts by itself ends, and the operator wants both symbols. */
static void calm_down(void) {
  static const char *const hosts[] = {STREAM_HOST, API_HOST};
  for (int i = 0; i < 2; i++) {
    world_conditions(hosts[i], NULL);
    trp_simhub_silence(world.hub, hosts[i], 0, false);
  }
  world_run_ms(FAULT_MS);
  for (int i = 0; i < 20 && world_command("connect", NULL, 500) != TRP_OK; i++) world_run_ms(100);
  (void)!world_command("subscribe", "ETHUSDT", 500);
  (void)!world_command("unsubscribe", "SOLUSDT", 500);
}

static void nothing_comes_of_what_was_taken_back(void) {
  world_run_ms(300);
  const struct keeper_row *row = feed_keeper_row(&world.keeper, trp_symbol_find("SOLUSDT.BINANCE"));
  if (row == NULL) return;
  uint64_t heard = row->quotes + row->trades + row->updates;
  world_run_ms(700);
  assert_int_equal(heard, row->quotes + row->trades + row->updates);
}

/* Returns how long it took to settle. */
static uint64_t storm(uint64_t seed) {
  bool automatic = seed % 2 == 0; /* with polling, and renewals all the time */
  chance = seed;
  connected = eth = true;
  sol = false;
  world_begin(&(struct world_options){.seed = seed,
                                      .quotes_per_s = 5 + (uint32_t)draw(30),
                                      .connect_ms = 1000,
                                      .heartbeat_ms = HEARTBEAT_MS,
                                      .backoff_max_ms = BACKOFF_MS,
                                      .automatic = automatic,
                                      .check_symbols = automatic,
                                      .probe_ms = PROBE_MS,
                                      .renew_s = automatic ? RENEW_S : 0,
                                      .streams_at_once = automatic ? 2 : 1});
  for (int i = 0; i < FAULTS; i++) {
    world_run_ms(draw(800));
    one_fault();
  }
  calm_down();
  uint64_t calm_ms = world_now_ms();
  if (!world_settles(SETTLE_MS + MAY_WAIT_MS)) {
    fail_msg("the view is not the truth: phase %s, BTC %d, ETH %d",
             trp_feed_state_text(world.phase), world_matches("BTCUSDT"), world_matches("ETHUSDT"));
  }
  uint64_t took_ms = world_now_ms() - calm_ms;
  nothing_comes_of_what_was_taken_back();
  world_end();
  return took_ms;
}

static void after_the_storm_the_view_is_the_truth(void **state) {
  (void)state;
  uint64_t worst = 0, late = 0;
  struct seeds seeds = seeds_begin(SEEDS, PATIENCE_S);
  while (seeds_next(&seeds)) {
    uint64_t took = storm(seeds.seed);
    late += took > SETTLE_MS;
    if (took > worst) worst = took;
  }
  printf("  %llu storms; settled within %llu ms, %llu of them after more than %d ms\n",
         (unsigned long long)seeds.count, (unsigned long long)worst, (unsigned long long)late,
         SETTLE_MS);
}

static int clear(void **state) {
  (void)seeds_tell(state);
  return world_tell_trace(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(after_the_storm_the_view_is_the_truth, clear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
