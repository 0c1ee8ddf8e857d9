/* storm_test.c - a thousand seeded storms, each run to the end of its stop; see storm.h. TRP_SEED=n
 * runs one and says more. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "runtime/blob.h"
#include "runtime/coordinator.h"
#include "runtime/report.h"
#include "runtime/sim.h"
#include "test/story/seeds.h"
#include "test/story/storm.h"

enum { SEEDS = 1000, PATIENCE_S = 20 };
static const uint64_t STALL_MAX_NS = 10 * TRP_NS_PER_S; /* one of a hundred */

static unsigned verdicts[TRP_VERDICT_ABANDONED + 1];

static uint64_t draw(struct storm *s, uint64_t bound) { return trp_sim_random(s->system) % bound; }

static uint64_t key(uint16_t type, const void *body, size_t bytes) {
  if (type != STORM_WORK || bytes < sizeof(struct storm_work)) return 0;
  return ((const struct storm_work *)body)->serial % 4; /* of 0: never */
}

/* Up to two more supervisors between the root and some of the workers, and the engine. */
static uint64_t add_company(struct storm *s) {
  static const struct trp_supervisor_options strategies[] = {
      {.strategy = TRP_ONE_FOR_ONE}, {.strategy = TRP_REST_FOR_ONE}, {.strategy = TRP_ONE_FOR_ALL}};
  struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind};
  struct trp_spec engine = {.name = "engine",
                            .kind = &trp_event_engine_kind,
                            .supervisor = "root",
                            .restart = {.intensity = 30, .backoff_max_ms = 100}};
  struct trp_spec upper = {.name = "s0",
                           .kind = &trp_supervisor_kind,
                           .args = &strategies[draw(s, 3)],
                           .supervisor = "root",
                           .restart = {.intensity = 10, .backoff_max_ms = 100}};
  struct trp_spec lower = upper;
  lower.name = "s1";
  lower.args = &strategies[draw(s, 3)];
  lower.supervisor = draw(s, 2) == 0 ? "root" : "s0";
  uint64_t more = draw(s, 3);
  assert_int_equal(trp_system_add(s->system, &root), TRP_OK);
  assert_int_equal(trp_system_add(s->system, &engine), TRP_OK);
  if (more > 0) assert_int_equal(trp_system_add(s->system, &upper), TRP_OK);
  if (more > 1) assert_int_equal(trp_system_add(s->system, &lower), TRP_OK);
  s->first = 2 + (uint32_t)more;
  return more;
}

static void add_worker(struct storm *s, uint32_t i, uint64_t more) {
  static const char *const parents[] = {"root", "s0", "s1"};
  static const enum trp_restart restarts[] = {TRP_PERMANENT, TRP_PERMANENT, TRP_PERMANENT,
                                              TRP_PERMANENT, TRP_TRANSIENT, TRP_TEMPORARY};
  char name[16];
  snprintf(name, sizeof name, "w%u", i);
  s->args[i] = (struct storm_args){.storm = s, .slot = i};
  s->mailbox[i] = (struct trp_mailbox_options){
      .capacity = 2u << draw(s, 4), .policy = (enum trp_policy)draw(s, 4), .key = key};
  struct trp_spec spec = {.name = name,
                          .kind = &storm_worker_kind,
                          .args = &s->args[i],
                          .supervisor = parents[draw(s, more + 1)],
                          .mailbox = s->mailbox[i],
                          .outbox_max = 1 + (uint32_t)draw(s, 8),
                          .budget_ms = 20 + (uint32_t)draw(s, 200),
                          .restart = {.restart = restarts[draw(s, 6)],
                                      .intensity = draw(s, 16) == 0 ? 3 : 30,
                                      .backoff_min_ms = 1,
                                      .backoff_max_ms = 20}};
  assert_int_equal(trp_system_add(s->system, &spec), TRP_OK);
}

