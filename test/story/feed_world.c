/* Long because a world is one: its spies, its clerk, its flaky server and what is asked of it share
 * its state. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/story/feed_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "actors/symbol_table.h"
#include "adapters/exchange_sessions.h"
#include "adapters/gateio.h"
#include "adapters/mexc.h"
#include "runtime/log.h"
#include "runtime/report.h"
#include "runtime/system.h"
#include "test/story/seeds.h"

enum { LEVELS_COMPARED = 200, STOP_MS = 2000, FLAKY_TIMERS = 64 };

struct world world;

static void broke(const char *what) {
  if (world.broken == NULL) world.broken = what;
}

/* ---- the spy between feed and net ---- */

static const struct trp_net_ops *real;
static struct trp_net_ops spied;

uint32_t world_streams(void) {
  uint32_t n = 0;
  for (int i = 0; i < WORLD_STREAMS_MAX; i++) n += world.spy.streams[i].link != 0;
  return n;
}

bool world_stream_stands(void) {
  for (int i = 0; i < WORLD_STREAMS_MAX; i++)
    if (world.spy.streams[i].open) return true;
  return false;
}

/* The place of a stream (0: a free one); the last where there is none. */
static int place_of(uint64_t link) {
  int i = 0;
  while (i < WORLD_STREAMS_MAX - 1 && world.spy.streams[i].link != link) i++;
  return i;
}

static enum trp_err spy_ws_open(struct trp_net *net, const struct trp_net_request *request,
                                uint64_t *link) {
  if (world_streams() >= world.spy.streams_max) {
    broke("the feed dialled while its old stream was still there");
  }
  if (world.spy.attempt_count < WORLD_ATTEMPTS_MAX) {
    world.spy.successor[world.spy.attempt_count] = world_stream_stands();
    world.spy.attempts[world.spy.attempt_count++] = world_now_ms();
  }
  enum trp_err err = real->ws_open(net, request, link);
  if (err != TRP_OK) return err;
  world.spy.link = *link;
  world.spy.streams[place_of(0)].link = *link;
  return TRP_OK;
}

static enum trp_err spy_http_send(struct trp_net *net, const struct trp_net_request *request,
                                  uint64_t *link) {
  world.spy.requests++;
  world.spy.last_request_ns = trp_system_now_ns(world.system);
  return real->http_send(net, request, link);
}

static void stream_ended(uint64_t link) {
  int at = place_of(link);
  if (world.spy.streams[at].link == link) world.spy.ended_ms = world_now_ms();
  if (world.spy.streams[at].link == link)
    memset(&world.spy.streams[at], 0, sizeof world.spy.streams[at]);
  if (link == world.spy.link) world.spy.link = 0;
}

static bool swallowed(const struct trp_net_event *event) {
  const char *needle = world.spy.swallow;
  if (needle == NULL || event->kind != TRP_NET_FRAME ||
      memmem(event->bytes, event->size, needle, strlen(needle)) == NULL) {
    return false;
  }
  world.spy.swallow = NULL;
  return true;
}

static bool spy_next(struct trp_net *net, struct trp_net_event *out) {
  do {
    if (!real->next(net, out)) return false;
  } while (swallowed(out));
  if (out->kind == TRP_NET_OPENED) {
    world.spy.streams[place_of(out->link)].open = true;
    world.spy.opens++;
  }
  bool ended = out->kind == TRP_NET_CLOSED || out->kind == TRP_NET_FAILED;
  if (ended && out->link != 0) stream_ended(out->link);
  return true;
}

static void spy_cancel(struct trp_net *net, uint64_t link) {
  if (link != 0) stream_ended(link);
  real->cancel(net, link);
}

static void put_spy(struct trp_net *net) {
  real = net->ops;
  spied = *real;
  spied.ws_open = spy_ws_open;
  spied.http_send = spy_http_send;
  spied.next = spy_next;
  spied.cancel = spy_cancel;
  net->ops = &spied;
}

/* ---- the spy at the market ---- */

static struct trp_kind market_kind;

static enum trp_err market_start(struct trp_self *self, void *state, const void *args) {
  world.market = state;
  return trp_exchange_kind.start(self, state, args);
}

static void market_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  world.market = NULL;
  trp_exchange_kind.end(self, state, reason);
}

static bool same_level(struct trp_ladder_entry entry, struct trp_walk_level level) {
  return entry.price == (double)level.price / TRP_WALK_UNIT &&
         entry.size == (double)level.size / TRP_WALK_UNIT;
}

