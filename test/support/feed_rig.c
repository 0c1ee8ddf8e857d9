#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/feed_rig.h"

#include <malloc.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "adapters/net_lws.h"
#include "runtime/blob.h"
#include "runtime/fdcount.h"
#include "runtime/report.h"

enum { STOP_MS = 2000, ANSWER_MS = 2000, QUIET_MS = 5000, WEIGHT_PER_MIN = 10000000 };

static struct {
  struct trp_system *system;
  struct trp_net *exchange_net, *feed_net;
  struct trp_exchange_stats stats;
  struct trp_exchange_options exchange;
  struct trp_feed_options feed;
  struct trp_consumer_options consumer;
  struct trp_consumer_view view;
  char ws_base[64], http_base[64];
  sem_t heard; /* the visitor has */
  size_t descriptors_before;
} rig;

uint64_t rig_now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void nap_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- nets that are asked what lives in them ---- */

static struct trp_kind feed_kind, exchange_kind;

static void tell_live(struct trp_self *self, const struct trp_msg *msg, struct trp_net *net) {
  struct trp_result result = {0};
  snprintf(result.text, sizeof result.text, "live=%zu", net->ops->live(net));
  trp_reply(self, msg->token, TRP_RESULT, &result, sizeof result);
}

static bool asks_live(const struct trp_msg *msg) {
  const struct trp_operator *order = trp_msg_operator(msg);
  return order != NULL && strcmp(order->text, "live") == 0;
}

static enum trp_err feed_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  if (!asks_live(msg)) return trp_binance_feed_kind.receive(self, state, msg);
  tell_live(self, msg, rig.feed_net);
  return TRP_OK;
}

static enum trp_err exchange_receive(struct trp_self *self, void *state,
                                     const struct trp_msg *msg) {
  if (!asks_live(msg)) return trp_exchange_kind.receive(self, state, msg);
  tell_live(self, msg, rig.exchange_net);
  return TRP_OK;
}

/* ---- the visitor ---- */

struct visitor {
  uint64_t order; /* the token of who ordered, until the engine has answered */
  bool listening;
};

static enum trp_err visitor_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct visitor *v = state;
  const struct trp_operator *order = trp_msg_operator(msg);
  if (msg->type == TRP_QUOTE && v->listening) {
    v->listening = false;
    sem_post(&rig.heard);
  }
  if (msg->correlation != 0) {
    const struct trp_result *result = trp_msg_result(msg);
    CHECK(result != NULL && result->status == TRP_OK);
    trp_reply(self, v->order, TRP_RESULT, result, sizeof *result);
  }
  if (order == NULL) return TRP_OK;
  bool in = strcmp(order->text, "subscribe") == 0;
  struct trp_subscribe wish = {.event = TRP_QUOTE};
  v->order = msg->token;
  v->listening = in;
  return trp_ask(self, trp_whereis(self, "event_engine"), in ? TRP_SUBSCRIBE : TRP_UNSUBSCRIBE,
                 &wish, sizeof wish, TRP_NS_PER_S, NULL);
}

static const struct trp_kind visitor_kind = {
    .name = "visitor", .state_bytes = sizeof(struct visitor), .receive = visitor_receive};

/* ---- asking ---- */

static struct trp_result ask_operator(const char *actor, const char *text) {
  struct trp_operator order = {0};
  struct trp_result result = {0};
  size_t size = sizeof result;
  uint16_t type;
  snprintf(order.text, sizeof order.text, "%s", text);
  assert_int_equal(TRP_OK, trp_system_ask(rig.system, trp_system_whereis(rig.system, actor),
                                          TRP_OPERATOR, &order, sizeof order,
                                          ANSWER_MS * TRP_NS_PER_MS, &type, &result, &size));
  assert_int_equal(TRP_RESULT, type);
  return result;
}

static uint64_t number_after(const char *text, const char *key) {
  const char *at = strstr(text, key);
  assert_non_null(at);
  return strtoull(at + strlen(key), NULL, 10);
}

enum trp_err rig_command(const char *verb, uint64_t ms) {
  struct trp_feed_command command = {0};
  struct trp_result result;
  size_t size = sizeof result;
  uint16_t type;
  snprintf(command.verb, sizeof command.verb, "%s", verb);
  enum trp_err err =
      trp_system_ask(rig.system, trp_system_whereis(rig.system, "binance"), TRP_FEED_COMMAND,
                     &command, sizeof command, ms * TRP_NS_PER_MS, &type, &result, &size);
  return err != TRP_OK ? err : (enum trp_err)result.status;
}

struct trp_feed_state rig_state(void) {
  struct trp_feed_query query = {0};
  struct trp_feed_state state;
  size_t size = sizeof state;
  uint16_t type;
  assert_int_equal(TRP_OK, trp_system_ask(rig.system, trp_system_whereis(rig.system, "binance"),
                                          TRP_FEED_QUERY, &query, sizeof query,
                                          ANSWER_MS * TRP_NS_PER_MS, &type, &state, &size));
  return state;
}