static void open_storm(struct storm *s, uint64_t seed) {
  memset(s, 0, sizeof *s);
  s->seed = seed;
  s->me = s;
  struct trp_system_options options = {.name = "storm",
                                       .sched = TRP_SCHED_SIM,
                                       .seed = seed,
                                       .budget_ms = 1500,
                                       .actors_max = 40,
                                       .allow_faults = true,
                                       .log_fd = -1};
  assert_int_equal(trp_system_new(&s->system, &options), TRP_OK);
  s->budget_ns = options.budget_ms * TRP_NS_PER_MS;
  uint64_t more = add_company(s);
  s->workers = 2 + (uint32_t)draw(s, WORKERS_MAX - 1);
  for (uint32_t i = 0; i < s->workers; i++) add_worker(s, i, more);
  for (uint64_t n = draw(s, 2 * s->workers); n > 0; n--) {
    char from[16], to[16];
    snprintf(from, sizeof from, "w%u", (unsigned)draw(s, s->workers));
    snprintf(to, sizeof to, "w%u", (unsigned)draw(s, s->workers));
    assert_int_equal(trp_system_edge(s->system, from, to), TRP_OK);
  }
  trp_sim_on_step(s->system, storm_check, s);
}

static struct trp_ref some_worker(struct storm *s) {
  char name[16];
  snprintf(name, sizeof name, "w%u", (unsigned)draw(s, s->workers));
  return trp_system_whereis(s->system, name);
}

/* The company is not spared, but for the root. */
static void panic_one_of_the_company(struct storm *s) {
  static const char *const names[] = {"engine", "s0", "s1"};
  struct trp_fault fault = {.text = "panic"};
  struct trp_ref to = trp_system_whereis(s->system, names[draw(s, 3)]);
  (void)!trp_system_send(s->system, to, TRP_FAULT, &fault, sizeof fault); /* it may not be there */
}

/* Stalls without a turn in between are one long one for who waits for its end. */
static void stall(struct storm *s, struct trp_ref who, uint64_t ns) {
  struct trp_actor_info info;
  uint32_t index = trp_ref_index(who);
  if (trp_ref_is_nobody(who) || !trp_system_actor(s->system, index, &info)) return;
  struct storm_stall *last = &s->stalls[index - s->first];
  uint64_t now = trp_system_now_ns(s->system);
  bool another = last->until_ns == 0 || info.turns != last->turns;
  if (another) *last = (struct storm_stall){.since_ns = now, .turns = info.turns};
  last->until_ns = now + ns;
  uint64_t whole_ns = last->until_ns - last->since_ns;
  if (whole_ns > s->longest_stall_ns) s->longest_stall_ns = whole_ns;
  trp_sim_stall(s->system, who, ns);
}

/* What happens from outside, between two steps. */
static void disturb(struct storm *s) {
  struct trp_ref to = some_worker(s);
  struct storm_work body = {.to = to.bits, .hops = draw(s, 6)};
  switch (draw(s, 40)) {
    case 0:
      for (uint64_t n = draw(s, draw(s, 10) == 0 ? 300 : 30); n > 0; n--) {
        storm_note(s, 8, to.bits, trp_system_send(s->system, to, STORM_WORK, &body, sizeof body));
      }
      break;
    case 1:
      stall(s, to, draw(s, 100) == 0 ? STALL_MAX_NS : draw(s, 60) * TRP_NS_PER_MS);
      break;
    case 2:
      trp_notify(s->system, to);
      break;
    case 3:
      trp_sim_run_for(s->system, draw(s, 30) * TRP_NS_PER_MS);
      break;
    case 4:
      if (draw(s, 3) != 0) break;
      storm_note(s, 9, to.bits,
                 trp_system_ask(s->system, to, STORM_QUESTION, &body, sizeof body,
                                draw(s, 30) * TRP_NS_PER_MS, NULL, NULL, NULL));
      break;
    case 5:
      if (draw(s, 8) == 0) panic_one_of_the_company(s);
      break;
    default:
      break;
  }
}

/* Only who was stuck may be abandoned, and when it comes back it ends all the same; after which, as
 * nobody else is in there, the system need not be leaked. */
