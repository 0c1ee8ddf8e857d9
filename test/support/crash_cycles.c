#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/crash_cycles.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "runtime/blob.h"
#include "runtime/fdcount.h"
#include "runtime/orphans.h"
#include "runtime/report.h"
#include "runtime/system.h"
#include "runtime/thread.h"
#include "test/support/feed_rig.h"
#include "test/support/fleet.h"

enum { DIE = TRP_USER_FIRST, WORD, NEVER_ANSWERED };
enum {
  WARM_UP = 100,
  MEMORY_BYTES = 1000,
  LETTER_BYTES = 300,
  HEAP_FLICKER_BYTES = 64,
  PATIENCE_MS = 10000,
  QUIET_MS = 5000
};

static struct {
  struct trp_system *system;
  _Atomic uint64_t started;
  uint32_t crashes;
  bool forget;
} cycles;

/* ---- the mortal ---- */

struct mortal {
  void *memory;
};

static enum trp_err mortal_start(struct trp_self *self, void *state, const void *args) {
  (void)args;
  struct mortal *m = state;
  struct trp_subscribe wish = {.event = TRP_TICK};
  struct trp_ref engine = trp_whereis(self, "event_engine"), other = trp_whereis(self, "other");
  m->memory = malloc(MEMORY_BYTES);
  enum trp_err err = m->memory != NULL ? TRP_OK : TRP_NO_MEMORY;
  if (err == TRP_OK) err = trp_timer_start(self, 60 * TRP_NS_PER_S, 0, 0, NULL);
  if (err == TRP_OK) err = trp_timer_start(self, 0, TRP_NS_PER_MS, 0, NULL);
  if (err == TRP_OK) err = trp_watch(self, "other", NULL);
  if (err == TRP_OK) err = trp_monitor(self, engine, NULL);
  if (err == TRP_OK) err = trp_send(self, engine, TRP_SUBSCRIBE, &wish, sizeof wish);
  if (err == TRP_OK) {
    err = trp_ask(self, other, NEVER_ANSWERED, NULL, 0, 60 * TRP_NS_PER_S, NULL);
  }
  if (err == TRP_OK) atomic_fetch_add_explicit(&cycles.started, 1, memory_order_release);
  return err;
}

static enum trp_err mortal_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  if (msg->type != DIE) return TRP_OK;
  switch (*(const uint32_t *)msg->body % 3) {
    case 0:
      trp_panic("in cycle %u", *(const uint32_t *)msg->body);
    case 1:
      pthread_exit(NULL);
    default:
      return TRP_PROTOCOL;
  }
}

static void mortal_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  if (!cycles.forget) free(((struct mortal *)state)->memory);
}

static enum trp_err other_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

static const struct trp_kind mortal_kind = {.name = "mortal",
                                            .state_bytes = sizeof(struct mortal),
                                            .start = mortal_start,
                                            .receive = mortal_receive,
                                            .end = mortal_end};
static const struct trp_kind other_kind = {.name = "other", .receive = other_receive};

/* ---- samples ---- */

static uint64_t live_asks(void) {
  pthread_mutex_lock(&cycles.system->asks.lock);
  uint64_t live = cycles.system->asks.live;
  pthread_mutex_unlock(&cycles.system->asks.lock);
  return live;
}

static uint64_t dynamic_edges(void) {
  pthread_mutex_lock(&cycles.system->graph.lock);
  uint64_t edges = cycles.system->graph.dynamic_total;
  pthread_mutex_unlock(&cycles.system->graph.lock);
  return edges;
}

static struct crash_sample take_sample(void) {
  struct crash_sample s = {.asks = live_asks(), .edges = dynamic_edges()};
  struct trp_actor_info info;
  struct trp_orphans orphans;
  for (size_t i = 0; trp_system_actor(cycles.system, i, &info); i++) {
    for (int r = 0; r < TRP_RES_COUNT; r++) s.held[r] += info.held[r];
  }
  trp_system_orphans(cycles.system, &orphans);
  s.orphans = trp_orphans_total(&orphans);
  s.blobs = trp_blob_live();
  s.threads = trp_task_count();
  s.registered = trp_thread_count();
  s.descriptors = trp_fd_count();
  s.heap_bytes = rig_heap_bytes();
  return s;
}

const char *crash_difference(const struct crash_sample *a, const struct crash_sample *b) {
  static const char *const held[TRP_RES_COUNT] = {"threads held", "descriptors held",
                                                  "sockets held", "timers held",
                                                  "asks held",    "subscriptions held"};
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (a->held[r] != b->held[r]) return held[r];
  }
  if (a->asks != b->asks) return "asks";
  if (a->edges != b->edges) return "edges";
  if (a->blobs != b->blobs) return "blobs";
  if (a->orphans != b->orphans) return "orphans";
  if (a->threads != b->threads) return "threads";
  if (a->registered != b->registered) return "threads on the register";
  if (a->descriptors != b->descriptors) return "descriptors";
  /* Where the rest of a free piece is too small to stand alone, glibc gives it along with the piece
   * before: the same live objects may count a few times 16 bytes more or less. */
  uint64_t apart =
      a->heap_bytes > b->heap_bytes ? a->heap_bytes - b->heap_bytes : b->heap_bytes - a->heap_bytes;
  return apart > HEAP_FLICKER_BYTES ? "heap bytes" : NULL;
}

