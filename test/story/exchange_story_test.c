/* The embedded exchange as an actor, in virtual time over the simulated net: sessions, limits,
 * every fault that can be ordered, a crash, and the stop that sends close frames. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/supervisor.h"
#include "adapters/exchange.h"
#include "adapters/net_sim.h"
#include "runtime/sim.h"

#define STREAM "/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms"

/* ---- a client that counts what happens to it ---- */

struct seen {
  struct trp_net *net;
  uint64_t link;
  uint32_t opened, failed, closed, proper, frames, pings, replies, responses, holes;
  uint16_t code;
  bool waits;        /* when stopping: for the exchange's close frame */
  uint64_t depth_id; /* of the last depth event */
};

static void look_at_frame(struct seen *seen, const struct trp_net_event *event) {
  char text[512];
  size_t size = event->size < sizeof text ? event->size : sizeof text - 1;
  memcpy(text, event->bytes, size);
  text[size] = '\0';
  seen->frames++;
  seen->replies += strstr(text, "\"result\"") != NULL;
  const char *first = strstr(text, "\"U\":");
  const char *last = strstr(text, "\"u\":");
  if (first != NULL && last != NULL) {
    seen->holes += seen->depth_id != 0 && strtoull(first + 4, NULL, 10) != seen->depth_id + 1;
    seen->depth_id = strtoull(last + 4, NULL, 10);
  }
}

static enum trp_err client_ready(struct trp_self *self, void *state) {
  struct seen *seen = *(struct seen **)state;
  struct trp_net_event event;
  while (seen->net->ops->next(seen->net, &event)) {
    seen->opened += event.kind == TRP_NET_OPENED;
    seen->failed += event.kind == TRP_NET_FAILED;
    seen->pings += event.kind == TRP_NET_PING;
    seen->responses += event.kind == TRP_NET_RESPONSE;
    if (event.kind == TRP_NET_FRAME) {
      look_at_frame(seen, &event);
    } else if (event.kind == TRP_NET_CLOSED) {
      seen->closed++;
      seen->proper += event.proper;
      seen->code = event.code;
    }
  }
  if (seen->waits && seen->closed == seen->opened) {
    seen->waits = false;
    trp_stop_release(self);
  }
  return TRP_OK;
}

static void client_stop(struct trp_self *self, void *state) {
  struct seen *seen = *(struct seen **)state;
  seen->waits = seen->closed < seen->opened;
  if (seen->waits) {
    trp_stop_hold(self);
  }
}

static enum trp_err client_start(struct trp_self *self, void *state, const void *args) {
  struct seen *seen = *(struct seen *const *)args;
  *(struct seen **)state = seen;
  trp_net_bind(seen->net, trp_self_system(self), trp_self_ref(self));
  return TRP_OK;
}

/* One that is half-open or held hears of no end: it is given up. */
static void client_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  struct seen *seen = *(struct seen **)state;
  seen->net->ops->cancel(seen->net, seen->link);
}

/* "ws PATH", "http PATH", "say TEXT", "hold", "close". */
static enum trp_err client_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  struct seen *seen = *(struct seen **)state;
  const struct trp_operator *order = trp_msg_operator(msg);
  const struct trp_net_ops *ops = seen->net->ops;
  char url[256];
  if (order == NULL) {
    return TRP_OK;
  }
  const char *rest = strchr(order->text, ' ');
  snprintf(url, sizeof url, "%s://127.0.0.1:9000%s", order->text[0] == 'w' ? "ws" : "http",
           rest != NULL ? rest + 1 : "");
  struct trp_net_request request = {.url = url, .timeout_ms = 5000};
  switch (order->text[0]) {
    case 'w':
      return ops->ws_open(seen->net, &request, &seen->link);
    case 'h': {
      uint64_t link;
      if (strcmp(order->text, "hold") != 0) return ops->http_send(seen->net, &request, &link);
      ops->hold(seen->net, seen->link, true);
      return TRP_OK;
    }
    case 's':
      return ops->ws_send(seen->net, seen->link, false, rest + 1, strlen(rest + 1));
    default:
      ops->ws_close(seen->net, seen->link, 1000, "bye", 1000);
      return TRP_OK;
  }
}