static void judge_abandoned(struct storm *s) {
  struct trp_report *report = &s->system->report;
  for (uint32_t i = 0; i < report->actor_count; i++) {
    if (!report->actors[i].abandoned) continue;
    struct trp_actor *a = trp_system_find_named(s->system, report->actors[i].name);
    uint64_t hard_ns = s->system->coordinator->pill_ns + report->actors[i].deadline_ns;
    if (a->sim_stalled_until_ns + TRP_NS_PER_MS < hard_ns) {
      storm_fault(s, "%s was abandoned, and not stuck", a->name);
    }
  }
  trp_sim_run_for(s->system, STALL_MAX_NS);
  for (uint32_t i = 0; i < report->actor_count; i++) {
    if (!report->actors[i].abandoned) continue;
    struct trp_actor *a = trp_system_find_named(s->system, report->actors[i].name);
    if (trp_actor_state(a) != TRP_ACTOR_GONE) {
      storm_fault(s, "%s came back and did not end", report->actors[i].name);
    }
    report->actors[i].abandoned = false;
  }
}

static void judge(struct storm *s) {
  const struct trp_report *report = trp_system_report(s->system);
  bool left = report->verdict == TRP_VERDICT_ABANDONED;
  if (!report->balanced) storm_fault(s, "the report is out of balance");
  if (report->elapsed_ns > s->budget_ns + TRP_NS_PER_MS) storm_fault(s, "the stop took too long");
  for (int r = 0; r < TRP_RES_COUNT && !left; r++) {
    if (report->left_behind[r] != 0) storm_fault(s, "resource %d is left behind", r);
  }
  for (uint32_t i = 0; i < s->life_count && !left; i++) {
    if (!s->lives[i].over) storm_fault(s, "life %u is not over", i);
  }
  verdicts[report->verdict]++;
  storm_note(s, 10, report->verdict, report->ledger.handled);
  if (!seeds_replaying()) return;
  print_message(
      "seed %llu: %u workers, %llu steps, %u lives, %u asks, %u monitors, handled %llu, "
      "%s in %.1f ms, hash %016llx\n",
      (unsigned long long)s->seed, s->workers, (unsigned long long)s->steps, s->life_count,
      s->ask_count, s->monitor_count, (unsigned long long)report->ledger.handled,
      trp_verdict_text(report->verdict), (double)report->elapsed_ns / 1e6,
      (unsigned long long)s->hash);
}

static bool has_stopped(struct storm *s) {
  return strcmp(trp_system_state(s->system), "stopped") == 0;
}

/* ---- the calm ---- */

static bool is_permanent(const struct storm *s, uint32_t i) {
  return trp_spec_of(trp_slots_at(&s->system->slots, s->first + i))->restart.restart ==
         TRP_PERMANENT;
}

/* All who should live do, no mail waits, and the engine has exactly the wanted subscriptions. */
static bool is_settled(void *storm) {
  struct storm *s = storm;
  struct trp_actor_info info;
  int64_t wanted = 0, held = 0;
  if (strcmp(trp_system_state(s->system), "running") != 0) return true; /* the root gave up */
  for (uint32_t i = 0; i < s->first + s->workers; i++) {
    assert_true(trp_system_actor(s->system, i, &info));
    bool worker = i >= s->first;
    if (info.ledger.pending > 0 && info.state == TRP_ACTOR_RUNNING) return false;
    bool may_be_down = worker && !is_permanent(s, i - s->first);
    if (info.state != TRP_ACTOR_RUNNING && !may_be_down) return false;
    if (worker) wanted += s->wishes[i - s->first];
    if (strcmp(info.name, "engine") == 0) held = info.held[TRP_RES_SUBSCRIPTION];
  }
  return held == wanted || s->wishes_unsure;
}