/* Quiet is what looks the same three times in a row. */
static struct crash_sample quiet_sample(void) {
  struct crash_sample last = take_sample();
  uint64_t until = fleet_now_ns() + QUIET_MS * TRP_NS_PER_MS;
  for (int same = 0; same < 3 && fleet_now_ns() < until;) {
    fleet_nap_ms(20);
    struct crash_sample now = take_sample();
    same = crash_difference(&last, &now) == NULL ? same + 1 : 0;
    last = now;
  }
  return last;
}

static void print(uint32_t total, const struct crash_sample *s, uint64_t took_ms) {
  printf(
      "  after %u crashes: heap %llu bytes, blobs %llu, asks %llu, edges %llu, timers %lld,"
      " subscriptions %lld, threads %llu, descriptors %llu, orphans %llu (%llu ms)\n",
      total, (unsigned long long)s->heap_bytes, (unsigned long long)s->blobs,
      (unsigned long long)s->asks, (unsigned long long)s->edges, (long long)s->held[TRP_RES_TIMER],
      (long long)s->held[TRP_RES_SUBSCRIPTION], (unsigned long long)s->threads,
      (unsigned long long)s->descriptors, (unsigned long long)s->orphans,
      (unsigned long long)took_ms);
  fflush(stdout);
}

/* ---- cycles ---- */

/* Has it crash with mail of every size before and behind the word. */
static void crash_once(void) {
  static const char letter[LETTER_BYTES];
  uint64_t before = atomic_load_explicit(&cycles.started, memory_order_acquire);
  struct trp_ref who = trp_system_whereis(cycles.system, "mortal");
  uint32_t body[LETTER_BYTES / sizeof(uint32_t)] = {cycles.crashes++};
  assert_int_equal(TRP_OK, trp_system_send(cycles.system, who, WORD, letter, sizeof letter));
  assert_int_equal(TRP_OK, trp_system_send(cycles.system, who, DIE, body, sizeof body));
  (void)!trp_system_send(cycles.system, who, WORD, letter, sizeof letter); /* it may be dead */
  uint64_t until = fleet_now_ns() + PATIENCE_MS * TRP_NS_PER_MS;
  for (uint32_t looks = 0; fleet_now_ns() < until; looks++) {
    if (atomic_load_explicit(&cycles.started, memory_order_acquire) > before) return;
    if (looks > 100) fleet_nap_ms(1);
    if (looks <= 100) nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
  }
  fail_msg("no restart after crash %u", cycles.crashes);
}

struct crash_sample crash_cycles_run(uint32_t count, uint32_t total) {
  uint64_t began = fleet_now_ns();
  for (uint32_t i = 0; i < count; i++) crash_once();
  uint64_t took_ms = (fleet_now_ns() - began) / TRP_NS_PER_MS;
  struct crash_sample sample = quiet_sample();
  print(total, &sample, took_ms);
  return sample;
}

struct crash_sample crash_cycles_forgetful(uint32_t count, uint32_t total) {
  for (uint32_t i = 1; i < count; i++) crash_once();
  cycles.forget = true;
  crash_once();
  cycles.forget = false;
  return crash_cycles_run(0, total);
}

void crash_cycles_begin(void) {
  const struct trp_restart_policy often = {
      .intensity = 1000, .window_ms = 1, .backoff_min_ms = 1, .backoff_max_ms = 1, .stable_ms = 1};
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind},
      {.name = "event_engine", .kind = &trp_event_engine_kind, .supervisor = "supervisor"},
      {.name = "other", .kind = &other_kind, .supervisor = "supervisor"},
      {.name = "mortal", .kind = &mortal_kind, .supervisor = "supervisor", .restart = often}};
  const struct trp_system_options options = {.name = "crashes", .log_fd = -1};
  memset(&cycles, 0, sizeof cycles);
  assert_int_equal(TRP_OK, trp_system_new(&cycles.system, &options));
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    assert_int_equal(TRP_OK, trp_system_add(cycles.system, &specs[i]));
  }
  assert_int_equal(TRP_OK, trp_system_start(cycles.system, NULL, 0));
  for (int i = 0; i < WARM_UP; i++) crash_once();
}

void crash_cycles_end(void) {
  trp_system_stop(cycles.system, "the test is over");
  assert_int_equal(TRP_OK, trp_system_wait(cycles.system, PATIENCE_MS * TRP_NS_PER_MS));
  const struct trp_report *report = trp_system_report(cycles.system);
  assert_true(report->balanced);
  assert_int_equal(TRP_VERDICT_CLEAN, report->verdict);
  trp_system_destroy(&cycles.system);
}