bool rig_until_phase(enum trp_feed_phase phase, uint64_t ms) {
  uint64_t until = rig_now_ms() + ms;
  while (rig_state().state != (uint32_t)phase) {
    if (rig_now_ms() > until) return false;
    nap_ms(2);
  }
  return true;
}

void rig_visitor_subscribe(void) {
  while (sem_trywait(&rig.heard) == 0) continue;
  (void)ask_operator("visitor", "subscribe");
}

void rig_visitor_unsubscribe(void) { (void)ask_operator("visitor", "unsubscribe"); }

bool rig_visitor_hears(uint64_t ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += (time_t)(ms / 1000 + 1);
  return sem_timedwait(&rig.heard, &until) == 0;
}

struct trp_consumer_view *rig_view(void) {
  return &rig.view;
}
const struct trp_exchange_stats *rig_exchange(void) { return &rig.stats; }

/* ---- samples ---- */

static bool exact_heap; /* else caches of threads blur the figure */

size_t rig_heap_bytes(void) { return exact_heap ? mallinfo2().uordblks : 0; }

static struct rig_sample take_sample(void) {
  struct rig_sample s = {0};
  struct trp_actor_info info;
  struct trp_result engine = ask_operator("event_engine", "stats");
  s.subscriptions = number_after(engine.text, "subscriptions=");
  s.subscribers = number_after(engine.text, "subscribers=");
  s.sessions = number_after(ask_operator("exchange", "stats").text, "sessions=");
  s.links = number_after(ask_operator("binance", "live").text, "live=") +
            number_after(ask_operator("exchange", "live").text, "live=");
  nap_ms(20); /* an answer comes before its question is freed */
  for (size_t i = 0; trp_system_actor(rig.system, i, &info); i++) {
    for (int k = 0; k < TRP_RES_COUNT; k++) s.held[k] += info.held[k];
  }
  s.threads = trp_task_count();
  s.descriptors = trp_fd_count();
  s.blobs = trp_blob_live();
  s.heap_bytes = rig_heap_bytes();
  return s;
}

const char *rig_difference(const struct rig_sample *a, const struct rig_sample *b) {
  static const char *const held[TRP_RES_COUNT] = {
      "threads held", "descriptors held",   "sockets held",  "timers held",
      "asks held",    "subscriptions held", "processes held"};
  for (int k = 0; k < TRP_RES_COUNT; k++) {
    if (a->held[k] != b->held[k]) return held[k];
  }
  if (a->subscriptions != b->subscriptions) return "subscriptions";
  if (a->subscribers != b->subscribers) return "subscribers";
  if (a->sessions != b->sessions) return "sessions";
  if (a->links != b->links) return "links";
  if (a->blobs != b->blobs) return "blobs";
  if (a->descriptors != b->descriptors) return "descriptors";
  if (a->threads != b->threads) return "threads";
  return a->heap_bytes != b->heap_bytes ? "heap bytes" : NULL;
}

/* Quiet is what looks the same three times in a row: an answer that is still being freed, a close
 * that the exchange has not heard of yet take their time. */
struct rig_sample rig_sample(void) {
  uint64_t until = rig_now_ms() + QUIET_MS;
  struct rig_sample last = take_sample();
  for (int same = 0; same < 3 && rig_now_ms() < until;) {
    nap_ms(50);
    struct rig_sample now = take_sample();
    same = rig_difference(&last, &now) == NULL ? same + 1 : 0;
    last = now;
  }
  return last;
}

void rig_print(const char *when, const struct rig_sample *s) {
  printf(
      "  %-14s heap %llu bytes, blobs %llu, links %llu, sessions %llu, sockets %lld, timers"
      " %lld, asks %lld, subscriptions %llu, descriptors %llu, threads %llu\n",
      when, (unsigned long long)s->heap_bytes, (unsigned long long)s->blobs,
      (unsigned long long)s->links, (unsigned long long)s->sessions,
      (long long)s->held[TRP_RES_SOCKET], (long long)s->held[TRP_RES_TIMER],
      (long long)s->held[TRP_RES_ASK], (unsigned long long)s->subscriptions,
      (unsigned long long)s->descriptors, (unsigned long long)s->threads);
  fflush(stdout);
}

void rig_exact_heap(char **argv) {
  static const char name[] = "GLIBC_TUNABLES";
  const char *preload = getenv("LD_PRELOAD");
  if (preload != NULL && strstr(preload, "valgrind") != NULL) return; /* has its own allocator */
  exact_heap = getenv(name) != NULL;
  if (exact_heap) return;
  setenv(name, "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1", 1);
  execv("/proc/self/exe", argv); /* where it fails, heap bytes are not counted */
}

/* ---- begin and end ---- */