/* Actors with full mailboxes may wait for each other in a ring, until a stop: troupe.h says so. */
static bool is_held_by_a_ring(const struct storm *s) {
  bool ring = false;
  for (uint32_t i = 0; i < s->first + s->workers; i++) {
    struct trp_actor *a = trp_slots_at(&s->system->slots, i);
    bool waits = trp_actor_state(a) == TRP_ACTOR_RUNNING && a->mailbox.ops->depth(&a->mailbox) > 0;
    if (waits && a->self.outbox.count == 0) return false;
    ring |= waits;
  }
  return ring;
}

static void calm_down(struct storm *s) {
  uint64_t patience_ns = STALL_MAX_NS + s->longest_stall_ns;
  s->calm = true;
  if (trp_sim_run_until(s->system, is_settled, s, patience_ns) || is_held_by_a_ring(s)) return;
  struct trp_actor_info info;
  storm_fault(s, "in the calm not all live, or the engine has other subscriptions than are wanted");
  for (size_t i = 0; seeds_replaying() && trp_system_actor(s->system, i, &info); i++) {
    print_message("%s is %s, %llu letters wait, holds %lld subscriptions\n", info.name,
                  trp_actor_state_text(info.state), (unsigned long long)info.ledger.pending,
                  (long long)info.held[TRP_RES_SUBSCRIPTION]);
  }
}

static void run_storm(struct storm *s, uint64_t seed) {
  open_storm(s, seed);
  bool early = draw(s, 20) == 0; /* stopped while it starts */
  if (early) trp_system_stop(s->system, "early");
  enum trp_err err = trp_system_start(s->system, NULL, 0);
  storm_note(s, 11, err, 0);
  for (uint64_t n = 200 + draw(s, 3000); n > 0 && s->fault[0] == '\0'; n--) {
    disturb(s);
    (void)trp_sim_step(s->system);
  }
  if (s->fault[0] == '\0' && draw(s, 2) == 0) calm_down(s);
  s->calm = false;
  if (draw(s, 4) == 0) {
    trp_system_stop_now(s->system, "now");
  } else {
    trp_system_stop(s->system, "the storm is over");
  }
  while (s->fault[0] == '\0' && !has_stopped(s)) {
    if (draw(s, 3) == 0) disturb(s);
    if (!trp_sim_step(s->system) && !has_stopped(s)) storm_fault(s, "the stop hangs");
  }
  if (s->fault[0] == '\0') judge(s);
  if (s->fault[0] == '\0') judge_abandoned(s);
}

static void close_storm(struct storm *s) {
  trp_sim_on_step(s->system, NULL, NULL);
  trp_system_destroy(&s->system);
}

static uint64_t run_seed(uint64_t seed) {
  static struct storm storm;
  run_storm(&storm, seed);
  if (storm.fault[0] != '\0') fail_msg("seed %llu: %s", (unsigned long long)seed, storm.fault);
  close_storm(&storm);
  return storm.hash;
}

static void no_storm_breaks_a_promise(void **state) {
  (void)state;
  struct seeds seeds = seeds_begin(SEEDS, PATIENCE_S);
  while (seeds_next(&seeds)) run_seed(seeds.seed);
  print_message("%llu storms: %u clean, %u late, in %u the root gave up, in %u one was abandoned\n",
                (unsigned long long)seeds.count, verdicts[TRP_VERDICT_CLEAN],
                verdicts[TRP_VERDICT_LATE], verdicts[TRP_VERDICT_GAVE_UP],
                verdicts[TRP_VERDICT_ABANDONED]);
  assert_int_equal(trp_blob_live(), 0);
}

static void one_seed_is_one_execution(void **state) {
  (void)state;
  uint64_t hashes[8];
  for (uint64_t seed = 1; seed <= 8; seed++) hashes[seed - 1] = run_seed(seed);
  for (uint64_t seed = 1; seed <= 8; seed++) {
    assert_true(run_seed(seed) == hashes[seed - 1]);
    for (uint64_t other = 1; other < seed; other++) {
      assert_true(hashes[other - 1] != hashes[seed - 1]);
    }
  }
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(no_storm_breaks_a_promise, seeds_tell),
      cmocka_unit_test(one_seed_is_one_execution),
  };
  return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