static bool same_side(const struct trp_walk *walk, uint32_t symbol, bool bids,
                      const struct trp_ladder_side *side) {
  static struct trp_walk_level levels[LEVELS_COMPARED];
  uint32_t count = trp_walk_levels(walk, symbol, bids, levels, world.levels_compared);
  for (uint32_t i = 0; i < count; i++) {
    if (i >= side->count) return false;
    if (!same_level(side->entries[side->count - 1 - i], levels[i])) return false;
  }
  return true;
}

static bool same_quote(const struct trp_quote *quote, const struct trp_walk_quote *truth) {
  return quote->bid == (double)truth->bid / TRP_WALK_UNIT &&
         quote->bid_size == (double)truth->bid_size / TRP_WALK_UNIT &&
         quote->ask == (double)truth->ask / TRP_WALK_UNIT &&
         quote->ask_size == (double)truth->ask_size / TRP_WALK_UNIT;
}

static const char *venue(void) {
  const struct trp_exchange_dialect *dialect = world.exchange.dialect;
  if (dialect == &trp_exchange_mexc) return trp_mexc_dialect.venue;
  return dialect == &trp_exchange_gateio ? trp_gateio_dialect.venue : trp_binance_dialect.venue;
}

bool world_matches(const char *symbol) {
  char full[TRP_SYMBOL_NAME_MAX + 1];
  const struct trp_exchange *exchange = world.market;
  snprintf(full, sizeof full, "%s%s", symbol, venue());
  const struct keeper_row *row = feed_keeper_row(&world.keeper, trp_symbol_find(full));
  const struct trp_walk *walk = exchange != NULL ? exchange->market.walk : NULL;
  int32_t at = walk != NULL ? trp_walk_find(walk, symbol) : -1;
  if (at < 0 || row == NULL || !row->whole) return false;
  struct trp_walk_quote best = trp_walk_best(walk, (uint32_t)at);
  return best.id == row->sequence && same_quote(&row->quote, &best) &&
         same_side(walk, (uint32_t)at, true, &row->ladder.bids) &&
         same_side(walk, (uint32_t)at, false, &row->ladder.asks);
}

static bool both_match(void *arg) {
  (void)arg;
  return world.phase == TRP_FEED_LIVE && world_matches("BTCUSDT") && world_matches("ETHUSDT");
}

bool world_settles(uint64_t ms) {
  return trp_sim_run_until(world.system, both_match, NULL, ms * TRP_NS_PER_MS);
}

/* ---- the flaky server ---- */

static enum trp_err flaky_start(struct trp_self *self, void *state, const void *args) {
  (void)state;
  (void)args;
  uint16_t port = 9001;
  trp_net_bind(world.flaky_net, trp_self_system(self), trp_self_ref(self));
  return world.flaky_net->ops->listen(world.flaky_net, "0.0.0.0", &port);
}

static enum trp_err flaky_ready(struct trp_self *self, void *state) {
  (void)state;
  struct trp_net_event event;
  while (world.flaky_net->ops->next(world.flaky_net, &event)) {
    if (world.flaky.serve != NULL) world.flaky.serve(world.flaky_net, &event);
    if (event.kind != TRP_NET_ACCEPTED) continue;
    world.flaky.accepted++;
    world.flaky.link = event.link;
    uint64_t ns = world.flaky.hang_up_ms * TRP_NS_PER_MS;
    if (ns != 0 && trp_timer_start(self, ns, 0, event.link, NULL) != TRP_OK) return TRP_LIMIT;
  }
  return TRP_OK;
}

static enum trp_err flaky_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  const struct trp_timer *timer = trp_msg_timer(msg);
  if (timer != NULL) world.flaky_net->ops->cancel(world.flaky_net, timer->tag);
  return TRP_OK;
}

static void flaky_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)state;
  (void)reason;
  world.flaky_net->ops->cancel(world.flaky_net, 0);
}

static const struct trp_kind flaky_kind = {.name = "flaky",
                                           .start = flaky_start,
                                           .ready = flaky_ready,
                                           .receive = flaky_receive,
                                           .end = flaky_end};

/* ---- the clerk ---- */

static struct world_reply *reply_of(uint64_t correlation) {
  for (uint32_t i = 0; i < world.reply_count; i++) {
    if (world.replies[i].correlation == correlation) return &world.replies[i];
  }
  return NULL;
}

