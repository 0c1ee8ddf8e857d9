#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/fleet.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/consumer.h"
#include "actors/event_engine.h"
#include "actors/executor.h"
#include "actors/feed_state.h"
#include "actors/rate_limiter.h"
#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "adapters/binance.h"
#include "adapters/exchange.h"
#include "adapters/net_lws.h"
#include "runtime/fdcount.h"
#include "runtime/orphans.h"
#include "runtime/report.h"

enum {
  WEIGHT_PER_MIN = 10000000,
  ANSWER_MS = 5000,
  TASKS_MAX = 4096,
  THREAD_NAPS = 2000,
  LINKS_LEAST = 512
};

static struct {
  struct fleet_options options;
  struct trp_system *system;
  struct trp_net *exchange_net, *loops[FLEET_LOOPS_MAX], *nets[FLEET_FEEDS_MAX];
  struct trp_exchange_stats stats;
  struct trp_exchange_options exchange;
  struct trp_feed_options feeds[FLEET_FEEDS_MAX];
  struct trp_consumer_options consumer;
  struct trp_consumer_view view;
  struct trp_thread_monitor_options monitor;
  struct trp_rate_limiter_options limiter;
  char ws_base[64], http_base[64];
  size_t threads_before, descriptors_before;
} fleet;

uint64_t fleet_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