static const struct trp_kind client_kind = {.name = "client",
                                            .state_bytes = sizeof(struct seen *),
                                            .start = client_start,
                                            .receive = client_receive,
                                            .ready = client_ready,
                                            .stop = client_stop,
                                            .end = client_end};

/* ---- the world ---- */

struct world {
  struct trp_system *system;
  struct trp_simhub *hub;
  struct trp_exchange_stats stats;
  struct trp_exchange_options options;
  struct seen seen, *seen_args;
};

static struct world world;

static void build(uint32_t quotes_per_s) {
  memset(&world, 0, sizeof world);
  world.hub = trp_simhub_new(3);
  assert_non_null(world.hub);
  assert_int_equal(TRP_OK, trp_simhub_net(world.hub, &world.options.net));
  assert_int_equal(TRP_OK, trp_simhub_net(world.hub, &world.seen.net));
  world.options.stats = &world.stats;
  world.options.port = 9000;
  world.options.wall_ns = 1700000000 * TRP_NS_PER_S;
  world.options.quotes_per_s = quotes_per_s;
  world.seen_args = &world.seen;
  assert_int_equal(
      TRP_OK, trp_system_new(&world.system, &(struct trp_system_options){.name = "story",
                                                                         .sched = TRP_SCHED_SIM,
                                                                         .seed = 5,
                                                                         .allow_faults = true,
                                                                         .log_fd = -1}));
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind},
      {.name = "client",
       .kind = &client_kind,
       .args = &world.seen_args,
       .loop = &world.seen.net->loop,
       .supervisor = "supervisor"},
      {.name = "exchange",
       .kind = &trp_exchange_kind,
       .args = &world.options,
       .loop = &world.options.net->loop,
       .supervisor = "supervisor"},
  };
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
    assert_int_equal(TRP_OK, trp_system_add(world.system, &specs[i]));
  }
  trp_sim_add_source(world.system, trp_simhub_source(world.hub));
  char failure[128] = "";
  enum trp_err err = trp_system_start(world.system, failure, sizeof failure);
  assert_string_equal("", failure);
  assert_int_equal(TRP_OK, err);
}

static void tear_down(void) {
  trp_system_destroy(&world.system);
  assert_int_equal(0, trp_simhub_connections(world.hub));
  trp_simhub_destroy(&world.hub);
}

static void run_ms(uint64_t ms) { trp_sim_run_for(world.system, ms * TRP_NS_PER_MS); }

static void order(const char *text) {
  struct trp_operator message = {0};
  snprintf(message.text, sizeof message.text, "%s", text);
  assert_int_equal(TRP_OK, trp_system_send(world.system, trp_system_whereis(world.system, "client"),
                                           TRP_OPERATOR, &message, sizeof message));
}

static struct trp_result ask_exchange(uint16_t type, const char *text) {
  union {
    struct trp_fault fault;
    struct trp_operator operator;
  } message = {0};
  struct trp_result result = {0};
  size_t size = sizeof result;
  uint16_t answer = 0;
  snprintf(message.fault.text, sizeof message.fault.text, "%s", text);
  size_t bytes = type == TRP_FAULT ? sizeof message.fault : sizeof message.operator;
  assert_int_equal(TRP_OK,
                   trp_system_ask(world.system, trp_system_whereis(world.system, "exchange"), type,
                                  &message, bytes, TRP_NS_PER_S, &answer, &result, &size));
  assert_int_equal(TRP_RESULT, answer);
  return result;
}

static void fault(const char *text) {
  assert_int_equal(TRP_OK, ask_exchange(TRP_FAULT, text).status);
}

/* A new world with a client that hears BTCUSDT. */
static void begin(void) {
  build(20);
  order("ws " STREAM);
  run_ms(1000);
  assert_int_equal(1, world.seen.opened);
  assert_true(world.seen.frames > 15);
}

/* Frames that came within so many milliseconds. */
static uint32_t frames_in(uint64_t ms) {
  uint32_t before = world.seen.frames;
  run_ms(ms);
  return world.seen.frames - before;
}