static void clerk_asks(struct trp_self *self, const char *text) {
  struct trp_feed_command command = {0};
  const char *space = strchr(text, ' ');
  int verb = (int)(space != NULL ? space - text : (ptrdiff_t)strlen(text));
  snprintf(command.verb, sizeof command.verb, "%.*s", verb, text);
  snprintf(command.symbol, sizeof command.symbol, "%s", space != NULL ? space + 1 : "");
  if (world.reply_count == WORLD_REPLIES_MAX) return;
  struct world_reply *reply = &world.replies[world.reply_count++];
  *reply = (struct world_reply){.asked_ns = trp_now_ns(self)};
  memcpy(reply->verb, command.verb, sizeof reply->verb);
  enum trp_err err = trp_ask(self, trp_whereis(self, "binance"), TRP_FEED_COMMAND, &command,
                             sizeof command, 5 * TRP_NS_PER_S, &reply->correlation);
  if (err == TRP_OK) return;
  reply->status = err;
  reply->answered_ns = trp_now_ns(self);
}

static enum trp_err clerk_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == TRP_OPERATOR) clerk_asks(self, trp_msg_operator(msg)->text);
  struct world_reply *reply = msg->correlation != 0 ? reply_of(msg->correlation) : NULL;
  if (reply == NULL) return TRP_OK;
  reply->answered_ns = trp_now_ns(self);
  reply->status =
      msg->type == TRP_RESULT ? trp_msg_result(msg)->status : trp_msg_ask_failed(msg)->status;
  return TRP_OK;
}

static const struct trp_kind clerk_kind = {.name = "clerk", .receive = clerk_receive};

void world_clerk(const char *verb, const char *symbol) {
  struct trp_operator order = {0};
  snprintf(order.text, sizeof order.text, "%s%s%s", verb, symbol != NULL ? " " : "",
           symbol != NULL ? symbol : "");
  assert_int_equal(TRP_OK, trp_system_send(world.system, trp_system_whereis(world.system, "clerk"),
                                           TRP_OPERATOR, &order, sizeof order));
}

/* ---- what holds after every step ---- */

/* Connection state changes with the connection, never apart from it. */
static void check_phase(void) {
  bool streaming = world.phase == TRP_FEED_SYNCING || world.phase == TRP_FEED_LIVE ||
                   world.phase == TRP_FEED_STALE;
  if (streaming && world.mode == TRP_FEED_STREAM && !world_stream_stands())
    broke("the feed says it streams, and no stream stands");
  if (world.phase == TRP_FEED_CONNECTING && world.spy.link == 0) {
    broke("the feed says it connects, and dials nothing");
  }
  bool idle = world.phase == TRP_FEED_BACKOFF || world.phase == TRP_FEED_STOPPED;
  if (idle && world.spy.link != 0) broke("the feed says it is idle, and has a stream");
}

static void hear_state(const struct trp_feed_state *said) {
  static const char words[] = "next attempt in ";
  const char *wait = strstr(said->reason, words);
  world.phase = said->state;
  world.mode = said->mode;
  if (said->state == TRP_FEED_BACKOFF && wait != NULL)
    world.backoff_until_ms = world_now_ms() + strtoull(wait + strlen(words), NULL, 10);
}

static void after_step(void *arg) {
  (void)arg;
  struct trp_journal_entry entry;
  struct trp_feed_state said;
  while (trp_system_journal_next(world.system, world.journal_seen, &entry, &said, sizeof said)) {
    world.journal_seen = entry.sequence;
    if (entry.type == TRP_FEED_STATE) hear_state(&said);
  }
  struct trp_ref feed = trp_system_whereis(world.system, "binance");
  if (trp_ref_is_nobody(feed)) world.phase = TRP_FEED_STOPPED; /* dead, or between two lives */
  if (!trp_ref_is_nobody(feed)) check_phase();
}

/* ---- begin and end ---- */

static void add(const struct trp_spec *spec) {
  struct trp_spec full = *spec;
  full.restart = (struct trp_restart_policy){
      .intensity = 1000, .backoff_min_ms = 10, .backoff_max_ms = 100, .stable_ms = 1000};
  if (full.supervisor == NULL && full.kind != &trp_supervisor_kind) full.supervisor = "supervisor";
  assert_int_equal(TRP_OK, trp_system_add(world.system, &full));
}