void fleet_nap_ms(unsigned ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

struct trp_system *fleet_system(void) {
  return fleet.system;
}

const char *fleet_feed(uint32_t i) {
  static char name[16];
  snprintf(name, sizeof name, "feed%03u", i);
  return name;
}

/* ---- building ---- */

static void open_nets(void) {
  static const char *const symbols[] = {"BTCUSDT"};
  uint32_t links = 4 * fleet.options.feeds; /* streams, requests */
  const struct trp_net_options wide = {.links_max = links > LINKS_LEAST ? links : LINKS_LEAST};
  for (uint32_t i = 0; i < fleet.options.loops; i++)
    assert_int_equal(TRP_OK, trp_net_lws_new(&fleet.loops[i], &wide));
  assert_int_equal(TRP_OK, trp_net_lws_new(&fleet.exchange_net, &wide));
  fleet.exchange = (struct trp_exchange_options){.net = fleet.exchange_net,
                                                 .stats = &fleet.stats,
                                                 .quotes_per_s = fleet.options.quotes_per_s,
                                                 .sessions_max = TRP_EXCHANGE_SESSIONS_MAX,
                                                 .messages_per_s = TRP_EXCHANGE_RATE_MAX,
                                                 .attempts_max = WEIGHT_PER_MIN,
                                                 .weight_per_min = WEIGHT_PER_MIN};
  assert_int_equal(TRP_OK, trp_exchange_listen(&fleet.exchange));
  snprintf(fleet.ws_base, sizeof fleet.ws_base, "ws://127.0.0.1:%u", fleet.stats.port);
  snprintf(fleet.http_base, sizeof fleet.http_base, "http://127.0.0.1:%u", fleet.stats.port);
  for (uint32_t i = 0; i < fleet.options.feeds; i++) {
    struct trp_net *shared = fleet.options.loops > 0 ? fleet.loops[i % fleet.options.loops] : NULL;
    enum trp_err err = shared != NULL ? trp_net_port(shared, NULL, &fleet.nets[i])
                                      : trp_net_lws_new(&fleet.nets[i], NULL);
    assert_int_equal(TRP_OK, err);
    fleet.feeds[i] = (struct trp_feed_options){
        .net = fleet.nets[i],
        .ws_base = fleet.ws_base,
        .http_base = fleet.http_base,
        .symbols = symbols,
        .symbol_count = 1,
        .backoff = {.max_ms = 1000},
        .protocol = {.weight_per_min = WEIGHT_PER_MIN, .streams = fleet.options.streams}};
  }
}

static void add(const char *name, const struct trp_kind *kind, const void *args,
                struct trp_net *net) {
  struct trp_spec spec = {.name = name,
                          .kind = kind,
                          .args = args,
                          .supervisor = kind == &trp_supervisor_kind ? NULL : "supervisor",
                          .mailbox = {.capacity = 1024, .policy = TRP_WAIT}};
  if (net != NULL) spec.loop = trp_net_loop(net);
  if (net != NULL && net->shared != NULL) spec.placement = TRP_IO;
  if (kind == &trp_event_engine_kind) spec.mailbox.capacity = 8192;
  if (fleet.options.intensity != 0) {
    spec.restart = (struct trp_restart_policy){.intensity = fleet.options.intensity,
                                               .window_ms = 1000,
                                               .backoff_min_ms = 1,
                                               .backoff_max_ms = 20,
                                               .stable_ms = 50};
  }
  assert_int_equal(TRP_OK, trp_system_add(fleet.system, &spec));
}

static void add_actors(void) {
  fleet.consumer = (struct trp_consumer_options){.events = "event_engine", .view = &fleet.view};
  fleet.monitor = (struct trp_thread_monitor_options){.interval_ms = 100, .growth_window_ms = 5000};
  fleet.limiter = (struct trp_rate_limiter_options){.rate = 1000};
  add("supervisor", &trp_supervisor_kind, NULL, NULL);
  add("event_engine", &trp_event_engine_kind, NULL, NULL);
  add("thread_monitor", &trp_thread_monitor_kind, &fleet.monitor, NULL);
  add("executor", &trp_executor_kind, NULL, NULL);
  add("limiter", &trp_rate_limiter_kind, &fleet.limiter, NULL);
  add("consumer", &trp_consumer_kind, &fleet.consumer, NULL);
  add("exchange", &trp_exchange_kind, &fleet.exchange, fleet.exchange_net);
  for (uint32_t i = 0; i < fleet.options.feeds; i++) {
    add(fleet_feed(i), &trp_binance_feed_kind, &fleet.feeds[i], fleet.nets[i]);
    assert_int_equal(TRP_OK, trp_system_edge(fleet.system, fleet_feed(i), "event_engine"));
  }
}

static void *tell_tid(void *tid) {
  *(pid_t *)tid = gettid();
  return NULL;
}

/* Joined is not yet gone: the kernel lists a thread a moment longer, on a busy machine a long one.
 */
static bool is_listed(pid_t tid) {
  int tids[TASKS_MAX];
  size_t count = trp_task_list(tids, TASKS_MAX);
  for (size_t i = 0; i < count && i < TASKS_MAX; i++) {
    if (tids[i] == tid) return true;
  }
  return false;
}

/* A sanitizer that has a thread of its own begins it with the program's first. */
static void begin_sanitizers_thread(void) {
  pthread_t thread;
  pid_t tid = 0;
  assert_int_equal(0, pthread_create(&thread, NULL, tell_tid, &tid));
  pthread_join(thread, NULL);
  for (int naps = 0; is_listed(tid) && naps < THREAD_NAPS; naps++) fleet_nap_ms(1);
}

/* So many threads more than before; those that are joined and still listed may go first. */
static long more_threads(void) {
  long more = (long)trp_task_count() - (long)fleet.threads_before;
  for (int naps = 0; more > 0 && naps < THREAD_NAPS; naps++) {
    fleet_nap_ms(1);
    more = (long)trp_task_count() - (long)fleet.threads_before;
  }
  return more;
}

void fleet_begin(const struct fleet_options *o) {
  assert_in_range(o->feeds, 1, FLEET_FEEDS_MAX);
  assert_in_range(o->loops, 0, FLEET_LOOPS_MAX);
  memset(&fleet, 0, sizeof fleet);
  fleet.options = *o;
  begin_sanitizers_thread();
  fleet.threads_before = trp_task_count();
  fleet.descriptors_before = trp_fd_count();
  trp_consumer_view_init(&fleet.view);
  open_nets();
  struct trp_system_options options = {
      .name = "fleet",
      .budget_ms = o->budget_ms,
      .allow_faults = o->allow_faults,
      .log_fd = getenv("TRP_LOUD") != NULL ? 2 : -1,
  };
  assert_int_equal(TRP_OK, trp_system_new(&fleet.system, &options));
  add_actors();
  char failure[200] = "";
  enum trp_err err = trp_system_start(fleet.system, failure, sizeof failure);
  assert_string_equal("", failure);
  assert_int_equal(TRP_OK, err);
}

/* ---- orders ---- */

static enum trp_err ask(const char *to, uint16_t type, const void *body, size_t bytes,
                        uint64_t timeout_ms, void *answer, size_t answer_bytes) {
  uint16_t answer_type = 0;
  return trp_system_ask(fleet.system, trp_system_whereis(fleet.system, to), type, body, bytes,
                        timeout_ms * TRP_NS_PER_MS, &answer_type, answer, &answer_bytes);
}

static enum trp_err ask_state(uint32_t i, struct trp_feed_state *out) {
  struct trp_feed_query query = {0};
  memset(out, 0, sizeof *out);
  return ask(fleet_feed(i), TRP_FEED_QUERY, &query, sizeof query, ANSWER_MS, out, sizeof *out);
}

static bool is_live(uint32_t i) {
  struct trp_feed_state state;
  return ask_state(i, &state) == TRP_OK && state.state == (uint32_t)TRP_FEED_LIVE;
}

uint64_t fleet_reconnects(uint32_t i) {
  struct trp_feed_state state;
  return ask_state(i, &state) == TRP_OK ? state.reconnects : UINT64_MAX;
}

const struct trp_exchange_stats *fleet_exchange(void) { return &fleet.stats; }

uint32_t fleet_until_live(uint64_t timeout_ms) {
  uint64_t until = fleet_now_ns() + timeout_ms * TRP_NS_PER_MS;
  uint32_t live = 0;
  for (uint32_t i = 0; i < fleet.options.feeds; i++) {
    bool yes = is_live(i);
    while (!yes && fleet_now_ns() < until) {
      fleet_nap_ms(5);
      yes = is_live(i);
    }
    live += yes;
  }
  return live;
}

uint64_t fleet_events(void) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(fleet.system, i, &info); i++) {
    if (strcmp(info.name, "consumer") == 0) return info.ledger.handled;
  }
  return 0;
}