static int64_t sockets_held(void) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(world.system, i, &info); i++) {
    if (strcmp(info.name, "exchange") == 0) {
      return info.held[TRP_RES_SOCKET];
    }
  }
  return -1;
}

/* ---- stories ---- */

static void a_stop_says_goodbye_with_close_frames(void **state) {
  (void)state;
  begin();
  assert_int_equal(1, sockets_held());
  trp_system_stop(world.system, "test");
  assert_int_equal(TRP_OK, trp_system_wait(world.system, 5 * TRP_NS_PER_S));
  assert_int_equal(1, world.seen.closed);
  assert_int_equal(1, world.seen.proper);
  assert_int_equal(1001, world.seen.code);
  assert_int_equal(1, world.stats.closes_proper);
  assert_int_equal(0, world.stats.closes_improper);
  assert_int_equal(0, world.stats.cut);
  assert_int_equal(0, sockets_held());
  tear_down();
}

static void a_client_that_leaves_is_accounted_for(void **state) {
  (void)state;
  begin();
  order("close");
  run_ms(1000);
  assert_int_equal(1, world.stats.closes_proper);
  assert_int_equal(0, sockets_held());
  struct trp_result result = ask_exchange(TRP_OPERATOR, "stats");
  assert_non_null(strstr(result.text, "port=9000 sessions=0 accepted=1 closes_proper=1 "));
  assert_int_equal(TRP_INVALID, ask_exchange(TRP_OPERATOR, "what").status);
  tear_down();
}

static void pings_come_every_20_seconds_and_who_is_dead_is_cut(void **state) {
  (void)state;
  begin();
  run_ms(41000);
  assert_int_equal(2, world.seen.pings);
  assert_int_equal(0, world.stats.limited);
  trp_simhub_half_open(world.hub, NULL);
  run_ms(85000);
  assert_int_equal(1, world.stats.limited + world.stats.slow);
  assert_int_equal(0, sockets_held());
  tear_down();
}

static void a_drop_ends_every_connection_without_a_close_frame(void **state) {
  (void)state;
  begin();
  fault("drop");
  run_ms(500);
  assert_int_equal(1, world.seen.closed);
  assert_int_equal(0, world.seen.proper);
  assert_int_equal(1006, world.seen.code);
  assert_int_equal(1, world.stats.cut);
  order("ws " STREAM);
  run_ms(1000);
  assert_int_equal(2, world.seen.opened);
  tear_down();
}

static void silence_sends_nothing_and_still_answers_http(void **state) {
  (void)state;
  begin();
  fault("silence:3000");
  run_ms(10);
  assert_int_equal(0, frames_in(2900));
  order("http /api/v3/ping");
  run_ms(50);
  assert_int_equal(1, world.seen.responses);
  assert_true(frames_in(1500) > 20);
  assert_int_equal(0, world.seen.closed);
  assert_int_equal(1, world.seen.holes > 0); /* what was not told is missing, as it would be */
  tear_down();
}

static void a_stall_reads_and_writes_nothing_for_its_time(void **state) {
  (void)state;
  begin();
  fault("stall:3000");
  run_ms(10);
  order("http /api/v3/ping");
  assert_int_equal(0, frames_in(2900));
  assert_int_equal(0, world.seen.responses);
  assert_true(frames_in(1500) > 20);
  assert_int_equal(1, world.seen.responses);
  assert_int_equal(0, world.seen.closed);
  tear_down();
}

static void a_stop_does_not_wait_for_a_stall(void **state) {
  (void)state;
  begin();
  fault("stall:600000");
  trp_system_stop(world.system, "test");
  assert_int_equal(TRP_OK, trp_system_wait(world.system, 3 * TRP_NS_PER_S));
  assert_int_equal(1, world.stats.closes_proper);
  tear_down();
}

static void a_gap_misses_one_update(void **state) {
  (void)state;
  begin();
  run_ms(1000);
  assert_int_equal(0, world.seen.holes);
  fault("gap");
  run_ms(1000);
  assert_int_equal(1, world.seen.holes);
  tear_down();
}