static void add_actors(const struct world_options *o) {
  market_kind = trp_exchange_kind;
  market_kind.start = market_start;
  market_kind.end = market_end;
  static const struct trp_supervisor_options supervisor = {.events = "event_engine"};
  add(&(struct trp_spec){.name = "supervisor", .kind = &trp_supervisor_kind, .args = &supervisor});
  add(&(struct trp_spec){.name = "event_engine",
                         .kind = &trp_event_engine_kind,
                         .mailbox = {.capacity = 1024, .policy = TRP_WAIT}});
  add(&(struct trp_spec){.name = "exchange",
                         .kind = &market_kind,
                         .args = &world.exchange,
                         .loop = &world.exchange.net->loop});
  add(&(struct trp_spec){.name = "flaky", .kind = &flaky_kind, .loop = &world.flaky_net->loop});
  add(&(struct trp_spec){.name = "clerk", .kind = &clerk_kind});
  add(&(struct trp_spec){.name = "consumer",
                         .kind = &feed_keeper_kind,
                         .args = &world.keeper_args,
                         .mailbox = {.capacity = 1024, .policy = TRP_WAIT}});
  if (o->extra != NULL) add(o->extra);
  add(&(struct trp_spec){.name = "binance",
                         .kind = o->feed_kind != NULL ? o->feed_kind : &trp_binance_feed_kind,
                         .args = &world.feed,
                         .loop = &world.feed.net->loop});
  static const char *const edges[][2] = {
      {"supervisor", "event_engine"}, {"binance", "event_engine"}, {"event_engine", "consumer"}};
  for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
    assert_int_equal(TRP_OK, trp_system_edge(world.system, edges[i][0], edges[i][1]));
  }
}

static uint32_t either(uint32_t value, uint32_t usual) { return value != 0 ? value : usual; }

static void fill_options(const struct world_options *o) {
  static const char *const usual[] = {"BTCUSDT", "ETHUSDT", NULL};
  const char *const *symbols = o->symbols != NULL ? o->symbols : usual;
  uint32_t symbol_count = 0;
  while (symbols[symbol_count] != NULL) symbol_count++;
  world.exchange = (struct trp_exchange_options){.stats = &world.stats,
                                                 .host = "0.0.0.0",
                                                 .port = 9000,
                                                 .seed = o->seed,
                                                 .symbols = "SOLUSDT",
                                                 .wall_ns = 1700000000 * TRP_NS_PER_S,
                                                 .dialect = o->dialect,
                                                 .quotes_per_s = either(o->quotes_per_s, 10)};
  world.levels_compared = either(o->levels_compared, LEVELS_COMPARED);
  world.feed = (struct trp_feed_options){
      .ws_base = o->ws_base != NULL ? o->ws_base : "ws://" STREAM_HOST,
      .http_base = o->http_base != NULL ? o->http_base : "http://" API_HOST,
      .symbols = symbols,
      .symbol_count = symbol_count,
      .mode = o->automatic ? TRP_FEED_AUTO : either(o->mode, TRP_FEED_STREAM),
      .breaker = {.probe_ms = o->probe_ms},
      .stay_disconnected = o->stay_disconnected,
      .connect_ms = either(o->connect_ms, 2000),
      .close_ms = 1000,
      .backoff = {.max_ms = o->backoff_max_ms},
      .protocol = {.symbols_max = o->symbols_max,
                   .heartbeat_ms = either(o->heartbeat_ms, 3000),
                   .stale_ms = either(o->stale_ms, 2000),
                   .ack_timeout_ms = 2000,
                   .snapshot_timeout_ms = 3000,
                   .renew_s = o->renew_s,
                   .trust_symbols = !o->check_symbols},
      .wall_ns = world.exchange.wall_ns};
  if (!o->usual_times) return;
  world.feed.connect_ms = world.feed.close_ms = 0;
  world.feed.protocol = (struct trp_machine_options){.symbols_max = o->symbols_max};
}

void world_begin(const struct world_options *o) {
  seeds_note(o->seed);
  memset(&world, 0, sizeof world);
  world.keeper_args = &world.keeper;
  world.hub = trp_simhub_new(o->seed);
  assert_non_null(world.hub);
  fill_options(o);
  world.spy.streams_max = either(o->streams_at_once, 1);
  assert_int_equal(TRP_OK, trp_simhub_net(world.hub, &world.exchange.net));
  assert_int_equal(TRP_OK, trp_simhub_net(world.hub, &world.feed.net));
  assert_int_equal(TRP_OK, trp_simhub_net(world.hub, &world.flaky_net));
  put_spy(world.feed.net);
  struct trp_system_options options = {
      .name = "story",
      .sched = TRP_SCHED_SIM,
      .seed = o->seed,
      .allow_faults = true,
      .log_level = getenv("TRP_LOUD") != NULL ? TRP_LOG_DEBUG : TRP_LOG_NONE};
  assert_int_equal(TRP_OK, trp_system_new(&world.system, &options));
  add_actors(o);
  trp_sim_add_source(world.system, trp_simhub_source(world.hub));
  trp_sim_on_step(world.system, after_step, NULL);
  char failure[128] = "";
  enum trp_err err = trp_system_start(world.system, failure, sizeof failure);
  assert_string_equal("", failure);
  assert_int_equal(TRP_OK, err);
}