static void open_nets(const struct rig_options *o) {
  assert_int_equal(TRP_OK, trp_net_lws_new(&rig.exchange_net, NULL));
  assert_int_equal(TRP_OK, trp_net_lws_new(&rig.feed_net, NULL));
  if (o->servers != NULL) trp_net_lws_servers(rig.feed_net, o->servers);
  rig.exchange = (struct trp_exchange_options){.net = rig.exchange_net,
                                               .stats = &rig.stats,
                                               .capture = o->capture,
                                               .snapshots = o->snapshots,
                                               .quotes_per_s = o->quotes_per_s,
                                               .weight_per_min = WEIGHT_PER_MIN,
                                               .attempts_max = WEIGHT_PER_MIN};
  assert_int_equal(TRP_OK, trp_exchange_listen(&rig.exchange));
  snprintf(rig.ws_base, sizeof rig.ws_base, "ws://127.0.0.1:%u", rig.stats.port);
  snprintf(rig.http_base, sizeof rig.http_base, "http://127.0.0.1:%u", rig.stats.port);
}

static void fill_options(const struct rig_options *o) {
  static const char *const usual[] = {"BTCUSDT"};
  rig.feed = (struct trp_feed_options){
      .net = rig.feed_net,
      .ws_base = o->ws_base != NULL ? o->ws_base : rig.ws_base,
      .http_base = o->http_base != NULL ? o->http_base : rig.http_base,
      .symbols = o->symbols != NULL ? o->symbols : usual,
      .symbol_count = o->symbols != NULL ? o->symbol_count : 1,
      .protocol = {.weight_per_min = WEIGHT_PER_MIN}, /* many connects are no storm here */
      .stay_disconnected = !o->connect};
  rig.consumer = (struct trp_consumer_options){.events = "event_engine",
                                               .view = &rig.view,
                                               .books = true,
                                               .on_event = o->on_event,
                                               .on_event_arg = o->on_event_arg};
  feed_kind = trp_binance_feed_kind;
  feed_kind.receive = feed_receive;
  exchange_kind = trp_exchange_kind;
  exchange_kind.receive = exchange_receive;
}

static void add_actors(const struct rig_options *o) {
  const struct trp_mailbox_options patient = {.capacity = 8192, .policy = TRP_WAIT};
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind},
      {.name = "event_engine", .kind = &trp_event_engine_kind, .mailbox = patient},
      {.name = "exchange",
       .kind = &exchange_kind,
       .args = &rig.exchange,
       .loop = &rig.exchange_net->loop},
      {.name = "visitor", .kind = &visitor_kind, .mailbox = patient},
      {.name = "binance", .kind = &feed_kind, .args = &rig.feed, .loop = &rig.feed_net->loop},
      {.name = "consumer", .kind = &trp_consumer_kind, .args = &rig.consumer, .mailbox = patient},
  };
  size_t count = sizeof specs / sizeof *specs - (o->no_consumer ? 1 : 0);
  for (size_t i = 0; i < count; i++) {
    struct trp_spec spec = specs[i];
    if (i > 0) spec.supervisor = "supervisor";
    assert_int_equal(TRP_OK, trp_system_add(rig.system, &spec));
  }
  assert_int_equal(TRP_OK, trp_system_edge(rig.system, "binance", "event_engine"));
}

void rig_begin(const struct rig_options *o) {
  memset(&rig, 0, sizeof rig);
  trp_consumer_view_init(&rig.view);
  sem_init(&rig.heard, 0, 0);
  open_nets(o);
  fill_options(o);
  rig.descriptors_before = trp_fd_count();
  struct trp_system_options options = {
      .name = "rig", .log_level = getenv("TRP_LOUD") != NULL ? TRP_LOG_DEBUG : TRP_LOG_ERROR};
  assert_int_equal(TRP_OK, trp_system_new(&rig.system, &options));
  add_actors(o);
  char failure[128] = "";
  enum trp_err err = trp_system_start(rig.system, failure, sizeof failure);
  assert_string_equal("", failure);
  assert_int_equal(TRP_OK, err);
}

static void tell_descriptors(void) {
  static struct trp_fd now[256];
  size_t count = trp_fd_list(now, 256);
  for (size_t i = 0; i < count && i < 256; i++) {
    print_message("  descriptor %d: %s\n", now[i].fd, now[i].target);
  }
}

void rig_end(void) {
  trp_system_stop(rig.system, "the test is over");
  assert_int_equal(TRP_OK, trp_system_wait(rig.system, STOP_MS * TRP_NS_PER_MS));
  /* Nobody runs the nets' loops any more: whoever said "closed" must have closed its descriptor. */
  if (rig.descriptors_before != trp_fd_count()) tell_descriptors();
  assert_int_equal(rig.descriptors_before, trp_fd_count());
  const struct trp_report *report = trp_system_report(rig.system);
  for (size_t i = 0; i < report->actor_count; i++) {
    assert_string_equal("clean", report->actors[i].verdict);
  }
  for (int k = 0; k < TRP_RES_COUNT; k++) assert_int_equal(0, report->left_behind[k]);
  assert_true(report->balanced);
  trp_system_destroy(&rig.system);
  trp_net_destroy(&rig.feed_net);
  trp_net_destroy(&rig.exchange_net);
  trp_consumer_view_fini(&rig.view);
  sem_destroy(&rig.heard);
}