static void refusing_cuts_newcomers_and_keeps_who_is_there(void **state) {
  (void)state;
  begin();
  fault("refuse:2000");
  order("ws " STREAM);
  order("http /api/v3/ping");
  run_ms(1900);
  assert_int_equal(2, world.stats.refused);
  assert_int_equal(0, world.seen.responses);
  assert_int_equal(0, world.stats.cut);
  assert_true(frames_in(1000) > 15);
  order("ws " STREAM);
  run_ms(500);
  assert_int_equal(2, world.stats.accepted);
  tear_down();
}

static void an_unknown_fault_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "dance", "silence", "silence:", "silence:x", "stall:12x", "refuse:99999999999"};
  begin();
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    assert_int_equal(TRP_INVALID, ask_exchange(TRP_FAULT, texts[i]).status);
  }
  assert_true(frames_in(1000) > 15);
  tear_down();
}

static void more_than_five_messages_a_second_end_the_connection(void **state) {
  (void)state;
  begin();
  for (int second = 0; second < 3; second++) {
    for (int i = 0; i < 5; i++) {
      order("say {\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}");
    }
    run_ms(1100);
  }
  assert_int_equal(15, world.seen.replies);
  assert_int_equal(0, world.stats.limited);
  for (int i = 0; i < 6; i++) {
    order("say {\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}");
  }
  run_ms(1000);
  assert_int_equal(1, world.stats.limited);
  assert_int_equal(20, world.seen.replies);
  assert_int_equal(1008, world.seen.code);
  assert_int_equal(1, world.seen.proper);
  tear_down();
}

static void a_client_that_does_not_read_is_cut(void **state) {
  (void)state;
  build(2000);
  order("ws " STREAM);
  run_ms(200);
  order("hold");
  run_ms(5000);
  assert_int_equal(1, world.stats.slow);
  assert_int_equal(1, world.stats.cut);
  assert_int_equal(0, sockets_held());
  tear_down();
}

static void a_crash_leaves_the_address_and_the_account_to_the_next(void **state) {
  (void)state;
  begin();
  struct trp_fault panic = {.text = "panic"};
  struct trp_ref before = trp_system_whereis(world.system, "exchange");
  assert_int_equal(TRP_OK, trp_system_send(world.system, before, TRP_FAULT, &panic, sizeof panic));
  run_ms(1000);
  assert_false(trp_ref_equal(before, trp_system_whereis(world.system, "exchange")));
  assert_int_equal(1, world.seen.closed);
  assert_int_equal(0, world.seen.proper);
  assert_int_equal(0, sockets_held());
  order("ws " STREAM);
  run_ms(1000);
  assert_int_equal(2, world.seen.opened);
  assert_int_equal(2, world.stats.accepted);
  assert_int_equal(9000, world.stats.port);
  tear_down();
}

static void one_seed_is_one_run(void **state) {
  (void)state;
  uint64_t sent[2];
  uint64_t id[2];
  for (int i = 0; i < 2; i++) {
    begin();
    run_ms(5000);
    sent[i] = world.stats.frames_sent;
    id[i] = world.seen.depth_id;
    tear_down();
  }
  assert_true(sent[0] > 100);
  assert_true(sent[0] == sent[1]);
  assert_true(id[0] == id[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stop_says_goodbye_with_close_frames),
      cmocka_unit_test(a_client_that_leaves_is_accounted_for),
      cmocka_unit_test(pings_come_every_20_seconds_and_who_is_dead_is_cut),
      cmocka_unit_test(a_drop_ends_every_connection_without_a_close_frame),
      cmocka_unit_test(silence_sends_nothing_and_still_answers_http),
      cmocka_unit_test(a_stall_reads_and_writes_nothing_for_its_time),
      cmocka_unit_test(a_stop_does_not_wait_for_a_stall),
      cmocka_unit_test(a_gap_misses_one_update),
      cmocka_unit_test(refusing_cuts_newcomers_and_keeps_who_is_there),
      cmocka_unit_test(an_unknown_fault_is_refused),
      cmocka_unit_test(more_than_five_messages_a_second_end_the_connection),
      cmocka_unit_test(a_client_that_does_not_read_is_cut),
      cmocka_unit_test(a_crash_leaves_the_address_and_the_account_to_the_next),
      cmocka_unit_test(one_seed_is_one_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