static void check_report(const struct trp_report *report) {
  for (size_t i = 0; i < report->actor_count; i++) {
    const struct trp_report_actor *a = &report->actors[i];
    if (strcmp(a->verdict, "clean") != 0 || !trp_ledger_balances(&a->ledger)) {
      fail_msg("%s: %s, took %llu ms", a->name, a->verdict,
               (unsigned long long)(a->elapsed_ns / TRP_NS_PER_MS));
    }
  }
  assert_true(report->balanced);
  for (int i = 0; i < TRP_RES_COUNT; i++) {
    if (report->left_behind[i] != 0) fail_msg("%d left of kind %d", (int)report->left_behind[i], i);
  }
  assert_int_equal(TRP_VERDICT_CLEAN, report->verdict);
  assert_true(report->elapsed_ns <= STOP_MS * TRP_NS_PER_MS);
}

void world_end(void) {
  trp_system_stop(world.system, "the story is over");
  assert_int_equal(TRP_OK, trp_system_wait(world.system, STOP_MS * TRP_NS_PER_MS));
  check_report(trp_system_report(world.system));
  assert_int_equal(0, real->live(world.feed.net));
  for (uint32_t i = 0; i < world.keeper.count; i++) {
    assert_int_equal(0, world.keeper.rows[i].disorder);
  }
  if (world.broken != NULL) fail_msg("%s", world.broken);
  trp_system_destroy(&world.system);
  world.system = NULL;
  assert_int_equal(0, trp_simhub_connections(world.hub));
  trp_simhub_destroy(&world.hub);
  feed_keeper_fini(&world.keeper);
  seeds_note(0);
}

int world_tell_trace(void **state) {
  (void)state;
  bool told = world.system != NULL && getenv("TRP_LOUD") != NULL;
  if (told) fputs(trp_log_trace(world.system->log, NULL), stderr);
  return 0;
}

/* ---- driving and asking ---- */

void world_run_ms(uint64_t ms) { trp_sim_run_for(world.system, ms * TRP_NS_PER_MS); }

uint64_t world_now_ms(void) { return trp_system_now_ns(world.system) / TRP_NS_PER_MS; }

static bool in_phase(void *arg) { return world.phase == *(const uint32_t *)arg; }

bool world_until_phase(uint32_t phase, uint64_t ms) {
  return trp_sim_run_until(world.system, in_phase, &phase, ms * TRP_NS_PER_MS);
}

enum trp_err world_command(const char *verb, const char *symbol, uint64_t ms) {
  struct trp_feed_command command = {0};
  struct trp_result result;
  size_t size = sizeof result;
  uint16_t type;
  snprintf(command.verb, sizeof command.verb, "%s", verb);
  snprintf(command.symbol, sizeof command.symbol, "%s", symbol != NULL ? symbol : "");
  enum trp_err err =
      trp_system_ask(world.system, trp_system_whereis(world.system, "binance"), TRP_FEED_COMMAND,
                     &command, sizeof command, ms * TRP_NS_PER_MS, &type, &result, &size);
  return err != TRP_OK ? err : (enum trp_err)result.status;
}

void world_fault(const char *actor, const char *text) {
  struct trp_fault fault = {0};
  snprintf(fault.text, sizeof fault.text, "%s", text);
  struct trp_ref who = trp_system_whereis(world.system, actor);
  (void)!trp_system_send(world.system, who, TRP_FAULT, &fault, sizeof fault);
}

void world_conditions(const char *host, const struct trp_simhub_conditions *conditions) {
  assert_int_equal(TRP_OK, trp_simhub_set(world.hub, host, conditions));
}

struct trp_actor_info world_info(const char *actor) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(world.system, i, &info); i++) {
    if (strcmp(info.name, actor) == 0) return info;
  }
  fail_msg("no actor %s", actor);
  return info;
}

int64_t world_held(const char *actor, enum trp_resource what) {
  return world_info(actor).held[what];
}

uint64_t world_engine_stat(const char *key) {
  struct trp_operator stats = {.text = "stats"};
  struct trp_result result;
  size_t size = sizeof result;
  uint16_t type;
  assert_int_equal(
      TRP_OK,
      trp_system_ask(world.system, trp_system_whereis(world.system, "event_engine"), TRP_OPERATOR,
                     &stats, sizeof stats, TRP_NS_PER_S, &type, &result, &size));
  const char *at = strstr(result.text, key);
  assert_non_null(at);
  return strtoull(at + strlen(key), NULL, 10);
}