enum trp_err fleet_fault(const char *actor, const char *text) {
  struct trp_fault fault = {.text = ""};
  snprintf(fault.text, sizeof fault.text, "%s", text);
  struct trp_ref who = trp_system_whereis(fleet.system, actor);
  if (trp_ref_is_nobody(who)) return TRP_DEAD;
  return trp_system_send(fleet.system, who, TRP_FAULT, &fault, sizeof fault);
}

enum trp_err fleet_command(const char *feed, const char *verb, uint64_t timeout_ms) {
  struct trp_feed_command command = {.verb = ""};
  struct trp_result result = {0};
  snprintf(command.verb, sizeof command.verb, "%s", verb);
  enum trp_err err =
      ask(feed, TRP_FEED_COMMAND, &command, sizeof command, timeout_ms, &result, sizeof result);
  return err != TRP_OK ? err : (enum trp_err)result.status;
}

enum trp_err fleet_order(const char *child, const char *verb, uint64_t timeout_ms) {
  struct trp_child_command command = {.verb = ""};
  struct trp_result result = {0};
  snprintf(command.verb, sizeof command.verb, "%s", verb);
  snprintf(command.name, sizeof command.name, "%s", child);
  enum trp_err err = ask("supervisor", TRP_CHILD_COMMAND, &command, sizeof command, timeout_ms,
                         &result, sizeof result);
  return err != TRP_OK ? err : (enum trp_err)result.status;
}

/* ---- the end ---- */

static void read_report(struct fleet_stop *out) {
  const struct trp_report *report = trp_system_report(fleet.system);
  struct trp_orphans orphans;
  out->elapsed_ns = report->elapsed_ns;
  out->balanced = report->balanced;
  out->verdict = trp_verdict_text(report->verdict);
  memcpy(out->left, report->left_behind, sizeof out->left);
  trp_system_orphans(fleet.system, &orphans);
  out->orphans = trp_orphans_total(&orphans);
  for (size_t i = 0; i < report->actor_count && out->trouble[0] == '\0'; i++) {
    const struct trp_report_actor *a = &report->actors[i];
    bool clean = strcmp(a->verdict, "clean") == 0 || strcmp(a->verdict, "was down") == 0;
    if (clean) continue;
    snprintf(out->trouble, sizeof out->trouble, "%s: %s", a->name, a->verdict);
  }
}

struct fleet_stop fleet_end(void) {
  struct fleet_stop out = {.verdict = "never stopped"};
  uint64_t began = fleet_now_ns(), patience_ms = fleet.options.budget_ms + 5000;
  trp_system_stop(fleet.system, "the test is over");
  out.stopped = trp_system_wait(fleet.system, patience_ms * TRP_NS_PER_MS) == TRP_OK;
  out.waited_ns = fleet_now_ns() - began;
  if (!out.stopped) return out; /* what is still in use is leaked, and the test fails */
  read_report(&out);
  trp_system_destroy(&fleet.system);
  for (uint32_t i = 0; i < fleet.options.feeds; i++) trp_net_destroy(&fleet.nets[i]);
  for (uint32_t i = 0; i < fleet.options.loops; i++) trp_net_destroy(&fleet.loops[i]);
  trp_net_destroy(&fleet.exchange_net);
  trp_consumer_view_fini(&fleet.view);
  out.threads = more_threads();
  out.descriptors = (long)trp_fd_count() - (long)fleet.descriptors_before;
  return out;
}

bool fleet_left_nothing(const struct fleet_stop *stop) {
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (stop->left[r] != 0) return false;
  }
  return stop->stopped && stop->orphans == 0 && stop->threads == 0 && stop->descriptors == 0;
}
